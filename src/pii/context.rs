//! Words that stand near a find and make it likelier: one automaton per list of phrases, run over a small window only.
//!
//! What a reader could get wrong: the window is bounded (`BEFORE`, `BEHIND`), so looking around costs the same for each find however long the
//! text is; of letters beyond ASCII the usual spellings are known (capitals, and without accents), not every one.

use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};

/// So many bytes in front of a find are looked at.
pub const BEFORE: usize = 64;
/// And so many behind it.
pub const BEHIND: usize = 40;
/// Phrases shorter than this must stand alone; longer ones may be part of a compound (`steuer` in `Steuernummer`).
pub const ALONE: usize = 5;

/// From so many spellings on, an automaton that takes a tenth of the memory and twice the time.
const MANY: usize = 200;

/// Phrases to look for, in any case.
#[derive(Debug)]
pub struct Phrases {
    automaton: Option<AhoCorasick>,
    /// For each spelling: the phrase it is of, and whether it must stand alone.
    spellings: Vec<(usize, bool)>,
}

impl Phrases {
    /// `phrases` in lower case. An empty list is never near.
    pub fn new<P: AsRef<[u8]>>(phrases: &[P]) -> Phrases {
        let mut texts: Vec<Vec<u8>> = vec![];
        let mut spellings = vec![];
        for (place, phrase) in phrases.iter().enumerate() {
            let short = String::from_utf8_lossy(phrase.as_ref()).chars().count() < ALONE;
            for text in spelt(phrase.as_ref()) {
                texts.push(text);
                spellings.push((place, short));
            }
        }
        let kind = if texts.len() < MANY { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
        let mut builder = AhoCorasickBuilder::new();
        builder.ascii_case_insensitive(true).match_kind(MatchKind::Standard).kind(Some(kind));
        // Building fails only for lists that exceed its numbers of states, which fixed lists do not; without an automaton nothing is near.
        let automaton = builder.build(&texts).ok().filter(|_| !texts.is_empty());
        Phrases { automaton, spellings }
    }

    /// Each phrase that stands near `find`: its place in the list and its distance in bytes.
    pub fn near(&self, text: &[u8], find: &Range<usize>, mut each: impl FnMut(usize, usize)) {
        let from = find.start.saturating_sub(BEFORE);
        let to = (find.end + BEHIND).min(text.len());
        self.within(text, from..find.start, |place, found| each(place, find.start - found.end));
        self.within(text, find.end..to, |place, found| each(place, found.start - find.end));
    }

    /// Each phrase in `find` or near it: its place in the list.
    pub fn around(&self, text: &[u8], find: &Range<usize>, mut each: impl FnMut(usize)) {
        let window = find.start.saturating_sub(BEFORE)..(find.end + BEHIND).min(text.len());
        self.within(text, window, |place, _| each(place));
    }

    fn within(&self, text: &[u8], window: Range<usize>, mut each: impl FnMut(usize, Range<usize>)) {
        let (Some(automaton), Some(part)) = (&self.automaton, text.get(window.clone())) else { return };
        for found in automaton.find_overlapping_iter(part) {
            let range = found.start() + window.start..found.end() + window.start;
            match self.spellings.get(found.pattern().as_usize()) {
                Some((place, short)) if !short || stands_alone(text, &range) => each(*place, range),
                _ => {}
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
pub fn stands_alone(text: &[u8], range: &Range<usize>) -> bool {
    let before = text.get(range.start.saturating_sub(4)..range.start).unwrap_or_default();
    let behind = text.get(range.end..(range.end + 4).min(text.len())).unwrap_or_default();
    let before = before.utf8_chunks().last().and_then(|part| part.valid().chars().next_back());
    let behind = behind.utf8_chunks().next().and_then(|part| part.valid().chars().next());
    !before.is_some_and(char::is_alphanumeric) && !behind.is_some_and(char::is_alphanumeric)
}

/// The ways a phrase is written: the automaton knows about capitals of ASCII letters only, and many people leave accents out.
pub fn spelt(phrase: &[u8]) -> Vec<Vec<u8>> {
    let Some(text) = std::str::from_utf8(phrase).ok().filter(|text| !text.is_ascii()) else {
        return vec![phrase.to_vec()];
    };
    let sentence = |text: &str| {
        let mut letters = text.chars();
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
    };
    let mut capital = true;
    let titled = text.chars().flat_map(|letter| {
        let begins = std::mem::replace(&mut capital, letter == ' ');
        let upper = letter.to_uppercase().filter(move |_| begins);
        upper.chain((!begins).then_some(letter))
    });
    let mut all =
        vec![titled.collect(), sentence(text), text.to_uppercase(), text.chars().map(bare).collect(), text.to_owned()];
    all.sort_unstable_by_key(|text| text.to_ascii_lowercase());
    all.dedup_by_key(|text| text.to_ascii_lowercase());
    all.into_iter().map(String::into_bytes).collect()
}

/// A Latin letter without its accent.
fn bare(letter: char) -> char {
    match letter {
        'á' | 'à' | 'â' | 'ã' | 'ä' | 'å' | 'ă' | 'ą' | 'ā' => 'a',
        'ç' | 'č' | 'ć' => 'c',
        'ď' | 'đ' => 'd',
        'é' | 'è' | 'ê' | 'ë' | 'ě' | 'ę' | 'ė' | 'ē' | 'ə' => 'e',
        'ğ' | 'ģ' => 'g',
        'í' | 'ì' | 'î' | 'ï' | 'ī' | 'į' | 'ı' => 'i',
        'ł' | 'ļ' | 'ľ' => 'l',
        'ñ' | 'ń' | 'ň' | 'ņ' => 'n',
        'ó' | 'ò' | 'ô' | 'õ' | 'ö' | 'ø' | 'ő' => 'o',
        'ř' => 'r',
        'š' | 'ś' | 'ş' | 'ș' => 's',
        'ť' | 'ţ' | 'ț' => 't',
        'ú' | 'ù' | 'û' | 'ü' | 'ů' | 'ű' | 'ū' | 'ų' => 'u',
        'ý' => 'y',
        'ž' | 'ź' | 'ż' => 'z',
        '’' => '\'',
        other => other,
    }
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

    #[test]
    fn capitals_and_bare_letters_count_as_the_phrase() {
        let phrases = Phrases::new(&["číslo", "инн", "αριθμός φορολογικού"]);
        for text in ["Číslo 12", "ČÍSLO 12", "Cislo: 12", "ИНН 12", "„ИНН“ 12", "Αριθμός Φορολογικού 12"]
        {
            let at = text.len() - 2;
            assert!(phrases.distance(text.as_bytes(), &(at..at + 2)).is_some(), "{text}");
        }
        assert_eq!(phrases.distance("блинн 12".as_bytes(), &(11..13)), None, "short ones stand alone");
    }
}
