//! Records found again: by request, for export, with what proves them.
//!
//! What a reader could get wrong: nothing is verified here, records come as they stand in the log; a proof, once made, is checked before
//! it is given out.

use std::ops::ControlFlow;
use std::path::Path;

use memchr::memmem;
use serde::Deserialize;

use super::error::AuditError;
use super::files::{self, Line, Lines};
use super::line::{self, Sort};
use super::mark::{Checkpoint, Header, parse};
use super::proof::Proof;
use super::record;
use super::text;
use super::tree;

/// What an export chooses records by.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Arrival, microseconds (Unix), included.
    pub since: Option<i64>,
    /// Arrival, not included.
    pub until: Option<i64>,
    pub tenant: Option<String>,
    /// As records have it: the hexadecimal hash that [`super::HashKey::name`] gives.
    pub user: Option<String>,
    pub request_id: Option<String>,
}

/// The fields that a filter reads.
#[derive(Deserialize)]
struct Chosen {
    at: String,
    #[serde(default)]
    request_id: String,
    #[serde(default)]
    tenant: String,
    #[serde(default)]
    user: String,
}

impl Filter {
    fn takes(&self, line: &[u8]) -> bool {
        let Ok(fields) = serde_json::from_slice::<Chosen>(line) else { return false };
        let wanted = |want: &Option<String>, is: &str| want.as_deref().is_none_or(|want| want == is);
        let in_time = || {
            let Some(at) = text::parse_time(&fields.at) else { return false };
            self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
        };
        wanted(&self.tenant, &fields.tenant)
            && wanted(&self.user, &fields.user)
            && wanted(&self.request_id, &fields.request_id)
            && ((self.since.is_none() && self.until.is_none()) || in_time())
    }
}

/// Gives every record that the filter takes, in order, as its line: until `visit` breaks.
///
/// # Errors
/// There is no log, or it cannot be read.
pub fn each(folder: &Path, filter: &Filter, visit: &mut dyn FnMut(&str) -> ControlFlow<()>) -> Result<(), AuditError> {
    // Most lines are passed over by one look for the name in quotes; JSON is read only of the rest.
    let mut quoted = Vec::new();
    if let Some(name) = filter.request_id.as_ref().or(filter.user.as_ref()).or(filter.tenant.as_ref()) {
        text::string(&mut quoted, name);
    }
    let finder = memmem::Finder::new(&quoted);
    for number in numbers(folder)? {
        let path = files::segment(folder, number);
        let fail = |e| AuditError::io("read", &path, &e);
        let mut lines = Lines::open(&path).map_err(fail)?;
        while let Some(Line::Whole(bytes)) = lines.next().map_err(fail)? {
            let maybe = line::sort(bytes) == Some(Sort::Record) && finder.find(bytes).is_some();
            if !maybe || !filter.takes(bytes) {
                continue;
            }
            if let Ok(text) = std::str::from_utf8(bytes)
                && visit(text).is_break()
            {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The sequence number of a record's line.
pub fn seq(line: &str) -> Option<u64> {
    record::parse_head(line.as_bytes()).map(|(seq, _)| seq)
}

/// The proof for record `seq` under the first checkpoint over it; `None`: there is no such record, or no checkpoint over it yet.
///
/// # Errors
/// There is no log, it cannot be read, or the proof does not hold because the log was changed.
pub fn prove(folder: &Path, seq: u64) -> Result<Option<Proof>, AuditError> {
    let mut hasher = line::LineHasher::new();
    for number in numbers(folder)?.into_iter().rev() {
        let path = files::segment(folder, number);
        let fail = |e| AuditError::io("read", &path, &e);
        let mut lines = Lines::open(&path).map_err(fail)?;
        let header = match lines.next().map_err(fail)? {
            Some(Line::Whole(bytes)) => parse::<Header>(bytes, &mut hasher).map(|(header, _)| header),
            _ => continue,
        };
        let Some(header) = header else {
            let what = format!("{}: its header was changed; `tidegate audit verify` names all places", path.display());
            return Err(AuditError::tampered(what));
        };
        if header.first_seq > seq {
            continue;
        }
        return prove_in(&mut lines, &header, seq).map_err(fail)?.map_or(Ok(None), |proof| match proof.check(None) {
            Ok(_) => Ok(Some(proof)),
            Err(what) => Err(AuditError::tampered(format!(
                "{}: {what}; `tidegate audit verify` names the place",
                path.display()
            ))),
        });
    }
    Ok(None)
}

fn prove_in<R: std::io::BufRead>(lines: &mut Lines<R>, header: &Header, seq: u64) -> std::io::Result<Option<Proof>> {
    let (mut leaves, mut found) = (Vec::new(), None);
    let mut hasher = line::LineHasher::new();
    while let Some(Line::Whole(bytes)) = lines.next()? {
        match line::sort(bytes) {
            Some(Sort::Record) => {
                if record::parse_head(bytes).is_some_and(|(number, _)| number == seq) {
                    found = Some((leaves.len(), String::from_utf8_lossy(bytes).into_owned()));
                }
                leaves.extend(line::split(bytes).map(|parts| parts.hash));
            }
            Some(Sort::Checkpoint) => {
                let read = Checkpoint::parse(bytes, &header.public_key, &mut hasher);
                if let (Some((index, record)), Some(_)) = (&found, read) {
                    return Ok(Some(Proof {
                        record: record.clone(),
                        index: *index as u64,
                        path: tree::path(&leaves, *index),
                        checkpoint: String::from_utf8_lossy(bytes).into_owned(),
                        public_key: header.public_key,
                    }));
                }
            }
            _ => {}
        }
    }
    Ok(None)
}

fn numbers(folder: &Path) -> Result<Vec<u32>, AuditError> {
    files::segments(folder).map_err(|e| AuditError::io("list", folder, &e))
}
