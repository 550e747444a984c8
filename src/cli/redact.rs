//! `tidegate redact`: personal data and secrets found and hidden, line by line, as the gateway sees them.
//!
//! What a reader could get wrong: a line is not decoded and written anew: `spans` and `redacted` are spliced in, everything else stays byte for byte.
//! The same value has the same label in all lines.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::jsonl;
use crate::openai::view;
use crate::pii::catalog::Wording;
use crate::pii::hide::{self, Keys};
use crate::pii::{Catalog, Profile, Severity, Span};
use crate::state::{protection, reload};

/// The members that are added.
const ADDED: [&str; 3] = ["text", "spans", "redacted"];

/// What is looked for, and what becomes of bad lines.
#[derive(Debug, clap::Args)]
pub struct RedactArgs {
    /// Use the `pii` section of this configuration. Default: all built-in types; no configuration is needed.
    #[arg(short, long = "config", value_name = "FILE")]
    config: Option<PathBuf>,
    /// List the types that are looked for, with their severity, and exit.
    #[arg(long)]
    types: bool,
    /// Write a bad line back with an `error` member and go on, instead of ending.
    #[arg(long)]
    keep_going: bool,
}

/// What lines are looked through with.
pub struct Finder {
    pub catalog: Catalog,
    profile: Profile,
    keys: Keys,
}

/// Redacts standard input; gives the exit status.
pub fn run(args: &RedactArgs) -> u8 {
    let finder = match Finder::new(args.config.as_deref()) {
        Ok(finder) => finder,
        Err(problem) => return super::eval::wrong(&problem),
    };
    if args.types {
        return super::eval::show(&types(&finder));
    }
    let mut spans = Vec::new();
    jsonl::run(args.keep_going, "redacted", |line, output| redacted(line, &finder, &mut spans, output))
}

impl Finder {
    /// As a configuration says; without one, everything built in.
    ///
    /// # Errors
    /// What is wrong with the configuration.
    pub fn new(config: Option<&Path>) -> Result<Finder, String> {
        let loaded = config.map(|path| reload::load(path).map_err(|problems| problems.to_string())).transpose()?;
        let section = loaded.as_ref().and_then(|loaded| loaded.file.pii.as_ref());
        let catalog = Catalog::build(section)?;
        // The gateway's own labels, where its data directory is at hand; nothing is made for it.
        let folder = loaded.as_ref().map(|loaded| PathBuf::from(&loaded.file.data_dir)).filter(|dir| dir.is_dir());
        let keys = match folder {
            Some(folder) => protection::keys(Some(&folder))?,
            None => Keys::new(&[0; 32]),
        };
        Ok(Finder { profile: Profile::build(&catalog, section, None), catalog, keys })
    }
}

/// Every type, by severity.
fn types(finder: &Finder) -> String {
    let mut out = String::new();
    for severity in [Severity::Personal, Severity::Sensitive, Severity::Secret] {
        let of = |entity: &crate::pii::Entity| finder.catalog.severity(*entity) == severity;
        for entity in finder.catalog.entities().filter(of) {
            let severity = format!("{} {severity:?}", severity as u8).to_lowercase();
            let note = match entity.about() {
                Some(about) if about.if_listed => "hidden only where the configuration names it",
                Some(_) => "",
                None => "from the configuration",
            };
            out.push_str(format!("{:<28} {severity:<12} {note}", finder.catalog.name(entity)).trim_end());
            out.push('\n');
        }
    }
    out
}

/// One line. The outer error is the line's fault, the inner one the output's.
fn redacted(
    line: &[u8],
    finder: &Finder,
    found: &mut Vec<Span>,
    output: &mut dyn Write,
) -> Result<io::Result<()>, String> {
    let (close, [text, spans, redacted]) =
        view::scan_columns(line, ADDED).map_err(|bad| format!("no JSON object: {} (byte {})", bad.what, bad.at + 1))?;
    let quoted = text.and_then(|range| line.get(range)).ok_or("it has no `text`")?;
    let text = quoted.starts_with(b"\"").then(|| view::decode_string(quoted)).flatten();
    let text = text.ok_or("`text` must be a string (without lone surrogates)")?;
    finder.catalog.find(&text, Wording::Prose, found);
    let hidden = hide::text(&finder.catalog, &finder.profile, &finder.keys, &text, found);
    let values = [(spans, "spans", told(&finder.catalog, &text, found)), (redacted, "redacted", Value::from(hidden))];
    Ok(jsonl::spliced(line, close, &values, output))
}

/// Spans for people: code points, two decimals.
fn told(catalog: &Catalog, text: &str, found: &[Span]) -> Value {
    let (mut bytes, mut points) = (0, 0);
    let mut point = |to: usize| {
        points += text.get(bytes..to).unwrap_or_default().chars().count();
        bytes = to;
        points
    };
    let one = |span: &Span| {
        let (start, end) = (point(span.start), point(span.end));
        let score = (f64::from(span.score) * 100.0).round() / 100.0;
        json!({"start": start, "end": end, "type": catalog.name(span.entity), "score": score})
    };
    found.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str) -> Result<Value, String> {
        let (finder, mut output) = (Finder::new(None).unwrap(), Vec::new());
        redacted(line.as_bytes(), &finder, &mut Vec::new(), &mut output)?.unwrap();
        Ok(serde_json::from_slice(&output).unwrap())
    }

    #[test]
    fn spans_are_code_points_and_the_rest_stays() {
        let row =
            run(r#"{"id": 1.50, "text": "\u00e9t\u00e9 \ud83d\ude00 card 4111 1111 1111 1111.", "x": 2}"#).unwrap();
        assert_eq!(row["spans"][0]["type"], "CREDIT_CARD");
        assert_eq!((row["spans"][0]["start"].as_u64(), row["spans"][0]["end"].as_u64()), (Some(11), Some(30)));
        let redacted = row["redacted"].as_str().unwrap();
        assert!(redacted.starts_with("été 😀 card <CREDIT_CARD_") && redacted.ends_with(">."), "{redacted}");
        assert_eq!((row["id"].to_string(), &row["x"]), ("1.5".into(), &json!(2)));
    }

    #[test]
    fn a_second_run_replaces_what_the_first_wrote() {
        let row = run(r#"{"spans": 7, "text": "nothing", "redacted": null}"#).unwrap();
        assert_eq!(row, json!({"spans": [], "text": "nothing", "redacted": "nothing"}));
    }

    #[test]
    fn bad_lines_are_told_without_their_text() {
        assert_eq!(run("[1]").unwrap_err(), "no JSON object: it is not a JSON object (byte 1)");
        assert_eq!(run(r#"{"txt": "secret"}"#).unwrap_err(), "it has no `text`");
        assert_eq!(run(r#"{"text": ["secret"]}"#).unwrap_err(), "`text` must be a string (without lone surrogates)");
    }
}
