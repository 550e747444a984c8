//! `tidegate serve`.

use std::path::Path;

use super::{ENVIRONMENT, WRONG_INPUT};
use crate::app::{self, Failure, Options};
use crate::state::reload;
use crate::telemetry::log::{Format, Level};

/// Runs until it is told to stop.
pub fn run(path: &Path, upgrade: bool, format: Format, level: Level) -> u8 {
    let loaded = match reload::load(path) {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprint!("{problems}");
            return WRONG_INPUT;
        }
    };
    let options = Options { path: path.to_owned(), upgrade, access: level.has_requests().then_some(format) };
    match app::run(loaded, options) {
        Ok(()) => 0,
        Err(Failure::Configuration(message)) => {
            eprintln!("{}: {message}", path.display());
            WRONG_INPUT
        }
        Err(Failure::Environment(message)) => {
            eprintln!("tidegate: {message}");
            ENVIRONMENT
        }
    }
}
