//! `tidegate eval pii`: the recognizers against texts whose spans are known.
//!
//! Exact: the same start, end and type. Partial: any overlap of the same type; each span counts once. F2 = 5PR / (4P + R): a value that gets out is worse than
//! one that is hidden for nothing, which is how presidio-research weighs them (<https://github.com/microsoft/presidio-research>).
//!
//! What a reader could get wrong: types that the set does not label are not counted against the recognizers, nor are labels of types that nobody looks
//! for counted as missed; both are listed. `any type` asks only whether a labelled place was hidden at all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anstyle::Style;
use serde::Deserialize;
use serde_json::{Value, json};

use super::routing::Shape;
use crate::cli::redact::Finder;
use crate::pii::catalog::Wording;

const HEAD: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();

/// Other names for what is looked for, as common sets have them.
const ALIASES: [(&str, &str); 12] = [
    ("GPE", "LOCATION"),
    ("LOC", "LOCATION"),
    ("FAC", "LOCATION"),
    ("PLACE", "LOCATION"),
    ("PER", "PERSON"),
    ("NAME", "PERSON"),
    ("ORG", "ORGANIZATION"),
    ("CORPORATION", "ORGANIZATION"),
    ("DATE", "DATE_TIME"),
    ("NORP", "NRP"),
    ("EMAIL", "EMAIL_ADDRESS"),
    ("PHONE", "PHONE_NUMBER"),
];

/// What is measured.
#[derive(Debug, clap::Args)]
pub struct PiiArgs {
    /// JSONL of `{text, spans: [{start, end, type}]}`.
    #[arg(value_name = "DATA.jsonl", required = true)]
    data: Vec<PathBuf>,
    /// The `pii` section of this configuration. Default: everything built in.
    #[arg(short, long = "config", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Count one type, labelled or found, as another.
    #[arg(long, value_name = "FROM=TO", value_parser = pair)]
    map: Vec<(String, String)>,
    /// Show so many of each kind of error: row and place, never the text.
    #[arg(long, value_name = "N", default_value_t = 0)]
    errors: usize,
    /// How the result looks.
    #[arg(long, value_enum, default_value_t)]
    format: Shape,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (from, to) = text.split_once('=').ok_or("write FROM=TO, such as GPE=LOCATION")?;
    Ok((from.to_owned(), to.to_owned()))
}

/// Measures; gives the exit status.
pub fn run(args: &PiiArgs) -> u8 {
    match measure(args) {
        Ok(text) => super::show(&text),
        Err(problem) => super::wrong(&problem),
    }
}

#[derive(Deserialize)]
struct Row {
    text: String,
    #[serde(default)]
    spans: Vec<Labelled>,
}

#[derive(Deserialize)]
struct Labelled {
    start: usize,
    end: usize,
    #[serde(rename = "type", alias = "entity", alias = "entity_type")]
    kind: String,
}

/// A span in code points.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Span {
    start: usize,
    end: usize,
    kind: String,
}

/// Right, wrongly found, missed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Counts {
    right: u64,
    extra: u64,
    missed: u64,
}

impl Counts {
    fn precision(&self) -> f64 {
        ratio(self.right, self.right + self.extra)
    }

    fn recall(&self) -> f64 {
        ratio(self.right, self.right + self.missed)
    }

    fn f2(&self) -> f64 {
        let (p, r) = (self.precision(), self.recall());
        if p + r == 0.0 { 0.0 } else { 5.0 * p * r / (4.0 * p + r) }
    }

    fn add(&mut self, other: Counts) {
        self.right += other.right;
        self.extra += other.extra;
        self.missed += other.missed;
    }
}

/// Nothing of nothing is all of it.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

#[derive(Debug, Default)]
struct Tally {
    exact: BTreeMap<String, Counts>,
    partial: BTreeMap<String, Counts>,
    /// Whether a labelled place was hidden at all, as whatever type.
    any: Counts,
    errors: BTreeMap<(&'static str, String), Vec<String>>,
}

fn measure(args: &PiiArgs) -> Result<String, String> {
    let finder = Finder::new(args.config.as_deref())?;
    let known: BTreeSet<&str> = finder.catalog.entities().map(|entity| finder.catalog.name(entity)).collect();
    let name = |kind: &str| -> String {
        if let Some((_, to)) = args.map.iter().find(|(from, _)| from == kind) {
            return to.clone();
        }
        let upper = kind.to_ascii_uppercase();
        let alias = ALIASES.iter().find(|(from, _)| *from == upper).map(|(_, to)| (*to).to_owned());
        alias.unwrap_or(if known.contains(kind) { kind.to_owned() } else { upper })
    };
    let rows = read(&args.data, &name)?;
    let mapped: BTreeSet<String> = known.iter().map(|kind| name(kind)).collect();
    let labelled: BTreeSet<String> =
        rows.iter().flat_map(|(_, _, spans)| spans.iter().map(|s| s.kind.clone())).collect();
    let (counted, unknown): (BTreeSet<String>, BTreeSet<String>) =
        labelled.into_iter().partition(|kind| mapped.contains(kind));
    let mut tally = Tally::default();
    let (mut found, mut bytes) = (Vec::new(), 0);
    for (place, text, labelled) in &rows {
        bytes += text.len();
        finder.catalog.find(text, Wording::Prose, &mut found);
        let points = |to: usize| text.get(..to).unwrap_or_default().chars().count();
        let found: Vec<Span> = found
            .iter()
            .map(|s| Span { start: points(s.start), end: points(s.end), kind: name(finder.catalog.name(s.entity)) })
            .collect();
        tally.row(place, labelled, &found, &counted);
    }
    Ok(match args.format {
        Shape::Json => super::pretty(&json(&tally, rows.len(), &unknown)),
        Shape::Table => table(&tally, rows.len(), bytes, &unknown, args.errors),
    })
}

type Rows = Vec<(String, String, Vec<Span>)>;

fn read(files: &[PathBuf], name: &impl Fn(&str) -> String) -> Result<Rows, String> {
    let mut rows = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            let place = format!("{}:{number}", file.display());
            // serde's own words quote the value at fault, which is text.
            let row: Row = serde_json::from_str(line).map_err(|e| {
                format!("{place}: it is no {{text, spans: [{{start, end, type}}]}} (column {})", e.column())
            })?;
            let length = row.text.chars().count();
            if let Some(bad) = row.spans.iter().find(|span| span.start >= span.end || span.end > length) {
                return Err(format!(
                    "{place}: the span {} to {} is not within its text of {length} code points",
                    bad.start, bad.end
                ));
            }
            let spans = row.spans.iter().map(|s| Span { start: s.start, end: s.end, kind: name(&s.kind) }).collect();
            rows.push((place, row.text, spans));
        }
    }
    if rows.is_empty() { Err("there are no rows".into()) } else { Ok(rows) }
}

fn overlap(a: &Span, b: &Span) -> bool {
    a.start < b.end && b.start < a.end
}

impl Tally {
    fn row(&mut self, place: &str, labelled: &[Span], found: &[Span], counted: &BTreeSet<String>) {
        let labelled: Vec<&Span> = labelled.iter().filter(|span| counted.contains(&span.kind)).collect();
        for kind in counted {
            let of = |span: &&Span| span.kind == *kind;
            let wanted: Vec<&Span> = labelled.iter().copied().filter(of).collect();
            let got: Vec<&Span> = found.iter().filter(of).collect();
            let same = |a: &Span, b: &Span| a == b;
            self.exact.entry(kind.clone()).or_default().add(matched(&wanted, &got, same));
            self.partial.entry(kind.clone()).or_default().add(matched(&wanted, &got, overlap));
            for span in wanted.iter().filter(|span| !got.iter().any(|other| overlap(span, other))) {
                self.error("missed", span, place);
            }
            for span in got.iter().filter(|span| !wanted.iter().any(|other| overlap(span, other))) {
                self.error("extra", span, place);
            }
        }
        for span in &labelled {
            let hidden = found.iter().any(|other| overlap(span, other));
            self.any.right += u64::from(hidden);
            self.any.missed += u64::from(!hidden);
        }
        let is_extra =
            |span: &&Span| counted.contains(&span.kind) && !labelled.iter().any(|other| overlap(span, other));
        self.any.extra += found.iter().filter(is_extra).count() as u64;
    }

    fn error(&mut self, what: &'static str, span: &Span, place: &str) {
        let told = format!("{place} {}..{}", span.start, span.end);
        self.errors.entry((what, span.kind.clone())).or_default().push(told);
    }

    /// All types together.
    fn all(of: &BTreeMap<String, Counts>) -> Counts {
        let mut all = Counts::default();
        of.values().for_each(|counts| all.add(*counts));
        all
    }
}

/// Each span is matched once.
fn matched(wanted: &[&Span], got: &[&Span], fits: impl Fn(&Span, &Span) -> bool) -> Counts {
    let mut free: Vec<&Span> = got.to_vec();
    let mut right = 0;
    for span in wanted {
        if let Some(place) = free.iter().position(|other| fits(span, other)) {
            free.swap_remove(place);
            right += 1;
        }
    }
    Counts { right, extra: free.len() as u64, missed: wanted.len() as u64 - right }
}

fn table(tally: &Tally, rows: usize, bytes: usize, unknown: &BTreeSet<String>, errors: usize) -> String {
    let mut out = format!("{HEAD}personal data{HEAD:#}  {rows} rows, {:.1} KB\n", bytes as f64 / 1e3);
    let head = |of: &str| format!("{of:>9} {:>7} {:>6}", "recall", "F2");
    out.push_str(&format!(
        "  {FAINT}{:<28} {:>6}  {:<24} {:<24}{FAINT:#}\n  {FAINT}{:<28} {:>6}  {} {}{FAINT:#}\n",
        "",
        "",
        " exact",
        " partial",
        "type",
        "spans",
        head("precision"),
        head("precision")
    ));
    let figures = |c: &Counts| format!("{:>9.3} {:>7.3} {:>6.3}", c.precision(), c.recall(), c.f2());
    let mut line = |name: &str, exact: &Counts, partial: &Counts| {
        let spans = exact.right + exact.missed;
        out.push_str(&format!("  {name:<28} {spans:>6}  {} {}\n", figures(exact), figures(partial)));
    };
    for (kind, exact) in &tally.exact {
        line(kind, exact, &tally.partial.get(kind).copied().unwrap_or_default());
    }
    line("all", &Tally::all(&tally.exact), &Tally::all(&tally.partial));
    out.push_str(&format!(
        "  {:<28} {:>6}  {:<24} {}\n",
        "any type",
        tally.any.right + tally.any.missed,
        "",
        figures(&tally.any)
    ));
    if !unknown.is_empty() {
        let names: Vec<&str> = unknown.iter().map(String::as_str).collect();
        out.push_str(&format!("  {FAINT}not looked for: {} (--map FROM=TO){FAINT:#}\n", names.join(", ")));
    }
    for ((what, kind), places) in tally.errors.iter().filter(|_| errors > 0) {
        out.push_str(&format!("\n{HEAD}{what} {kind}{HEAD:#}  {}\n", places.len()));
        places.iter().take(errors).for_each(|place| out.push_str(&format!("  {place}\n")));
    }
    out
}

fn json(tally: &Tally, rows: usize, unknown: &BTreeSet<String>) -> Value {
    let figures = |c: &Counts| json!({"precision": c.precision(), "recall": c.recall(), "f2": c.f2(), "right": c.right, "extra": c.extra, "missed": c.missed});
    let types: serde_json::Map<String, Value> = tally
        .exact
        .iter()
        .map(|(kind, exact)| {
            let partial = tally.partial.get(kind).copied().unwrap_or_default();
            (kind.clone(), json!({"exact": figures(exact), "partial": figures(&partial)}))
        })
        .collect();
    json!({
        "rows": rows,
        "types": types,
        "all": {"exact": figures(&Tally::all(&tally.exact)), "partial": figures(&Tally::all(&tally.partial))},
        "any_type": figures(&tally.any),
        "not_looked_for": unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: usize, end: usize, kind: &str) -> Span {
        Span { start, end, kind: kind.into() }
    }

    #[test]
    fn exact_partial_and_any_are_counted_apart() {
        let mut tally = Tally::default();
        let counted = BTreeSet::from(["PERSON".to_owned(), "LOCATION".to_owned()]);
        let labelled = [span(0, 5, "PERSON"), span(10, 15, "PERSON"), span(20, 25, "LOCATION"), span(30, 33, "ODD")];
        let found = [span(0, 5, "PERSON"), span(12, 18, "PERSON"), span(20, 25, "PERSON"), span(40, 42, "DATE_TIME")];
        tally.row("f:1", &labelled, &found, &counted);
        assert_eq!(tally.exact["PERSON"], Counts { right: 1, extra: 2, missed: 1 });
        assert_eq!(tally.partial["PERSON"], Counts { right: 2, extra: 1, missed: 0 });
        assert_eq!(tally.partial["LOCATION"], Counts { right: 0, extra: 0, missed: 1 });
        assert_eq!(tally.any, Counts { right: 3, extra: 0, missed: 0 });
        let half = Counts { right: 1, extra: 3, missed: 1 };
        assert!((half.f2() - 5.0 * 0.25 * 0.5 / (1.0 + 0.5)).abs() < 1e-9);
        assert_eq!(tally.errors[&("missed", "LOCATION".to_owned())], ["f:1 20..25"]);
    }

    #[test]
    fn one_find_answers_for_one_span() {
        let wanted = [span(0, 3, "A"), span(4, 6, "A")];
        let got = [span(0, 6, "A")];
        let refs = |spans: &'static [Span]| spans.iter().collect::<Vec<_>>();
        let (wanted, got) = (refs(wanted.to_vec().leak()), refs(got.to_vec().leak()));
        assert_eq!(matched(&wanted, &got, overlap), Counts { right: 1, extra: 0, missed: 1 });
    }
}
