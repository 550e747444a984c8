//! Tidegate: a hybrid LLM gateway.

pub mod app;
pub mod audit;
pub mod cache;
pub mod cli;
pub mod confidence;
pub mod config;
pub mod deferred;
pub mod error;
pub mod gateway;
pub mod lab;
pub mod learn;
pub mod ledger;
pub mod openai;
pub mod pii;
pub mod policy;
pub mod provider;
pub mod seal;
pub mod server;
pub mod signals;
pub mod state;
pub mod task;
pub mod telemetry;
pub mod tenant;
pub mod upstream;
