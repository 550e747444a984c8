//! One file per behaviour.

mod accounts;
mod alike;
mod audit;
mod borders;
mod coalesce;
mod config;
mod eval;
mod failover;
mod homebound;
mod learning;
mod observability;
mod passthrough;
mod policy;
mod protect;
mod protect_edges;
mod records;
mod remember;
mod sdk;
mod server;
mod shares;
mod stream;
mod tenants;
mod thresholds;
mod tiers;
mod tls;
mod wire;
