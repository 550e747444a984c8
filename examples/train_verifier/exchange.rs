//! Changes of order: two names, or two words of one form, in each other's place.
//!
//! What a reader could get wrong: what stands in a list ("A and B") is not exchanged, since that would change nothing.

use crate::change::names;
use crate::random::Random;
use crate::rewrite::words_of;
use crate::vocabulary::Vocabulary;

/// Two things exchanged: around a word of direction, or two names.
pub fn swap(text: &str, random: &mut Random) -> Option<String> {
    let found = names(text);
    let far = |a: &(usize, &str), b: &(usize, &str)| {
        a.1 != b.1 && b.0 > a.0 + a.1.len() && !text[a.0 + a.1.len()..b.0].trim().is_empty()
    };
    let listed = |a: &(usize, &str), b: &(usize, &str)| {
        let between = text[a.0 + a.1.len()..b.0].trim().to_lowercase();
        ["and", "or", ",", "&", "vs", "-", "versus"].contains(&between.as_str())
    };
    let pairs: Vec<((usize, &str), (usize, &str))> = found
        .windows(2)
        .filter(|two| far(&two[0], &two[1]) && !listed(&two[0], &two[1]))
        .map(|two| (two[0], two[1]))
        .collect();
    if !pairs.is_empty() && random.percent(60) {
        let (a, b) = *random.pick(&pairs);
        return exchange(text, a, b);
    }
    let all: Vec<(usize, &str)> = words_of(text).collect();
    const PIVOTS: [&str; 8] = ["to", "than", "into", "before", "after", "over", "without", "against"];
    const GRAMMAR: [&str; 46] = [
        "the", "a", "an", "i", "you", "he", "she", "it", "we", "they", "is", "are", "do", "does", "my", "your", "to",
        "of", "in", "on", "for", "how", "what", "me", "can", "be", "this", "that", "his", "her", "their", "from", "by",
        "with", "and", "or", "if", "at", "as", "was", "any", "some", "all", "more", "less", "want",
    ];
    let is_matter = |word: &str| !GRAMMAR.contains(&word.to_lowercase().as_str()) && word.len() > 2;
    let mut hits = vec![];
    for (place, (_, word)) in all.iter().enumerate().skip(1) {
        let pivot = word.to_lowercase();
        let is_route = place >= 2 && (all[place - 2].1 == "from" || (place >= 3 && all[place - 3].1 == "from"));
        if !PIVOTS.contains(&pivot.as_str()) || (["to", "into"].contains(&pivot.as_str()) && !is_route) {
            continue;
        }
        let left = all[place - 1];
        let right = all.get(place + 1).filter(|(_, word)| is_matter(word)).or(all.get(place + 2));
        if let Some(right) = right
            .filter(|right| is_matter(right.1) && is_matter(left.1) && right.1.to_lowercase() != left.1.to_lowercase())
        {
            hits.push((left, *right));
        }
    }
    if hits.is_empty() {
        return None;
    }
    let (a, b) = *random.pick(&hits);
    exchange(text, a, b)
}

pub fn exchange(text: &str, a: (usize, &str), b: (usize, &str)) -> Option<String> {
    let (end_a, end_b) = (a.0 + a.1.len(), b.0 + b.1.len());
    Some(format!("{}{}{}{}{}", &text[..a.0], b.1, text.get(end_a..b.0)?, a.1, &text[end_b..]))
}

/// Two words of matter of one form, not next to each other, in each other's place.
pub fn shuffled(text: &str, words: &Vocabulary, random: &mut Random) -> Option<String> {
    let all: Vec<(usize, &str)> = words_of(text).collect();
    let ending = |word: &str| word.get(word.len().saturating_sub(2)..).unwrap_or_default().to_lowercase();
    let is_matter = |word: &str| {
        let lower = word.to_lowercase();
        word.len() > 3
            && word.is_ascii()
            && !words.classes.iter().any(|(name, list)| {
                !["colour", "unit", "place", "month", "weekday", "language", "tongue"].contains(&name.as_str())
                    && list.contains(&lower)
            })
    };
    let mut hits = vec![];
    for (place, first) in all.iter().enumerate().skip(1).filter(|(_, (_, word))| is_matter(word)) {
        for second in all.iter().skip(place + 2).take(8).filter(|(_, word)| is_matter(word)) {
            let (a, b) = (first.1, second.1);
            let between = text[first.0 + a.len()..second.0].trim();
            let capitals = a.starts_with(char::is_uppercase) == b.starts_with(char::is_uppercase);
            if a.to_lowercase() != b.to_lowercase()
                && capitals
                && ending(a) == ending(b)
                && !["and", "or", ","].contains(&between)
            {
                hits.push((*first, *second));
            }
        }
    }
    if hits.is_empty() {
        return None;
    }
    let (a, b) = *random.pick(&hits);
    exchange(text, a, b)
}
