//! Makes classifiers out of labelled prompts and says how good they are: rows in, a model file and a report out.
//!
//! What a reader could get wrong: nothing here runs while a request waits. Everything is single-threaded, in a fixed order and from a
//! stated seed, so that the same rows give the same model to the bit.

pub mod calibrate;
mod example;
pub mod known;
mod linear;
pub mod metrics;
pub mod rows;
pub mod shipped;
mod solve;
mod train;
mod vectors;

pub use calibrate::{Bin, calibration_error};
pub use metrics::{ApgrRow, Curve, Report, evaluate};
pub use rows::{Row, read_rows};
pub use train::{Error, Options, Progress, Trained, train_routing};

#[cfg(test)]
mod tests;
