//! Responses: the answer stands whole in the last event, and is told as the events that lead there.
//!
//! What a reader could get wrong: the last event repeats the stored object to the byte; the events before it are for those who show a text
//! while it comes, so an item of a kind that we do not know is added and done, and nothing in between.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::events::{is_done, said};
use super::logprobs::{Parts, Step};
use super::members::{Members, elements, is_null, is_whole, text};
use super::pieces;

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(default, borrow)]
    response: Option<&'a RawValue>,
}

pub(super) fn to_plain(events: &[u8]) -> Option<Vec<u8>> {
    let said = said(events)?;
    let (mut whole, mut items) = (None, 0);
    for event in &said {
        if is_done(event) {
            continue;
        }
        let event: Event<'_> = serde_json::from_str(event).ok()?;
        // Nothing comes behind the whole.
        if whole.is_some() {
            return None;
        }
        match event.kind {
            "response.completed" => whole = Some(event.response?.get()),
            "response.failed" | "response.incomplete" | "response.cancelled" | "error" => return None,
            "response.output_item.done" => items += 1,
            _ => {}
        }
    }
    let whole = whole?;
    let members = Members::parse(whole)?;
    // Some servers leave out of the last event what they have told before.
    let is_whole = is_complete(&members) && elements(members.get("output")?)?.len() >= items;
    is_whole.then(|| whole.as_bytes().to_vec())
}

fn is_complete(response: &Members<'_>) -> bool {
    response.get("status") == Some("\"completed\"") && response.told("error").is_none()
}

pub(super) fn to_stream(plain: &str) -> Option<Vec<u8>> {
    let plain = plain.trim_ascii();
    let response = Members::parse(plain)?;
    if !is_complete(&response) {
        return None;
    }
    let items = elements(response.get("output")?)?;
    // The answer comes once more at the end, its texts twice before.
    let room = plain.len() * 4 + (plain.len() / 6).min(pieces::MOST) * 200 + 2048;
    let mut events = Events { out: Vec::with_capacity(room), next: 0, place: String::new() };
    for kind in ["response.created", "response.in_progress"] {
        events.tell(kind, |out| {
            out.extend_from_slice(b",\"response\":");
            let begun = [
                ("status", "\"in_progress\""),
                ("output", "[]"),
                ("usage", "null"),
                ("completed_at", "null"),
                ("output_text", "\"\""),
            ];
            response.write_with(out, &begun);
        });
    }
    for (at, item) in items.into_iter().enumerate() {
        tell_item(at, item, &mut events)?;
    }
    events.tell("response.completed", |out| {
        out.extend_from_slice(b",\"response\":");
        out.extend_from_slice(plain.as_bytes());
    });
    Some(events.out)
}

/// Writes events, counted.
struct Events {
    out: Vec<u8>,
    next: u64,
    /// Which item the events are about: `,"item_id":…,"output_index":…` or the latter alone.
    place: String,
}

impl Events {
    fn tell(&mut self, kind: &str, more: impl FnOnce(&mut Vec<u8>)) {
        let mut number = itoa::Buffer::new();
        let number = number.format(self.next);
        for part in ["event: ", kind, "\ndata: {\"type\":\"", kind, "\",\"sequence_number\":", number] {
            self.out.extend_from_slice(part.as_bytes());
        }
        self.next += 1;
        more(&mut self.out);
        self.out.extend_from_slice(b"}\n\n");
    }

    /// An event about the item, with these members.
    fn about(&mut self, kind: &str, members: &[(&str, &str)]) {
        let place = std::mem::take(&mut self.place);
        self.tell(kind, |out| {
            out.extend_from_slice(place.as_bytes());
            write(out, members);
        });
        self.place = place;
    }

    /// An event with a piece of a text, and the log probabilities told with it.
    fn delta(&mut self, kind: &str, members: &[(&str, &str)], piece: &str, logprobs: Option<&[&str]>) {
        let place = std::mem::take(&mut self.place);
        self.tell(kind, |out| {
            out.extend_from_slice(place.as_bytes());
            write(out, members);
            out.extend_from_slice(b",\"delta\":\"");
            out.extend_from_slice(piece.as_bytes());
            out.push(b'"');
            if let Some(entries) = logprobs {
                out.extend_from_slice(b",\"logprobs\":[");
                for (at, entry) in entries.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    out.extend_from_slice(entry.as_bytes());
                }
                out.push(b']');
            }
        });
        self.place = place;
    }
}

fn write(out: &mut Vec<u8>, members: &[(&str, &str)]) {
    for (name, value) in members {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        out.extend_from_slice(value.as_bytes());
    }
}

/// Tells one item of the output. `None` if it is none, or one of a known kind that is not as it should be.
fn tell_item(at: usize, item: &str, events: &mut Events) -> Option<()> {
    let members = Members::parse(item)?;
    let kind = text(members.get("type")?)?;
    let begun: &[(&str, &str)] = match kind {
        "message" => &[("content", "[]")],
        "reasoning" => &[("summary", "[]"), ("content", "[]")],
        "function_call" => &[("arguments", "\"\"")],
        "custom_tool_call" => &[("input", "\"\"")],
        _ => &[],
    };
    // A null stays what it is.
    let mut begun: Vec<(&str, &str)> = begun.iter().filter(|(name, _)| members.told(name).is_some()).copied().collect();
    if members.get("status") == Some("\"completed\"") {
        begun.push(("status", "\"in_progress\""));
    }
    let place = format!(",\"output_index\":{at}");
    events.place.clone_from(&place);
    let mut added = Vec::with_capacity(item.len());
    members.write_with(&mut added, &begun);
    events.about("response.output_item.added", &[("item", std::str::from_utf8(&added).ok()?)]);
    match kind {
        "message" | "reasoning" | "function_call" | "custom_tool_call" => {
            let id = members.get("id").filter(|id| text(id).is_some_and(|id| !id.is_empty()))?;
            events.place = format!(",\"item_id\":{id}{place}");
            tell_inside(kind, &members, events)?;
        }
        _ => {}
    }
    events.place = place;
    events.about("response.output_item.done", &[("item", item)]);
    Some(())
}

fn tell_inside(kind: &str, item: &Members<'_>, events: &mut Events) -> Option<()> {
    match kind {
        "message" => {
            for (at, part) in elements(item.get("content")?)?.into_iter().enumerate() {
                tell_part(at, part, events)?;
            }
        }
        "reasoning" => {
            for (at, part) in item.told("summary").map(elements).unwrap_or(Some(Vec::new()))?.into_iter().enumerate() {
                tell_summary(at, part, events)?;
            }
            for (at, part) in item.told("content").map(elements).unwrap_or(Some(Vec::new()))?.into_iter().enumerate() {
                tell_part(at, part, events)?;
            }
        }
        "function_call" => {
            let name = item.get("name").filter(|name| text(name).is_some())?;
            let arguments = item.get("arguments")?;
            tell_text("response.function_call_arguments", &[], arguments, events)?;
            let done = [("name", name), ("arguments", arguments)];
            events.about("response.function_call_arguments.done", &done);
        }
        _ => {
            let input = item.get("input")?;
            tell_text("response.custom_tool_call_input", &[], input, events)?;
            events.about("response.custom_tool_call_input.done", &[("input", input)]);
        }
    }
    Some(())
}

/// Tells a text in pieces.
fn tell_text(kind: &str, members: &[(&str, &str)], value: &str, events: &mut Events) -> Option<()> {
    let told = text(value).filter(|told| is_whole(told))?;
    let kind = format!("{kind}.delta");
    for piece in pieces::cut(told) {
        events.delta(&kind, members, piece, None);
    }
    Some(())
}

fn tell_summary(at: usize, part: &str, events: &mut Events) -> Option<()> {
    let members = Members::parse(part)?;
    let (at, told) = (at.to_string(), members.get("text")?);
    let mut empty = Vec::with_capacity(64);
    members.write_with(&mut empty, &[("text", "\"\"")]);
    let index = ("summary_index", at.as_str());
    events.about("response.reasoning_summary_part.added", &[index, ("part", std::str::from_utf8(&empty).ok()?)]);
    tell_text("response.reasoning_summary_text", &[index], told, events)?;
    events.about("response.reasoning_summary_text.done", &[index, ("text", told)]);
    events.about("response.reasoning_summary_part.done", &[index, ("part", part)]);
    Some(())
}

/// Tells a part of a message, or of what was thought.
fn tell_part(at: usize, part: &str, events: &mut Events) -> Option<()> {
    let members = Members::parse(part)?;
    let kind = text(members.get("type")?)?;
    let at = at.to_string();
    let index = ("content_index", at.as_str());
    let begun: &[(&str, &str)] = match kind {
        "output_text" => &[("text", "\"\""), ("annotations", "[]"), ("logprobs", "[]")],
        "reasoning_text" => &[("text", "\"\"")],
        "refusal" => &[("refusal", "\"\"")],
        _ => &[],
    };
    let begun: Vec<(&str, &str)> = begun.iter().filter(|(name, _)| members.told(name).is_some()).copied().collect();
    let mut empty = Vec::with_capacity(64);
    members.write_with(&mut empty, &begun);
    events.about("response.content_part.added", &[index, ("part", std::str::from_utf8(&empty).ok()?)]);
    match kind {
        "output_text" => tell_output(index, &members, events)?,
        "reasoning_text" => {
            let told = members.get("text")?;
            tell_text("response.reasoning_text", &[index], told, events)?;
            events.about("response.reasoning_text.done", &[index, ("text", told)]);
        }
        "refusal" => {
            let told = members.get("refusal")?;
            tell_text("response.refusal", &[index], told, events)?;
            events.about("response.refusal.done", &[index, ("refusal", told)]);
        }
        _ => {}
    }
    events.about("response.content_part.done", &[index, ("part", part)]);
    Some(())
}

/// Tells the text of an answer, with what is known of its tokens, and what it refers to.
fn tell_output(index: (&str, &str), part: &Members<'_>, events: &mut Events) -> Option<()> {
    let told = part.get("text")?;
    let whole = text(told).filter(|whole| is_whole(whole))?;
    let logprobs = part.get("logprobs").filter(|value| !is_null(value)).unwrap_or("[]");
    let entries = elements(logprobs)?;
    let mut done = 0;
    for Step { text, entries: upto } in Parts::along_or_cut(&entries, whole) {
        let upto = upto.min(entries.len()).max(done);
        events.delta("response.output_text.delta", &[index], text, Some(entries.get(done..upto)?));
        done = upto;
    }
    for (at, annotation) in part.told("annotations").map(elements).unwrap_or(Some(Vec::new()))?.into_iter().enumerate()
    {
        let at = at.to_string();
        let members = [index, ("annotation_index", at.as_str()), ("annotation", annotation)];
        events.about("response.output_text.annotation.added", &members);
    }
    events.about("response.output_text.done", &[index, ("text", told), ("logprobs", logprobs)]);
    Some(())
}
