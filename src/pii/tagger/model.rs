//! The weights file: sums of weights for a word, what one label says about the next, and how sure a margin is.
//!
//! What a reader could get wrong: the file is part of the program; should it be broken, nothing is found, and a test says so.

use std::sync::LazyLock;

use super::decode::step;
use super::label::LABELS;
use super::lexicon::Lexicon;

/// Opens the file; the digit is the format's.
pub const MAGIC: [u8; 8] = *b"tgtagger";
/// Magic, then the number of buckets and of the lexicon's slots (u32, little-endian).
const HEAD: usize = 16;
/// A row for each label: what it adds to each next label (i16, little-endian).
const STEPS: usize = LABELS * LABELS * 2;

static SHIPPED: &[u8] = include_bytes!("weights.bin");

static MODEL: LazyLock<Option<Model>> = LazyLock::new(|| Model::read(SHIPPED));

/// Sums for each label.
pub type Lanes = [i16; LABELS];

/// Read weights.
#[derive(Debug, Clone, Copy)]
pub struct Model {
    weights: &'static [[u8; LABELS]],
    mask: u32,
    /// By label, then by the next label; see [`super::decode`] for the unit.
    pub steps: [Lanes; LABELS],
    pub lexicon: Lexicon,
}

impl Model {
    /// The one that is shipped; `None` when its file is broken.
    pub fn shipped() -> Option<&'static Model> {
        MODEL.as_ref()
    }

    /// `None` unless the file is whole.
    pub fn read(file: &'static [u8]) -> Option<Model> {
        let (head, rest) = file.split_at_checked(HEAD)?;
        let (buckets, slots) = match head.as_chunks::<4>().0 {
            [_, _, buckets, slots] if head.starts_with(&MAGIC) => {
                (u32::from_le_bytes(*buckets) as usize, u32::from_le_bytes(*slots) as usize)
            }
            _ => return None,
        };
        let (steps, rest) = rest.split_at_checked(STEPS)?;
        let (weights, rest) = rest.split_at_checked(buckets.checked_mul(LABELS)?)?;
        if !buckets.is_power_of_two() || rest.len() != slots.checked_mul(4)? {
            return None;
        }
        let mut table = [[0; LABELS]; LABELS];
        for (cell, bytes) in table.as_flattened_mut().iter_mut().zip(steps.as_chunks::<2>().0) {
            *cell = step(i16::from_le_bytes(*bytes));
        }
        Some(Model {
            weights: weights.as_chunks().0,
            mask: u32::try_from(buckets - 1).ok()?,
            steps: table,
            lexicon: Lexicon::new(rest.as_chunks().0)?,
        })
    }

    /// The sum of the weights in those buckets.
    pub fn sum(&self, features: &[u32]) -> Lanes {
        let mut sum = [0; LABELS];
        for feature in features {
            let Some(row) = self.weights.get((feature & self.mask) as usize) else { continue };
            for (lane, weight) in sum.iter_mut().zip(row) {
                // At most 28 features of at most 128: no overflow.
                *lane += i16::from(weight.cast_signed());
            }
        }
        sum
    }
}
