//! Degenerate repetition: the same words again and again, as small models do when they have lost the thread.
//!
//! For each period up to 48 words, how many words in a row are the one that stood a period before: a loop is one that has gone on for four
//! rounds and twenty-four words. Word by word, in constant memory, wherever a stream is cut.
//!
//! What a reader could get wrong: words without a letter are skipped, so that rows of a table, of zeros or of dashes are no loop. Where
//! there are no spaces, as in Chinese, each character is a word.

/// The longest loop that is found, in words: a long sentence.
const PERIODS: usize = 48;
/// Repeated words that make a loop: fewer are a refrain.
const WORDS: u32 = 24;
/// So many raise a suspicion.
const SUSPECT: u32 = 6;
/// And so many rounds beyond the first.
const ROUNDS: u32 = 3;
/// A word without end is cut into words of so many letters.
const LONGEST: u32 = 16;
/// From here on, characters stand for words (CJK radicals, kana, ideographs, Hangul).
const IDEOGRAPHS: char = '\u{2e80}';

/// Follows a text.
#[derive(Debug, Clone)]
pub(super) struct Loops {
    /// The last words, as hashes, by place modulo [`PERIODS`].
    words: [u32; PERIODS],
    /// By period, less one: words in a row that were the same a period before.
    runs: [u32; PERIODS],
    count: u32,
    /// The word that has not ended: its hash, its length, and whether there is a letter in it.
    hash: u32,
    length: u32,
    has_letter: bool,
    /// The longest of the runs.
    running: u32,
    found: bool,
}

impl Default for Loops {
    fn default() -> Loops {
        Loops {
            words: [0; PERIODS],
            runs: [0; PERIODS],
            count: 0,
            hash: FNV,
            length: 0,
            has_letter: false,
            running: 0,
            found: false,
        }
    }
}

/// FNV-1a's start: a hash that costs a multiplication a letter is enough where a collision has to happen twenty-four times in a row.
const FNV: u32 = 0x811c_9dc5;

impl Loops {
    /// Takes in the next piece of the text.
    pub(super) fn push(&mut self, text: &str) {
        if self.found {
            return;
        }
        for letter in text.chars() {
            if letter >= IDEOGRAPHS && letter.is_alphabetic() {
                self.end_word();
                self.add(letter);
                self.end_word();
            } else if letter.is_alphanumeric() {
                self.add(letter);
                if self.length >= LONGEST {
                    self.end_word();
                }
            } else {
                self.end_word();
            }
        }
    }

    /// A loop was found; it stays found.
    pub(super) fn is_found(&self) -> bool {
        self.found
    }

    /// One may be beginning: more should be seen.
    pub(super) fn is_suspected(&self) -> bool {
        self.running >= SUSPECT
    }

    fn add(&mut self, letter: char) {
        self.hash = (self.hash ^ u32::from(letter)).wrapping_mul(0x0100_0193);
        self.length += 1;
        self.has_letter |= letter.is_alphabetic();
    }

    fn end_word(&mut self) {
        let (hash, is_word) = (self.hash, self.has_letter);
        (self.hash, self.length, self.has_letter) = (FNV, 0, false);
        if !is_word {
            return;
        }
        let at = self.count as usize % PERIODS;
        // The words before this one, the latest first, without a division each.
        let (later, earlier) = self.words.split_at(at);
        self.running = 0;
        let before = later.iter().rev().chain(earlier.iter().rev());
        for (period, (word, run)) in (1u32..).zip(before.zip(&mut self.runs)) {
            *run = if *word == hash && period <= self.count { *run + 1 } else { 0 };
            self.running = self.running.max(*run);
            self.found |= *run >= WORDS && *run >= ROUNDS * period;
        }
        if let Some(place) = self.words.get_mut(at) {
            *place = hash;
        }
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn loops(text: &str) -> bool {
        let mut loops = Loops::default();
        loops.push(text);
        loops.push(" ");
        loops.is_found()
    }

    #[test]
    fn loops_are_found_at_every_length() {
        assert!(loops(&"no ".repeat(30)));
        assert!(loops(&"the cat sat on the mat, ".repeat(6)));
        assert!(loops(&format!("Here is the answer: {}", "I think that this is the best way to do it.\n".repeat(5))));
        assert!(loops(&"很好".repeat(20)));
        assert!(loops(&"a".repeat(600)));
        let sentence: String = (0..45).map(|i| format!("word{i} ")).collect();
        assert!(loops(&sentence.repeat(5)));
    }

    #[test]
    fn what_repeats_with_reason_is_no_loop() {
        assert!(!loops(&"| --- | --- | --- |\n".repeat(20)));
        assert!(!loops(&"0, 0, 1, ".repeat(50)));
        assert!(!loops(&"ha ".repeat(12)), "a refrain");
        assert!(!loops(
            "She loves you, yeah, yeah, yeah. She loves you, yeah, yeah, yeah. With a love like that, you know."
        ));
        let list: String = (0..60).map(|i| format!("- item number {} of the list is item{i}\n", i * 7)).collect();
        assert!(!loops(&list));
        let poem = "The woods are lovely, dark and deep, but I have promises to keep, and miles to go before I sleep, \
                    and miles to go before I sleep.";
        assert!(!loops(poem));
    }

    proptest! {
        /// Wherever the text is cut.
        #[test]
        fn pieces_are_as_good_as_the_whole(words in prop::collection::vec("[a-c]{1,2}", 1..80), times in 1usize..6, cut in 1usize..9) {
            let text = format!("{} ", words.join(" ")).repeat(times);
            let mut pieces = Loops::default();
            text.as_bytes().chunks(cut).for_each(|piece| pieces.push(std::str::from_utf8(piece).unwrap()));
            let mut whole = Loops::default();
            whole.push(&text);
            prop_assert_eq!(pieces.is_found(), whole.is_found());
        }
    }
}
