//! The Responses API: the draft as an item of reasoning, the answer's items behind it.
//!
//! What a reader could get wrong: reasoning is the one kind of item that clients neither print as `output_text` nor choke on. The stream has an
//! id of the gateway's, but the last event keeps the answer's own: with it the client goes on where the provider has kept the conversation.

use bytes::Bytes;

use super::event::{Event, Means};
use super::patch::Patch;
use super::{LONGEST_DRAFT, Names, Spent, Standing, Why, inner};
use crate::openai::sse::{Frame, Frames, TooLong};

/// The ids of drafts begin like this: so they are known when they come back.
pub const DRAFT_ID: &str = "rs_draft_";

/// A response's two streams.
#[derive(Debug)]
pub(super) struct Responses {
    id: String,
    created: i64,
    /// As JSON.
    model: String,
    drafting: Frames,
    answering: Frames,
    /// Events told so far.
    sequence: u64,
    has_begun: bool,
    /// Output items that the answer has begun, for an upstream that does not number them.
    items: u64,
    standing: Standing,
    /// What the draft has said, escaped.
    text: Vec<u8>,
    /// Of that, what the draft's own item holds, once it has ended.
    drafted: usize,
    item: Item,
    /// How the draft has ended; `None`: it has not.
    ended: Option<Means>,
    /// It has refused.
    is_refusal: bool,
    promoted: Option<Why>,
    spent: Spent,
    scratch: Vec<u8>,
}

/// The draft's own item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    /// Nothing was said.
    None,
    Open,
    Whole,
    Cut,
}

impl Responses {
    pub(super) fn new(names: &Names) -> Responses {
        let plain = super::quoted(&names.id);
        Responses {
            id: String::from_utf8_lossy(inner(&plain)).into_owned(),
            created: names.created,
            model: String::from_utf8_lossy(&super::quoted(&names.model)).into_owned(),
            drafting: Frames::new(),
            answering: Frames::new(),
            sequence: 0,
            has_begun: false,
            items: 0,
            standing: Standing::On,
            text: Vec::new(),
            drafted: 0,
            item: Item::None,
            ended: None,
            is_refusal: false,
            promoted: None,
            spent: Spent::default(),
            scratch: Vec::new(),
        }
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn is_complete(&self) -> bool {
        self.ended == Some(Means::Completed) && !self.is_refusal && !self.text.is_empty()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    pub(super) fn has_said(&self) -> bool {
        !self.text.is_empty()
    }

    pub(super) fn draft(&mut self, bytes: Bytes, out: &mut Vec<u8>) -> Result<Standing, TooLong> {
        if !std::mem::replace(&mut self.has_begun, true) {
            let response = self.response("in_progress", "null", "", "null");
            self.event("response.created", &[b"\"response\":", response.as_bytes()], out);
            self.event("response.in_progress", &[b"\"response\":", response.as_bytes()], out);
        }
        let mut frames = std::mem::take(&mut self.drafting);
        let pushed = super::each(&mut frames, bytes, out, |frame, out| {
            // What follows its end is nobody's.
            if self.standing == Standing::On {
                self.standing = self.draft_frame(frame.data, out);
            }
        });
        self.drafting = frames;
        pushed.map(|()| self.standing)
    }

    fn draft_frame(&mut self, data: &[u8], out: &mut Vec<u8>) -> Standing {
        let Some(event) = Event::read(data) else { return Standing::On };
        let means = event.means();
        match means {
            Means::Text | Means::Refusal => {}
            Means::Completed | Means::Incomplete => {
                self.ended = Some(means);
                return Standing::Complete;
            }
            Means::Failed => return Standing::Failed,
            _ => return Standing::On,
        }
        let said = event.delta.and_then(|range| data.get(range)).map(inner).unwrap_or_default();
        if said.is_empty() {
            return Standing::On;
        }
        if self.text.len() + said.len() > LONGEST_DRAFT {
            return Standing::TooLong;
        }
        self.is_refusal |= means == Means::Refusal;
        self.text.extend_from_slice(said);
        match (self.promoted, self.item) {
            (Some(_), _) => self.say(said, out),
            (None, Item::None | Item::Open) => self.draft_says(said, out),
            (None, Item::Whole | Item::Cut) => {}
        }
        Standing::On
    }

    /// A piece of the draft's own item.
    fn draft_says(&mut self, said: &[u8], out: &mut Vec<u8>) {
        if self.item == Item::None {
            self.item = Item::Open;
            let item = self.draft_item("in_progress", b"");
            self.event("response.output_item.added", &[b"\"output_index\":0,\"item\":", &item], out);
            let part = b"\"part\":{\"type\":\"reasoning_text\",\"text\":\"\"}";
            let at = self.draft_at();
            self.event("response.content_part.added", &[at.as_bytes(), part], out);
        }
        let at = self.draft_at();
        self.event("response.reasoning_text.delta", &[at.as_bytes(), b"\"delta\":\"", said, b"\""], out);
    }

    pub(super) fn draft_over(&mut self, spent: Spent, out: &mut Vec<u8>) {
        self.spent = spent;
        let is_whole = self.ended == Some(Means::Completed);
        self.close_draft(if is_whole { Item::Whole } else { Item::Cut }, out);
    }

    fn close_draft(&mut self, how: Item, out: &mut Vec<u8>) {
        if self.item != Item::Open {
            return;
        }
        (self.item, self.drafted) = (how, self.text.len());
        let text = self.text.clone();
        let at = self.draft_at();
        let part = [b"{\"type\":\"reasoning_text\",\"text\":\"", text.as_slice(), b"\"}"].concat();
        self.event("response.reasoning_text.done", &[at.as_bytes(), b"\"text\":\"", &text, b"\""], out);
        self.event("response.content_part.done", &[at.as_bytes(), b"\"part\":", &part], out);
        let item = self.closed_draft();
        self.event("response.output_item.done", &[b"\"output_index\":0,\"item\":", &item], out);
    }

    pub(super) fn answer(&mut self, bytes: Bytes, out: &mut Vec<u8>) -> Result<(), TooLong> {
        let mut frames = std::mem::take(&mut self.answering);
        let pushed = super::each(&mut frames, bytes, out, |frame, out| self.answer_frame(frame, out));
        self.answering = frames;
        pushed
    }

    fn answer_frame(&mut self, frame: Frame<'_>, out: &mut Vec<u8>) {
        let Some(event) = Event::read(frame.data) else { return out.extend_from_slice(frame.bytes) };
        let means = event.means();
        if means == Means::Begun {
            return;
        }
        let mut patch = Patch::default();
        let sequence = self.sequence.to_string();
        self.sequence += 1;
        match event.sequence_number {
            Some(range) => patch.put(range, sequence.into_bytes()),
            None => patch.insert(event.at + 1, format!("\"sequence_number\":{sequence},").into_bytes()),
        }
        if means == Means::ItemAdded {
            self.items += 1;
        }
        let is_of_item = matches!(means, Means::ItemAdded | Means::Item | Means::Part | Means::Text | Means::Refusal);
        let number =
            |range: &std::ops::Range<usize>| std::str::from_utf8(frame.data.get(range.clone())?).ok()?.parse().ok();
        match &event.output_index {
            Some(range) => {
                if let Some(index) = number(range).map(|index: u64| index.saturating_add(self.shift())) {
                    patch.put(range.clone(), index.to_string().into_bytes());
                }
            }
            None if is_of_item => {
                let index = self.items.saturating_sub(1) + self.shift();
                patch.insert(event.at + 1, format!("\"output_index\":{index},").into_bytes());
            }
            None => {}
        }
        if event.content_index.is_none() && matches!(means, Means::Part | Means::Text | Means::Refusal) {
            patch.insert(event.at + 1, b"\"content_index\":0,".as_slice());
        }
        if let Some(output) = event.response.output.filter(|_| self.shift() > 0) {
            let mut item = self.closed_draft();
            if !output.is_empty {
                item.push(b',');
            }
            patch.insert(output.at + 1, item);
        }
        if let Some(usage) = &event.response.usage {
            patch.add_usage(frame.data, usage, self.spent);
        }
        patch.write(frame.data, &mut self.scratch);
        frame.with_data(&self.scratch, out);
    }

    pub(super) fn promote(&mut self, why: Why, out: &mut Vec<u8>) {
        if self.promoted.replace(why).is_some() {
            return;
        }
        self.close_draft(Item::Cut, out);
        let (index, item) = (self.index(), self.message("in_progress", &[]));
        self.event("response.output_item.added", &[index.as_bytes(), b"\"item\":", &item], out);
        let at = self.at();
        let part = b"\"part\":{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":\"\"}";
        self.event("response.content_part.added", &[at.as_bytes(), part], out);
        let text = std::mem::take(&mut self.text);
        if !text.is_empty() {
            self.say(&text, out);
        }
        self.text = text;
    }

    /// A piece of the answer that the draft has become.
    fn say(&mut self, said: &[u8], out: &mut Vec<u8>) {
        let at = self.at();
        self.event("response.output_text.delta", &[at.as_bytes(), b"\"logprobs\":[],\"delta\":\"", said, b"\""], out);
    }

    pub(super) fn finish(&mut self, beside: Spent, out: &mut Vec<u8>) {
        let is_cut = self.ended == Some(Means::Incomplete);
        let (status, kind, why) = match is_cut {
            false => ("completed", "response.completed", "null"),
            true => ("incomplete", "response.incomplete", "{\"reason\":\"max_output_tokens\"}"),
        };
        let text = std::mem::take(&mut self.text);
        let (index, at) = (self.index(), self.at());
        let part =
            [b"{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":\"", text.as_slice(), b"\"}"];
        let part = part.concat();
        self.event("response.output_text.done", &[at.as_bytes(), b"\"logprobs\":[],\"text\":\"", &text, b"\""], out);
        self.event("response.content_part.done", &[at.as_bytes(), b"\"part\":", &part], out);
        let item = self.message(status, &part);
        self.event("response.output_item.done", &[index.as_bytes(), b"\"item\":", &item], out);
        self.text = text;
        let mut output = match self.shift() {
            0 => Vec::new(),
            _ => [self.closed_draft().as_slice(), b","].concat(),
        };
        output.extend_from_slice(&item);
        let Spent { prompt, completion } = self.spent.plus(beside);
        let usage = format!(
            "{{\"input_tokens\":{prompt},\"input_tokens_details\":{{\"cached_tokens\":0}},\"output_tokens\":{completion},\
             \"output_tokens_details\":{{\"reasoning_tokens\":0}},\"total_tokens\":{}}}",
            prompt.saturating_add(completion)
        );
        let response = self.response(status, why, &String::from_utf8_lossy(&output), &usage);
        self.event(kind, &[b"\"response\":", response.as_bytes()], out);
    }

    /// How far the answer's items move back.
    fn shift(&self) -> u64 {
        u64::from(self.item != Item::None)
    }

    fn index(&self) -> String {
        format!("\"output_index\":{},", self.shift())
    }

    /// Where the answer stands that the draft has become.
    fn at(&self) -> String {
        format!("\"item_id\":\"msg_{}\",{}\"content_index\":0,", self.id, self.index())
    }

    fn draft_at(&self) -> String {
        format!("\"item_id\":\"{DRAFT_ID}{}\",\"output_index\":0,\"content_index\":0,", self.id)
    }

    fn closed_draft(&self) -> Vec<u8> {
        let text = self.text.get(..self.drafted).unwrap_or_default();
        let part = [b"{\"type\":\"reasoning_text\",\"text\":\"", text, b"\"}"].concat();
        self.draft_item(if self.item == Item::Whole { "completed" } else { "incomplete" }, &part)
    }

    fn draft_item(&self, status: &str, content: &[u8]) -> Vec<u8> {
        let head = format!(
            "{{\"id\":\"{DRAFT_ID}{}\",\"type\":\"reasoning\",\"status\":\"{status}\",\"tidegate\":{{\"draft\":true}},\"summary\":[],\"content\":[",
            self.id
        );
        [head.as_bytes(), content, b"]}"].concat()
    }

    /// The answer that the draft has become.
    fn message(&self, status: &str, content: &[u8]) -> Vec<u8> {
        let head = format!(
            "{{\"id\":\"msg_{}\",\"type\":\"message\",\"status\":\"{status}\",\"role\":\"assistant\",\
             \"tidegate\":{{\"final\":\"draft\",\"reason\":\"{}\"}},\"content\":[",
            self.id,
            self.promoted.map_or("", Why::label)
        );
        [head.as_bytes(), content, b"]}"].concat()
    }

    /// The response as the gateway tells it. Requests with tools have no draft, so there are none.
    fn response(&self, status: &str, incomplete: &str, output: &str, usage: &str) -> String {
        format!(
            "{{\"id\":\"resp_{}\",\"object\":\"response\",\"created_at\":{},\"status\":\"{status}\",\"error\":null,\
             \"incomplete_details\":{incomplete},\"instructions\":null,\"metadata\":{{}},\"model\":{},\"output\":[{output}],\
             \"parallel_tool_calls\":true,\"store\":false,\"temperature\":null,\"tool_choice\":\"auto\",\"tools\":[],\"top_p\":null,\
             \"usage\":{usage}}}",
            self.id, self.created, self.model
        )
    }

    /// An event of the gateway's own.
    fn event(&mut self, kind: &str, fields: &[&[u8]], out: &mut Vec<u8>) {
        let head = format!("event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{},", self.sequence);
        self.sequence += 1;
        out.extend_from_slice(head.as_bytes());
        fields.iter().for_each(|field| out.extend_from_slice(field));
        out.extend_from_slice(b"}\n\n");
    }
}
