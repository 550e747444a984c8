//! Which label stands for which value in one request, and how labels are chosen.
//!
//! A value's number comes from a keyed hash of conversation, type and value: the same value has the same label on every turn, and nothing is kept
//! between them. Where two values want one number, or the text uses it already, the next free one is taken, in the order of appearance.
//!
//! What a reader could get wrong: this is the only place where values are held, and it lives as long as the request; `Debug` tells counts.

use std::collections::{HashMap, HashSet};
use std::fmt;

use indexmap::IndexMap;

use super::label::{self, HIGHEST, Label, Reading, WANTED};

/// So many numbers behind the one wanted are tried, before one beyond those that may be wanted is taken.
const PROBED: u32 = 32;

/// Values and their labels.
#[derive(Default)]
pub struct Mapping {
    names: Vec<String>,
    /// (place of the name, number) → the value.
    values: IndexMap<(usize, u32), Box<str>>,
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mapping({} values)", self.values.len())
    }
}

/// Gives labels out.
pub struct Labels<'k> {
    key: &'k blake3::Hasher,
    conversation: u64,
    taken: HashSet<(usize, u32)>,
    /// By type and value.
    numbers: HashMap<(usize, Box<str>), u32>,
    /// By type: numbers from here on are free, but for those taken.
    next: Vec<u32>,
    mapping: Mapping,
}

impl fmt::Debug for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mapping.fmt(f)
    }
}

impl<'k> Labels<'k> {
    /// `key`: a keyed hasher. `names`: the types that labels are given out for.
    pub fn new(key: &'k blake3::Hasher, conversation: u64, names: Vec<String>) -> Labels<'k> {
        let next = vec![WANTED + 1; names.len()];
        let mapping = Mapping { names, values: IndexMap::new() };
        Labels { key, conversation, taken: HashSet::new(), numbers: HashMap::new(), next, mapping }
    }

    /// What looks like a label in this text is given out to nobody. To be called with every text before the first [`Labels::place`].
    pub fn avoid(&mut self, text: &str) {
        let names = self.mapping.names();
        let text = text.as_bytes();
        // A label needs a digit behind an underscore, a space or a hyphen; most texts have neither brackets nor underscores.
        if memchr::memchr3(b'_', b'<', b'&', text).is_none() {
            return;
        }
        for at in 0..text.len() {
            let Some(&byte) = text.get(at) else { break };
            if !label::may_begin(byte, &names) {
                continue;
            }
            let before = at.checked_sub(1).and_then(|at| text.get(at)).copied();
            if let Reading::Label(Label { name, number, .. }) = label::read(text, at, before, &names, true) {
                self.taken.insert((name, number));
            }
        }
    }

    /// The number of a value's label; the same value gets the same.
    pub fn number(&mut self, name: &str, value: &str) -> u32 {
        let Some(place) = self.mapping.names.iter().position(|known| known == name) else { return 0 };
        if let Some(number) = self.numbers.get(&(place, value.into())) {
            return *number;
        }
        let wanted = self.wanted(name, value);
        let near = (0..PROBED).map(|step| (wanted + step) % WANTED + 1);
        let first = self.next.get(place).copied().unwrap_or(HIGHEST);
        let is_free = |number: &u32| {
            let number = (place, *number);
            !self.mapping.values.contains_key(&number) && !self.taken.contains(&number)
        };
        // More values of one type than numbers: those beyond share one that is never put back.
        let number = near.chain(first..=HIGHEST).find(is_free).unwrap_or(0);
        if let Some(next) = self.next.get_mut(place).filter(|next| number >= **next || number == 0) {
            *next = if number == 0 { HIGHEST + 1 } else { number + 1 };
        }
        if number > 0 {
            self.mapping.values.insert((place, number), value.into());
        }
        self.numbers.insert((place, value.into()), number);
        number
    }

    fn wanted(&self, name: &str, value: &str) -> u32 {
        let mut hasher = self.key.clone();
        hasher.update(&self.conversation.to_le_bytes());
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        hasher.update(value.as_bytes());
        let [a, b, c, d, ..] = *hasher.finalize().as_bytes();
        u32::from_le_bytes([a, b, c, d]) % WANTED
    }

    /// All labels are given out.
    pub fn finish(self) -> Mapping {
        self.mapping
    }
}

impl Mapping {
    /// The types, as labels are read with them.
    pub fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The value that a label stands for.
    pub fn value(&self, label: &Label) -> Option<&str> {
        self.values.get(&(label.name, label.number)).map(AsRef::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> blake3::Hasher {
        blake3::Hasher::new_keyed(&[7; 32])
    }

    fn names() -> Vec<String> {
        ["PERSON", "EMAIL_ADDRESS"].map(str::to_owned).to_vec()
    }

    #[test]
    fn a_value_has_one_number_in_a_conversation_and_another_in_the_next() {
        let key = key();
        let number = |conversation, value: &str| Labels::new(&key, conversation, names()).number("PERSON", value);
        assert_eq!(number(1, "Alice"), number(1, "Alice"));
        let differ = (2..12).filter(|other| number(*other, "Alice") != number(1, "Alice")).count();
        assert!(differ >= 9, "{differ}");
        let mut labels = Labels::new(&key, 1, names());
        let all: HashSet<u32> = (0..400).map(|i| labels.number("PERSON", &format!("person {i}"))).collect();
        assert_eq!(all.len(), 400, "different values differ");
        assert_eq!(labels.number("PERSON", "person 3"), labels.number("PERSON", "person 3"));
    }

    #[test]
    fn numbers_that_the_text_uses_are_left_alone() {
        let key = key();
        let number = Labels::new(&key, 1, names()).number("PERSON", "Alice");
        for spelled in [format!("<PERSON_{number}>"), format!("person_{number}"), format!("see < Person {number} >")] {
            let mut labels = Labels::new(&key, 1, names());
            labels.avoid(&spelled);
            assert_ne!(labels.number("PERSON", "Alice"), number, "{spelled}");
        }
        let mut labels = Labels::new(&key, 1, names());
        labels.avoid(&format!("person {number}, EMAIL_ADDRESS_{number}"));
        assert_eq!(labels.number("PERSON", "Alice"), number);
    }

    #[test]
    fn more_values_than_numbers_end_and_are_never_put_back() {
        let key = key();
        let mut labels = Labels::new(&key, 1, names());
        let mut given = (0..20_000).map(|i| labels.number("PERSON", &i.to_string())).collect::<Vec<_>>();
        let without = given.iter().filter(|number| **number == 0).count();
        assert!((10_001..10_500).contains(&without), "{without}");
        given.retain(|number| *number > 0);
        let different: HashSet<u32> = given.iter().copied().collect();
        assert_eq!(different.len(), given.len());
        assert_eq!(labels.number("PERSON", "one more still"), 0);
    }
}
