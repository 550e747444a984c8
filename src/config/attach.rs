//! Files that a configuration names and that count as part of it: difficulty models and calibrations. Read with it, watched with it,
//! and covered by its hash, so that a newly trained model is picked up like a changed line.
//!
//! What a reader could get wrong: a path is relative to the folder of the configuration file; and what is in the file is judged by the
//! layer that knows its format, which is handed in.

use std::collections::{BTreeMap, HashSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::decode::os_reason;
use super::document::{Document, Node};
use super::file::File;
use super::problem::{Problem, quoted};

/// A model is a few MB; more than this is the wrong file.
const MAX_BYTES: u64 = 64 << 20;

/// Says whether a file's bytes are what they should be; otherwise why not.
pub type FileCheck<'a> = dyn Fn(&[u8]) -> Result<(), String> + 'a;

/// By what is written in the configuration.
pub type Attached = BTreeMap<String, AttachedFile>;

/// One file, read.
#[derive(Debug, Clone)]
pub struct AttachedFile {
    pub path: PathBuf,
    pub bytes: Arc<[u8]>,
}

/// Reads all of them; what cannot be read or is not what it should be becomes a problem at its place.
pub fn read(
    document: &Document,
    file: &File,
    base: &Path,
    (models, calibrations): (&FileCheck<'_>, &FileCheck<'_>),
    silent: &HashSet<u32>,
    problems: &mut Vec<Problem>,
) -> Attached {
    let mut attached = Attached::new();
    let mut one = |node: Option<&Node>, name: &str, judge: &FileCheck<'_>| {
        let read = attach(base, name).and_then(|file| judge(&file.bytes).map(|()| file));
        match read {
            Ok(file) => drop(attached.insert(name.to_owned(), file)),
            Err(reason) => {
                let Some(node) = node.filter(|node| !silent.contains(&node.id)) else { return };
                let shown = if super::check::may_show(node) { quoted(name) } else { "the file".into() };
                let hint = "a path is relative to the folder of the configuration file";
                problems.push(Problem::error(node.at, format!("cannot use {shown}: {reason}")).with_hint(hint));
            }
        }
    };
    if let Some(model) = &file.difficulty_model {
        let node = document.get(&["difficulty_model"]);
        let (current, candidate) = model.parts();
        let at = |key: &str| node.map(|node| node.get(key).unwrap_or(node));
        for (name, key) in current.into_iter().map(|c| (c, "current")).chain(candidate.map(|(c, _)| (c, "candidate"))) {
            one(at(key), name, models);
        }
    }
    for (name, route) in &file.routes {
        let with = route.threshold.as_ref().map(super::file::Threshold::with);
        if let Some(path) = with.and_then(|with| with.calibration) {
            one(document.get(&["routes", name, "threshold", "calibration"]), &path, calibrations);
        }
    }
    attached
}

fn attach(base: &Path, name: &str) -> Result<AttachedFile, String> {
    let path = base.join(name);
    // A pipe or terminal would block a reload for ever.
    if !std::fs::metadata(&path).map_err(|e| os_reason(&e))?.is_file() {
        return Err("it is not a regular file".into());
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(&path).map_err(|e| os_reason(&e))?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|e| os_reason(&e))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err("it is larger than 64 MiB".into());
    }
    Ok(AttachedFile { path, bytes: bytes.into() })
}
