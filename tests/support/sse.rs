//! Server-sent events as a client reads them, by the WHATWG rules: CRLF, LF, comments, several `data` lines.
//!
//! What a reader could get wrong: it is kept apart from the gateway's own parser on purpose, so that one does not excuse the other.

/// One event.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Event {
    /// The `event` field, empty where none was sent.
    pub name: String,
    /// The `data` lines, joined by newlines.
    pub data: String,
}

impl Event {
    /// The data as JSON; `null` where it is none (`[DONE]`).
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.data).unwrap_or_default()
    }

    pub fn is_done(&self) -> bool {
        self.data == "[DONE]"
    }

    /// Whether it tells of an error, as SDKs see it: by its name or by an `error` member.
    pub fn is_error(&self) -> bool {
        self.name == "error" || self.json().get("error").is_some_and(|error| !error.is_null())
    }

    /// The text of a chat chunk's first choice.
    pub fn content(&self) -> String {
        self.json()["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned()
    }
}

/// Collects bytes, gives events out as soon as their empty line is there.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
}

impl Reader {
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete event.
    pub fn next_event(&mut self) -> Option<Event> {
        loop {
            let (lines, used) = block(&self.buffer)?;
            self.buffer.drain(..used);
            let event = event(&lines);
            if event.is_some() {
                return event;
            }
        }
    }
}

/// All events of a complete stream.
pub fn events(bytes: &[u8]) -> Vec<Event> {
    let mut reader = Reader::default();
    reader.push(bytes);
    std::iter::from_fn(|| reader.next_event()).collect()
}

/// The texts of a chat stream's chunks, put together.
pub fn text(events: &[Event]) -> String {
    events.iter().map(Event::content).collect()
}

/// The lines up to an empty one, and how many bytes they took. A CR at the end of the buffer may still become CRLF.
fn block(bytes: &[u8]) -> Option<(Vec<String>, usize)> {
    let (mut lines, mut start, mut at) = (vec![], 0, 0);
    while at < bytes.len() {
        let width = match (bytes[at], bytes.get(at + 1)) {
            (b'\r', None) => return None,
            (b'\r', Some(b'\n')) => 2,
            (b'\r' | b'\n', _) => 1,
            _ => {
                at += 1;
                continue;
            }
        };
        let line = String::from_utf8_lossy(&bytes[start..at]).into_owned();
        at += width;
        start = at;
        if line.is_empty() {
            return Some((lines, at));
        }
        lines.push(line);
    }
    None
}

fn event(lines: &[String]) -> Option<Event> {
    let mut event = Event::default();
    let mut data: Vec<&str> = vec![];
    for line in lines {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => event.name = value.to_owned(),
            "data" => data.push(value),
            _ => {}
        }
    }
    event.data = data.join("\n");
    (!data.is_empty()).then_some(event)
}

#[test]
fn reads_crlf_comments_names_and_several_data_lines() {
    let stream = b": hi\r\n\r\nevent: a\r\ndata: 1\r\ndata: 2\r\n\r\nid: 7\n\ndata:[DONE]\n\ndata: half";
    let found = events(stream);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0], Event { name: "a".into(), data: "1\n2".into() });
    assert!(found[1].is_done());
}
