//! Chat completions: the draft as choice 1, the answer as choice 0.
//!
//! What a reader could get wrong: the official helpers take the first chunk's choices by position, and fail where a choice 1 stands alone in
//! it; naive clients read the first choice of each chunk. The empty choice 0 in front is for both.

use bytes::Bytes;

use super::chunk::{Choice, Chunk};
use super::patch::Patch;
use super::{LONGEST_DRAFT, Names, Spent, Standing, Why, inner, quoted};
use crate::openai::sse::{Frame, Frames, TooLong};

const DONE: &[u8] = b"[DONE]";
/// In front of the draft's own choice.
const NOTHING_YET: &str = r#"{"index":0,"delta":{},"finish_reason":null},"#;
const IS_DRAFT: &str = r#""tidegate":{"draft":true},"#;
/// The end of a draft that was cut off.
const CUT: &str = r#"{"index":1,"delta":{},"finish_reason":"length","tidegate":{"draft":true,"cut":true}}"#;

/// A chat's two streams.
#[derive(Debug)]
pub(super) struct Chat {
    /// As JSON.
    id: Vec<u8>,
    created: Vec<u8>,
    model: Vec<u8>,
    usage: bool,
    drafting: Frames,
    answering: Frames,
    standing: Standing,
    /// What the draft has said, escaped, until it was promoted.
    text: Vec<u8>,
    has_said: bool,
    /// The draft's own reason to end, as JSON; empty: it has not.
    finish: Vec<u8>,
    /// Choice 1 has ended.
    is_closed: bool,
    promoted: Option<Why>,
    /// Choice 0 has ended as the promoted draft did.
    is_answered: bool,
    spent: Spent,
    scratch: Vec<u8>,
}

impl Chat {
    pub(super) fn new(names: &Names) -> Chat {
        Chat {
            id: quoted(&format!("chatcmpl-{}", names.id)),
            created: names.created.to_string().into_bytes(),
            model: quoted(&names.model),
            usage: names.usage,
            drafting: Frames::new(),
            answering: Frames::new(),
            standing: Standing::On,
            text: Vec::new(),
            has_said: false,
            finish: Vec::new(),
            is_closed: false,
            promoted: None,
            is_answered: false,
            spent: Spent::default(),
            scratch: Vec::new(),
        }
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn is_complete(&self) -> bool {
        self.has_said && self.finish == b"\"stop\""
    }

    pub(super) fn has_ended(&self) -> bool {
        self.standing == Standing::Complete || !self.finish.is_empty()
    }

    pub(super) fn has_said(&self) -> bool {
        self.has_said
    }

    pub(super) fn draft(&mut self, bytes: Bytes, out: &mut Vec<u8>) -> Result<Standing, TooLong> {
        let mut frames = std::mem::take(&mut self.drafting);
        let pushed = super::each(&mut frames, bytes, out, |frame, out| {
            // What follows its end is nobody's.
            if self.standing == Standing::On {
                self.standing = self.draft_frame(frame, out);
            }
        });
        self.drafting = frames;
        pushed.map(|()| self.standing)
    }

    fn draft_frame(&mut self, frame: Frame<'_>, out: &mut Vec<u8>) -> Standing {
        if frame.data == DONE {
            return Standing::Complete;
        }
        let Some(chunk) = Chunk::read(frame.data) else { return Standing::On };
        if chunk.is_error {
            return Standing::Failed;
        }
        let Some(choice) = chunk.choice.as_ref().filter(|choice| !choice.is_empty) else { return Standing::On };
        if choice.calls {
            return Standing::Calls;
        }
        let said = choice.content.clone().and_then(|range| frame.data.get(range)).map(inner).unwrap_or_default();
        self.has_said |= !said.is_empty();
        if self.promoted.is_none() {
            if self.text.len() + said.len() > LONGEST_DRAFT {
                return Standing::TooLong;
            }
            self.text.extend_from_slice(said);
        }
        if let Some(finish) = choice.finish.clone().and_then(|range| frame.data.get(range)) {
            self.finish = finish.to_vec();
        }
        match self.promoted {
            Some(why) => {
                self.is_answered |= !self.finish.is_empty();
                self.pass(frame, &chunk, |patch| patch.insert(choice.at + 1, marker(why).into_bytes()), out);
            }
            None if self.is_closed => {}
            None => {
                self.is_closed = !self.finish.is_empty();
                self.pass(frame, &chunk, |patch| as_draft(choice, patch), out);
            }
        }
        Standing::On
    }

    /// A chunk of either, under the names of the one stream.
    fn pass(&mut self, frame: Frame<'_>, chunk: &Chunk, more: impl FnOnce(&mut Patch<'_>), out: &mut Vec<u8>) {
        let mut patch = Patch::default();
        patch.value(chunk.id.as_ref(), &self.id);
        patch.value(chunk.created.as_ref(), &self.created);
        patch.value(chunk.model.as_ref(), &self.model);
        more(&mut patch);
        patch.write(frame.data, &mut self.scratch);
        frame.with_data(&self.scratch, out);
    }

    pub(super) fn draft_over(&mut self, spent: Spent, out: &mut Vec<u8>) {
        self.spent = spent;
        if self.promoted.is_none() && !std::mem::replace(&mut self.is_closed, true) {
            self.chunk(&[NOTHING_YET.as_bytes(), CUT.as_bytes()], out);
        }
    }

    pub(super) fn answer(&mut self, bytes: Bytes, out: &mut Vec<u8>) -> Result<(), TooLong> {
        let mut frames = std::mem::take(&mut self.answering);
        let pushed = super::each(&mut frames, bytes, out, |frame, out| self.answer_frame(frame, out));
        self.answering = frames;
        pushed
    }

    fn answer_frame(&mut self, frame: Frame<'_>, out: &mut Vec<u8>) {
        let Some(chunk) = Chunk::read(frame.data) else { return out.extend_from_slice(frame.bytes) };
        let spent = self.spent;
        let add = |patch: &mut Patch<'_>| {
            if let Some(usage) = &chunk.usage {
                patch.add_usage(frame.data, usage, spent);
            }
        };
        self.pass(frame, &chunk, add, out);
    }

    pub(super) fn promote(&mut self, why: Why, out: &mut Vec<u8>) {
        if self.promoted.replace(why).is_some() {
            return;
        }
        let text = std::mem::take(&mut self.text);
        let marker = marker(why);
        let open = format!("{{\"index\":0,{marker}\"delta\":{{\"role\":\"assistant\",\"content\":\"");
        let close = "\"},\"finish_reason\":null}";
        let is_cut = !std::mem::replace(&mut self.is_closed, true);
        let end = if is_cut { [",", CUT] } else { ["", ""] };
        let parts = [open.as_bytes(), &text, close.as_bytes(), end[0].as_bytes(), end[1].as_bytes()];
        self.chunk(&parts, out);
        self.text = text;
    }

    pub(super) fn finish(&mut self, beside: Spent, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.is_answered, true) {
            let marker = self.promoted.map(marker).unwrap_or_default();
            let reason = if self.finish.is_empty() { b"\"stop\"".to_vec() } else { self.finish.clone() };
            let open = format!("{{\"index\":0,{marker}\"delta\":{{}},\"finish_reason\":");
            self.chunk(&[open.as_bytes(), &reason, b"}"], out);
        }
        if self.usage {
            let Spent { prompt, completion } = self.spent.plus(beside);
            let total = prompt.saturating_add(completion);
            let usage = format!(
                "],\"usage\":{{\"prompt_tokens\":{prompt},\"completion_tokens\":{completion},\"total_tokens\":{total}}}}}\n\n"
            );
            self.open_chunk(out);
            out.extend_from_slice(usage.as_bytes());
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    /// A chunk of the gateway's own.
    fn chunk(&self, choices: &[&[u8]], out: &mut Vec<u8>) {
        self.open_chunk(out);
        choices.iter().for_each(|part| out.extend_from_slice(part));
        out.extend_from_slice(b"]}\n\n");
    }

    fn open_chunk(&self, out: &mut Vec<u8>) {
        let parts: [&[u8]; 7] = [
            b"data: {\"id\":",
            &self.id,
            b",\"object\":\"chat.completion.chunk\",\"created\":",
            &self.created,
            b",\"model\":",
            &self.model,
            b",\"choices\":[",
        ];
        parts.iter().for_each(|part| out.extend_from_slice(part));
    }
}

/// The draft's choice: the second one, marked.
fn as_draft(choice: &Choice, patch: &mut Patch<'_>) {
    patch.insert(choice.at, NOTHING_YET.as_bytes());
    match &choice.index {
        Some(index) => {
            patch.insert(choice.at + 1, IS_DRAFT.as_bytes());
            patch.put(index.clone(), b"1".as_slice());
        }
        None => patch.insert(choice.at + 1, format!("\"index\":1,{IS_DRAFT}").into_bytes()),
    }
}

fn marker(why: Why) -> String {
    format!("\"tidegate\":{{\"final\":\"draft\",\"reason\":\"{}\"}},", why.label())
}
