//! The log: structured lines on standard error, as text for people or JSON for machines.
//!
//! What a reader could get wrong: fields hold names from the configuration, ids, counts and times; never prompt text, keys or addresses
//! of nodes. An address that the operator gave us to listen on may appear.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    #[default]
    Text,
    Json,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Level {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

impl Level {
    /// Whether one line per request is written.
    pub fn has_requests(self) -> bool {
        !matches!(self, Level::Error | Level::Warn)
    }
}

/// Starts the log; the first call wins.
pub fn start(format: Format, level: Level) {
    let level = match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    // Ours only: at debug the HTTP/2 library would print headers, keys among them.
    let ours = Targets::new().with_target("tidegate", level);
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let layer = fmt::layer().with_writer(std::io::stderr).with_target(false);
    // A second call (tests start several gateways in a process) keeps the first log: nothing is lost.
    let _ = match format {
        Format::Text => tracing::subscriber::set_global_default(
            tracing_subscriber::registry().with(layer.with_ansi(ansi).with_filter(ours)),
        ),
        Format::Json => tracing::subscriber::set_global_default(
            tracing_subscriber::registry().with(layer.json().flatten_event(true).with_filter(ours)),
        ),
    };
}
