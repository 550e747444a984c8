//! Where the ledger's database is and how long it keeps what.
//!
//! What a reader could get wrong: `data_dir` is taken as it is written, relative to where the program was started.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::file::Ledger;
use crate::config::scalar::Secret;

/// How long single requests are kept: the quarter that a question about an invoice may reach back.
pub const KEEP: Duration = Duration::from_secs(90 * 86_400);

/// The database's file in `data_dir`.
const FILE: &str = "ledger.db";

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The file.
    Sqlite(PathBuf),
    /// `postgres://…`, a password in it perhaps.
    Postgres(Secret),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub place: Place,
    /// Single requests.
    pub keep: Duration,
    /// Hourly sums; `None`: for ever. At least as long as single requests.
    pub keep_hourly: Option<Duration>,
}

impl Settings {
    /// Of the configuration; `None`: the ledger is off.
    pub fn new(ledger: &Ledger, data_dir: &Path) -> Result<Option<Settings>, String> {
        let (store, keep, keep_hourly) = match ledger {
            Ledger::Default => (None, None, None),
            Ledger::Text(store) => (Some(store), None, None),
            Ledger::With(with) => (with.store.as_ref(), with.keep, with.keep_hourly),
        };
        let place = match store.map_or("sqlite", Secret::expose) {
            "off" => return Ok(None),
            "sqlite" => Place::Sqlite(data_dir.join(FILE)),
            url if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                Place::Postgres(Secret::new(url))
            }
            // The text is not told: it may hold a password.
            _ => return Err("`ledger` is neither `sqlite`, `off` nor a postgres:// URL".into()),
        };
        Ok(Some(Settings {
            place,
            keep: keep.map_or(KEEP, |time| time.0),
            keep_hourly: keep_hourly.map(|time| time.0),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::LedgerWith;
    use crate::config::scalar::HumanDuration;

    fn settings(ledger: &Ledger) -> Result<Option<Settings>, String> {
        Settings::new(ledger, Path::new("d"))
    }

    #[test]
    fn the_default_is_a_file_in_data_dir() {
        let default = settings(&Ledger::Default).unwrap().unwrap();
        assert_eq!(default, Settings { place: Place::Sqlite("d/ledger.db".into()), keep: KEEP, keep_hourly: None });
        let text = |text: &str| settings(&Ledger::Text(Secret::new(text)));
        assert_eq!(text("sqlite"), Ok(Some(default)));
        assert_eq!(text("off"), Ok(None));
        let with = LedgerWith {
            store: Some(Secret::new("postgresql://db/x")),
            keep: Some(HumanDuration(Duration::from_secs(60))),
            keep_hourly: Some(HumanDuration(Duration::from_secs(90))),
        };
        let with = settings(&Ledger::With(with)).unwrap().unwrap();
        assert!(matches!(with.place, Place::Postgres(_)));
        assert_eq!((with.keep.as_secs(), with.keep_hourly), (60, Some(Duration::from_secs(90))));
    }

    #[test]
    fn what_is_neither_is_refused_without_being_told() {
        let error = settings(&Ledger::Text(Secret::new("mysql://u:hunter2@db"))).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
