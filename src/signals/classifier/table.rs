//! From a word's hash to its weights: an open hash table of eight-byte slots, so that a lookup touches one cache line.
//!
//! What a reader could get wrong: a word that is not in the table is not nothing: it has no weight in the sum, but counts in its norm.

/// How much a word counts in the norm: frequent words little, rare ones up to this.
pub(crate) const WEIGHT_UNIT: u16 = 1024;
pub(crate) const MOST_HEADS: usize = 2;

/// A word as the model file has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Entry {
    /// The low half of the word's hash.
    pub hash: u32,
    /// 1 to [`WEIGHT_UNIT`].
    pub weight: u16,
    /// Per head, in units of the head's scale.
    pub heads: [i16; MOST_HEADS],
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    key: u16,
    /// 0: empty.
    weight: u16,
    heads: [i16; MOST_HEADS],
}

#[derive(Debug)]
pub(crate) struct Table {
    slots: Box<[Slot]>,
}

impl Table {
    pub fn new(entries: &[Entry]) -> Table {
        let size = (2 * entries.len()).next_power_of_two().max(16);
        let mut slots = vec![Slot::default(); size].into_boxed_slice();
        for entry in entries {
            let mut at = entry.hash as usize & (size - 1);
            while slots[at].weight != 0 {
                at = (at + 1) & (size - 1);
            }
            slots[at] = Slot { key: (entry.hash >> 16) as u16, weight: entry.weight.max(1), heads: entry.heads };
        }
        Table { slots }
    }

    /// Weight and heads of a word; a word that is not known has the full weight and no heads.
    pub fn look_up(&self, hash: u64) -> (u16, [i16; MOST_HEADS]) {
        let mask = self.slots.len() - 1;
        let key = (hash >> 16) as u16;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot.weight == 0 {
                return (WEIGHT_UNIT, [0; MOST_HEADS]);
            }
            if slot.key == key {
                return (slot.weight, slot.heads);
            }
            at = (at + 1) & mask;
        }
    }
}

/// Words seen already, approximately: two words share a bit now and then, the same two everywhere.
pub(crate) struct Seen([u64; 256]);

impl Default for Seen {
    fn default() -> Seen {
        Seen([0; 256])
    }
}

impl Seen {
    /// Whether it is the first time.
    pub fn first(&mut self, hash: u64) -> bool {
        let bit = (hash >> 40) as usize;
        let word = &mut self.0[(bit >> 6) % 256];
        let first = *word & 1 << (bit & 63) == 0;
        *word |= 1 << (bit & 63);
        first
    }
}
