//! Simulated machines and faults, for tests and for `demo --chaos`.
//!
//! What a reader could get wrong: nothing here serves requests; the program runs without it.

pub mod pool;
