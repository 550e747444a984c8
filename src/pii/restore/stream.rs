//! The events of a stream: texts that go on from event to event are restored across them.
//!
//! What may still become a label is held back until the next piece of the same text. If none comes (the choice or item ends, another text of it
//! begins, the stream is over), what was held goes out in an event of its own in front: a copy of the one that it came in.
//!
//! What a reader could get wrong: an event is never held, only a text's last few characters; the event goes on with what is left of its text.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::text::{Held, Kind, Restorer};
use crate::openai::splice::{self, Edit};
use crate::openai::sse::{Frame, Keep};
use crate::openai::texts::{self, Text, Texts};
use crate::openai::view::decode_string;

/// Restores one stream.
#[derive(Debug)]
pub struct Stream {
    restorer: Arc<Restorer>,
    open: Vec<Open>,
}

/// A text that has begun. `Debug` tells none of it.
struct Open {
    channel: u64,
    group: u64,
    kind: Kind,
    held: Held,
    /// The frame that the held text came in last, to be sent again with it alone.
    frame: Vec<u8>,
    data: Vec<u8>,
    /// Where its text stands in `data`, and where the others do.
    at: Range<usize>,
    /// With what stands for them in the copy.
    others: Vec<(Range<usize>, &'static [u8])>,
}

/// Texts of one answer that may go on side by side: choices, their parts, calls of tools.
const MOST_OPEN: usize = 1_024;

const EMPTY: &[u8] = b"\"\"";
const NULL: &[u8] = b"null";

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Open({} bytes held)", self.held.text.len())
    }
}

impl Stream {
    pub fn new(restorer: Arc<Restorer>) -> Stream {
        Stream { restorer, open: Vec::new() }
    }

    /// What goes on in the place of a frame.
    pub fn frame(&mut self, frame: Frame<'_>) -> Keep {
        let mut before = Vec::new();
        let Some(found) = texts::find(frame.data, true) else {
            // `[DONE]`, or something that nobody understands.
            self.flush(|_| true, &mut before);
            return self.with(before, frame, None);
        };
        self.flush_ended(&found, &mut before);
        let mut edits = Vec::new();
        for text in &found.texts {
            let ended = found.ends_all || found.ended.contains(&text.group);
            if let Some(with) = self.text(&frame, &found, text, ended) {
                edits.push(Edit { range: text.range.clone(), with });
            }
        }
        self.with(before, frame, (!edits.is_empty()).then_some(edits))
    }

    /// The stream is over: what is still held, as frames.
    pub fn finish(&mut self) -> Option<Bytes> {
        let mut out = Vec::new();
        self.flush(|_| true, &mut out);
        (!out.is_empty()).then(|| out.into())
    }

    fn with(&self, mut before: Vec<u8>, frame: Frame<'_>, edits: Option<Vec<Edit>>) -> Keep {
        match edits {
            None if before.is_empty() => Keep::Yes,
            None => {
                before.extend_from_slice(frame.bytes);
                Keep::Instead(before.into())
            }
            Some(mut edits) => {
                let data = splice::apply(&Bytes::copy_from_slice(frame.data), &mut edits).concat();
                frame.with_data(&data, &mut before);
                Keep::Instead(before.into())
            }
        }
    }

    /// The texts that nothing follows any more.
    fn flush_ended(&mut self, found: &Texts, out: &mut Vec<u8>) {
        if self.open.iter().all(|open| open.held.text.is_empty()) {
            return;
        }
        let goes_on = |channel: u64| found.texts.iter().any(|text| text.is_piece && text.channel == channel);
        let is_left = |open: &Open| {
            // Calls of tools may come side by side; an empty text is none.
            let follows =
                |text: &&Text| text.is_piece && text.range.len() > 2 && !(text.is_arguments && open.kind == Kind::Json);
            let another = found.texts.iter().filter(follows).any(|text| text.group == open.group);
            found.ends_all || (another || found.ended.contains(&open.group)) && !goes_on(open.channel)
        };
        self.flush(is_left, out);
    }

    fn flush(&mut self, which: impl Fn(&Open) -> bool, out: &mut Vec<u8>) {
        for open in self.open.iter_mut().filter(|open| !open.held.text.is_empty() && which(open)) {
            let rest = self.restorer.push(&mut open.held, "", open.kind, true).unwrap_or_default();
            let mut edits: Vec<Edit> =
                open.others.drain(..).map(|(range, with)| Edit { range, with: Bytes::from_static(with) }).collect();
            edits.push(Edit { range: open.at.clone(), with: quoted(&rest) });
            let data = splice::apply(&Bytes::from(std::mem::take(&mut open.data)), &mut edits).concat();
            Frame { bytes: &open.frame, data: &[] }.with_data(&data, out);
        }
    }

    /// The text's replacement, if it changes.
    fn text(&mut self, frame: &Frame<'_>, found: &Texts, text: &Text, ended: bool) -> Option<Bytes> {
        let kind = self.restorer.kind(text.is_arguments);
        let raw = frame.data.get(text.range.clone())?;
        let Some(piece) = decode_string(raw) else {
            // Half of a surrogate pair: no label goes across it.
            let open = self.open.iter_mut().find(|open| open.channel == text.channel && !open.held.text.is_empty())?;
            let held = self.restorer.push(&mut open.held, "", open.kind, true).unwrap_or_default();
            let mut joined = quoted(&held).to_vec();
            joined.pop();
            joined.extend_from_slice(raw.get(1..).unwrap_or_default());
            return Some(joined.into());
        };
        if !text.is_piece {
            return self.restorer.push(&mut Held::default(), &piece, kind, true).map(|text| quoted(&text));
        }
        let place = match self.open.iter().position(|open| open.channel == text.channel) {
            Some(place) => place,
            // No answer has so many; one that makes up new ones for ever shall not fill the memory.
            None if self.open.len() >= MOST_OPEN => {
                return self.restorer.push(&mut Held::default(), &piece, kind, true).map(|text| quoted(&text));
            }
            None => {
                self.open.push(Open {
                    channel: text.channel,
                    group: text.group,
                    kind,
                    held: Held::default(),
                    frame: Vec::new(),
                    data: Vec::new(),
                    at: 0..0,
                    others: Vec::new(),
                });
                self.open.len() - 1
            }
        };
        let open = self.open.get_mut(place)?;
        let restored = self.restorer.push(&mut open.held, &piece, kind, ended);
        if !open.held.text.is_empty() {
            frame.bytes.clone_into(&mut open.frame);
            frame.data.clone_into(&mut open.data);
            open.at = text.range.clone();
            let others = found.texts.iter().filter(|other| other.is_piece && other.range != text.range);
            open.others = others.map(|other| (other.range.clone(), EMPTY)).collect();
            open.others.extend(found.once.iter().map(|range| (range.clone(), NULL)));
        }
        restored.map(|text| quoted(&text))
    }
}

fn quoted(text: &str) -> Bytes {
    // A string always serialises.
    serde_json::to_vec(text).unwrap_or_else(|_| b"\"\"".to_vec()).into()
}
