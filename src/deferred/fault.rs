//! What can go wrong with the queue.
//!
//! What a reader could get wrong: that something is not there, or not this tenant's, is no fault but `None`: the two look the same.

use std::fmt;

use crate::error::{Error, Kind};

/// Why the queue did not do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A bound is reached: which one, and what helps; for the client.
    Full(String),
    /// The file cannot be read or written; for the operator, never for the client.
    Broken(String),
    /// One text or row does not open; the others do. For the operator too.
    Unreadable(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Full(message) | Fault::Broken(message) | Fault::Unreadable(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Fault {}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Fault {
        Fault::Broken(error.to_string())
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        match fault {
            Fault::Full(message) => Error::gateway(Kind::QuotaExceeded, message),
            Fault::Broken(message) | Fault::Unreadable(message) => {
                tracing::error!("the queue of deferred work cannot be used: {message}");
                Error::gateway(Kind::Internal, "the queue of deferred work cannot be used now")
                    .with_source(Fault::Broken(message))
            }
        }
    }
}
