//! An eval set: prompts with what is expected of their answers, one JSON object per line.
//!
//! What a reader could get wrong: a row is known by its `id`, or else by a hash of its prompt; results are found again by that, so a prompt
//! that was changed is asked again.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::grade::{Check, Written};
use crate::learn::rows::Prompt;

/// One prompt and its check.
#[derive(Debug)]
pub struct Item {
    pub id: String,
    /// The `messages` of a chat request.
    pub messages: Value,
    pub max_tokens: Option<u64>,
    pub check: Check,
    /// The prompt as classifiers read it.
    pub prompt: Prompt,
    /// As it was written (`prompt` or `messages`), for training rows.
    pub written: Value,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    id: Option<Value>,
    #[serde(default)]
    prompt: Option<String>,
    #[serde(default)]
    messages: Option<Value>,
    #[serde(default)]
    expected: Option<Value>,
    #[serde(default)]
    check: Option<Written>,
    #[serde(default)]
    max_tokens: Option<u64>,
}

/// Reads a set.
///
/// # Errors
/// `FILE:LINE: what is wrong` for the first bad line, or why the file cannot be read.
pub fn read(path: &Path) -> Result<Vec<Item>, String> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let mut items = lines
        .map(|(at, line)| item(line).map_err(|what| format!("{name}:{}: {what}", at + 1)))
        .collect::<Result<Vec<Item>, String>>()?;
    if items.is_empty() {
        return Err(format!("{name}: it has no rows"));
    }
    // The same prompt twice is one question.
    let mut seen = std::collections::HashSet::new();
    items.retain(|item| seen.insert(item.id.clone()));
    Ok(items)
}

fn item(line: &str) -> Result<Item, String> {
    let raw: Raw = serde_json::from_str(line).map_err(|error| format!("{error}"))?;
    let (messages, written) = match (raw.messages, raw.prompt) {
        (Some(messages), _) => (messages.clone(), json!({ "messages": messages })),
        (None, Some(prompt)) => (json!([{"role": "user", "content": prompt}]), json!({ "prompt": prompt })),
        (None, None) => return Err("it has neither `prompt` nor `messages`".into()),
    };
    let id = match raw.id {
        Some(Value::String(id)) => id,
        Some(other) => other.to_string(),
        None => blake3::hash(messages.to_string().as_bytes()).to_hex().chars().take(16).collect(),
    };
    let prompt = Prompt::of(&written)?;
    let check = Check::of(raw.expected.as_ref(), raw.check)?;
    Ok(Item { id, messages, max_tokens: raw.max_tokens, check, prompt, written })
}
