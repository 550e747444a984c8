//! `tidegate schema`: the JSON schema of the configuration, for editors.
//!
//! What a reader could get wrong: the output is checked in; after a change of `config/file.rs` run
//! `cargo run -- schema > config/tidegate.schema.json`, a test compares them.

use std::io::Write;

use crate::config::schema::schema;

/// Prints the schema. The exit status: 0, or 3 where it could not be written.
pub fn run() -> u8 {
    if std::io::stdout().write_all(schema().as_bytes()).is_ok() { 0 } else { 3 }
}
