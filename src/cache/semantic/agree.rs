//! Whether two answers say the same, for checking answers that were given for a question in other words.
//!
//! What a reader could get wrong: models seldom say a thing twice in the same words, so most pairs can only be judged roughly. What is neither
//! clearly the same nor clearly different is not judged: nothing is learnt from it.

use super::embedder::Embedder;

/// Above this, and with the same figures, two answers say the same; below `DIFFERENT` they do not. Between the two nobody knows: answers to
/// one question in other words have 0.9 in the middle, answers to different questions on one subject 0.6.
const SAME: f32 = 0.85;
const DIFFERENT: f32 = 0.5;
/// In an answer up to so many words a different figure is a different answer.
const SHORT: usize = 60;

/// `None`: it cannot be told.
pub fn agree(one: &str, other: &str) -> Option<bool> {
    let (a, b) = (words(one), words(other));
    if a == b {
        return Some(true);
    }
    if a.is_empty() || b.is_empty() {
        return Some(false);
    }
    let figures = |words: &[String]| {
        let mut figures: Vec<&String> = words.iter().filter(|w| w.bytes().any(|b| b.is_ascii_digit())).collect();
        figures.sort_unstable();
        figures.into_iter().cloned().collect::<Vec<_>>()
    };
    let is_short = a.len().min(b.len()) <= SHORT;
    let same_figures = figures(&a) == figures(&b);
    if is_short && !same_figures {
        return Some(false);
    }
    // One word against another: yes and no are near each other as vectors.
    if a.len().max(b.len()) <= 2 {
        return Some(false);
    }
    let embedder = Embedder::builtin();
    let cosine: f32 = embedder.embed(one).iter().zip(embedder.embed(other)).map(|(x, y)| x * y).sum();
    match cosine {
        SAME.. if same_figures && first_says(&a) == first_says(&b) => Some(true),
        ..DIFFERENT => Some(false),
        _ => None,
    }
}

/// `yes` or `no` at the beginning decides the rest.
fn first_says(words: &[String]) -> Option<bool> {
    match words.first().map(String::as_str) {
        Some("yes" | "true" | "correct") => Some(true),
        Some("no" | "false" | "incorrect" | "not") => Some(false),
        _ => None,
    }
}

fn words(text: &str) -> Vec<String> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | ',' | '\'' | '-' | '−' | '+');
    let trimmed = text.split(|c: char| !is_part(c)).map(|word| {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        // Minus five is not five.
        let is_minus = bare.starts_with(|c: char| c.is_ascii_digit()) && word.starts_with(['-', '−']);
        if is_minus { format!("-{bare}") } else { bare.to_lowercase() }
    });
    trimmed.filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_clear_is_told_and_what_is_not_is_not() {
        for (one, other, expected) in [
            ("Paris.", "paris", Some(true)),
            ("Yes", "No", Some(false)),
            ("It costs 30 euros.", "It costs 40 euros.", Some(false)),
            ("The result is -2.", "The result is 2.", Some(false)),
            ("Yes, you can return it within 30 days.", "No, you cannot return it within 30 days.", None),
            ("The tide is caused by the moon.", "", Some(false)),
            (
                "Open the settings and choose reset password.",
                "Whales are mammals that live in the sea and eat krill.",
                Some(false),
            ),
        ] {
            assert_eq!(agree(one, other), expected, "{one} / {other}");
        }
    }
}
