//! What an answer says: the number or the letter that it settles on, the JSON in it, the words of it.
//!
//! What a reader could get wrong: models argue before they answer and explain after it, so neither the first nor the last number is
//! simply the answer; what is marked as it (`\boxed{…}`, `####`, "the answer is") goes before.

use serde_json::Value;

/// What stands behind the thoughts that some models write out; nothing where they come to no end.
pub fn without_thoughts(answer: &str) -> &str {
    const OPEN: &str = "<think>";
    const CLOSE: &str = "</think>";
    match answer.rfind(CLOSE) {
        Some(at) => answer.get(at + CLOSE.len()..).unwrap_or_default(),
        None if answer.trim_start().starts_with(OPEN) => "",
        None => answer,
    }
}

/// Lower case, single spaces, without what only wraps: quotes, emphasis, a full stop.
pub fn fold(text: &str) -> String {
    let wrapping = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '*' | '“' | '”' | '‘' | '’');
    let text = text.trim_matches(wrapping);
    let text = text.strip_suffix('.').unwrap_or(text).trim_matches(wrapping);
    spaced(text)
}

fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Whether a text holds another as whole words. Punctuation counts only where it means something: in `C++` and `3.5`, not in `new-york`.
pub fn is_contained(wanted: &str, answer: &str) -> bool {
    let is_prose = |c: char| c.is_alphabetic() || c.is_whitespace() || "-'’.,!?:;()\"".contains(c);
    if wanted.chars().all(is_prose) {
        let (wanted, answer) = (words(wanted), words(answer));
        return !wanted.is_empty() && format!(" {answer} ").contains(&format!(" {wanted} "));
    }
    let (wanted, answer) = (spaced(wanted), spaced(answer));
    answer.match_indices(&wanted).any(|(at, _)| {
        let (before, after) =
            (answer.get(..at).unwrap_or_default(), answer.get(at + wanted.len()..).unwrap_or_default());
        let joined = |end: Option<char>, beside: Option<char>| {
            end.is_some_and(char::is_alphanumeric) && beside.is_some_and(char::is_alphanumeric)
        };
        // `3` is not in `3.5`, nor in `2.3`.
        let decimal = |mut beside: std::str::Chars<'_>, end: Option<char>| {
            end.is_some_and(|c| c.is_ascii_digit())
                && beside.next().is_some_and(|c| matches!(c, '.' | ','))
                && beside.next().is_some_and(|c| c.is_ascii_digit())
        };
        let reversed: String = before.chars().rev().take(2).collect();
        !joined(wanted.chars().next(), before.chars().next_back())
            && !joined(wanted.chars().next_back(), after.chars().next())
            && !decimal(after.chars(), wanted.chars().next_back())
            && !decimal(reversed.chars(), wanted.chars().next())
    })
}

/// Lower-case words with single spaces between.
fn words(text: &str) -> String {
    let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(" ").to_lowercase()
}

/// A text that is a number and nothing else: `1,234.5`, `$12`, `-3`, `40%`, `3/4`.
pub fn number(text: &str) -> Option<f64> {
    let text = text.trim().trim_start_matches(['$', '€', '£']).trim_end_matches(['%', '.']);
    match numbers(text).as_slice() {
        [one] if one.begins == 0 && one.ends == text.len() => Some(one.value),
        _ => None,
    }
}

/// A letter alone: `B`, `(b)`, `C.`
pub fn letter(text: &str) -> Option<char> {
    let mut letters = text.trim().trim_matches(|c| matches!(c, '(' | ')' | '.')).chars();
    let first = letters.next()?.to_ascii_uppercase();
    (first.is_ascii_uppercase() && letters.next().is_none()).then_some(first)
}

/// The number that an answer settles on.
pub fn settled_number(answer: &str) -> Option<f64> {
    let plain = answer.replace("{,}", ",").replace("\\,", "").replace('−', "-");
    if let Some(last) = boxed(&plain).and_then(|inside| numbers(inside).last().map(|n| n.value)) {
        return Some(last);
    }
    // As the answers of GSM8K end.
    if let Some(first) = plain.rfind("####").and_then(|at| numbers(plain.get(at..)?).first().map(|n| n.value)) {
        return Some(first);
    }
    said(&plain)
        .find_map(|rest| {
            let rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '-' && c != '\n');
            let line = rest.lines().next().unwrap_or_default();
            let sentence = line.split_once(". ").map_or(line, |(sentence, _)| sentence);
            let found = numbers(sentence);
            let first = found.first().filter(|first| first.begins == 0 && !sentence.contains('='));
            first.or(found.last()).map(|number| number.value)
        })
        .or_else(|| numbers(&plain).last().map(|number| number.value))
}

/// The letter that an answer settles on.
pub fn choice(answer: &str) -> Option<char> {
    if let Some(letter) = boxed(answer)
        .and_then(|inside| letter(inside.trim_start_matches("\\text").trim_matches(|c| matches!(c, '{' | '}' | '$'))))
    {
        return Some(letter);
    }
    let bare: String = answer.chars().filter(|c| !matches!(c, '*' | '`' | '$' | '"' | '_')).collect();
    let marked = said(&bare).find_map(|rest| {
        let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, ':' | '=' | '(' | '['));
        let rest = ["option ", "choice ", "letter "].iter().find_map(|word| skip(rest, word)).unwrap_or(rest);
        alone(rest.trim_start_matches(['(', '[']), true)
    });
    let line = |line: &str| letter(line.trim().trim_matches(['[', ']', ':']));
    marked
        .or_else(|| line(bare.trim_end().lines().next_back()?))
        .or_else(|| alone(bare.trim_start().trim_start_matches(['(', '[']), false))
        .or_else(|| {
            bare.rmatch_indices('(').find_map(|(at, _)| letter(bare.get(at..at + 3).filter(|l| l.ends_with(')'))?))
        })
}

/// What stands behind each "answer", "answer is", "answer:", the last one first.
fn said(text: &str) -> impl Iterator<Item = &str> {
    const MARK: &str = "answer";
    // ASCII only, so that positions stay what they are.
    let lower = text.to_ascii_lowercase();
    let places: Vec<usize> = lower.rmatch_indices(MARK).map(|(at, _)| at + MARK.len()).collect();
    places.into_iter().filter_map(|at| {
        let rest = text.get(at..)?;
        // "answers" and "answered" settle nothing.
        let rest = rest.strip_prefix(['*', '_', ':', '=', ' ', '\n']).or(Some(rest).filter(|rest| rest.is_empty()))?;
        let rest = rest.trim_start_matches([' ', ':', '=', '*', '\n']);
        Some(["is ", "is:", "would be ", "must be "].iter().find_map(|word| skip(rest, word)).unwrap_or(rest))
    })
}

/// Behind a word, whatever its case.
fn skip<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let head = text.get(..word.len())?;
    head.eq_ignore_ascii_case(word).then(|| text.get(word.len()..)).flatten()
}

/// The letter that a text begins with, if it is no word of a sentence: `B`, `B)`, `C because`; `A dog` only where a letter is `awaited`.
fn alone(text: &str, awaited: bool) -> Option<char> {
    let mut letters = text.chars();
    let first = letters.next().filter(char::is_ascii_alphabetic)?;
    let found = first.to_ascii_uppercase();
    match letters.next() {
        None | Some('.' | ')' | ']' | ':' | ',' | ';' | '\n' | '!' | '}') => Some(found),
        Some(' ') if first.is_ascii_uppercase() => (awaited || !matches!(first, 'A' | 'I')).then_some(found),
        _ => None,
    }
}

/// What stands in the last `\boxed{…}`.
fn boxed(text: &str) -> Option<&str> {
    const MARK: &str = "\\boxed{";
    let inside = text.get(text.rfind(MARK)? + MARK.len()..)?;
    let mut open = 1;
    let end = inside.char_indices().find(|(_, c)| {
        open += i32::from(*c == '{') - i32::from(*c == '}');
        open == 0
    });
    inside.get(..end?.0)
}

/// A number in a text.
struct Found {
    begins: usize,
    ends: usize,
    value: f64,
}

/// All numbers, in order: `-3`, `1,234.5`, `6.02e23`, `3/4`. The `-` of `10-12` is no sign.
fn numbers(text: &str) -> Vec<Found> {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut found: Vec<Found> = vec![];
    let mut at = 0;
    while at < bytes.len() {
        let starts = digit(at) || (bytes.get(at) == Some(&b'.') && digit(at + 1));
        // Digits within a word (`H2O`, `x1`) are part of it.
        let word = at > 0 && text.get(..at).is_some_and(|before| before.ends_with(char::is_alphabetic));
        if !starts {
            at += 1;
            continue;
        }
        let ends = number_end(bytes, at);
        if word {
            at = ends;
            continue;
        }
        let signed = at > 0
            && bytes.get(at - 1) == Some(&b'-')
            && !text.get(..at - 1).is_some_and(|before| before.ends_with(|c: char| c.is_alphanumeric() || c == ')'));
        let begins = at - usize::from(signed);
        let digits: String = text.get(at..ends).unwrap_or_default().chars().filter(|c| *c != ',').collect();
        if let Ok(value) = digits.parse::<f64>() {
            let value = if signed { -value } else { value };
            let over = |at: usize| bytes.get(at) == Some(&b'/');
            match found.last_mut() {
                // `3/4`, and not `1/2/2026`.
                Some(last)
                    if last.ends + 1 == begins
                        && over(last.ends)
                        && !over(ends)
                        && !(last.begins > 0 && over(last.begins - 1))
                        && value != 0.0 =>
                {
                    last.value /= value;
                    last.ends = ends;
                }
                _ => found.push(Found { begins, ends, value }),
            }
        }
        at = ends;
    }
    found.retain(|number| number.value.is_finite());
    found
}

/// Where the number ends that begins at `at`.
fn number_end(bytes: &[u8], at: usize) -> usize {
    let digits = |from: usize| from + bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = digits(at);
    // Thousands: groups of exactly three behind one to three.
    if (1..=3).contains(&(end - at)) {
        while bytes.get(end) == Some(&b',') && digits(end + 1) == end + 4 {
            end += 4;
        }
    }
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    end
}

/// The first JSON value of the kind that is wanted, code fences and prose around it left out.
pub fn json(answer: &str, wanted: &Value) -> Option<Value> {
    let begins: &[char] = match wanted {
        Value::Object(_) => &['{'],
        Value::Array(_) => &['['],
        Value::String(_) => &['"'],
        _ => return serde_json::from_str(answer.trim().trim_matches('`').trim()).ok(),
    };
    answer.match_indices(begins).find_map(|(at, _)| {
        let mut values = serde_json::Deserializer::from_str(answer.get(at..)?).into_iter();
        values.next()?.ok()
    })
}
