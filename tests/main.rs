//! Behaviour tests of the whole gateway: the real binary, real sockets on loopback, mock providers that misbehave on demand.
//!
//! `it/` holds one file per behaviour, `support/` what they stand on. What a reader could get wrong: tests run in parallel and in
//! any order, so nothing here sleeps to synchronise, binds a fixed port or shares state; waiting goes through `support::eventually`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "tests fail by panicking"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "tests spawn and collect freely: each wait has a deadline, each body is small"
)]

mod it;
mod support;
