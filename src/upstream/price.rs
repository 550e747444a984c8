//! What an answer costs.
//!
//! What a reader could get wrong: money is counted in whole nanodollars, so that sums are exact whatever their order.

/// A billionth of a US dollar: 9 billion dollars fit.
pub type NanoUsd = i64;

/// Nanodollars in a dollar.
pub const NANOS_PER_USD: f64 = 1e9;
