//! The weights file, as `model.rs` reads it.
//!
//! What a reader could get wrong: weights are rounded to whole numbers from -127 to 127; the few beyond are cut.

use tidegate::pii::tagger::model::MAGIC;

use crate::learn::Weights;

/// Share of weights that may be cut.
const CUT: f32 = 0.0005;

pub fn bytes(weights: &Weights, slots: &[[u8; 4]]) -> Vec<u8> {
    let mut sizes: Vec<f32> =
        weights.buckets.iter().flatten().filter(|weight| **weight != 0.0).map(|weight| weight.abs()).collect();
    sizes.sort_unstable_by(f32::total_cmp);
    let last = sizes.len().saturating_sub(1 + (sizes.len() as f32 * CUT) as usize);
    let scale = 127.0 / sizes.get(last).copied().unwrap_or(1.0).max(1e-6);
    let mut bytes = MAGIC.to_vec();
    bytes.extend((weights.buckets.len() as u32).to_le_bytes());
    bytes.extend((slots.len() as u32).to_le_bytes());
    for step in weights.steps.iter().flatten() {
        bytes.extend(((step * scale).round().clamp(-20_000.0, 20_000.0) as i16).to_le_bytes());
    }
    for weight in weights.buckets.iter().flatten() {
        bytes.push(((weight * scale).round().clamp(-127.0, 127.0) as i8).cast_unsigned());
    }
    bytes.extend(slots.iter().flatten());
    bytes
}
