//! What operators see: metrics (every name and label in one file), the log, one line per request.

pub mod access;
pub mod log;
pub mod metrics;
