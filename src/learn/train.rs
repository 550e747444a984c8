//! A difficulty model from one's own rows, on top of the shipped one where that is better.
//!
//! What a reader could get wrong: the report is of predictions for rows held out in turn (five folds), the model is fitted to all rows; so
//! the model that is written was never measured itself, it has a quarter more data than those that were.

use std::fmt;

use crate::signals::classifier::{Classifier, MOST_HEADS};

use super::calibrate::{gained, platt, points};
use super::example::Example;
use super::known;
use super::linear::{Labelled, Linear, Recipe, held_out, model};
use super::metrics::{Report, report};
use super::rows::Row;
use super::solve::{Loss, Random, logistic};

/// Fewer rows cannot be held out in five parts and leave anything to measure.
const FEWEST_ROWS: usize = 50;
/// Fewer rows on which one model succeeds and the other fails say nothing about where to send what.
const FEWEST_DIFFERENCES: usize = 10;
/// A larger share of rows that the shipped model has learned from would make whatever starts from it look good.
const MOST_KNOWN: f64 = 0.01;
const FOLDS: usize = 5;
/// From free to hardly moving; the best by held-out error is taken.
const PENALTIES: [f64; 5] = [3.0, 10.0, 30.0, 100.0, 300.0];
pub(super) const FEATURE_SCALE: f64 = 0.1;

/// How to train.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Of the folds: the same rows and seed give the same model.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { seed: 1 }
    }
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub done: usize,
    pub of: usize,
}

/// What came out.
#[derive(Debug)]
pub struct Trained {
    pub model: Classifier,
    /// Of predictions for rows held out in turn.
    pub held_out: Report,
    /// The shipped model's, on the same rows but for those that it has learned from itself: what training has to beat.
    pub shipped: Report,
    /// Rows that the shipped model has learned from itself.
    pub known: usize,
    /// It starts from the shipped weights, because that measured better than starting from nothing.
    pub from_shipped: bool,
}

/// Why nothing can be learned from the rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    TooFewRows {
        rows: usize,
    },
    TooFewDifferences {
        found: usize,
    },
    /// The result cannot be written as a model: a number is out of range.
    NoModel(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::TooFewRows { rows } => {
                write!(f, "{rows} rows are too few to learn from; label at least {FEWEST_ROWS}")
            }
            Error::TooFewDifferences { found } => write!(
                f,
                "only {found} rows have an edge_ok other than their cloud_ok; at least {FEWEST_DIFFERENCES} are needed, label more or harder prompts"
            ),
            Error::NoModel(why) => write!(f, "the rows lead to no model: {why}"),
        }
    }
}

impl std::error::Error for Error {}

/// Trains a model of difficulty from `rows`; some hundred are enough to move the shipped one, some thousand to replace it.
///
/// # Errors
/// Too few rows, or too few on which the two models differ.
pub fn train_routing(rows: &[Row], options: &Options, progress: &mut dyn FnMut(Progress)) -> Result<Trained, Error> {
    if rows.len() < FEWEST_ROWS {
        return Err(Error::TooFewRows { rows: rows.len() });
    }
    let found = rows.iter().filter(|row| (row.edge_ok - row.cloud_ok).abs() >= 0.5).count();
    if found < FEWEST_DIFFERENCES {
        return Err(Error::TooFewDifferences { found });
    }
    let shipped = Classifier::difficulty();
    let examples: Vec<Example> = rows.iter().map(|row| Example::of(&row.prompt)).collect();
    let labelled = |from_shipped: bool| -> Vec<Labelled> {
        let priors = |row: &Row| if from_shipped { priors(&shipped, row) } else { [0.0; MOST_HEADS] };
        let one = |(row, example)| label(row, example, 1.0, 0, priors(row));
        rows.iter().zip(&examples).map(one).collect()
    };
    let folds = Random(options.seed).folds(rows.len(), FOLDS);
    let mut best: Option<(f64, bool, Recipe, Vec<f64>)> = None;
    let mut done = 0;
    // What the shipped model has learned from is not held out by holding it out here.
    let known = known::count(rows);
    let starts = starts(known, rows.len());
    let of = starts.len() * PENALTIES.len() + 1;
    for &from_shipped in starts {
        let labelled = labelled(from_shipped);
        for penalty in PENALTIES {
            progress(Progress { done, of });
            let recipe = Recipe { loss: Loss::Squares, penalty, without: &[], features: FEATURE_SCALE };
            let values = held_out(&labelled, &folds, &recipe);
            let error: f64 = values.iter().zip(&labelled).map(|(value, row)| (value - row.target).powi(2)).sum();
            if best.as_ref().is_none_or(|(least, ..)| error < *least) {
                best = Some((error, from_shipped, recipe, values));
            }
            done += 1;
        }
    }
    progress(Progress { done, of });
    let Some((_, from_shipped, recipe, values)) = best else { return Err(Error::TooFewRows { rows: rows.len() }) };
    let outcomes: Vec<f64> = rows.iter().map(gained).collect();
    let (slope, offset) = platt(&values, &outcomes, &vec![1.0; rows.len()]);
    let scores: Vec<f64> = values.iter().map(|value| logistic(slope * value + offset)).collect();
    let head = Linear::fit(&labelled(from_shipped), &recipe).stretched(slope, offset);
    let prior = shipped.contents();
    let mut contents = model(&[head], from_shipped.then_some(&prior));
    contents.calibration = points(&scores, rows);
    let model = Classifier::from_contents(&contents).map_err(Error::NoModel)?;
    progress(Progress { done: of, of });
    let held_out = report(&scores, rows);
    let strange: Vec<Row> = rows.iter().filter(|row| !known::is_known(&row.prompt)).cloned().collect();
    Ok(Trained { model, held_out, shipped: super::evaluate(&shipped, &strange), known, from_shipped })
}

/// Whether to try to start from the shipped weights, and from nothing.
fn starts(known: usize, rows: usize) -> &'static [bool] {
    if known as f64 > MOST_KNOWN * rows as f64 { &[false] } else { &[true, false] }
}

/// A row to fit gain to: how much better the cloud did.
pub(super) fn label<'e>(
    row: &Row,
    example: &'e Example,
    weight: f64,
    source: usize,
    priors: [f32; MOST_HEADS],
) -> Labelled<'e> {
    Labelled { example, target: f64::from(row.cloud_ok) - f64::from(row.edge_ok), weight, source, priors }
}

/// What the shipped model's heads say, in log-odds.
fn priors(shipped: &Classifier, row: &Row) -> [f32; MOST_HEADS] {
    shipped.heads_of(&row.prompt.circumstances(), row.prompt.passages())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_shipped_model_has_seen_does_not_flatter_what_starts_from_it() {
        assert_eq!(starts(0, 60), [true, false]);
        assert_eq!((starts(10, 1000), starts(11, 1000)), (&[true, false][..], &[false][..]));
        assert_eq!(starts(60, 60), [false]);
    }
}
