//! `tidegate eval`: measures each layer on a labelled set.
//!
//! What a reader could get wrong: `routing` measures the difficulty model against labels that are there; `models` asks the configured models
//! and makes such labels.

pub mod ask;
pub mod curve;
pub mod grade;
pub mod results;
pub mod set;
