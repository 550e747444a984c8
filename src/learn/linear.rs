//! From examples to the numbers of one head: the columns that are fitted, and what their coefficients fold into.
//!
//! What a reader could get wrong: a word's weight in the model is its own coefficient plus its vector's; words that no row had get the
//! second part, which is why a model of 1,500 rows knows what a plaintiff is.

use std::collections::BTreeMap;

use crate::signals::classifier::{COUNT, Contents, Entry, Head, MOST_HEADS};

use super::example::Example;
use super::solve::{Columns, Loss, Problem};
use super::vectors::{DIMENSIONS, Vectors};

/// How a head is fitted.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    pub loss: Loss,
    pub penalty: f64,
    /// Features that are kept out.
    pub without: &'static [usize],
    /// Scale of the features' columns beside the words': how freely they move.
    pub features: f64,
}

/// Rows have columns for: the vector, features, priors, the source, the intercept, words of their own.
const FEATURES_AT: usize = DIMENSIONS;
const PRIORS_AT: usize = FEATURES_AT + COUNT;
const INTERCEPT_AT: usize = PRIORS_AT + MOST_HEADS;
const SOURCES_AT: usize = INTERCEPT_AT + 1;

/// Scale of the words' own columns beside their vectors'; of priors; of sources' intercepts, which are to be nearly free.
const OWN_SCALE: f64 = 0.7;
const PRIOR_SCALE: f64 = 1.0;
const SOURCE_SCALE: f64 = 3.0;
/// A word gets a weight of its own if this many rows have it.
const ROWS_FOR_OWN: usize = 2;
/// The intercept is free but for what keeps the equations solvable.
const INTERCEPT_PENALTY: f64 = 1e-3;

/// A row to fit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Labelled<'e> {
    pub example: &'e Example,
    pub target: f64,
    pub weight: f64,
    /// Rows of one source share an intercept, so that where a prompt comes from does not decide.
    pub source: usize,
    /// Log-odds of the model that training starts from, or zeros.
    pub priors: [f32; MOST_HEADS],
}

/// One head, before it is rounded.
#[derive(Debug, Clone)]
pub(super) struct Linear {
    vector: Vec<f64>,
    own: BTreeMap<u32, f64>,
    features: [f64; COUNT],
    centres: [f64; COUNT],
    pub priors: [f64; MOST_HEADS],
    bias: f64,
}

impl Linear {
    /// Fits `rows`.
    pub fn fit(rows: &[Labelled], recipe: &Recipe) -> Linear {
        let layout = Layout::of(rows, recipe);
        let columns: Vec<Columns> = rows.iter().map(|row| layout.columns(row)).collect();
        let columns: Vec<&Columns> = columns.iter().collect();
        let mut penalties = vec![recipe.penalty; layout.width()];
        penalties[INTERCEPT_AT] = INTERCEPT_PENALTY;
        let targets: Vec<f64> = rows.iter().map(|row| row.target).collect();
        let weights: Vec<f64> = rows.iter().map(|row| row.weight).collect();
        let problem =
            Problem { rows: &columns, targets: &targets, weights: &weights, penalties: &penalties, loss: recipe.loss };
        layout.linear(&problem.solve())
    }

    /// The value for an example, without any source's intercept.
    pub fn value(&self, example: &Example, priors: [f32; MOST_HEADS]) -> f64 {
        let vectors = Vectors::built_in();
        let mut vector = [0.0; DIMENSIONS];
        let mut value = self.bias;
        for (hash, share) in &example.words {
            vectors.add(*hash, f64::from(*share), &mut vector);
            value += OWN_SCALE * f64::from(*share) * self.own.get(hash).copied().unwrap_or_default();
        }
        value += vector.iter().zip(&self.vector).map(|(a, b)| a * b).sum::<f64>();
        for ((weight, centre), x) in self.features.iter().zip(&self.centres).zip(example.features) {
            value += weight * (f64::from(x) - centre);
        }
        value + self.priors.iter().zip(priors).map(|(weight, prior)| weight * f64::from(prior)).sum::<f64>()
    }

    /// `slope` times the value plus `offset`.
    pub fn stretched(mut self, slope: f64, offset: f64) -> Linear {
        let features = self.features.iter_mut();
        let all = self.vector.iter_mut().chain(self.own.values_mut()).chain(features).chain(&mut self.priors);
        all.for_each(|weight| *weight *= slope);
        self.bias = self.bias * slope + offset;
        self
    }

    /// The weight of a word that a prompt consists of.
    fn word(&self, hash: u32) -> f64 {
        let vectors = Vectors::built_in();
        let mut vector = [0.0; DIMENSIONS];
        vectors.add(hash, 1.0, &mut vector);
        let own = OWN_SCALE * self.own.get(&hash).copied().unwrap_or_default();
        let all: f64 = vector.iter().zip(&self.vector).map(|(a, b)| a * b).sum();
        (all + own) * f64::from(vectors.weight(hash)) / f64::from(crate::signals::classifier::WEIGHT_UNIT)
    }
}

/// Rounds heads to a model, on top of the model that their priors are from.
pub(super) fn model(heads: &[Linear], prior: Option<&Contents>) -> Contents {
    let vectors = Vectors::built_in();
    let mut hashes = vectors.hashes();
    hashes.extend(heads.iter().flat_map(|head| head.own.keys().copied()));
    hashes.extend(prior.iter().flat_map(|prior| prior.entries.iter().map(|entry| entry.hash)));
    hashes.sort_unstable();
    hashes.dedup();
    let known: BTreeMap<u32, &Entry> = prior.iter().flat_map(|prior| &prior.entries).map(|e| (e.hash, e)).collect();
    let mut rounded = vec![];
    let mut words = vec![[0i16; MOST_HEADS]; hashes.len()];
    for (at, head) in heads.iter().enumerate().take(MOST_HEADS) {
        let weight = |hash: &u32| {
            let before = known.get(hash).zip(prior).map_or(0.0, |(entry, prior)| {
                let parts = prior.heads.iter().zip(entry.heads).zip(head.priors);
                parts.map(|((old, units), times)| times * f64::from(old.scale) * f64::from(units)).sum()
            });
            head.word(*hash) + before
        };
        let weights: Vec<f64> = hashes.iter().map(weight).collect();
        let largest = weights.iter().fold(1e-6_f64, |largest, weight| largest.max(weight.abs()));
        let scale = (largest / f64::from(i16::MAX)) as f32;
        for (word, weight) in words.iter_mut().zip(&weights) {
            word[at] = (weight / f64::from(scale)).round().clamp(-32767.0, 32767.0) as i16;
        }
        rounded.push(round(head, scale, prior));
    }
    let entries =
        hashes.iter().zip(words).map(|(hash, heads)| Entry { hash: *hash, weight: vectors.weight(*hash), heads });
    Contents { heads: rounded, calibration: vec![], entries: entries.collect() }
}

fn round(head: &Linear, scale: f32, prior: Option<&Contents>) -> Head {
    let mut weights = head.features;
    let mut bias = head.bias;
    for (old, times) in prior.iter().flat_map(|prior| &prior.heads).zip(head.priors) {
        bias += times * f64::from(old.bias);
        for (at, weight) in weights.iter_mut().enumerate() {
            let old_weight = times * f64::from(old.weights[at]);
            *weight += old_weight;
            bias += old_weight * (head.centres[at] - f64::from(old.centres[at]));
        }
    }
    Head { bias: bias as f32, scale, weights: weights.map(|w| w as f32), centres: head.centres.map(|c| c as f32) }
}

/// Which column is what.
struct Layout {
    own: BTreeMap<u32, u32>,
    own_at: usize,
    centres: [f64; COUNT],
    scales: [f64; COUNT],
}

impl Layout {
    fn of(rows: &[Labelled], recipe: &Recipe) -> Layout {
        let mut times: BTreeMap<u32, usize> = BTreeMap::new();
        for (hash, _) in rows.iter().flat_map(|row| &row.example.words) {
            *times.entry(*hash).or_default() += 1;
        }
        times.retain(|_, rows| *rows >= ROWS_FOR_OWN);
        let own_at = SOURCES_AT + rows.iter().map(|row| row.source + 1).max().unwrap_or_default();
        let own = times.keys().zip(own_at..).map(|(hash, column)| (*hash, column as u32)).collect();
        let count = rows.len().max(1) as f64;
        let mean = |of: &dyn Fn(&Labelled) -> f64| rows.iter().map(of).sum::<f64>() / count;
        let centres = std::array::from_fn(|at| mean(&|row| f64::from(row.example.features[at])));
        let scales = std::array::from_fn(|at| {
            let variance = mean(&|row| (f64::from(row.example.features[at]) - centres[at]).powi(2));
            if variance < 1e-6 || recipe.without.contains(&at) { 0.0 } else { recipe.features / variance.sqrt() }
        });
        Layout { own, own_at, centres, scales }
    }

    fn width(&self) -> usize {
        self.own_at + self.own.len()
    }

    fn columns(&self, row: &Labelled) -> Columns {
        let vectors = Vectors::built_in();
        let mut vector = [0.0; DIMENSIONS];
        let mut own: Columns = vec![];
        for (hash, share) in &row.example.words {
            vectors.add(*hash, f64::from(*share), &mut vector);
            if let Some(column) = self.own.get(hash) {
                own.push((*column, *share * OWN_SCALE as f32));
            }
        }
        let mut columns: Columns = (0..).zip(vector.map(|part| part as f32)).collect();
        for (at, x) in row.example.features.iter().enumerate() {
            let x = (f64::from(*x) - self.centres[at]) * self.scales[at];
            columns.push(((FEATURES_AT + at) as u32, x as f32));
        }
        for (at, prior) in row.priors.iter().enumerate() {
            columns.push(((PRIORS_AT + at) as u32, prior * PRIOR_SCALE as f32));
        }
        columns.push((INTERCEPT_AT as u32, 1.0));
        columns.push(((SOURCES_AT + row.source) as u32, SOURCE_SCALE as f32));
        columns.append(&mut own);
        columns
    }

    fn linear(&self, coefficients: &[f64]) -> Linear {
        let own = self.own.iter().map(|(hash, column)| (*hash, coefficients[*column as usize])).collect();
        Linear {
            vector: coefficients[..DIMENSIONS].to_vec(),
            own,
            features: std::array::from_fn(|at| coefficients[FEATURES_AT + at] * self.scales[at]),
            centres: self.centres,
            priors: std::array::from_fn(|at| coefficients[PRIORS_AT + at] * PRIOR_SCALE),
            bias: coefficients[INTERCEPT_AT],
        }
    }
}

/// Predictions for each of the rows by a fit that has not seen it.
pub(super) fn held_out(rows: &[Labelled], folds: &[usize], recipe: &Recipe) -> Vec<f64> {
    let mut values = vec![0.0; rows.len()];
    for fold in 0..folds.iter().max().map_or(0, |last| last + 1) {
        let seen: Vec<Labelled> = rows.iter().zip(folds).filter(|(_, f)| **f != fold).map(|(row, _)| *row).collect();
        let fitted = Linear::fit(&seen, recipe);
        for ((value, row), _) in values.iter_mut().zip(rows).zip(folds).filter(|(_, f)| **f == fold) {
            *value = fitted.value(row.example, row.priors);
        }
    }
    values
}
