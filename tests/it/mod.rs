//! One file per behaviour.

mod config;
mod failover;
mod observability;
mod passthrough;
mod policy;
mod sdk;
mod server;
mod stream;
mod tls;
mod wire;
