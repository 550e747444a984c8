//! load → prepare → bind → serve → reload → drain: the life of the process.
//!
//! What a reader could get wrong: requests run on the workers; everything else (health checks, reloads, signals, admin) runs on a control
//! thread of its own, so that a busy worker delays no health check, and a slow reload no request.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::load::Loaded;
use crate::config::watch::Watch;
use crate::gateway::Gateway;
use crate::server::{self, Handle, Peer};
use crate::state::admin::Admin;
use crate::state::reload::Reloader;
use crate::state::{Durable, Shared, prepare};
use crate::task;
use crate::telemetry::access::{AccessLog, FLUSH_EVERY};
use crate::telemetry::log::Format;
use crate::telemetry::metrics::Metrics;

/// How the process was started.
#[derive(Debug)]
pub struct Options {
    pub path: PathBuf,
    /// Take the sockets over from a running process.
    pub upgrade: bool,
    /// Write a line per request.
    pub access: Option<Format>,
}

/// Why the gateway did not run.
#[derive(Debug)]
pub enum Failure {
    /// The configuration holds, but cannot be used.
    Configuration(String),
    /// A port is taken, a folder cannot be written.
    Environment(String),
}
