//! An eval set: prompts with what is expected of their answers, one JSON object per line.
//!
//! What a reader could get wrong: a row's `id` is for people. Answers are found again by a digest of the question itself, so a prompt that
//! was changed is asked again whatever its `id`, and rows that ask the same share an answer.

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
    /// How much the row counts; 1 where it does not say.
    pub weight: f64,
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
    #[serde(default)]
    weight: Option<f64>,
}

/// Hex digits of a question's digest.
const DIGEST_DIGITS: usize = 16;

impl Item {
    /// What an answer to this question is found again by. `id`: the model's name at its upstream.
    pub fn digest(&self, question: &Value, id: &str) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(id.as_bytes()).update(b"\n").update(question.to_string().as_bytes());
        hasher.finalize().to_hex().chars().take(DIGEST_DIGITS).collect()
    }
}

/// Reads a set.
///
/// # Errors
/// `FILE:LINE: what is wrong` for the first bad line, or why the file cannot be read.
pub fn read(path: &Path) -> Result<Vec<Item>, String> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let numbered = |(at, line): (usize, &str)| item(at + 1, line).map_err(|what| format!("{name}:{}: {what}", at + 1));
    let items = lines.map(numbered).collect::<Result<Vec<Item>, String>>()?;
    if items.is_empty() { Err(format!("{name}: it has no rows")) } else { Ok(items) }
}

fn item(number: usize, line: &str) -> Result<Item, String> {
    let value: Value = serde_json::from_str(line)
        .map_err(|error| format!("no JSON (column {}); write one object per line", error.column()))?;
    if !value.is_object() {
        return Err("it is not a JSON object; write one per line".into());
    }
    // serde's own words quote the value at fault, which may be a prompt.
    let raw = Raw::deserialize(&value).map_err(|_| shape(&value))?;
    let (messages, written) = match (raw.messages, raw.prompt) {
        (Some(messages), _) => (messages.clone(), json!({ "messages": messages })),
        (None, Some(prompt)) => (json!([{"role": "user", "content": prompt}]), json!({ "prompt": prompt })),
        (None, None) => return Err("it has neither `prompt` nor `messages`".into()),
    };
    let id = match raw.id {
        Some(Value::String(id)) => id,
        Some(other) => other.to_string(),
        None => number.to_string(),
    };
    let prompt = Prompt::of(&written)?;
    let check = Check::of(raw.expected.as_ref(), raw.check)?;
    let weight = raw.weight.unwrap_or(1.0);
    if !(weight > 0.0 && weight.is_finite()) {
        return Err(format!("`weight` is {weight}; write a number above 0"));
    }
    Ok(Item { id, messages, max_tokens: raw.max_tokens, check, weight, prompt, written })
}

/// Which member is of the wrong kind.
fn shape(row: &Value) -> String {
    let of = |name: &str| row.get(name).filter(|value| !value.is_null());
    let kinds: [(&str, bool, &str); 4] = [
        ("prompt", of("prompt").is_some_and(|v| !v.is_string()), "a string"),
        ("max_tokens", of("max_tokens").is_some_and(|v| !v.is_u64()), "a whole number"),
        ("weight", of("weight").is_some_and(|v| !v.is_number()), "a number"),
        ("check", of("check").is_some(), "{type: exact | contains | regex | number | choice | json, value, tolerance}"),
    ];
    match kinds.iter().find(|(_, wrong, _)| *wrong) {
        Some((name, _, wanted)) => format!("`{name}` must be {wanted}"),
        None => "a member is of the wrong kind".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(line: &str) -> String {
        item(3, line).unwrap_err()
    }

    #[test]
    fn rows_are_read_as_they_are_documented() {
        let row =
            item(3, r#"{"prompt": "2+2?", "expected": 4, "max_tokens": 9, "weight": 2, "topic": "sums"}"#).unwrap();
        assert_eq!((row.id.as_str(), row.max_tokens, row.weight), ("3", Some(9), 2.0));
        assert_eq!(row.messages, json!([{"role": "user", "content": "2+2?"}]));
        let row = item(
            3,
            r#"{"id": 7, "messages": [{"role": "user", "content": "x"}], "check": {"type": "regex", "value": "y"}}"#,
        );
        assert_eq!(row.unwrap().id, "7");
    }

    #[test]
    fn a_digest_is_that_of_the_question() {
        let [a, b, c] = [("1", "p"), ("2", "p"), ("1", "q")]
            .map(|(id, prompt)| item(1, &json!({"id": id, "prompt": prompt, "expected": "x"}).to_string()).unwrap());
        let digest = |item: &Item, id: &str| item.digest(&json!({"messages": item.messages}), id);
        assert_eq!(digest(&a, "m"), digest(&b, "m"));
        assert!(digest(&a, "m") != digest(&c, "m") && digest(&a, "m") != digest(&a, "n"));
        assert_eq!(digest(&a, "m").len(), DIGEST_DIGITS);
    }

    #[test]
    fn what_is_wrong_is_told_without_the_text() {
        assert_eq!(wrong("{"), "no JSON (column 1); write one object per line");
        assert_eq!(wrong(r#"["secret"]"#), "it is not a JSON object; write one per line");
        assert_eq!(wrong(r#"{"prompt": ["secret"], "expected": "x"}"#), "`prompt` must be a string");
        assert_eq!(
            wrong(r#"{"prompt": "secret", "expected": "x", "max_tokens": -1}"#),
            "`max_tokens` must be a whole number"
        );
        assert_eq!(
            wrong(r#"{"prompt": "secret", "expected": "x", "weight": 0}"#),
            "`weight` is 0; write a number above 0"
        );
        assert!(
            wrong(r#"{"prompt": "secret", "check": {"type": "equal"}}"#).starts_with("`check` must be {type: exact")
        );
        assert_eq!(wrong(r#"{"expected": "x"}"#), "it has neither `prompt` nor `messages`");
    }
}
