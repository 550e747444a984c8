//! An edge answer's stream under the id of the job that follows it, and a copy of it for that job.
//!
//! What a reader could get wrong: the upstream's id is taken from the first event and replaced wherever it stands in quotes. Within a text
//! quotes are escaped, so no text is touched.

use bytes::Bytes;
use memchr::memmem;
use tokio::sync::oneshot;

/// A longer answer is not kept beside the cloud's.
const LARGEST: usize = 8 << 20;

/// Passes frames on under another id.
#[derive(Debug)]
pub struct Renaming {
    /// In quotes; `None`: no event has told it yet.
    old: Option<Vec<u8>>,
    /// In quotes.
    new: Vec<u8>,
    heard: Vec<Bytes>,
    bytes: usize,
    told: oneshot::Sender<Vec<Bytes>>,
}

impl Renaming {
    /// The receiver gets the whole stream at its end; nothing where it breaks off.
    pub fn new(id: &str) -> (Renaming, oneshot::Receiver<Vec<Bytes>>) {
        let (told, whole) = oneshot::channel();
        (Renaming { old: None, new: format!("\"{id}\"").into_bytes(), heard: vec![], bytes: 0, told }, whole)
    }

    /// Whole frames on their way to the client.
    pub fn pass(&mut self, frames: Bytes) -> Bytes {
        if self.old.is_none() {
            self.old = first_id(&frames).map(<[u8]>::to_vec);
        }
        let renamed = match &self.old {
            Some(old) => replaced(frames, old, &self.new),
            None => frames,
        };
        self.bytes += renamed.len();
        match self.bytes <= LARGEST {
            true => self.heard.push(renamed.clone()),
            false => self.heard = vec![],
        }
        renamed
    }

    /// The stream has come to its own end.
    pub fn end(self) {
        if self.bytes <= LARGEST {
            // Nobody waits where the gateway stops.
            let _told = self.told.send(self.heard);
        }
    }
}

/// The value of the first `"id"`, quotes included.
fn first_id(frames: &[u8]) -> Option<&[u8]> {
    let key = memmem::find(frames, b"\"id\"")?;
    let rest = frames.get(key + 4..)?;
    let colon = rest.iter().position(|byte| !byte.is_ascii_whitespace()).filter(|at| rest[*at] == b':')?;
    let rest = rest.get(colon + 1..)?;
    let open = rest.iter().position(|byte| !byte.is_ascii_whitespace()).filter(|at| rest[*at] == b'"')?;
    let close = memchr::memchr(b'"', rest.get(open + 1..)?)?;
    rest.get(open..open + close + 2)
}

fn replaced(frames: Bytes, old: &[u8], new: &[u8]) -> Bytes {
    let finder = memmem::Finder::new(old);
    let mut found = finder.find_iter(&frames).peekable();
    if found.peek().is_none() {
        return frames;
    }
    let mut out = Vec::with_capacity(frames.len() + 64);
    let mut done = 0;
    for at in found {
        out.extend_from_slice(&frames[done..at]);
        out.extend_from_slice(new);
        done = at + old.len();
    }
    out.extend_from_slice(&frames[done..]);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_replaced_in_every_frame_and_in_no_text() {
        let (mut renaming, mut whole) = Renaming::new("chatcmpl-tg1");
        let frames = [
            "data: {\"id\": \"c1\",\"choices\":[]}\n\n",
            "data: {\"id\":\"c1\",\"delta\":\"say \\\"c1\\\" and c1\"}\n\ndata: {\"id\":\"c1\"}\n\n",
            "data: [DONE]\n\n",
        ];
        let passed: Vec<Bytes> = frames.iter().map(|frame| renaming.pass(Bytes::from(*frame))).collect();
        assert_eq!(passed[0], "data: {\"id\": \"chatcmpl-tg1\",\"choices\":[]}\n\n");
        assert_eq!(
            passed[1],
            "data: {\"id\":\"chatcmpl-tg1\",\"delta\":\"say \\\"c1\\\" and c1\"}\n\ndata: {\"id\":\"chatcmpl-tg1\"}\n\n"
        );
        assert!(whole.try_recv().is_err());
        renaming.end();
        assert_eq!(whole.try_recv().unwrap(), passed);
    }

    #[test]
    fn responses_have_theirs_one_level_down() {
        let frame = br#"data: {"type":"response.created","response":{"id":"resp_1","object":"response"}}"#;
        assert_eq!(first_id(frame), Some(&b"\"resp_1\""[..]));
        assert_eq!(first_id(b": comment\n\n"), None);
        assert_eq!(first_id(b"data: {\"id\":7}"), None);
    }
}
