//! Cuts a text as a model would have said it: a word or two at a time.
//!
//! What a reader could get wrong: the text is the inside of a JSON string, escapes and all, so that the pieces are written without decoding
//! them. A cut never falls inside an escape or a surrogate pair, nor before what belongs to the character in front (accents, joiners, skin
//! tones, flags).

/// From this many bytes on a piece ends where a word does, in a text of usual length.
const ENOUGH: usize = 6;
/// About the most pieces of a text: each costs a frame of some 300 bytes, so pieces grow with a text that is longer than 24 KiB.
pub(super) const MOST: usize = 4096;

/// The pieces of an escaped text; joined, they are the text.
pub(super) fn cut(escaped: &str) -> impl Iterator<Item = &str> {
    let enough = ENOUGH.max(escaped.len() / MOST);
    let mut rest = escaped;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, after) = rest.split_at(end(rest, enough));
        rest = after;
        Some(piece)
    })
}

/// Where the first piece of a text ends: where a word does once there are `enough` bytes; behind any character at three times that; at
/// thirty times whatever follows (a hostile text of accents).
fn end(text: &str, enough: usize) -> usize {
    let (long, too_long) = (enough * 3 + 2, enough * 30);
    let (mut at, mut before) = (0, None);
    while let Some((unit, length)) = first(text.get(at..).unwrap_or_default()) {
        if let Some(before) = before
            && at >= enough
            && (at >= long || is_space(unit) && !is_space(before))
            && (at >= too_long || !is_bound(before, unit))
        {
            return at;
        }
        before = Some(unit);
        at += length;
    }
    text.len()
}

/// The first character of an escaped text, and how many bytes say it. Half a surrogate pair stands for nothing.
fn first(text: &str) -> Option<(char, usize)> {
    let unit = text.chars().next()?;
    if unit != '\\' {
        return Some((unit, unit.len_utf8()));
    }
    match text.as_bytes().get(1)? {
        b'n' => Some(('\n', 2)),
        b't' => Some(('\t', 2)),
        b'r' => Some(('\r', 2)),
        b'u' => {
            let high = hex(text, 2)?;
            if (0xd800..0xdc00).contains(&high)
                && text.get(6..8) == Some("\\u")
                && let Some(low @ 0xdc00..0xe000) = hex(text, 8)
            {
                let unit = char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
                return Some((unit.unwrap_or(char::REPLACEMENT_CHARACTER), 12));
            }
            Some((char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), 6))
        }
        _ => Some(('\\', 2)),
    }
}

fn hex(text: &str, at: usize) -> Option<u32> {
    u32::from_str_radix(text.get(at..at + 4)?, 16).ok()
}

fn is_space(unit: char) -> bool {
    matches!(unit, ' ' | '\n' | '\t' | '\r')
}

/// Whether two characters are one for a reader, as far as model answers need it (not all of UAX 29).
fn is_bound(before: char, unit: char) -> bool {
    if before < '\u{300}' && unit < '\u{300}' {
        return false;
    }
    let is_flag = |unit| matches!(unit, '\u{1f1e6}'..='\u{1f1ff}');
    before == '\u{200d}' || is_flag(before) && is_flag(unit) || extends(unit)
}

/// Marks and modifiers that stand behind what they change.
fn extends(unit: char) -> bool {
    matches!(unit,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}'
        | '\u{93a}'..='\u{93c}' | '\u{93e}'..='\u{94f}' | '\u{e31}' | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{200c}' | '\u{200d}' | '\u{20d0}'..='\u{20ff}'
        | '\u{3099}' | '\u{309a}' | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}' | '\u{1f3fb}'..='\u{1f3ff}'
        | '\u{e0020}'..='\u{e007f}' | '\u{e0100}'..='\u{e01ef}')
}
