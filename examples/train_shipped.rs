//! Trains the two classifiers that ship with the gateway and measures them; `make train`.
//!
//! What a reader could get wrong: the data are not in the repository (their README: licences, flaws); `ROUTING_DATA` names the folder. The
//! same data give the same two files to the bit. With `--measure` the tables of the model card are made as well, which takes longer.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool's output")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;
use tidegate::learn::known;
use tidegate::learn::metrics::{Curve, Labels, auc, length_matched_auc, report};
use tidegate::learn::rows::Prompt;
use tidegate::learn::shipped::{self, Judged, Source, Written, read_written};
use tidegate::learn::{ApgrRow, Report, Row, read_rows};
use tidegate::signals::classifier::{Classifier, score};

const DEFAULT_DATA: &str = "../shared/data/routing";
const SEED: u64 = 1;
/// Every n-th intent of the everyday sets is kept for measuring.
const INTENTS_HELD_OUT: usize = 5;
/// What a row of an everyday set, of the written prompts, and of a benchmark counts in the first heads.
const EVERYDAY_WEIGHT: f64 = 0.1;
const WRITTEN_WEIGHT: f64 = 1.0;
/// Prompts made of frames and words repeat themselves.
const FRAMES_WEIGHT: f64 = 0.5;
const TIMELESS_WEIGHT: f64 = 0.05;
/// Tasks whose prompts may pass for everyday questions: they teach where the cloud gains, not what is work.
const NOT_WORK: [&str; 6] = ["commonsense_qa", "openbook_qa", "natural_qa", "trivia_qa", "commongen", "arc_challenge"];

/// Intents that ask for what is so now.
const FRESH_INTENTS: [&str; 7] =
    ["weather", "traffic", "exchange_rate", "flight_status", "how_busy", "travel_alert", "restaurant_reviews"];

/// Everyday intents that need no news: greetings, small chores, the assistant itself.
const TIMELESS_INTENTS: [&str; 30] = [
    "greeting",
    "goodbye",
    "thank_you",
    "yes",
    "no",
    "maybe",
    "repeat",
    "timer",
    "alarm",
    "reminder",
    "todo_list",
    "spelling",
    "translate",
    "definition",
    "calculator",
    "flip_coin",
    "roll_dice",
    "tell_joke",
    "what_is_your_name",
    "who_made_you",
    "fun_fact",
    "play_music",
    "measurement_conversion",
    "change_volume",
    "smart_home",
    "recipe",
    "calories",
    "meaning_of_life",
    "are_you_a_bot",
    "change_language",
];

fn main() -> ExitCode {
    let folder = std::env::var_os("ROUTING_DATA").map_or_else(|| PathBuf::from(DEFAULT_DATA), PathBuf::from);
    let measure = std::env::args().any(|argument| argument == "--measure");
    match run(&folder, measure) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("train: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(folder: &Path, measure: bool) -> Result<(), String> {
    let data = Data::read(folder)?;
    let difficulty = shipped::difficulty(&data.sources, &data.everyday, SEED)?;
    let fresh = shipped::fresh_knowledge(&data.fresh, SEED)?;
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/signals/models");
    for (name, model) in [("difficulty.bin", &difficulty.model), ("fresh.bin", &fresh)] {
        let bytes = model.to_bytes();
        println!("{name}: {} bytes, {}", bytes.len(), model.identity());
        std::fs::write(models.join(name), bytes)
            .map_err(|error| format!("{}: {error}", models.join(name).display()))?;
    }
    let taught = data.sources.iter().flat_map(|source| &source.rows).map(|row| &row.prompt);
    let known = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/learn/known.bin");
    std::fs::write(&known, known::file(taught)).map_err(|error| format!("{}: {error}", known.display()))?;
    print_separation(&data, &difficulty.model, &fresh);
    if measure {
        print_benchmarks(&data, &difficulty);
    }
    Ok(())
}

struct Data {
    /// MMLU first.
    sources: Vec<Source>,
    everyday: Judged,
    fresh: Judged,
    /// Everyday prompts of held-out intents.
    everyday_test: Vec<Prompt>,
    written_test: Vec<Written>,
    fresh_test: Vec<Written>,
}

impl Data {
    fn read(folder: &Path) -> Result<Data, String> {
        let mut sources = vec![source(folder, "mmlu_1500")?];
        let tasks = by_subject(&read(folder, "llmrouter_mix")?)?;
        // MMLU rows with other models' answers would be labels beyond the 1,500.
        for (task, lines) in tasks.into_iter().filter(|(task, _)| task != "mmlu") {
            sources.push(source_of(&task, &lines)?);
        }
        sources.push(source(folder, "math_l5")?);
        let written = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/learn/written");
        let (written_train, written_test) = split(&written, "everyday")?;
        let (fresh_train, fresh_test) = split(&written, "fresh")?;
        let (mut everyday, mut everyday_test) = (Judged::default(), vec![]);
        let mut fresh = Judged::default();
        for name in ["easy_clinc150", "easy_banking77"] {
            for (at, (intent, lines)) in by_subject(&read(folder, name)?)?.into_iter().enumerate() {
                let prompts =
                    read_rows(&lines).map_err(|error| format!("{name}: {error}"))?.into_iter().map(|r| r.prompt);
                match at % INTENTS_HELD_OUT {
                    0 => everyday_test.extend(prompts),
                    _ => {
                        let prompts: Vec<Prompt> = prompts.collect();
                        if TIMELESS_INTENTS.contains(&intent.as_str()) {
                            fresh.add(prompts.clone(), false, EVERYDAY_WEIGHT);
                        }
                        if FRESH_INTENTS.contains(&intent.as_str()) {
                            fresh.add(prompts.clone(), true, EVERYDAY_WEIGHT);
                        }
                        everyday.add(prompts, false, EVERYDAY_WEIGHT);
                    }
                }
            }
        }
        for row in written_train.iter().filter(|row| row.yes == 1) {
            fresh.add([Prompt::plain(&row.prompt)?], false, EVERYDAY_WEIGHT);
        }
        add_written(&mut everyday, written_train, WRITTEN_WEIGHT)?;
        add_written(&mut everyday, split(&written, "everyday_frames")?.0, FRAMES_WEIGHT)?;
        add_written(&mut fresh, fresh_train, WRITTEN_WEIGHT)?;
        add_written(&mut fresh, split(&written, "fresh_frames")?.0, FRAMES_WEIGHT)?;
        for source in &sources {
            fresh.add(source.rows.iter().map(|row| row.prompt.clone()), false, TIMELESS_WEIGHT);
        }
        Ok(Data { sources, everyday, fresh, everyday_test, written_test, fresh_test })
    }
}

fn read(folder: &Path, name: &str) -> Result<String, String> {
    let path = folder.join(name).with_extension("jsonl");
    std::fs::read_to_string(&path)
        .map_err(|error| format!("{}: {error}; put the folder with the data into ROUTING_DATA", path.display()))
}

fn source(folder: &Path, name: &str) -> Result<Source, String> {
    source_of(name, &read(folder, name)?)
}

fn source_of(name: &str, lines: &str) -> Result<Source, String> {
    let rows = read_rows(lines).map_err(|error| format!("{name}: {error}"))?;
    Ok(Source { name: name.to_owned(), rows, is_work: !NOT_WORK.contains(&name) })
}

/// The lines by their `subject`, in its order.
fn by_subject(lines: &str) -> Result<BTreeMap<String, String>, String> {
    let mut tasks: BTreeMap<String, String> = BTreeMap::new();
    for line in lines.lines() {
        let value: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let subject = value["subject"].as_str().unwrap_or_default();
        let task = tasks.entry(subject.to_owned()).or_default();
        task.push_str(line);
        task.push('\n');
    }
    Ok(tasks)
}

/// Rows of a file in `learn/written/` for training, and for measuring.
fn split(folder: &Path, name: &str) -> Result<(Vec<Written>, Vec<Written>), String> {
    let rows = read_written(&read(folder, name)?).map_err(|error| format!("{name}: {error}"))?;
    Ok(rows.into_iter().partition(|row| row.split == "train"))
}

fn add_written(to: &mut Judged, rows: Vec<Written>, weight: f64) -> Result<(), String> {
    for row in rows {
        to.add([Prompt::plain(&row.prompt)?], row.yes == 1, weight);
    }
    Ok(())
}

fn print_separation(data: &Data, difficulty: &Classifier, fresh: &Classifier) {
    let hard = |prompt: &Prompt| {
        let scores = score(Some(difficulty), None, &prompt.circumstances(), prompt.passages());
        f64::from(scores.difficulty.unwrap_or_default())
    };
    let recent = |prompt: &Prompt| {
        let scores = score(None, Some(fresh), &prompt.circumstances(), prompt.passages());
        f64::from(scores.fresh.unwrap_or_default())
    };
    let written = Set::of(&data.written_test, hard);
    written.print("written: everyday against hard");
    Set::of(&data.fresh_test, recent).print("written: timeless against fresh");
    let mut held_out = written;
    held_out.keep(true);
    for prompt in &data.everyday_test {
        held_out.push(hard(prompt), prompt.bytes(), false);
    }
    held_out.print("everyday sets' held-out intents against written hard");
    let mut maths = Set::default();
    data.everyday_test.iter().for_each(|prompt| maths.push(hard(prompt), prompt.bytes(), false));
    for row in data.sources.iter().filter(|source| source.is_work).flat_map(|source| &source.rows) {
        maths.push(hard(&row.prompt), row.prompt.bytes(), true);
    }
    maths.print("everyday sets' held-out intents against benchmarks (trained on)");
}

/// Scores with lengths and what they should tell.
#[derive(Default)]
struct Set {
    scores: Vec<f64>,
    lengths: Vec<f64>,
    yes: Vec<bool>,
}

impl Set {
    fn of(rows: &[Written], score: impl Fn(&Prompt) -> f64) -> Set {
        let mut set = Set::default();
        for row in rows {
            if let Ok(prompt) = Prompt::plain(&row.prompt) {
                set.push(score(&prompt), prompt.bytes(), row.yes == 1);
            }
        }
        set
    }

    fn push(&mut self, score: f64, length: usize, yes: bool) {
        self.scores.push(score);
        self.lengths.push(length as f64);
        self.yes.push(yes);
    }

    fn keep(&mut self, yes: bool) {
        let kept: Vec<usize> = (0..self.yes.len()).filter(|at| self.yes[*at] == yes).collect();
        self.scores = kept.iter().map(|at| self.scores[*at]).collect();
        self.lengths = kept.iter().map(|at| self.lengths[*at]).collect();
        self.yes = vec![yes; kept.len()];
    }

    fn print(&self, what: &str) {
        println!(
            "| {what} | {} | {:.3} | {:.3} | {:.3} |",
            self.scores.len(),
            auc(&self.scores, &self.yes),
            length_matched_auc(&self.scores, &self.lengths, &self.yes, 1.15),
            auc(&self.lengths, &self.yes)
        );
    }
}

fn print_benchmarks(data: &Data, difficulty: &shipped::Difficulty) {
    let (mmlu, others) = data.sources.split_at(1);
    for source in mmlu {
        let labels = Labels::of(&source.rows);
        let runs: Vec<f64> = (1..=10)
            .filter_map(|seed| {
                Curve::of(&shipped::cross_validated(&data.sources, &data.everyday, seed), &labels).row().apgr
            })
            .collect();
        let mean = runs.iter().sum::<f64>() / runs.len() as f64;
        let spread = (runs.iter().map(|run| (run - mean).powi(2)).sum::<f64>() / runs.len() as f64).sqrt();
        println!("\n{}: second head alone, 10 x 5 folds: APGR {mean:.3} ± {spread:.3}", source.name);
        let whole = Curve::of(&difficulty.held_out, &labels).row();
        println!("both heads, second held out: {}", figures(&whole));
        print_report(&source.name, &report(&difficulty.held_out, &source.rows));
    }
    println!("\n| left out | rows | APGR | length | AUC of gain | of length |\n| --- | --- | --- | --- | --- | --- |");
    for (at, source) in others.iter().enumerate() {
        let scores = shipped::left_out(&data.sources, &data.everyday, at + 1);
        let labels = Labels::of(&source.rows);
        let lengths: Vec<f64> = source.rows.iter().map(|row| row.prompt.bytes() as f64).collect();
        let gain: Vec<bool> = source.rows.iter().map(|row: &Row| row.cloud_ok > row.edge_ok).collect();
        let apgr = |scores: &[f64]| Curve::of(scores, &labels).row().apgr.unwrap_or(f64::NAN);
        println!(
            "| {} | {} | {:.3} | {:.3} | {:.3} | {:.3} |",
            source.name,
            source.rows.len(),
            apgr(&scores),
            apgr(&lengths),
            auc(&scores, &gain),
            auc(&lengths, &gain)
        );
    }
}

fn print_report(name: &str, report: &Report) {
    println!("{name}, held out: edge {:.3}, cloud {:.3}", report.edge_accuracy, report.cloud_accuracy);
    println!(
        "random: {}\nlength: {}\noracle: {}",
        figures(&report.random),
        figures(&report.length),
        figures(&report.oracle)
    );
    println!("calibration error {:.3}", report.calibration_error);
    for bin in &report.reliability {
        println!("| {:.1}–{:.1} | {} | {:.3} | {:.3} |", bin.from, bin.to, bin.rows, bin.predicted, bin.observed);
    }
}

fn figures(row: &ApgrRow) -> String {
    let percent = |share: Option<f64>| share.map_or("–".to_owned(), |share| format!("{:.1}", 100.0 * share));
    format!("APGR {:.3}, CPT50 {}, CPT80 {}", row.apgr.unwrap_or(f64::NAN), percent(row.cpt50), percent(row.cpt80))
}
