//! How the models in `signals/models/` are made: which rows teach which head, with what weight. Run by `make train`.
//!
//! What a reader could get wrong: the first head tells everyday requests from work, the second tells, among work, where the cloud gains;
//! rows of benchmarks teach the second, so that how a benchmark's prompts look does not make them hard.

use serde::Deserialize;

use crate::signals::classifier::{COUNT, Classifier, MOST_HEADS, OF_LENGTH};

use super::calibrate::{gained, platt, points};
use super::example::Example;
use super::linear::{Labelled, Linear, Recipe, held_out, model};
use super::rows::{Prompt, Row};
use super::solve::{Loss, Random, logistic};
use super::train::{FEATURE_SCALE, label};

const FOLDS: usize = 5;
/// Of the second head. Flat from 3 to 10 in cross-validation.
const GAIN_PENALTY: f64 = 5.0;
const EVERYDAY_PENALTY: f64 = 0.05;
const FRESH_PENALTY: f64 = 0.02;
/// Whether a prompt needs news, its words say; with so few rows, counts only say how the rows were written.
const NO_FEATURES: [usize; COUNT] = {
    let mut all = [0; COUNT];
    let mut at = 0;
    while at < COUNT {
        all[at] = at;
        at += 1;
    }
    all
};
/// Sources other than the first weigh less by row, and as this many rows at most.
const OTHERS_WEIGHT: f64 = 0.3;
const OTHERS_ROWS: f64 = 300.0;
/// How often the cloud is taken to gain on the hard prompts written for it: an assumption, nobody has run them. It keeps "prove" from
/// counting as easy because benchmarks that begin with it are beyond both models; benchmarks' figures hardly move (0.05 to 0.2 tried).
const HARD_GAIN: f64 = 0.6;
const JUDGED_WEIGHT: f64 = 0.1;

/// A benchmark's rows.
#[derive(Debug)]
pub struct Source {
    pub name: String,
    pub rows: Vec<Row>,
    /// Its prompts are work, none of them an everyday request.
    pub is_work: bool,
}

/// Prompts with a yes or no, and how much each counts.
#[derive(Debug, Default)]
pub struct Judged {
    pub prompts: Vec<Prompt>,
    pub yes: Vec<bool>,
    pub weights: Vec<f64>,
}

impl Judged {
    /// Adds prompts that all have the same answer.
    pub fn add(&mut self, prompts: impl IntoIterator<Item = Prompt>, yes: bool, weight: f64) {
        for prompt in prompts {
            self.prompts.push(prompt);
            self.yes.push(yes);
            self.weights.push(weight);
        }
    }
}

/// A prompt of `learn/written/`.
#[derive(Debug, Deserialize)]
pub struct Written {
    pub prompt: String,
    /// 1: hard; for the other file, needs fresh knowledge.
    #[serde(alias = "hard", alias = "fresh")]
    pub yes: u8,
    #[serde(default)]
    pub kind: String,
    /// `train` or `test`.
    pub split: String,
}

/// Reads a file of `learn/written/`.
///
/// # Errors
/// The first line that does not read, with its number.
pub fn read_written(jsonl: &str) -> Result<Vec<Written>, String> {
    let lines = jsonl.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(at, line)| serde_json::from_str(line).map_err(|error| format!("line {}: {error}", at + 1))).collect()
}

/// The model of difficulty, with what the second head said of the rows of the first source when they were held out.
pub struct Difficulty {
    pub model: Classifier,
    /// Scores of the first source's rows, each by models that have not seen it.
    pub held_out: Vec<f64>,
}

/// Trains the model of difficulty from benchmarks (the first counts most) and from prompts that are work or everyday requests.
///
/// # Errors
/// The result is no model.
pub fn difficulty(sources: &[Source], everyday: &Judged, seed: u64) -> Result<Difficulty, String> {
    let gains = Gains::of(sources, everyday);
    let labelled = gains.labelled(sources, everyday);
    let folds = Random(seed).folds(labelled.len(), FOLDS);
    let recipe = gain_recipe();
    let values = held_out(&labelled, &folds, &recipe);
    let mut outcomes: Vec<f64> = sources.iter().flat_map(|source| &source.rows).map(gained).collect();
    outcomes.extend(labelled.iter().skip(outcomes.len()).map(|row| row.target));
    let weights: Vec<f64> = labelled.iter().map(|row| row.weight).collect();
    let (slope, offset) = platt(&values, &outcomes, &weights);
    let second = Linear::fit(&labelled, &recipe).stretched(slope, offset);
    let first = work_head(sources, &gains.examples, everyday);
    let measured = sources.first().map_or(0, |source| source.rows.len());
    let scores =
        gains.examples.iter().zip(&values).take(measured).map(|(example, value)| {
            logistic(first.value(example, [0.0; MOST_HEADS])) * logistic(slope * value + offset)
        });
    let held_out: Vec<f64> = scores.collect();
    let mut contents = model(&[first, second], None);
    contents.calibration = sources.first().map_or(vec![], |source| points(&held_out, &source.rows));
    Ok(Difficulty { model: Classifier::from_contents(&contents)?, held_out })
}

/// Trains the model of the need for fresh knowledge.
///
/// # Errors
/// The result is no model.
pub fn fresh_knowledge(judged: &Judged, seed: u64) -> Result<Classifier, String> {
    let recipe =
        Recipe { loss: Loss::Logistic, penalty: FRESH_PENALTY, without: &NO_FEATURES, features: FEATURE_SCALE };
    let examples: Vec<Example> = judged.prompts.iter().map(Example::of).collect();
    let rows = judged.labelled(&examples);
    let folds = Random(seed).folds(rows.len(), FOLDS);
    let values = held_out(&rows, &folds, &recipe);
    let targets: Vec<f64> = rows.iter().map(|row| row.target).collect();
    let (slope, offset) = platt(&values, &targets, &judged.weights);
    let head = Linear::fit(&rows, &recipe).stretched(slope, offset);
    Classifier::from_contents(&model(&[head], None))
}

impl Judged {
    fn labelled<'e>(&self, examples: &'e [Example]) -> Vec<Labelled<'e>> {
        let target = |yes: bool| f64::from(u8::from(yes));
        let rows = examples.iter().zip(&self.yes).zip(&self.weights);
        rows.map(|((example, yes), weight)| Labelled {
            example,
            target: target(*yes),
            weight: *weight,
            source: 0,
            priors: [0.0; MOST_HEADS],
        })
        .collect()
    }
}

/// What teaches the second head: rows of benchmarks, and prompts that are everyday requests or hard.
struct Gains {
    examples: Vec<Example>,
    judged: Vec<Example>,
}

impl Gains {
    fn of(sources: &[Source], judged: &Judged) -> Gains {
        let rows = sources.iter().flat_map(|source| &source.rows);
        Gains {
            examples: rows.map(|row| Example::of(&row.prompt)).collect(),
            judged: judged.prompts.iter().map(Example::of).collect(),
        }
    }

    /// Rows in the order of the sources, then the judged ones.
    fn labelled<'e>(&'e self, sources: &[Source], judged: &Judged) -> Vec<Labelled<'e>> {
        let mut labelled = vec![];
        let mut examples = self.examples.iter();
        for (at, source) in sources.iter().enumerate() {
            let few = (OTHERS_ROWS / source.rows.len().max(1) as f64).min(1.0);
            let weight = if at == 0 { 1.0 } else { OTHERS_WEIGHT * few };
            let rows = source.rows.iter().zip(examples.by_ref());
            labelled.extend(rows.map(|(row, example)| label(row, example, weight, at, [0.0; MOST_HEADS])));
        }
        labelled.extend(judged.labelled(&self.judged).into_iter().map(|row| Labelled {
            target: row.target * HARD_GAIN,
            weight: row.weight * JUDGED_WEIGHT,
            source: sources.len(),
            ..row
        }));
        labelled
    }
}
fn gain_recipe() -> Recipe {
    Recipe { loss: Loss::Squares, penalty: GAIN_PENALTY, without: &[], features: FEATURE_SCALE }
}

/// Everyday or work; benchmarks are work, at a weight of all together about that of the prompts written for it.
fn work_head(sources: &[Source], benchmarks: &[Example], everyday: &Judged) -> Linear {
    let written: Vec<Example> = everyday.prompts.iter().map(Example::of).collect();
    let mut rows = everyday.labelled(&written);
    let mut examples = benchmarks.iter();
    for source in sources {
        let share = source.rows.len().max(1) as f64;
        let weight = (BENCHMARK_ROWS / share).min(1.0);
        let of = examples.by_ref().take(source.rows.len());
        if source.is_work {
            let row = |example| Labelled { example, target: 1.0, weight, source: 0, priors: [0.0; MOST_HEADS] };
            rows.extend(of.map(row));
        } else {
            of.for_each(drop);
        }
    }
    let recipe =
        Recipe { loss: Loss::Logistic, penalty: EVERYDAY_PENALTY, without: &OF_LENGTH, features: FEATURE_SCALE };
    Linear::fit(&rows, &recipe)
}

/// What each benchmark counts in the first head, in rows.
const BENCHMARK_ROWS: f64 = 100.0;

/// Scores of a source's rows by a second head trained on all other sources: how far what is learned carries.
pub fn left_out(sources: &[Source], everyday: &Judged, left: usize) -> Vec<f64> {
    let gains = Gains::of(sources, everyday);
    let labelled = gains.labelled(sources, everyday);
    let others: Vec<Labelled> = labelled.iter().filter(|row| row.source != left).copied().collect();
    let head = Linear::fit(&others, &gain_recipe());
    labelled.iter().filter(|row| row.source == left).map(|row| head.value(row.example, row.priors)).collect()
}

/// Scores of the first source's rows, held out in `FOLDS` parts drawn from `seed`, for repeated cross-validation.
pub fn cross_validated(sources: &[Source], everyday: &Judged, seed: u64) -> Vec<f64> {
    let gains = Gains::of(sources, everyday);
    let labelled = gains.labelled(sources, everyday);
    let values = held_out(&labelled, &Random(seed).folds(labelled.len(), FOLDS), &gain_recipe());
    values.into_iter().take(sources.first().map_or(0, |source| source.rows.len())).collect()
}
