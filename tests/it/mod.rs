//! One file per behaviour.

mod config;
mod failover;
mod policy;
mod server;
mod stream;
mod wire;
