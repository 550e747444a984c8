//! From a file to a configuration that can be used, or to everything that is wrong with it.
//!
//! What a reader could get wrong: a configuration with any problem is not given out, not even the good parts of it; and `hash`
//! covers the secrets that were read, so that a key rotated in its file is a change although the YAML is the same.

use std::path::{Path, PathBuf};

use super::attach::{self, Attached, FileCheck};
use super::check::{self, Findings, Input};
use super::decode::{self, Decoded, os_reason};
use super::document::{Document, Node, Value};
use super::file::File;
use super::interpolate;
use super::problem::{Position, Problem, Problems, sort};

pub use super::check::ConditionCheck;
pub use super::interpolate::Lookup;

/// More than this is not a configuration but the wrong file.
const MAX_BYTES: u64 = 4 << 20;

/// A configuration without a problem.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub file: File,
    /// What somebody should know, by position.
    pub warnings: Vec<Problem>,
    /// What is off, one line each.
    pub notes: Vec<String>,
    /// BLAKE3 of keys and values as they count (comments and formatting do not), secrets included.
    pub hash: [u8; 32],
    /// The configuration for `GET /api/config`: secrets and whatever came from the environment are `***`.
    pub masked: serde_json::Value,
    /// The files that were read besides (secrets, models, calibrations); changes of them are changes of the configuration.
    pub further_files: Vec<PathBuf>,
    /// Models and calibrations, by what is written in the configuration.
    pub attached: Attached,
}

/// What layers above the configuration must judge of it.
#[derive(Clone, Copy)]
pub struct Judges<'a> {
    /// A rule's `when`.
    pub conditions: &'a ConditionCheck<'a>,
    /// A difficulty model's file.
    pub models: &'a FileCheck<'a>,
    /// A calibration's file.
    pub calibrations: &'a FileCheck<'a>,
    /// The built-in types of personal data; none: any name will do.
    pub entities: &'a [&'a str],
}

#[cfg(test)]
impl<'a> Judges<'a> {
    /// Judges rules; files are taken for good.
    pub fn of_rules(conditions: &'a ConditionCheck<'a>) -> Judges<'a> {
        Judges { conditions, models: &|_| Ok(()), calibrations: &|_| Ok(()), entities: &[] }
    }
}

impl Loaded {
    /// The hash in hexadecimal.
    pub fn hash_hex(&self) -> String {
        blake3::Hash::from_bytes(self.hash).to_hex().to_string()
    }

    /// The upstream that passed-through paths go to; `None`: nowhere.
    pub fn passthrough(&self) -> Option<&str> {
        check::passthrough(&self.file)
    }
}

/// Loads the configuration at `path`; the variables come from the environment.
///
/// # Errors
/// All problems, with the file named as it was given.
pub fn load(path: &Path, judges: Judges<'_>) -> Result<Loaded, Problems> {
    let name = path.display().to_string();
    let text = read(path).map_err(|problem| Problems::new(&name, vec![problem]))?;
    let base = path.parent().unwrap_or(Path::new(""));
    parse(&text, base, &|name| std::env::var(name).ok(), judges).map_err(|problems| Problems { file: name, ..problems })
}

/// Makes a configuration of a text. `base` is where `file:PATH` begins.
///
/// # Errors
/// All problems; the file is named `configuration`.
pub fn parse(text: &str, base: &Path, env: &Lookup<'_>, judges: Judges<'_>) -> Result<Loaded, Problems> {
    parse_on(text, base, env, judges, jiff::Zoned::now().date())
}

/// [`parse`] with the day given, which decides about models that retire.
pub(super) fn parse_on(
    text: &str,
    base: &Path,
    env: &Lookup<'_>,
    judges: Judges<'_>,
    today: jiff::civil::Date,
) -> Result<Loaded, Problems> {
    let mut problems = Vec::new();
    // A byte order mark: some editors put one, YAML allows it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let refuse = |problems| Problems::new("configuration", problems);
    let Some(mut document) = Document::parse(text, &mut problems) else {
        if problems.is_empty() {
            problems.push(check::empty(Position::START));
        }
        return Err(refuse(problems));
    };
    let failed = interpolate::interpolate(&mut document, env, &mut problems);
    let Decoded { value, silent, secrets, files } = decode::decode::<File>(&document, failed, base, &mut problems);
    mark(&mut document.root, &secrets);
    let Some(file) = value else {
        if problems.is_empty() {
            problems.push(Problem::error(document.root.at, "the configuration cannot be read"));
        }
        return Err(refuse(problems));
    };
    let input = Input {
        document: &document,
        file: &file,
        silent: &silent,
        conditions: judges.conditions,
        entities: judges.entities,
        today,
    };
    let Findings { problems: mut further, mut warnings, notes } = check::check(&input);
    problems.append(&mut further);
    let attached = attach::read(&document, &file, base, (judges.models, judges.calibrations), &silent, &mut problems);
    if !problems.is_empty() {
        return Err(refuse(problems));
    }
    sort(&mut warnings);
    let mut hasher = blake3::Hasher::new();
    digest(&document.root, &mut hasher);
    files.values().for_each(|text| chunk(&mut hasher, b'f', text.as_bytes()));
    attached.values().for_each(|file| chunk(&mut hasher, b'a', &file.bytes));
    let (hash, masked) = (*hasher.finalize().as_bytes(), masked(&document));
    let further_files = files.into_keys().chain(attached.values().map(|file| file.path.clone())).collect();
    Ok(Loaded { file, warnings, notes, hash, masked, further_files, attached })
}

/// The document as JSON with every secret and every value that came from the environment as `***`.
pub fn masked(document: &Document) -> serde_json::Value {
    fn mask(node: &Node) -> serde_json::Value {
        match &node.value {
            _ if node.is_null() => serde_json::Value::Null,
            Value::Map(entries) => entries.iter().map(|entry| (entry.key.clone(), mask(&entry.node))).collect(),
            Value::List(items) => items.iter().map(mask).collect(),
            Value::Scalar(scalar) if scalar.may_show() => scalar.to_json(),
            Value::Scalar(_) => "***".into(),
        }
    }
    mask(&document.root)
}

fn read(path: &Path) -> Result<String, Problem> {
    let name = super::problem::quoted(&path.display().to_string());
    let problem = |reason: String, hint: &str| {
        Problem::error(Position::START, format!("cannot read {name}: {reason}")).with_hint(hint)
    };
    let general = "check the path and who may read it";
    let bytes = match std::fs::metadata(path).map(|metadata| metadata.len()) {
        Ok(length) if length > MAX_BYTES => return Err(problem("it is larger than 4 MiB".into(), general)),
        _ => std::fs::read(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                problem("there is no such file".into(), "name one with `-c FILE`; `tidegate demo` needs none")
            }
            _ => problem(os_reason(&error), general),
        })?,
    };
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let last = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let col = String::from_utf8_lossy(last).chars().count() + 1;
        Problem::error(Position { line, col }, "not UTF-8 text").with_hint("save the file as UTF-8")
    })
}

/// Marks what was read as a secret.
fn mark(node: &mut Node, secrets: &std::collections::HashSet<u32>) {
    if let Value::Scalar(scalar) = &mut node.value {
        scalar.secret = secrets.contains(&node.id);
    }
    node.children_mut().for_each(|child| mark(child, secrets));
}

fn digest(node: &Node, hasher: &mut blake3::Hasher) {
    match &node.value {
        _ if node.is_null() => chunk(hasher, b'0', b""),
        Value::Scalar(scalar) => chunk(hasher, b's', scalar.text.as_bytes()),
        Value::List(items) => {
            chunk(hasher, b'[', b"");
            items.iter().for_each(|item| digest(item, hasher));
            chunk(hasher, b']', b"");
        }
        Value::Map(entries) => {
            chunk(hasher, b'{', b"");
            for entry in entries {
                chunk(hasher, b'k', entry.key.as_bytes());
                digest(&entry.node, hasher);
            }
            chunk(hasher, b'}', b"");
        }
    }
}

/// With its length, so that two texts in a row cannot be mistaken for one.
fn chunk(hasher: &mut blake3::Hasher, tag: u8, bytes: &[u8]) {
    hasher.update(&[tag]).update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
}

#[cfg(test)]
mod tests;
