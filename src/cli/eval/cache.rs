//! `tidegate eval cache`: the verifier of the semantic cache against pairs of questions of which it is known whether one answer serves both.
//!
//! Recall at 1 % false hits: the share of the same that scores above all but 1 % of the different. The threshold is that of `--max-error`, as the
//! gateway would use it; its error is the share of the different among what it lets through, in the mix of the file.
//!
//! What a reader could get wrong: a kind is measured with its own same and different pairs; where it has only one sort, recall and AUC are not
//! defined and shown as "-". Cosine and overlap have no threshold that holds an error, so only the verifier has the last columns.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anstyle::Style;
use serde::Deserialize;
use serde_json::{Value, json};

use super::routing::Shape;
use crate::cache::semantic::embedder::Embedder;
use crate::cache::semantic::verify::{Question, Verifier};

const HEAD: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();
/// What is measured, in the order of a row's scores.
const SCORES: [&str; 3] = ["verifier", "cosine", "overlap"];
/// All kinds together.
const ALL: &str = "all";

/// What is measured.
#[derive(Debug, clap::Args)]
pub struct CacheArgs {
    /// JSONL of `{a, b, same: 0 or 1, kind}`; `kind` may be left out.
    #[arg(value_name = "DATA.jsonl", required = true)]
    data: Vec<PathBuf>,
    /// The share of semantic hits that may be wrong.
    #[arg(long, value_name = "SHARE", default_value_t = 0.01, value_parser = share)]
    max_error: f64,
    /// How the result looks.
    #[arg(long, value_enum, default_value_t)]
    format: Shape,
    /// The same as `--format json`.
    #[arg(long)]
    json: bool,
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "write a share such as 0.01".to_owned())?;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err(format!("{share} is no share: write 0 to 1, such as 0.01"))
    }
}

/// Measures; gives the exit status.
pub fn run(args: &CacheArgs) -> u8 {
    match measure(args) {
        Ok(text) => super::show(&text),
        Err(problem) => super::wrong(&problem),
    }
}

#[derive(Deserialize)]
struct Row {
    a: String,
    b: String,
    same: Sameness,
    #[serde(default)]
    kind: String,
}

/// 0 and 1, or false and true.
#[derive(Deserialize, Clone, Copy)]
#[serde(untagged)]
enum Sameness {
    Number(u8),
    Truth(bool),
}

impl Sameness {
    fn holds(self) -> bool {
        matches!(self, Sameness::Number(1..) | Sameness::Truth(true))
    }
}

/// A pair's scores and whether it is the same.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Scored {
    scores: [f64; 3],
    same: bool,
}

/// What one score does on a kind; none where there is no pair of one sort.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Figures {
    auc: Option<f64>,
    at_1: Option<f64>,
    at_5: Option<f64>,
}

/// Of a kind.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    same: usize,
    other: usize,
    figures: [Figures; 3],
    /// At the threshold: the share of the different among the accepted, and of the same that is accepted.
    error: Option<f64>,
    recall: Option<f64>,
}

fn measure(args: &CacheArgs) -> Result<String, String> {
    let rows = read(&args.data)?;
    let bar = Verifier::builtin().threshold(args.max_error);
    let mut kinds: BTreeMap<String, Vec<Scored>> = BTreeMap::new();
    for row in &rows {
        let scored = score(row);
        if !row.kind.is_empty() {
            kinds.entry(row.kind.clone()).or_default().push(scored);
        }
        kinds.entry(ALL.to_owned()).or_default().push(scored);
    }
    let tallies: Vec<(String, Tally)> = kinds.into_iter().map(|(kind, scored)| (kind, tally(&scored, bar))).collect();
    let shape = if args.json { Shape::Json } else { args.format };
    Ok(match shape {
        Shape::Json => super::pretty(&json(&tallies, args.max_error, bar)),
        Shape::Table => table(&tallies, args.max_error, bar),
    })
}

fn read(files: &[PathBuf]) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            // serde's own words quote the value at fault, which is text.
            let row = serde_json::from_str(line).map_err(|e| {
                let place = format!("{}:{number}", file.display());
                format!("{place}: it is no {{\"a\", \"b\", \"same\": 0 or 1}} (column {})", e.column())
            })?;
            rows.push(row);
        }
    }
    if rows.is_empty() { Err("there are no rows".into()) } else { Ok(rows) }
}

fn score(row: &Row) -> Scored {
    let (a, b) = (Question::prepare(&row.a), Question::prepare(&row.b));
    let embedder = Embedder::builtin();
    let cosine: f32 = embedder.embed(&row.a).iter().zip(&embedder.embed(&row.b)).map(|(x, y)| x * y).sum();
    let probability = Verifier::builtin().probability(&a, &b);
    Scored { scores: [probability, f64::from(cosine), overlap(&row.a, &row.b)], same: row.same.holds() }
}

/// Jaccard of the words in lower case.
fn overlap(a: &str, b: &str) -> f64 {
    let words = |text: &str| -> BTreeSet<String> {
        let words = text.split(|sign: char| !sign.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_lowercase).collect()
    };
    let (a, b) = (words(a), words(b));
    let both = a.intersection(&b).count();
    let either = a.len() + b.len() - both;
    if either == 0 { 0.0 } else { both as f64 / either as f64 }
}

fn tally(scored: &[Scored], bar: f64) -> Tally {
    let same = scored.iter().filter(|pair| pair.same).count();
    let other = scored.len() - same;
    let mut tally = Tally { same, other, ..Tally::default() };
    for (place, figures) in tally.figures.iter_mut().enumerate() {
        let of = |is_same: bool| -> Vec<f64> {
            let own = scored.iter().filter(|pair| pair.same == is_same);
            own.map(|pair| pair.scores.get(place).copied().unwrap_or_default()).collect()
        };
        *figures = of_score(of(true), of(false));
    }
    let accepted = |is_same: bool| {
        scored.iter().filter(|pair| pair.same == is_same && pair.scores.first().is_some_and(|p| *p >= bar)).count()
    };
    let (good, bad) = (accepted(true), accepted(false));
    tally.error = (good + bad > 0).then(|| bad as f64 / (good + bad) as f64);
    tally.recall = (same > 0).then(|| good as f64 / same as f64);
    tally
}

fn of_score(mut same: Vec<f64>, mut other: Vec<f64>) -> Figures {
    if same.is_empty() || other.is_empty() {
        return Figures::default();
    }
    same.sort_by(f64::total_cmp);
    other.sort_by(f64::total_cmp);
    let below = |score: f64| {
        let less = other.partition_point(|other| *other < score);
        let ties = other.partition_point(|other| *other <= score) - less;
        less as f64 + ties as f64 / 2.0
    };
    let auc = same.iter().map(|score| below(*score)).sum::<f64>() / (same.len() * other.len()) as f64;
    let recall = |share: f64| {
        let allowed = (other.len() as f64 * share).floor() as usize;
        let bar = other.len().checked_sub(allowed + 1).and_then(|place| other.get(place)).copied();
        let bar = bar.unwrap_or(f64::NEG_INFINITY);
        (same.len() - same.partition_point(|score| *score <= bar)) as f64 / same.len() as f64
    };
    Figures { auc: Some(auc), at_1: Some(recall(0.01)), at_5: Some(recall(0.05)) }
}

fn table(tallies: &[(String, Tally)], max_error: f64, bar: f64) -> String {
    let width = tallies.iter().map(|(kind, _)| kind.chars().count()).max().unwrap_or_default().max(6);
    let told = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
    let mut out = format!("{HEAD}semantic cache{HEAD:#}  threshold {bar:.3} for an error of {max_error}\n");
    let mut head = format!("  {:<width$} {:>6} {:>6}", "", "", "");
    let mut line = format!("  {:<width$} {:>6} {:>6}", "kind", "same", "other");
    for name in SCORES {
        head.push_str(&format!("  {name:<19}"));
        line.push_str(&format!("  {:>5} {:>6} {:>6}", "AUC", "at 1%", "at 5%"));
    }
    head.push_str("  threshold");
    line.push_str(&format!("  {:>5} {:>6}", "error", "recall"));
    out.push_str(&format!("{FAINT}{head}{FAINT:#}\n{FAINT}{line}{FAINT:#}\n"));
    for (kind, tally) in tallies {
        out.push_str(&format!("  {kind:<width$} {:>6} {:>6}", tally.same, tally.other));
        for figures in tally.figures {
            out.push_str(&format!("  {:>5} {:>6} {:>6}", told(figures.auc), told(figures.at_1), told(figures.at_5)));
        }
        out.push_str(&format!("  {:>5} {:>6}\n", told(tally.error), told(tally.recall)));
    }
    out
}

fn json(tallies: &[(String, Tally)], max_error: f64, bar: f64) -> Value {
    let of = |tally: &Tally| {
        let scores: serde_json::Map<String, Value> = SCORES
            .iter()
            .zip(tally.figures)
            .map(|(name, figures)| {
                let told = json!({"auc": figures.auc, "recall_at_1_percent": figures.at_1, "recall_at_5_percent": figures.at_5});
                ((*name).to_owned(), told)
            })
            .collect();
        let at = json!({"error": tally.error, "recall": tally.recall});
        json!({"same": tally.same, "other": tally.other, "scores": scores, "at_threshold": at})
    };
    let kinds: serde_json::Map<String, Value> = tallies.iter().map(|(kind, tally)| (kind.clone(), of(tally))).collect();
    json!({"max_error": max_error, "threshold": bar, "verifier": Verifier::builtin().identity(), "kinds": kinds})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(score: f64, same: bool) -> Scored {
        Scored { scores: [score, score, score], same }
    }

    #[test]
    fn recall_counts_what_lies_above_all_but_a_share_of_the_different() {
        let mut pairs: Vec<Scored> = (0..100).map(|at| scored(f64::from(at) / 1000.0, false)).collect();
        pairs.extend([scored(0.5, true), scored(0.0985, true), scored(0.0, true), scored(0.095, true)]);
        let tally = tally(&pairs, 0.0975);
        assert_eq!(tally.figures[0].at_1, Some(0.5));
        assert_eq!(tally.figures[0].at_5, Some(0.75));
        assert_eq!((tally.same, tally.other), (4, 100));
        assert_eq!(tally.recall, Some(0.5));
        assert_eq!(tally.error, Some(0.5));
    }

    #[test]
    fn ties_are_no_gain() {
        let figures = of_score(vec![0.5, 0.5], vec![0.5, 0.5]);
        assert_eq!(figures, Figures { auc: Some(0.5), at_1: Some(0.0), at_5: Some(0.0) });
        assert_eq!(of_score(vec![1.0], vec![]), Figures::default());
    }

    #[test]
    fn overlap_is_of_words() {
        assert!((overlap("How are you?", "how ARE they") - 0.5).abs() < 1e-9);
        assert_eq!(overlap("", ""), 0.0);
    }
}
