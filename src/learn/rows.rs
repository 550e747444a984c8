//! Labelled prompts, one JSON object per line: `prompt` or `messages`, and how well the edge and the cloud model did.
//!
//! What a reader could get wrong: a row is read the way that the gateway reads a request (`openai::view`), not by a parser of its own, so
//! that what is learned from is what is scored.

use std::fmt;

use serde_json::{Value, json};

use crate::openai::Endpoint;
use crate::openai::view::{View, scan};
use crate::signals::classifier::{Circumstances, Passage};

/// A prompt as a request.
#[derive(Debug, Clone)]
pub struct Prompt {
    body: Vec<u8>,
    view: View,
}

/// A prompt with what came out of it.
#[derive(Debug, Clone)]
pub struct Row {
    pub prompt: Prompt,
    /// How good the edge model's answer was, 0 to 1.
    pub edge_ok: f32,
    /// How good the cloud model's answer was, 0 to 1.
    pub cloud_ok: f32,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq)]
pub struct BadRow {
    /// From 1.
    pub line: usize,
    /// Without the line's text.
    pub what: String,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for BadRow {}

/// Reads rows; empty lines are skipped.
///
/// # Errors
/// The first line that is no row: no JSON object, neither `prompt` nor `messages`, a label that is missing or not 0 to 1.
pub fn read_rows(jsonl: &str) -> Result<Vec<Row>, BadRow> {
    let lines = jsonl.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(at, line)| row(line).map_err(|what| BadRow { line: at + 1, what })).collect()
}

fn row(line: &str) -> Result<Row, String> {
    let value: Value = serde_json::from_str(line)
        .map_err(|error| format!("no JSON (column {}); write one object per line", error.column()))?;
    let label = |name: &str| match value.get(name) {
        Some(Value::Bool(ok)) => Ok(f32::from(u8::from(*ok))),
        Some(Value::Number(ok)) => match ok.as_f64() {
            Some(ok) if (0.0..=1.0).contains(&ok) => Ok(ok as f32),
            _ => Err(format!("`{name}` is {ok}; write true, false or a number from 0 to 1")),
        },
        Some(_) => Err(format!("`{name}` is no number; write true, false or a number from 0 to 1")),
        None => Err(format!("`{name}` is missing; write whether that model answered well")),
    };
    let (edge_ok, cloud_ok) = (label("edge_ok")?, label("cloud_ok")?);
    Ok(Row { prompt: Prompt::of(&value)?, edge_ok, cloud_ok })
}

impl Prompt {
    /// From an object with `prompt` (a string) or `messages` (as in a chat request).
    ///
    /// # Errors
    /// What is missing or malformed, without the text.
    pub fn of(value: &Value) -> Result<Prompt, String> {
        let (endpoint, body) = match (value.get("messages"), value.get("prompt")) {
            (Some(messages), _) => {
                let mut body = json!({"messages": messages});
                if let (Some(body), Some(tools)) = (body.as_object_mut(), value.get("tools")) {
                    body.insert("tools".to_owned(), tools.clone());
                }
                (Endpoint::Chat, body)
            }
            (None, Some(Value::String(prompt))) => (Endpoint::Completions, json!({"prompt": prompt})),
            (None, Some(_)) => return Err("`prompt` is no string; for a conversation write `messages`".to_owned()),
            (None, None) => return Err("there is neither `prompt` nor `messages`; write one of them".to_owned()),
        };
        let body = body.to_string().into_bytes();
        match scan(endpoint, &body) {
            Ok(view) => Ok(Prompt { body, view }),
            Err(malformed) => Err(format!(
                "`{}` is not as in a request: {}",
                malformed.param.unwrap_or(if endpoint == Endpoint::Chat { "messages" } else { "prompt" }),
                malformed.what
            )),
        }
    }

    /// A prompt of one string.
    ///
    /// # Errors
    /// Never for a string of valid Unicode; the scan's own words otherwise.
    pub fn plain(text: &str) -> Result<Prompt, String> {
        Prompt::of(&json!({"prompt": text}))
    }

    /// What a classifier reads.
    pub fn passages(&self) -> impl Iterator<Item = Passage<'_>> + Clone {
        self.view.pieces.iter().map(|piece| Passage {
            source: piece.source,
            message: piece.message,
            text: self.body.get(piece.range.start + 1..piece.range.end.saturating_sub(1)).unwrap_or_default(),
        })
    }

    /// What a classifier knows besides.
    pub fn circumstances(&self) -> Circumstances {
        let View { turns, has_tools, modalities, .. } = self.view;
        Circumstances { turns, has_tools, modalities }
    }

    /// Bytes of text, the length by which `length alone` ranks.
    pub fn bytes(&self) -> usize {
        self.view.text_bytes
    }
}
