//! Words that stand near a find and make it likelier: one automaton per list of phrases, run over a small window only.
//!
//! What a reader could get wrong: the window is bounded (`BEFORE`, `BEHIND`), so looking around costs the same for each find however long the
//! text is; letters beyond ASCII are compared as they are.

use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};

/// So many bytes in front of a find are looked at.
pub const BEFORE: usize = 64;
/// And so many behind it.
pub const BEHIND: usize = 40;
/// Phrases shorter than this must stand alone; longer ones may be part of a compound (`steuer` in `Steuernummer`).
pub const ALONE: usize = 5;

/// Phrases to look for, in any (ASCII) case.
#[derive(Debug)]
pub struct Phrases {
    automaton: Option<AhoCorasick>,
    short: Vec<bool>,
}

impl Phrases {
    /// `phrases` in lower case. An empty list is never near.
    pub fn new<P: AsRef<[u8]>>(phrases: &[P]) -> Phrases {
        let short = phrases.iter().map(|phrase| phrase.as_ref().len() < ALONE).collect();
        let mut builder = AhoCorasickBuilder::new();
        builder.ascii_case_insensitive(true).match_kind(MatchKind::Standard).kind(Some(AhoCorasickKind::DFA));
        // Building fails only for lists that exceed its numbers of states, which fixed lists do not; without an automaton nothing is near.
        let automaton = builder.build(phrases).ok().filter(|_| !phrases.is_empty());
        Phrases { automaton, short }
    }

    /// Each phrase that stands near `find`: its place in the list and its distance in bytes.
    pub fn near(&self, text: &[u8], find: &Range<usize>, mut each: impl FnMut(usize, usize)) {
        let Some(automaton) = &self.automaton else { return };
        let from = find.start.saturating_sub(BEFORE);
        let to = (find.end + BEHIND).min(text.len());
        for (part, offset) in [(text.get(from..find.start), from), (text.get(find.end..to), find.end)] {
            let Some(part) = part else { continue };
            for found in automaton.find_overlapping_iter(part) {
                let place = found.pattern().as_usize();
                let (start, end) = (found.start() + offset, found.end() + offset);
                if self.short.get(place) == Some(&true) && !stands_alone(text, start..end) {
                    continue;
                }
                each(place, if end <= find.start { find.start - end } else { start - find.end });
            }
        }
    }

    /// The least distance of any phrase; `None` when there is none.
    pub fn distance(&self, text: &[u8], find: &Range<usize>) -> Option<usize> {
        let mut least = None;
        self.near(text, find, |_, distance| least = Some(least.map_or(distance, |known: usize| known.min(distance))));
        least
    }
}

/// No letter or digit adjoins it.
pub fn stands_alone(text: &[u8], range: Range<usize>) -> bool {
    let before = range.start.checked_sub(1).and_then(|at| text.get(at));
    let behind = text.get(range.end);
    !before.is_some_and(u8::is_ascii_alphanumeric) && !behind.is_some_and(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_is_near_within_the_window_and_short_ones_stand_alone() {
        let phrases = Phrases::new(&["ssn", "steuer", "tax id"]);
        let near = |text: &str, what: &str| {
            let at = text.find(what).unwrap();
            phrases.distance(text.as_bytes(), &(at..at + what.len()))
        };
        assert_eq!(near("my SSN is 12", "12"), Some(4));
        assert_eq!(near("assn 12", "12"), None);
        assert_eq!(near("Steuernummer: 12", "12"), Some(8));
        assert_eq!(near("12 is his Tax ID", "12"), Some(8));
        assert_eq!(near(&format!("ssn{}12", " ".repeat(BEFORE)), "12"), None);
        assert_eq!(Phrases::new::<&str>(&[]).distance(b"ssn 12", &(4..6)), None);
    }
}
