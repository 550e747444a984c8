//! Chunks of a chat completion's stream under another id.
//!
//! What a reader could get wrong: only the value behind the chunk's own `id` is another, found by its position; tool calls have ids too, and
//! texts may hold anything. A chunk without an id is given one; what is no chunk (an error, `[DONE]`) is left as it is.

use bytes::Bytes;
use smallvec::SmallVec;

use super::splice::{self, Edit};
use super::sse::{Frame, Frames, Keep};
use super::view::scanner::Scanner;

/// Whole frames with another id. `id`: as JSON, in quotes.
pub fn frames(frames: Bytes, id: &Bytes) -> Bytes {
    let mut out = SmallVec::new();
    let mut reading = Frames::new();
    let read = reading.push_frames(frames.clone(), |frame| frame_under(frame, id), &mut out);
    if read.is_err() {
        return frames;
    }
    out.extend(reading.finish());
    match out.as_slice() {
        [whole] => whole.clone(),
        pieces => pieces.concat().into(),
    }
}

fn frame_under(frame: Frame<'_>, id: &Bytes) -> Keep {
    let Some(mut edits) = edits(frame.data, id) else { return Keep::Yes };
    // Data on one line stands in its frame as it is; nothing around it is touched.
    if let Some(at) = memchr::memmem::find(frame.bytes, frame.data) {
        for edit in &mut edits {
            edit.range = edit.range.start + at..edit.range.end + at;
        }
        return Keep::Instead(applied(frame.bytes, &mut edits));
    }
    let mut whole = Vec::with_capacity(frame.bytes.len() + id.len());
    frame.with_data(&applied(frame.data, &mut edits), &mut whole);
    Keep::Instead(whole.into())
}

fn applied(bytes: &[u8], edits: &mut [Edit]) -> Bytes {
    match splice::apply(&Bytes::copy_from_slice(bytes), edits).as_slice() {
        [whole] => whole.clone(),
        parts => parts.concat().into(),
    }
}

/// What has to be changed of a chunk; `None`: it is none.
fn edits(data: &[u8], id: &Bytes) -> Option<SmallVec<[Edit; 1]>> {
    let mut scanner = Scanner::new(data);
    let mut edits: SmallVec<[Edit; 1]> = SmallVec::new();
    let mut is_chunk = false;
    scanner.peek();
    let open = scanner.at() + 1;
    let walked = scanner.object(|scanner, key, _| {
        let range = scanner.skip()?;
        is_chunk |= &*key == b"choices";
        if &*key == b"id" {
            edits.push(Edit { range, with: id.clone() });
        }
        Ok(())
    });
    if walked.is_err() || !is_chunk {
        return None;
    }
    if edits.is_empty() {
        // `choices` stands in it, so the comma has something to separate.
        let with = [b"\"id\":", &id[..], b","].concat().into();
        edits.push(Edit { range: open..open, with });
    }
    Some(edits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn under(frame: &str) -> String {
        String::from_utf8(
            frames(Bytes::copy_from_slice(frame.as_bytes()), &Bytes::from_static(b"\"chatcmpl-tg1\"")).to_vec(),
        )
        .unwrap()
    }

    #[test]
    fn only_the_chunks_own_id_is_another() {
        for (came, gone) in [
            (
                r#"{"choices":[{"id":"1","delta":{"content":"1","tool_calls":[{"id":"1"}]}}],"id": "1" ,"x":"1"}"#,
                r#"{"choices":[{"id":"1","delta":{"content":"1","tool_calls":[{"id":"1"}]}}],"id": "chatcmpl-tg1" ,"x":"1"}"#,
            ),
            (
                r#"{"id":"","choices":[{"delta":{"content":""}}]}"#,
                r#"{"id":"chatcmpl-tg1","choices":[{"delta":{"content":""}}]}"#,
            ),
            (r#"{"id":null,"choices":[]}"#, r#"{"id":"chatcmpl-tg1","choices":[]}"#),
            (r#" { "choices":[]}"#, r#" {"id":"chatcmpl-tg1", "choices":[]}"#),
            (r#"{"error":{"id":"1"}}"#, r#"{"error":{"id":"1"}}"#),
            (r#"{"id":"1","choices":[}"#, r#"{"id":"1","choices":[}"#),
            ("[DONE]", "[DONE]"),
        ] {
            for (before, after) in [("data:", "\n\n"), (": x\r\nevent: a\r\ndata: ", "\r\n\r\n"), ("data: ", "\r\r")] {
                assert_eq!(under(&format!("{before}{came}{after}")), format!("{before}{gone}{after}"));
            }
        }
        assert_eq!(under(": waiting\n\n"), ": waiting\n\n");
        assert_eq!(
            under("data: {\"choices\":[],\ndata: \"id\":\"1\"}\n\n"),
            "data: {\"choices\":[],\ndata: \"id\":\"chatcmpl-tg1\"}\n\n"
        );
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            Just(String::new()),
            Just("1".to_owned()),
            Just("\"id\":\"1\"".to_owned()),
            Just("choices".to_owned()),
            "\\PC{0,20}"
        ]
    }

    proptest! {
        #[test]
        fn every_other_byte_is_the_same(
            chunks in prop::collection::vec((text(), text(), text(), text(), any::<[bool; 3]>()), 1..6),
        ) {
            let (mut came, mut expected) = (String::new(), String::new());
            for (id, content, call, key, [id_first, crlf, spaced]) in &chunks {
                let delta = json!({"content": content, "tool_calls": [{"id": call, "function": {"arguments": content}}]});
                let rest = format!("\"choices\":{}", json!([{"id": id, "delta": delta, (key): id}]));
                let (end, colon) = (if *crlf { "\r\n" } else { "\n" }, if *spaced { " : " } else { ":" });
                let frame = |id: &str| match id_first {
                    true => format!("data: {{\"id\"{colon}{id},{rest}}}{end}{end}"),
                    false => format!("data:{{{rest} ,\"id\"{colon}{id} }}{end}{end}"),
                };
                came += &frame(&Value::from(id.as_str()).to_string());
                expected += &frame("\"chatcmpl-tg1\"");
            }
            prop_assert_eq!(under(&came), expected);
        }
    }
}
