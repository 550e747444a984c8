//! Whether an answer is right: pure functions of the answer's text and what was expected.
//!
//! What a reader could get wrong: grading is strict about what is asked and lenient about its wrapping: models write "The answer is **B**."
//! A model that says nothing, or argues without coming to an end, is wrong.

use serde::Deserialize;

/// What is expected of an answer, and how it is compared.
#[derive(Debug, Clone)]
pub enum Check {
    /// The same text, but for case, punctuation at the ends and white space.
    Exact(Vec<String>),
    /// The text holds one of these, as whole words.
    Contains(Vec<String>),
    Regex(Box<regex::Regex>),
    /// The last number in the answer, within the tolerance (absolute).
    Number {
        value: f64,
        tolerance: f64,
    },
    /// A letter, as in multiple choice.
    Choice(char),
    /// A JSON value that is equal; keys in any order.
    Json(serde_json::Value),
}

/// A check as a row writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default)]
    value: Option<serde_json::Value>,
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
    /// From a row's `expected` and `check`. Without `check`: a single letter A to J is a choice, a number is a number, anything else must
    /// be contained.
    ///
    /// # Errors
    /// What is missing or does not fit.
    pub fn of(expected: Option<&serde_json::Value>, written: Option<Written>) -> Result<Check, String> {
        let Some(written) = written else { return guessed(expected.ok_or("there is neither `expected` nor `check`")?) };
        let value = written.value.as_ref().or(expected).ok_or("`check` needs a `value`, or the row an `expected`")?;
        let fits = |what: &str| format!("`check` of this type needs {what} as `value`");
        match written.kind {
            Kind::Exact => Ok(Check::Exact(texts(value)?)),
            Kind::Contains => Ok(Check::Contains(texts(value)?)),
            Kind::Regex => {
                let pattern = value.as_str().ok_or_else(|| fits("a pattern"))?;
                let compiled = regex::Regex::new(pattern).map_err(|_| "the pattern of `check` is no valid regex")?;
                Ok(Check::Regex(Box::new(compiled)))
            }
            Kind::Number => {
                let number = value.as_f64().or_else(|| value.as_str().and_then(number));
                let value = number.ok_or_else(|| fits("a number"))?;
                Ok(Check::Number { value, tolerance: written.tolerance.unwrap_or(1e-6).abs() })
            }
            Kind::Choice => {
                let letter = value.as_str().and_then(letter).ok_or_else(|| fits("a letter"))?;
                Ok(Check::Choice(letter))
            }
            Kind::Json => Ok(Check::Json(value.clone())),
        }
    }

    /// Whether `answer` is right.
    pub fn passes(&self, answer: &str) -> bool {
        match self {
            Check::Exact(wanted) => wanted.iter().any(|wanted| plain(wanted) == plain(answer)),
            Check::Contains(wanted) => {
                let words = format!(" {} ", words(answer));
                wanted.iter().any(|wanted| words.contains(&format!(" {} ", self::words(wanted))))
            }
            Check::Regex(regex) => regex.is_match(answer),
            Check::Number { value, tolerance } => {
                last_number(answer).is_some_and(|found| (found - value).abs() <= *tolerance)
            }
            Check::Choice(wanted) => choice(answer) == Some(*wanted),
            Check::Json(wanted) => json(answer).is_some_and(|found| found == *wanted),
        }
    }
}

fn guessed(expected: &serde_json::Value) -> Result<Check, String> {
    if let Some(value) = expected.as_f64() {
        return Ok(Check::Number { value, tolerance: 1e-6 });
    }
    let wanted = texts(expected)?;
    Ok(match wanted.as_slice() {
        [one] if letter(one).is_some_and(|letter| letter <= 'J') => Check::Choice(letter(one).unwrap_or('A')),
        [one] if number(one).is_some() => Check::Number { value: number(one).unwrap_or(0.0), tolerance: 1e-6 },
        _ => Check::Contains(wanted),
    })
}

/// One text or several, any of which will do.
fn texts(value: &serde_json::Value) -> Result<Vec<String>, String> {
    let list = match value {
        serde_json::Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    let each = list.iter().map(|item| match item {
        serde_json::Value::String(text) if !words(text).is_empty() => Ok(text.clone()),
        serde_json::Value::Number(number) => Ok(number.to_string()),
        _ => Err("what is expected must be a text with a word in it, or a list of such".to_owned()),
    });
    let all: Vec<String> = each.collect::<Result<_, _>>()?;
    if all.is_empty() { Err("what is expected is an empty list".into()) } else { Ok(all) }
}

fn plain(text: &str) -> String {
    let text = text.trim().trim_matches(|c: char| c.is_ascii_punctuation() || c.is_whitespace());
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Lower-case words with single spaces between.
fn words(text: &str) -> String {
    let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(" ").to_lowercase()
}

fn letter(text: &str) -> Option<char> {
    let mut letters = text.trim().trim_matches(|c| matches!(c, '(' | ')' | '.')).chars();
    let first = letters.next()?.to_ascii_uppercase();
    (first.is_ascii_uppercase() && letters.next().is_none()).then_some(first)
}

/// The letter that an answer settles on: after "answer is" or "answer:", the last time it says so; else a letter alone at the beginning.
fn choice(answer: &str) -> Option<char> {
    let bare: String = answer.chars().filter(|c| !matches!(c, '*' | '`' | '$' | '(' | ')' | '[' | ']')).collect();
    let lower = bare.to_lowercase();
    let said = lower.rmatch_indices("answer").find_map(|(at, word)| {
        let rest = lower.get(at + word.len()..)?.trim_start_matches([' ', ':', '=']).trim_start_matches("is");
        let rest = rest.trim_start_matches([' ', ':', '\n']).trim_start_matches("option ");
        alone(rest)
    });
    said.or_else(|| alone(lower.trim_start()))
}

/// The letter that a text begins with, if it is a word of its own.
fn alone(text: &str) -> Option<char> {
    let mut letters = text.chars();
    let first = letters.next().filter(char::is_ascii_alphabetic)?;
    let ends = letters.next().is_none_or(|next| !next.is_alphanumeric() && next != '\'');
    ends.then(|| first.to_ascii_uppercase())
}

/// `1,234.5`, `$12`, `-3`, `40%`.
fn number(text: &str) -> Option<f64> {
    let text = text.trim().trim_start_matches('$').trim_end_matches(['%', '.']);
    text.replace(',', "").parse().ok().filter(|number: &f64| number.is_finite())
}

fn last_number(answer: &str) -> Option<f64> {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '-');
    answer.split(|c| !is_part(c)).rev().find_map(|part| {
        let part = part.trim_end_matches(['.', ',', '-']).trim_start_matches([',', '.']);
        // `10-12` is a range, `2026-01-01` a day: what stands last counts.
        let part = part.rfind('-').filter(|at| *at > 0).map_or(part, |at| &part[at + 1..]);
        number(part).filter(|_| part.contains(|c: char| c.is_ascii_digit()))
    })
}

/// The first JSON value in an answer, code fences and prose around it left out.
fn json(answer: &str) -> Option<serde_json::Value> {
    let starts = answer.char_indices().filter(|(_, c)| matches!(c, '{' | '[' | '"')).map(|(at, _)| at);
    starts.chain([0]).find_map(|at| {
        let mut values = serde_json::Deserializer::from_str(answer.get(at..)?).into_iter();
        values.next()?.ok()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn passes(expected: &serde_json::Value, check: Option<serde_json::Value>, answer: &str) -> bool {
        let written = check.map(|check| serde_json::from_value(check).unwrap());
        Check::of(Some(expected), written).unwrap().passes(answer)
    }

    #[test]
    fn choices_are_found_where_they_are_settled_on() {
        for right in [
            "B",
            "(B)",
            "b.",
            "B) because",
            "The answer is **B**.",
            "Answer: B",
            "A is tempting, but the answer is (B)",
            "First, answer: A. No: the answer is B",
            "answer is option B",
        ] {
            assert!(passes(&json!("B"), None, right), "{right}");
        }
        for wrong in ["A", "", "Because of B", "Both", "The answer is A", "b'c"] {
            assert!(!passes(&json!("B"), None, wrong), "{wrong}");
        }
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        for right in ["42", "It is 42.", "17 + 25 = 42", "$42.00", "42.0 km", "the total is 42%", "between 10 and 42"] {
            assert!(passes(&json!(42), None, right), "{right}");
            assert!(passes(&json!("42"), None, right), "{right}");
        }
        assert!(passes(&json!("1,234"), None, "that makes 1234"));
        assert!(passes(&json!(-3), None, "x = -3"));
        for wrong in ["", "43", "42 or rather 43", "forty-two"] {
            assert!(!passes(&json!(42), None, wrong), "{wrong}");
        }
        let near = json!({"type": "number", "tolerance": 0.01});
        assert!(passes(&json!(2.5049), Some(near.clone()), "about 2.5"));
        assert!(!passes(&json!(2.5049), Some(near), "about 2.6"));
    }

    #[test]
    fn texts_are_contained_as_words_and_exact_ones_are_exact() {
        assert!(passes(&json!("Oslo"), None, "The capital is Oslo."));
        assert!(!passes(&json!("Oslo"), None, "Osloites live there"));
        assert!(passes(&json!(["New York", "NYC"]), None, "it's new-york"));
        let exact = json!({"type": "exact"});
        assert!(passes(&json!("Oslo"), Some(exact.clone()), "  oslo. "));
        assert!(!passes(&json!("Oslo"), Some(exact), "It is Oslo"));
        let regex = json!({"type": "regex", "value": "^[0-9]{4}$"});
        assert!(passes(&json!(null), Some(regex.clone()), "2024"));
        assert!(!passes(&json!(null), Some(regex), "in 2024"));
    }

    #[test]
    fn json_is_compared_as_values() {
        let check = Some(json!({"type": "json"}));
        let wanted = json!({"a": 1, "b": [2]});
        assert!(passes(&wanted, check.clone(), "Here:\n```json\n{\"b\": [2], \"a\": 1}\n```"));
        assert!(!passes(&wanted, check.clone(), "{\"a\": 1}"));
        assert!(!passes(&wanted, check, "none"));
    }

    #[test]
    fn what_cannot_be_checked_is_told() {
        let of = |expected: Option<serde_json::Value>, check: Option<serde_json::Value>| {
            Check::of(expected.as_ref(), check.map(|check| serde_json::from_value(check).unwrap())).unwrap_err()
        };
        assert!(of(None, None).contains("neither `expected` nor `check`"));
        assert!(of(Some(json!("")), None).contains("a text with a word"));
        assert!(of(Some(json!([])), None).contains("empty list"));
        assert!(of(None, Some(json!({"type": "regex", "value": "("}))).contains("no valid regex"));
        assert!(of(None, Some(json!({"type": "number", "value": "many"}))).contains("a number"));
    }
}
