//! Whether an answer is right: pure functions of the answer's text and what was expected.
//!
//! What a reader could get wrong: grading is strict about what is asked and lenient about its wrapping: models write "The answer is **B**."
//! What is thought aloud (`<think>…</think>`) is no answer; a model that says nothing, or argues without coming to an end, is wrong.

mod reading;

use serde::Deserialize;
use serde_json::Value;

use reading::{choice, fold, is_contained, json, letter, number, settled_number, without_thoughts};

/// By how much a number may be off where the row does not say: rounding in the sixth digit, of small numbers behind the point.
const TOLERANCE: f64 = 1e-6;

/// What is expected of an answer, and how it is compared. Of several values any will do.
#[derive(Debug, Clone)]
pub enum Check {
    /// The same text, but for case, white space, quotes around it and a full stop.
    Exact(Vec<String>),
    /// The text holds it, as whole words.
    Contains(Vec<String>),
    Regex(Box<regex::Regex>),
    /// The number that the answer settles on, within the tolerance (absolute; `None`: [`TOLERANCE`], of large numbers relative).
    Number {
        values: Vec<f64>,
        tolerance: Option<f64>,
    },
    /// A letter, as in multiple choice.
    Choice(Vec<char>),
    /// A JSON value that is equal: keys in any order, `1` is `1.0`.
    Json(Value),
}

/// A check as a row writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default)]
    value: Option<Value>,
    #[serde(default)]
    tolerance: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Exact,
    Contains,
    Regex,
    Number,
    Choice,
    Json,
}

impl Check {
    /// From a row's `expected` and `check`. Without `check`: letters A to J are a choice, numbers are numbers, an object is JSON, anything
    /// else must be contained.
    ///
    /// # Errors
    /// What is missing or does not fit.
    pub fn of(expected: Option<&Value>, written: Option<Written>) -> Result<Check, String> {
        let Some(written) = written else { return guessed(expected.ok_or("there is neither `expected` nor `check`")?) };
        let value = written.value.as_ref().or(expected).ok_or("`check` needs a `value`, or the row an `expected`")?;
        let fits = |what: &str| format!("`check` of this type needs {what} as `value`");
        if written.tolerance.is_some_and(|tolerance| tolerance < 0.0) {
            return Err("the `tolerance` of `check` is below 0".into());
        }
        match written.kind {
            Kind::Exact => Ok(Check::Exact(texts(value)?)),
            Kind::Contains => Ok(Check::Contains(texts(value)?)),
            Kind::Regex => {
                let pattern = value.as_str().ok_or_else(|| fits("a pattern"))?;
                let compiled = regex::Regex::new(pattern).map_err(|_| "the pattern of `check` is no valid regex")?;
                Ok(Check::Regex(Box::new(compiled)))
            }
            Kind::Number => {
                let values = all(value, |one| one.as_f64().or_else(|| one.as_str().and_then(number)));
                let values = values.ok_or_else(|| fits("a number (or several)"))?;
                Ok(Check::Number { values, tolerance: written.tolerance })
            }
            Kind::Choice => {
                let letters = all(value, |one| one.as_str().and_then(letter));
                Ok(Check::Choice(letters.ok_or_else(|| fits("a letter (or several)"))?))
            }
            Kind::Json => Ok(Check::Json(value.clone())),
        }
    }

    /// Whether `answer` is right.
    pub fn passes(&self, answer: &str) -> bool {
        let answer = without_thoughts(answer);
        match self {
            Check::Exact(wanted) => wanted.iter().any(|wanted| fold(wanted) == fold(answer)),
            Check::Contains(wanted) => wanted.iter().any(|wanted| is_contained(wanted, answer)),
            Check::Regex(regex) => regex.is_match(answer),
            Check::Number { values, tolerance } => settled_number(answer).is_some_and(|found| {
                let off = |value: &f64| (found - value).abs() <= tolerance.unwrap_or(TOLERANCE * value.abs().max(1.0));
                values.iter().any(off)
            }),
            Check::Choice(wanted) => choice(answer).is_some_and(|found| wanted.contains(&found)),
            Check::Json(wanted) => json(answer, wanted).is_some_and(|found| same(&found, wanted)),
        }
    }
}

fn guessed(expected: &Value) -> Result<Check, String> {
    if expected.is_object() {
        return Ok(Check::Json(expected.clone()));
    }
    if let Some(letters) = all(expected, |one| one.as_str().and_then(letter).filter(|letter| *letter <= 'J')) {
        return Ok(Check::Choice(letters));
    }
    if let Some(values) = all(expected, |one| one.as_f64().or_else(|| one.as_str().and_then(number))) {
        return Ok(Check::Number { values, tolerance: None });
    }
    texts(expected).map(Check::Contains)
}

fn each(value: &Value) -> &[Value] {
    match value {
        Value::Array(list) => list,
        one => std::slice::from_ref(one),
    }
}

/// One or several of a kind; `None` where one is of another, or there is none.
fn all<T>(value: &Value, one: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    each(value).iter().map(one).collect::<Option<Vec<T>>>().filter(|all| !all.is_empty())
}

/// One text or several, any of which will do.
fn texts(value: &Value) -> Result<Vec<String>, String> {
    let text = |one: &Value| match one {
        Value::String(text) => Some(text.clone()).filter(|text| !fold(text).is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    };
    all(value, text).ok_or_else(|| "what is expected must be a text that is not empty, or a list of such".to_owned())
}

/// Whether two values mean the same.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests;
