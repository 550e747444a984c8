//! Tool calls of a chat answer, and the legacy function call: put together from deltas, and told as deltas.
//!
//! What a reader could get wrong: servers differ in how a delta says which call it continues. OpenAI counts (`index`); some leave the index
//! out, Gemini's says 0 for each of several whole calls. A delta with another id and a name begins a new call, whatever its index.

use super::members::{Holding, MOST, Members, Name, is_empty, is_null, is_whole, text};
use super::pieces;

#[derive(Debug)]
struct Function;
impl Name for Function {
    const NAME: &'static str = "function";
}

type CallDelta<'a> = Holding<'a, Function, Option<Members<'a>>>;

/// A function and its arguments so far.
#[derive(Debug, Default)]
pub(super) struct Said<'a> {
    /// All but the arguments.
    members: Members<'a>,
    arguments: String,
}

impl<'a> Said<'a> {
    pub(super) fn note(&mut self, delta: Members<'a>) -> Option<()> {
        for (key, value) in delta.0 {
            match &*key {
                "arguments" if is_null(value) => {}
                "arguments" => self.arguments.push_str(text(value)?),
                // Some servers say the name with every delta.
                "name" if self.members.get("name") == Some(value) => {}
                _ => self.members.settle(key, value)?,
            }
        }
        Some(())
    }

    /// `{"name":…,"arguments":…}`. `None` if it has no name, or its arguments are torn.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> Option<()> {
        text(self.members.get("name")?).filter(|name| !name.is_empty())?;
        if !is_whole(&self.arguments) {
            return None;
        }
        out.extend_from_slice(b"{\"arguments\":\"");
        out.extend_from_slice(self.arguments.as_bytes());
        out.push(b'"');
        self.members.write_more(out, |_, _| true);
        out.push(b'}');
        Some(())
    }
}

#[derive(Debug)]
struct Call<'a> {
    /// As the deltas count.
    index: Option<u32>,
    /// All but function and index.
    members: Members<'a>,
    function: Said<'a>,
}

/// The tool calls of a choice.
#[derive(Debug, Default)]
pub(super) struct Calls<'a>(Vec<Call<'a>>);

impl<'a> Calls<'a> {
    /// Takes in the `tool_calls` of a delta.
    pub(super) fn note(&mut self, value: &'a str) -> Option<()> {
        if is_empty(value) {
            return Some(());
        }
        let deltas: Vec<CallDelta<'a>> = serde_json::from_str(value).ok()?;
        for delta in deltas {
            let (mut members, function) = (delta.rest, delta.held.flatten().unwrap_or_default());
            let index = match members.0.iter().position(|(key, _)| key == "index") {
                Some(at) => members.0.remove(at).1.parse().ok(),
                None => None,
            };
            let at = self.which(index, &members, &function);
            if at == MOST {
                return None;
            }
            if at == self.0.len() {
                self.0.push(Call { index, members: Members::default(), function: Said::default() });
            }
            let call = self.0.get_mut(at)?;
            for (key, value) in members.0 {
                match &*key {
                    // The same again, or (an old vLLM) a new id with every delta.
                    "id" if call.members.get("id").is_some_and(|id| !is_empty(id)) => {}
                    "type" if call.members.get("type") == Some(value) => {}
                    _ => call.members.settle(key, value)?,
                }
            }
            call.function.note(function)?;
        }
        Some(())
    }

    /// The place of the call that a delta continues or begins.
    fn which(&self, index: Option<u32>, members: &Members<'a>, function: &Members<'a>) -> usize {
        let id = members.get("id").filter(|id| !is_empty(id));
        let begins = id.is_some() && function.get("name").is_some_and(|name| !is_empty(name));
        let known = id.and_then(|id| self.0.iter().position(|call| call.members.get("id") == Some(id)));
        let counted = index.and_then(|index| self.0.iter().rposition(|call| call.index == Some(index)));
        let last = self.0.len().saturating_sub(1);
        match (known, counted) {
            (Some(known), _) if index.is_none() || counted == Some(known) => known,
            (_, Some(counted)) if !begins => counted,
            (None, None) if index.is_none() && !begins => last,
            _ => self.0.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes the list. `None` if a call has no id or no name, or is of another kind than function.
    pub(super) fn write(&self, out: &mut Vec<u8>) -> Option<()> {
        out.push(b'[');
        for (at, call) in self.0.iter().enumerate() {
            text(call.members.get("id")?)?;
            let kind = call.members.told("type").unwrap_or("\"function\"");
            if kind != "\"function\"" {
                return None;
            }
            out.extend_from_slice(if at > 0 { b",{" } else { b"{" });
            out.extend_from_slice(b"\"type\":\"function\"");
            call.members.write_more(out, |name, _| name != "type");
            out.extend_from_slice(b",\"function\":");
            call.function.write(out)?;
            out.push(b'}');
        }
        out.push(b']');
        Some(())
    }
}

/// A function of a plain answer, as the first delta names it, and its arguments.
#[derive(Debug)]
pub(super) struct Told<'a> {
    members: Members<'a>,
    pub arguments: &'a str,
}

impl<'a> Told<'a> {
    /// From `{"name":…,"arguments":…}`.
    pub(super) fn of(members: Members<'a>) -> Option<Told<'a>> {
        text(members.get("name")?).filter(|name| !name.is_empty())?;
        let arguments = text(members.get("arguments")?).filter(|arguments| is_whole(arguments))?;
        Some(Told { members, arguments })
    }

    /// The function without its arguments.
    pub(super) fn write_name(&self, out: &mut Vec<u8>) {
        self.members.write_with(out, &[("arguments", "\"\"")]);
    }
}

/// Tells the tool calls of a plain answer: `delta` is called with the inside of each delta. `None` if they cannot be told.
pub(super) fn tell(value: &str, mut delta: impl FnMut(&[u8])) -> Option<()> {
    let calls: Vec<CallDelta<'_>> = serde_json::from_str(value).ok()?;
    if calls.len() > MOST {
        return None;
    }
    let mut inside = Vec::with_capacity(256);
    let mut ids: Vec<&str> = Vec::new();
    for (at, call) in calls.into_iter().enumerate() {
        let place = at.to_string();
        let (members, told) = (call.rest, Told::of(call.held.flatten()?)?);
        let id = members.get("id")?;
        // Ids tell calls apart; some servers count in plain answers too.
        let is_counted = members.get("index").is_none_or(|index| index == place);
        let is_one = text(id).is_some_and(|id| !id.is_empty()) && !ids.contains(&id);
        if !is_one || !is_counted || members.get("type") != Some("\"function\"") {
            return None;
        }
        ids.push(id);
        inside.clear();
        inside.extend_from_slice(b"\"tool_calls\":[{\"index\":");
        inside.extend_from_slice(place.as_bytes());
        let before = inside.len();
        members.write_more(&mut inside, |name, _| name != "index");
        inside.extend_from_slice(b",\"function\":");
        told.write_name(&mut inside);
        inside.extend_from_slice(b"}]");
        delta(&inside);
        for piece in pieces::cut(told.arguments) {
            inside.truncate(before);
            inside.extend_from_slice(b",\"function\":{\"arguments\":\"");
            inside.extend_from_slice(piece.as_bytes());
            inside.extend_from_slice(b"\"}}]");
            delta(&inside);
        }
    }
    Some(())
}

/// Tells the legacy function call.
pub(super) fn tell_function(value: &str, mut delta: impl FnMut(&[u8])) -> Option<()> {
    let told = Told::of(Members::parse(value)?)?;
    let mut inside = b"\"function_call\":".to_vec();
    told.write_name(&mut inside);
    delta(&inside);
    for piece in pieces::cut(told.arguments) {
        inside.clear();
        inside.extend_from_slice(b"\"function_call\":{\"arguments\":\"");
        inside.extend_from_slice(piece.as_bytes());
        inside.extend_from_slice(b"\"}");
        delta(&inside);
    }
    Some(())
}
