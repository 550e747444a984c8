//! Which fields of a body are looked at, endpoint by endpoint. Everything else is skipped (and validated) as a whole.
//!
//! What a reader could get wrong: a value of an unexpected type in a place that only the upstream cares about is left to the upstream; only the
//! fields that the gateway acts on (`model`, `stream`, …) are refused when they are of the wrong type.

use std::ops::Range;

use super::options::stream_options;
use super::others::Within;
use super::scanner::Scanner;
use super::{Malformed, Member, Piece, Source, View};
use crate::openai::{Endpoint, Modalities};

type Result<T> = std::result::Result<T, Malformed>;

/// Fields that must not come twice: which of the two counts differs between parsers, and what the gateway reads must be what the upstream reads.
const ONCE: [&str; 18] = [
    "model",
    "stream",
    "stream_options",
    "messages",
    "input",
    "prompt",
    "instructions",
    "tools",
    "functions",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "n",
    "best_of",
    "tidegate",
    "suffix",
    "background",
    "previous_response_id",
];

pub(super) fn read(endpoint: Endpoint, body: &[u8]) -> Result<View> {
    let mut scanner = Scanner::new(body);
    let mut fields = Fields::new(endpoint);
    if scanner.peek() != Some(b'{') {
        return scanner.wrong("it is not a JSON object");
    }
    fields.view.body_open = scanner.at() + 1;
    fields.last_end = fields.view.body_open;
    scanner.object(|scanner, key, key_at| fields.member(scanner, &key, key_at))?;
    if scanner.peek().is_some() {
        return scanner.wrong("something follows behind the JSON object");
    }
    let mut view = fields.view;
    if view.text_bytes > 0 {
        view.modalities = view.modalities.with(Modalities::TEXT);
    }
    finish_cut(view.hints.as_mut(), view.body_open, body);
    finish_cut(view.background.as_mut(), view.body_open, body);
    Ok(view)
}

/// The first member is cut with the comma behind it, a later one with the comma before it.
fn finish_cut(member: Option<&mut Member>, body_open: usize, body: &[u8]) {
    let Some(member) = member else { return };
    if member.cut.start != body_open {
        return;
    }
    let rest = body.get(member.cut.end..).unwrap_or_default();
    let space = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
    if rest.get(space) == Some(&b',') {
        member.cut.end += space + 1;
    }
}

pub(super) struct Fields {
    endpoint: Endpoint,
    pub(super) view: View,
    /// Bit n: `ONCE[n]` has been seen.
    seen: u32,
    /// Where the member before this one ended.
    last_end: usize,
}

impl Fields {
    pub(super) fn new(endpoint: Endpoint) -> Fields {
        Fields { endpoint, view: View { choices: 1, body_empty: true, ..View::default() }, seen: 0, last_end: 0 }
    }

    fn member(&mut self, s: &mut Scanner<'_>, key: &[u8], key_at: usize) -> Result<()> {
        self.view.body_empty = false;
        let known = ONCE.iter().position(|once| once.as_bytes() == key);
        if let Some(index) = known {
            let bit = 1 << index;
            if self.seen & bit != 0 {
                return Err(Malformed {
                    at: key_at,
                    what: "the field is given twice",
                    param: ONCE.get(index).copied(),
                });
            }
            self.seen |= bit;
        }
        let param = known.and_then(|index| ONCE.get(index).copied());
        let before = self.last_end;
        self.value(s, key, before).map_err(|m| Malformed { param: m.param.or(param), ..m })?;
        self.last_end = s.at();
        Ok(())
    }

    fn value(&mut self, s: &mut Scanner<'_>, key: &[u8], before: usize) -> Result<()> {
        match key {
            b"model" => self.view.model = typed(s, b'"', "it must be a string")?,
            b"stream" => self.view.stream = boolean(s, "it must be true or false")?,
            b"stream_options" => self.view.stream_options = stream_options(s)?,
            b"max_tokens" | b"max_completion_tokens" | b"max_output_tokens" => {
                let given = integer(s)?;
                self.view.max_output_tokens = [self.view.max_output_tokens, given].into_iter().flatten().max();
            }
            // `best_of` answers are written and billed, whatever is shown of them.
            b"n" | b"best_of" => self.view.choices = integer(s)?.unwrap_or(1).max(self.view.choices).max(1),
            b"tools" | b"functions" => self.tools(s)?,
            b"user" => self.text(s, Source::Name, 0)?,
            b"background" if self.endpoint == Endpoint::Responses => self.background(s, before)?,
            b"previous_response_id" if self.endpoint == Endpoint::Responses && s.peek() == Some(b'"') => {
                self.view.previous = Some(s.string()?);
            }
            b"tidegate" => {
                let Some(value) = typed(s, b'{', "it must be an object")? else { return Ok(()) };
                self.view.hints = Some(Member { cut: before..value.end, value });
            }
            b"response_format" | b"text" if s.peek() == Some(b'{') => self.answer_format(s, key)?,
            b"prediction" if self.endpoint == Endpoint::Chat => self.message(s, 0)?,
            b"messages" if self.endpoint == Endpoint::Chat => self.messages(s)?,
            b"input" if self.endpoint == Endpoint::Responses => self.items(s)?,
            b"instructions" if self.endpoint == Endpoint::Responses => self.text(s, Source::System, 0)?,
            b"input" | b"prompt" | b"suffix"
                if matches!(self.endpoint, Endpoint::Embeddings | Endpoint::Completions) =>
            {
                self.plain_input(s)?;
            }
            _ => self.other(s, key, Within::of(key))?,
        }
        Ok(())
    }

    fn piece(&mut self, range: Range<usize>, source: Source, message: u32) {
        self.view.text_bytes += range.len().saturating_sub(2);
        self.view.pieces.push(Piece { range, source, message });
    }

    /// A string is text; anything else is skipped.
    pub(super) fn text(&mut self, s: &mut Scanner<'_>, source: Source, message: u32) -> Result<()> {
        if s.peek() == Some(b'"') {
            let range = s.string()?;
            self.piece(range, source, message);
            return Ok(());
        }
        self.other(s, b"", Within::Text)
    }

    /// A string, a list of strings, token ids, or lists of token ids.
    fn plain_input(&mut self, s: &mut Scanner<'_>) -> Result<()> {
        self.view.turns = 1;
        if s.peek() != Some(b'[') {
            return self.text(s, Source::Input, 0);
        }
        s.array(|s| match s.peek() {
            Some(b'"') => self.text(s, Source::Input, 0),
            Some(b'[') => s.array(|s| self.token_id(s)),
            _ => self.token_id(s),
        })
    }

    pub(super) fn messages(&mut self, s: &mut Scanner<'_>) -> Result<()> {
        if s.peek() != Some(b'[') {
            return s.wrong("it must be an array");
        }
        let mut index = 0;
        s.array(|s| {
            self.message(s, index)?;
            index += 1;
            Ok(())
        })
    }

    /// `input` of the Responses API: a string or a list of items.
    fn items(&mut self, s: &mut Scanner<'_>) -> Result<()> {
        if s.peek() != Some(b'[') {
            self.view.turns = 1;
            return self.text(s, Source::User, 0);
        }
        let mut index = 0;
        s.array(|s| {
            self.message(s, index)?;
            index += 1;
            Ok(())
        })
    }

    /// A chat message or an input item. Its role may come after its content, so sources are put right at the end.
    fn message(&mut self, s: &mut Scanner<'_>, index: u32) -> Result<()> {
        if s.peek() != Some(b'{') {
            return self.other(s, b"", Within::Text);
        }
        let first = self.view.pieces.len();
        let mut source = Source::User;
        let (mut is_user, mut is_call) = (false, false);
        s.object(|s, key, _| match &*key {
            b"role" => {
                let range = s.skip()?;
                (source, is_user) = match s.bytes(range) {
                    b"\"system\"" | b"\"developer\"" => (Source::System, false),
                    b"\"assistant\"" => (Source::Assistant, false),
                    b"\"tool\"" | b"\"function\"" => (Source::Tool, false),
                    b"\"user\"" => (Source::User, true),
                    _ => (Source::User, false),
                };
                Ok(())
            }
            b"content" | b"reasoning_content" | b"refusal" | b"summary" => self.content(s, index),
            b"output" => self.output(s, index),
            b"name" => self.text(s, Source::Name, index),
            b"arguments" | b"input" => {
                is_call = true;
                self.text(s, Source::ToolArguments, index)
            }
            b"tool_calls" => self.tool_calls(s, index),
            b"function_call" => self.call(s, index),
            key => self.other(s, key, Within::Protocol),
        })?;
        for piece in self.view.pieces.iter_mut().skip(first) {
            match piece.source {
                Source::User => piece.source = source,
                // An item that calls a tool has the tool's name.
                Source::Name if is_call => piece.source = Source::ToolName,
                _ => {}
            }
        }
        self.view.turns += u32::from(is_user);
        Ok(())
    }

    /// What a tool gave back, in the Responses API: text, or parts.
    fn output(&mut self, s: &mut Scanner<'_>, index: u32) -> Result<()> {
        let first = self.view.pieces.len();
        self.content(s, index)?;
        for piece in self.view.pieces.iter_mut().skip(first) {
            piece.source = Source::Tool;
        }
        Ok(())
    }

    /// Text, or a list of parts.
    fn content(&mut self, s: &mut Scanner<'_>, index: u32) -> Result<()> {
        if s.peek() != Some(b'[') {
            return self.text(s, Source::User, index);
        }
        s.array(|s| if s.peek() == Some(b'{') { self.part(s, index) } else { self.text(s, Source::User, index) })
    }

    fn part(&mut self, s: &mut Scanner<'_>, index: u32) -> Result<()> {
        s.object(|s, key, _| match &*key {
            b"text" | b"refusal" => self.text(s, Source::User, index),
            b"image_url" => self.attached(s, Modalities::IMAGE, index),
            b"input_audio" => self.attached(s, Modalities::AUDIO, index),
            b"file" | b"file_data" | b"file_id" | b"file_url" => self.attached(s, Modalities::FILE, index),
            b"filename" => self.text(s, Source::Name, index),
            b"type" => {
                let range = s.skip()?;
                let kind = match s.bytes(range) {
                    b"\"text\""
                    | b"\"input_text\""
                    | b"\"output_text\""
                    | b"\"refusal\""
                    | b"\"summary_text\""
                    | b"\"reasoning_text\"" => Modalities::default(),
                    b"\"image_url\"" | b"\"input_image\"" => Modalities::IMAGE,
                    b"\"input_audio\"" => Modalities::AUDIO,
                    b"\"file\"" | b"\"input_file\"" => Modalities::FILE,
                    _ => {
                        self.view.opaque = true;
                        Modalities::default()
                    }
                };
                self.view.modalities = self.view.modalities.with(kind);
                Ok(())
            }
            key => self.other(s, key, Within::Protocol),
        })
    }

    fn tool_calls(&mut self, s: &mut Scanner<'_>, index: u32) -> Result<()> {
        if s.peek() != Some(b'[') {
            return self.other(s, b"", Within::Text);
        }
        s.array(|s| {
            if s.peek() != Some(b'{') {
                return self.other(s, b"", Within::Text);
            }
            s.object(|s, key, _| match &*key {
                b"function" | b"custom" => self.call(s, index),
                key => self.other(s, key, Within::Protocol),
            })
        })
    }

    fn call(&mut self, s: &mut Scanner<'_>, index: u32) -> Result<()> {
        if s.peek() != Some(b'{') {
            return self.other(s, b"", Within::Text);
        }
        s.object(|s, key, _| match &*key {
            b"name" => self.text(s, Source::ToolName, index),
            b"arguments" | b"input" => self.text(s, Source::ToolArguments, index),
            key => self.other(s, key, Within::Protocol),
        })
    }

    pub(super) fn tools(&mut self, s: &mut Scanner<'_>) -> Result<()> {
        if s.peek() != Some(b'[') {
            return s.skip().map(drop);
        }
        s.array(|s| {
            self.view.has_tools = true;
            self.definition(s)
        })
    }

    /// A tool's definition: its name, and every description and enumerated text in it, however deep.
    fn definition(&mut self, s: &mut Scanner<'_>) -> Result<()> {
        match s.peek() {
            Some(b'{') => s.object(|s, key, _| match &*key {
                b"name" if s.peek() == Some(b'"') => self.text(s, Source::ToolName, 0),
                b"description" | b"title" | b"default" | b"const" if s.peek() == Some(b'"') => {
                    self.text(s, Source::ToolDefinition, 0)
                }
                b"enum" | b"examples" => self.listed(s),
                b"type" | b"format" | b"required" | b"$ref" | b"server_url" | b"authorization"
                    if s.peek() != Some(b'{') =>
                {
                    s.skip().map(drop)
                }
                _ => self.definition(s),
            }),
            Some(b'[') => s.array(|s| self.definition(s)),
            _ => self.other(s, b"", Within::Protocol),
        }
    }

    fn listed(&mut self, s: &mut Scanner<'_>) -> Result<()> {
        if s.peek() != Some(b'[') {
            return self.definition(s);
        }
        s.array(|s| match s.peek() {
            Some(b'"') => self.text(s, Source::ToolDefinition, 0),
            _ => self.definition(s),
        })
    }
}

/// A value that begins with `opening`; `None` for null.
fn typed(s: &mut Scanner<'_>, opening: u8, what: &'static str) -> Result<Option<Range<usize>>> {
    match s.peek() {
        Some(b'n') => s.skip().map(|_| None),
        Some(byte) if byte == opening => s.skip().map(Some),
        _ => s.wrong(what),
    }
}

pub(super) fn boolean(s: &mut Scanner<'_>, what: &'static str) -> Result<bool> {
    match s.peek() {
        Some(b't' | b'f' | b'n') => {
            let range = s.skip()?;
            Ok(s.bytes(range) == b"true")
        }
        _ => s.wrong(what),
    }
}

/// A number of tokens; anything that is no unsigned integer is left to the upstream to refuse.
fn integer(s: &mut Scanner<'_>) -> Result<Option<u64>> {
    let range = s.skip()?;
    Ok(std::str::from_utf8(s.bytes(range)).ok().and_then(|text| text.parse().ok()))
}
