//! The value of a secret: as it stands, or from a file.
//!
//! What a reader could get wrong: `file:` is only understood in fields that hold secrets; elsewhere it is plain text.

use std::io::Read;
use std::path::Path;

use super::State;
use super::node::{Error, Kind};
use crate::config::document::Scalar;
use crate::config::problem::quoted;

/// A bundle of all public authorities is 220 KB; more than this is not a secret but the wrong file.
const MAX_BYTES: u64 = 1 << 20;

impl State {
    /// What a secret's field means.
    pub(super) fn secret(&self, scalar: &Scalar) -> Result<String, Error> {
        let Some(path) = scalar.text.strip_prefix("file:") else { return Ok(scalar.text.clone()) };
        let path = self.base.join(path);
        let mut files = self.files.borrow_mut();
        let read = files.entry(path).or_insert_with_key(|path| read(path));
        read.clone().map_err(|reason| {
            // A path is no secret, but one that came from the environment is not shown either.
            let file = if scalar.variables.is_empty() { quoted(&scalar.text) } else { "the secret's `file:`".into() };
            let hint = "a path is relative to the folder of the configuration file".into();
            Kind::Said { message: format!("cannot read {file}: {reason}"), hint }.into()
        })
    }
}

/// The file's text without its final line break; otherwise the reason.
fn read(path: &Path) -> Result<String, String> {
    let in_words = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::InvalidData => "it is not text (UTF-8)".into(),
        _ => os_reason(&error),
    };
    // A pipe or terminal would block a reload for ever.
    if !std::fs::metadata(path).map_err(in_words)?.is_file() {
        return Err("it is not a regular file".into());
    }
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(in_words)?;
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(in_words)?;
    if text.len() as u64 > MAX_BYTES {
        return Err("it is larger than 1 MiB".into());
    }
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    Ok(text)
}

/// The system's words for an error, in lower case and without its number.
pub fn os_reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    text.to_lowercase()
}
