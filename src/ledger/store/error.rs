//! What can go wrong with the ledger's database.
//!
//! What a reader could get wrong: an error never holds the database's URL, because a password may stand in it.

use std::fmt;

/// The database could not do what it was asked; nothing of the batch is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError {
    message: String,
    passing: bool,
}

impl StoreError {
    /// Will not pass by itself: somebody must act.
    pub fn lasting(message: impl Into<String>) -> StoreError {
        StoreError { message: message.into(), passing: false }
    }

    /// May pass by itself: the connection was lost, the disk was full, somebody held a lock.
    pub fn passing(message: impl Into<String>) -> StoreError {
        StoreError { message: message.into(), passing: true }
    }

    /// Whether the same call may work later with nobody doing anything to the database itself.
    pub fn is_passing(&self) -> bool {
        self.passing
    }

    /// Names what was being done.
    pub fn doing(self, what: impl fmt::Display) -> StoreError {
        StoreError { message: format!("{what}: {}", self.message), ..self }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StoreError {}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        use rusqlite::ErrorCode::{
            CannotOpen, DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, NotADatabase, PermissionDenied,
            ReadOnly, SystemIoFailure,
        };
        let Some(code) = error.sqlite_error_code() else { return StoreError::lasting(error.to_string()) };
        match code {
            DatabaseBusy | DatabaseLocked => {
                StoreError::passing("another program holds its lock; close what writes to it (such as an open sqlite3)")
            }
            DiskFull => StoreError::passing("the disk is full; make room"),
            SystemIoFailure => StoreError::passing(format!("{error}; look at the disk")),
            CannotOpen | PermissionDenied | ReadOnly => {
                StoreError::lasting(format!("{error}; `data_dir` must be a directory that this user may write"))
            }
            DatabaseCorrupt | NotADatabase => StoreError::lasting(format!("{error}; move it away, a new one is begun")),
            _ => StoreError::lasting(error.to_string()),
        }
    }
}

impl From<postgres::Error> for StoreError {
    fn from(error: postgres::Error) -> StoreError {
        use std::error::Error as _;
        let Some(said) = error.as_db_error() else {
            // The crate's own text says only in which step; the cause (refused, reset, certificate) is the source.
            let text = error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
            return StoreError { message: text, passing: true };
        };
        // 08 connection, 40 rolled back (deadlock), 53 resources, 55 in use, 57 shut down by the operator, 58 system.
        let class = said.code().code().get(..2).unwrap_or_default();
        let passing = ["08", "25", "40", "53", "55", "57", "58"].contains(&class);
        StoreError { message: format!("{} ({})", said.message(), said.code().code()), passing }
    }
}
