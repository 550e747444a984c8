//! Trains the verifier of the semantic cache and measures it; the weights go to `src/cache/semantic/verify/weights.bin`.
//!
//! What a reader could get wrong: the sets are not in the repository; `CACHE_DATA` and `ROUTING_DATA` name the folders. The same data give the same
//! file to the bit. Calibration and thresholds come from folds held out by sentence or block.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool's output")]
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a tool stops at what is wrong")]
#![allow(
    clippy::type_complexity,
    clippy::needless_range_loop,
    clippy::collapsible_if,
    clippy::semicolon_if_nothing_returned,
    reason = "columns of numbers, places in a text"
)]

mod change;
mod counting;
mod exchange;
mod learn;
mod measure;
mod natural;
mod pair;
#[path = "../train_tagger/random.rs"]
mod random;
mod report;
mod rewrite;
mod templates;
mod vocabulary;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tidegate::cache::semantic::verify::features::at;
use tidegate::cache::semantic::verify::forest::{EASE, Forest, product};
use tidegate::cache::semantic::verify::{Question, Verifier};

use learn::{Plan, Row, learn};
use pair::{Pair, fold};
use random::Random;
use vocabulary::Vocabulary;

/// Of what was changed; what is alike needs half the trees.
const PLAN: Plan = Plan { trees: 400, depth: 6, rate: 0.06, seed: 7 };
const FOLDS: u32 = 5;
/// Share of the same among the neighbours that the index proposes: most are near misses.
const PRIOR: f64 = 0.3;
/// Errors for which a threshold is kept.
const ERRORS: [f64; 8] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2];

fn main() {
    let folder = |name: &str| PathBuf::from(std::env::var(name).unwrap_or_else(|_| panic!("{name} names no folder")));
    let (cache, routing) = (folder("CACHE_DATA"), folder("ROUTING_DATA"));
    let pairs = corpus(&cache, &routing, &Vocabulary::read(None), 11);
    println!("{} pairs, {} the same", pairs.len(), pairs.iter().filter(|pair| pair.same).count());
    let all = rows(&pairs);
    // A change that changed nothing.
    let is_void = |row: &Row| !row.same && row.features[at::IDENTICAL] > 0.0;
    let (pairs, rows): (Vec<Pair>, Vec<Row>) = pairs.into_iter().zip(all).filter(|(_, row)| !is_void(row)).unzip();
    let held = held_out(&pairs, &rows, PLAN);
    let held: Vec<f64> = held.iter().map(|[one, two]| product(*one, *two + EASE)).collect();
    report::kinds(&pairs, &rows, &held);
    if std::env::args().any(|arg| arg == "--errors") {
        report::errors(&pairs, &held, 12);
    }
    if std::env::args().any(|arg| arg == "--measure") {
        report::left_out(&pairs, &rows, PLAN);
    }
    let scored: Vec<(f64, bool)> = held.iter().zip(&pairs).map(|(score, pair)| (*score, pair.same)).collect();
    let calibration = measure::calibrate(&scored, PRIOR);
    let sure: Vec<(f64, bool)> = scored
        .iter()
        .map(|(score, same)| (tidegate::cache::semantic::verify::forest::along(&calibration, *score), *same))
        .collect();
    let bound = |error: &f64| measure::threshold(&sure, PRIOR, *error).map(|bar| (*error as f32, bar as f32));
    let thresholds: Vec<(f32, f32)> = ERRORS.iter().filter_map(bound).collect();
    for (error, bar) in &thresholds {
        let (found, recall) = measure::at(&sure, PRIOR, f64::from(*bar));
        println!("error up to {error}: threshold {bar:.3}, error {found:.4}, recall {recall:.3}");
    }
    let every: Vec<(&Pair, &Row)> = pairs.iter().zip(&rows).collect();
    let forest = Forest { calibration, thresholds, ..both(&every, PLAN) };
    report::used(&forest);
    let bytes = forest.write();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cache/semantic/verify/weights.bin");
    let path = std::env::var("WEIGHTS").map_or(path, PathBuf::from);
    println!("{} bytes, {}", bytes.len(), Verifier::new(&bytes).identity());
    std::fs::write(&path, bytes).expect("the weights are written");
    report::sets(&forest, &cache);
}

/// All pairs to learn from.
fn corpus(cache: &Path, routing: &Path, words: &Vocabulary, seed: u64) -> Vec<Pair> {
    let random = &mut Random(seed);
    let mut pairs =
        templates::pairs(&templates::blocks(include_str!("templates/questions.txt")), "question", 60, words, random);
    pairs.extend(templates::pairs(
        &templates::blocks(include_str!("templates/problems.txt")),
        "problem",
        120,
        words,
        random,
    ));
    let worded = templates::blocks(include_str!("templates/worded.txt"));
    pairs.extend(templates::worded(&worded, words, random));
    let written = natural::written();
    let own: Vec<(String, Option<String>)> =
        written.iter().filter(|pair| pair.same).map(|pair| (pair.a.clone(), Some(pair.b.clone()))).collect();
    for _ in 0..3 {
        pairs.extend(natural::worked(&own, "written", words, random));
        pairs.extend(written.iter().cloned());
    }
    let mock = natural::labelled(cache, "gptcache_mock_pairs");
    let mocked: Vec<(String, Option<String>)> =
        mock.iter().map(|pair| (pair.a.clone(), Some(pair.b.clone()))).collect();
    let texts: Vec<String> = mock.iter().map(|pair| pair.a.clone()).collect();
    pairs.extend(natural::worked(&mocked, "gptcache_mock_pairs", words, random));
    pairs.extend(natural::lookalikes(&texts, "gptcache_mock_pairs", 999, |a, b| mock[a].b != mock[b].b, random));
    pairs.extend(mock);
    for set in ["banking77_intent_pairs", "snips_slot_swap"] {
        pairs.extend(natural::labelled(cache, set));
    }
    for (name, most) in [
        ("easy_clinc150", 1500),
        ("easy_banking77", 700),
        ("llmrouter_mix", 2500),
        ("mmlu_1500", 700),
        ("math_l5", 700),
    ] {
        let mut prompts = natural::prompts(routing, name);
        random.shuffle(&mut prompts);
        let texts: Vec<String> = prompts.iter().map(|(text, _)| text.clone()).collect();
        let may = |a: usize, b: usize| prompts[a].1 != prompts[b].1 || !name.starts_with("easy");
        pairs.extend(natural::lookalikes(&texts, name, most, may, random));
        // Intents of a bank lie so near to each other that the nearest is often the same question.
        if name != "math_l5" && name != "easy_banking77" {
            pairs.extend(natural::nearest(&texts, name, most, may));
        }
        let bases: Vec<(String, Option<String>)> = texts.into_iter().take(most).map(|text| (text, None)).collect();
        let name = if name.starts_with("math") { "problems_math" } else { name };
        pairs.extend(natural::worked(&bases, name, words, random));
    }
    let mut seen = std::collections::BTreeSet::new();
    pairs.retain(|pair| {
        !pair.a.contains("```")
            && !pair.b.contains("```")
            && pair.a.len() < 1_500
            && pair.b.len() < 1_500
            && seen.insert((pair.a.clone(), pair.b.clone()))
    });
    pairs
}

/// Features and weights: kinds count alike whatever their number of pairs, within reason.
fn rows(pairs: &[Pair]) -> Vec<Row> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    pairs.iter().for_each(|pair| *counts.entry(&pair.kind).or_default() += 1);
    let weight = |pair: &Pair| {
        let share = (1_500.0 / counts[pair.kind.as_str()] as f64).clamp(0.4, 3.0);
        // The same intent is not always the same answer.
        let trust = match pair.kind.as_str() {
            "banking77_intent_pairs:pair" if pair.same => 0.15,
            // What was written, not made, is what it will meet.
            "gptcache_mock_pairs:pair" | "written:same" => 4.0,
            kind if kind.starts_with("like:") || kind.starts_with("near:") || kind == "written:other" => 3.0,
            _ => 1.0,
        };
        share * trust
    };
    pairs
        .iter()
        .map(|pair| {
            let (a, b) = (Question::prepare(&pair.a), Question::prepare(&pair.b));
            Row {
                features: Verifier::features(&a, &b),
                same: pair.same,
                weights: [weight(pair), weight(pair) * natural(pair)],
            }
        })
        .collect()
}

/// What a paraphrase was changed in is harder to see than what a sentence rewritten by rule was, and what it will meet.
fn natural(pair: &Pair) -> f64 {
    let is_natural = ["written", "gptcache_mock_pairs", "worded"].contains(&pair.field.as_str());
    if is_natural { 1.5 } else { 0.8 }
}

/// Whether the pair shows what another question of the field looks like, and whether it shows what a change looks like.
fn teaches(pair: &Pair) -> [bool; 2] {
    if pair.same {
        return [true, true];
    }
    let is_made = ["change:", "problem:number", "question:number", "worded:number", "problem:slot", "question:slot"]
        .iter()
        .any(|kind| pair.kind.starts_with(kind));
    let is_far = ["like:", "near:", "banking77"].iter().any(|kind| pair.kind.starts_with(kind));
    [!is_made, !is_far]
}

/// Both models.
fn both(rows: &[(&Pair, &Row)], plan: Plan) -> Forest {
    let some = |which: usize| -> Vec<&Row> {
        rows.iter().filter(|(pair, _)| teaches(pair)[which]).map(|(_, row)| *row).collect()
    };
    Forest {
        alike: learn(&some(0), 0, Plan { trees: plan.trees / 2, ..plan }),
        unchanged: learn(&some(1), 1, plan),
        ..Forest::default()
    }
}

/// Each pair's scores by trees that saw none of its group.
fn held_out(pairs: &[Pair], rows: &[Row], plan: Plan) -> Vec<[f64; 2]> {
    let of: Vec<u32> = pairs.iter().map(|pair| fold(&pair.group, FOLDS)).collect();
    let mut scores = vec![[0.0; 2]; rows.len()];
    let models: Vec<Forest> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..FOLDS)
            .map(|out| {
                let of = &of;
                scope.spawn(move || {
                    let own: Vec<(&Pair, &Row)> = pairs
                        .iter()
                        .zip(rows)
                        .zip(of)
                        .filter(|(_, fold)| **fold != out)
                        .map(|(both, _)| both)
                        .collect();
                    both(&own, plan)
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("a fold is learnt")).collect()
    });
    for (place, score) in scores.iter_mut().enumerate() {
        *score = models[of[place] as usize].parts(&rows[place].features);
    }
    scores
}
