//! Finds where literals begin: each place's next four bytes say, each by a table of its own, which groups of literals they fit; where a group fits all four,
//! its literals are compared.
//!
//! What a reader could get wrong: this is no automaton, because an automaton's next state waits for the one before; here places do not
//! depend on one another, which keeps a processor two to three times as busy. (Hyperscan finds literals by groups, too.) What is proposed is the same, in
//! the order in which literals begin.

use super::Anchor;

/// Groups of literals: one for each bit of a word.
const GROUPS: usize = 64;
/// The group of bytes that are reported by themselves.
const ALSO: usize = GROUPS - 1;
/// So many bytes of a literal have a table.
const BYTES: usize = 4;

/// Which literals to look for, prepared.
#[derive(Debug)]
pub(super) struct Proposer {
    /// For each of the first four bytes: the groups in which some literal has it there, or has ended before.
    fits: Box<[[u64; 256]; BYTES]>,
    /// Sorted by group.
    anchors: Vec<Anchor>,
    /// Where in `anchors` a group's begin; the next group's are behind them.
    groups: [usize; GROUPS + 1],
}

impl Proposer {
    /// `also`: bytes that are reported by themselves, whatever follows.
    pub(super) fn new(mut anchors: Vec<Anchor>, also: impl Iterator<Item = u8>) -> Proposer {
        // Neighbours share a group: those alike in their middle bytes, so that a group fits little else. Short ones, which fit much, stay together.
        anchors.sort_by_cached_key(|anchor| {
            let literal = anchor.literal.to_ascii_lowercase().into_bytes();
            let byte = |place: usize| literal.get(place).copied();
            (literal.len().min(BYTES), byte(1), byte(2), byte(0))
        });
        // Literals of one byte have a group of their own, and so have the bytes of `also`: any bytes may follow these.
        let single = anchors.partition_point(|anchor| anchor.literal.len() < 2);
        let others = (anchors.len() - single).max(1);
        let group = |number: usize| number.checked_sub(single).map_or(0, |number| 1 + number * (ALSO - 1) / others);
        let mut fits = Box::new([[0; 256]; BYTES]);
        let mut groups = [0; GROUPS + 1];
        for (number, anchor) in anchors.iter().enumerate() {
            let bit = 1 << group(number);
            for (place, table) in fits.iter_mut().enumerate() {
                match anchor.literal.as_bytes().get(place) {
                    Some(byte) => {
                        table[usize::from(byte.to_ascii_lowercase())] |= bit;
                        table[usize::from(byte.to_ascii_uppercase())] |= bit;
                    }
                    None => table.iter_mut().for_each(|groups| *groups |= bit),
                }
            }
            groups.iter_mut().skip(group(number) + 1).for_each(|end| *end = number + 1);
        }
        let [first, rest @ ..] = &mut *fits;
        also.for_each(|byte| first[usize::from(byte)] |= 1 << ALSO);
        rest.iter_mut().flatten().for_each(|groups| *groups |= 1 << ALSO);
        Proposer { fits, anchors, groups }
    }

    /// Calls `each` with every place at which literals may begin, in order, and the groups that they may be of.
    pub(super) fn candidates(&self, text: &[u8], mut each: impl FnMut(usize, u64)) {
        let [first, second, third, fourth] = &*self.fits;
        for (at, window) in text.windows(BYTES).enumerate() {
            let [a, b, c, d] = *window else { continue };
            let groups =
                first[usize::from(a)] & second[usize::from(b)] & third[usize::from(c)] & fourth[usize::from(d)];
            if groups != 0 {
                each(at, groups);
            }
        }
        for at in text.len().saturating_sub(BYTES - 1)..text.len() {
            let byte = |place: usize| usize::from(text.get(at + place).copied().unwrap_or(0));
            let groups = first[byte(0)] & second[byte(1)] & third[byte(2)] & fourth[byte(3)];
            if groups != 0 {
                each(at, groups);
            }
        }
    }

    /// Calls `each` with the anchors of these groups whose literal begins at `at`.
    pub(super) fn compare(&self, text: &[u8], at: usize, mut groups: u64, mut each: impl FnMut(&Anchor)) {
        while groups != 0 {
            let group = groups.trailing_zeros() as usize;
            groups &= groups - 1;
            let Some([from, to]) = self.groups.get(group..group + 2) else { return };
            for anchor in self.anchors.get(*from..*to).unwrap_or_default() {
                let literal = anchor.literal.as_bytes();
                if text.get(at..at + literal.len()).is_some_and(|found| found.eq_ignore_ascii_case(literal)) {
                    each(anchor);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(literals: &[&'static str], text: &str) -> Vec<(usize, &'static str)> {
        let anchors = literals.iter().map(|literal| Anchor { literal, look: |_, _| {} }).collect();
        let proposer = Proposer::new(anchors, std::iter::once(b'7'));
        let mut found = vec![];
        proposer.candidates(text.as_bytes(), |at, groups| {
            proposer.compare(text.as_bytes(), at, groups, |anchor| found.push((at, anchor.literal)));
        });
        found
    }

    #[test]
    fn literals_are_found_wherever_they_begin_and_in_any_case() {
        let literals = ["@", "1.", "key", "KeyRing", "-----BEGIN ", "\u{5bc6}\u{7801}"];
        assert_eq!(found(&literals, "a@b 1.2 keyRING"), [(1, "@"), (4, "1."), (8, "key"), (8, "KeyRing")]);
        assert_eq!(found(&literals, "KEY"), [(0, "key")]);
        assert_eq!(found(&literals, "1."), [(0, "1.")]);
        assert_eq!(found(&literals, "\u{5bc6}\u{7801}@"), [(0, "\u{5bc6}\u{7801}"), (6, "@")]);
        assert_eq!(found(&literals, "-----begin ke"), [(0, "-----BEGIN ")]);
        assert_eq!(found(&[], "key"), []);
    }

    #[test]
    fn every_literal_of_many_is_found() {
        let literals: Vec<&'static str> = super::super::anchors().map(|anchor| anchor.literal).collect();
        assert!(literals.len() > GROUPS);
        for literal in &literals {
            assert!(found(&literals, literal).contains(&(0, literal)), "{literal}");
        }
    }

    #[test]
    fn bytes_that_are_asked_for_are_reported_whatever_follows() {
        for literals in [&["@"][..], &[], &["-----BEGIN "]] {
            let anchors = literals.iter().map(|literal| Anchor { literal, look: |_, _| {} }).collect();
            let mut places = vec![];
            Proposer::new(anchors, std::iter::once(b'7')).candidates(b"77x7abcdef7", |at, _| places.push(at));
            assert_eq!(places, [0, 1, 3, 10]);
        }
    }
}
