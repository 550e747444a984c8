//! A pair of questions with what is known of it.
//!
//! What a reader could get wrong: folds are cut by `group`, the sentence or block that a pair was made from, never by pair.

/// Two questions.
#[derive(Debug, Clone)]
pub struct Pair {
    pub a: String,
    pub b: String,
    pub same: bool,
    pub kind: String,
    pub group: String,
    pub field: String,
}

pub fn pair(a: &str, b: &str, same: bool, kind: &str, group: &str, field: &str) -> Pair {
    let own = |text: &str| text.to_owned();
    Pair { a: own(a), b: own(b), same, kind: own(kind), group: own(group), field: own(field) }
}

/// The fold of a group, below `folds`.
pub fn fold(group: &str, folds: u32) -> u32 {
    let hash = group.bytes().fold(0x811c_9dc5_u32, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d) % folds
}
