//! `tidegate eval routing`: a difficulty model against labelled prompts.
//!
//! What a reader could get wrong: rows that the model was trained on say nothing about it; the command knows which those are for the
//! built-in model only.

use std::path::PathBuf;
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use super::report;
use crate::cli::score::read_model;
use crate::learn::known;
use crate::learn::metrics::{Report, evaluate};
use crate::learn::rows::{Row, read_rows};
use crate::signals::Classifier;
use crate::state::{Classifiers, reload};

const WARN: Style = AnsiColor::Yellow.on_default();

/// How a result looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Shape {
    #[default]
    Table,
    Json,
}

/// What is measured.
#[derive(Debug, clap::Args)]
pub struct RoutingArgs {
    /// JSONL of `{prompt | messages, edge_ok, cloud_ok}` (true, false or 0 to 1), optionally with a `source` to tell parts apart.
    #[arg(value_name = "DATA.jsonl", required = true)]
    data: Vec<PathBuf>,
    /// The `difficulty_model` of this configuration. Default: the built-in one.
    #[arg(short, long = "config", value_name = "FILE", conflicts_with = "model")]
    config: Option<PathBuf>,
    /// This difficulty model.
    #[arg(long, value_name = "MODEL")]
    model: Option<PathBuf>,
    /// How the result looks.
    #[arg(long, value_enum, default_value_t)]
    format: Shape,
}

/// Measures; gives the exit status.
pub fn run(args: &RoutingArgs) -> u8 {
    match measure(args) {
        Ok(text) => super::show(&text),
        Err(problem) => super::wrong(&problem),
    }
}

fn measure(args: &RoutingArgs) -> Result<String, String> {
    let model = model(args)?;
    let (rows, sources) = read(&args.data)?;
    let whole = evaluate(&model, &rows);
    let is_built_in = model.identity() == Classifier::difficulty().identity();
    let known = if is_built_in { known::count(&rows) } else { 0 };
    let parts: Vec<(String, Report)> =
        sources.into_iter().map(|(name, rows)| (name, evaluate(&model, &rows))).collect();
    if args.format == Shape::Json {
        let parts: serde_json::Map<String, Value> =
            parts.iter().map(|(name, report)| (name.clone(), report::json(report))).collect();
        let mut all = report::json(&whole);
        all["model_identity"] = model.identity().into();
        all["rows_it_was_trained_on"] = known.into();
        all["sources"] = Value::Object(parts);
        return Ok(format!("{}\n", json!(all)));
    }
    let mut text = report::table(&format!("difficulty model {}", model.identity()), &whole);
    if known > 0 {
        text.push_str(&format!(
            "  {WARN}it was trained on {known} of these rows, so it looks better here than it is{WARN:#}\n"
        ));
    }
    text.push_str(&report::reliability(&whole));
    // One source is the whole.
    for (name, report) in parts.iter().filter(|_| parts.len() > 1) {
        text.push('\n');
        text.push_str(&report::table(name, report));
    }
    Ok(text)
}

fn model(args: &RoutingArgs) -> Result<Arc<Classifier>, String> {
    match (&args.config, &args.model) {
        (Some(config), _) => {
            let loaded = reload::load(config).map_err(|problems| problems.to_string())?;
            Ok(Classifiers::load(loaded.file.difficulty_model.as_ref(), &loaded.attached)?.difficulty)
        }
        (None, Some(model)) => read_model(model).map(Arc::new),
        (None, None) => Ok(Classifier::difficulty()),
    }
}

/// All rows, and the same by their `source`, in the order of appearance.
type Read = (Vec<Row>, indexmap::IndexMap<String, Vec<Row>>);

/// Reads labelled rows.
///
/// # Errors
/// `FILE:LINE: what is wrong`, or why a file cannot be read.
pub fn read(files: &[PathBuf]) -> Result<Read, String> {
    #[derive(serde::Deserialize)]
    struct Sourced {
        #[serde(default)]
        source: Option<String>,
    }
    let (mut all, mut sources) = (Vec::new(), indexmap::IndexMap::<String, Vec<Row>>::new());
    for file in files {
        let name = file.display();
        let text = std::fs::read_to_string(file).map_err(|error| format!("{name}: {error}"))?;
        let rows = read_rows(&text).map_err(|bad| format!("{name}:{}: {}", bad.line, bad.what))?;
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        for (row, line) in rows.iter().zip(lines) {
            let source = serde_json::from_str::<Sourced>(line).ok().and_then(|sourced| sourced.source);
            if let Some(source) = source {
                sources.entry(source).or_default().push(row.clone());
            }
        }
        all.extend(rows);
    }
    if all.is_empty() {
        return Err("there are no rows".into());
    }
    Ok((all, sources))
}
