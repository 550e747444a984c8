//! One file per behaviour.

mod accounts;
mod config;
mod failover;
mod observability;
mod passthrough;
mod policy;
mod sdk;
mod server;
mod stream;
mod tenants;
mod tls;
mod wire;
