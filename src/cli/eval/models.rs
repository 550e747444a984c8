//! `tidegate eval models`: asks each configured model every question of a set, and says what each is worth and which threshold is needed.
//!
//! What a reader could get wrong: what was answered is kept at once, so nothing is paid for twice; requests that fail are told and asked
//! again by the next run.

use std::collections::VecDeque;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::ask::{Asked, Client};
use super::results::{Result as Graded, Results};
use super::routing::Shape;
use super::set::{self, Item};
use super::told::{self, Comparison};
use crate::config::Loaded;
use crate::state::{Classifiers, reload};
use crate::task;

/// What is asked, of whom.
#[derive(Debug, clap::Args)]
pub struct ModelsArgs {
    /// The eval set, JSONL.
    #[arg(value_name = "DATA.jsonl")]
    data: PathBuf,
    /// The configuration whose models are asked.
    #[arg(short, long = "config", value_name = "FILE", default_value = "config/tidegate.yaml")]
    config: PathBuf,
    /// Only these, by their `models` keys. Default: all.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    models: Vec<String>,
    /// Requests at once, per model.
    #[arg(long, value_name = "N", default_value_t = 4)]
    concurrency: usize,
    /// Where answers are kept. Default: DATA.results.jsonl.
    #[arg(long, value_name = "RESULTS.jsonl")]
    out: Option<PathBuf>,
    /// Ask everything anew, also what was answered by an earlier run.
    #[arg(long)]
    afresh: bool,
    /// Sent with every request; some models refuse any but their own.
    #[arg(long, value_name = "T")]
    temperature: Option<f64>,
    /// The share of the cloud's quality that is to be kept.
    #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
    target_quality: f64,
    /// The edge and the cloud model that are compared. Default: the best of each.
    #[arg(long, value_name = "NAME")]
    edge: Option<String>,
    #[arg(long, value_name = "NAME", help = "See --edge.")]
    cloud: Option<String>,
    /// Write what each threshold is worth, for `threshold: {target_quality: …, calibration: FILE}`.
    #[arg(long, value_name = "FILE.json")]
    calibration: Option<PathBuf>,
    /// Write the prompts with their outcomes, for `tidegate train routing`.
    #[arg(long, value_name = "OUT.jsonl")]
    rows: Option<PathBuf>,
    /// How the result looks.
    #[arg(long, value_enum, default_value_t)]
    format: Shape,
}

/// Asks and compares; gives the exit status.
pub fn run(args: &ModelsArgs) -> u8 {
    match measure(args) {
        Ok((text, complete)) => match super::show(&text) {
            0 if complete => 0,
            0 => super::super::ENVIRONMENT,
            status => status,
        },
        Err(problem) => super::wrong(&problem),
    }
}

/// One question to one model.
struct Question {
    model: String,
    item: Arc<Item>,
}

/// What became of it: the answer, or whose question failed, and why.
type Answered = Result<Graded, (String, String)>;

/// The text to show, and whether every question has its answer.
fn measure(args: &ModelsArgs) -> Result<(String, bool), String> {
    let loaded = reload::load(&args.config).map_err(|problems| problems.to_string())?;
    let classifiers = Classifiers::load(loaded.file.difficulty_model.as_ref(), &loaded.attached)?;
    let items: Vec<Arc<Item>> = set::read(&args.data)?.into_iter().map(Arc::new).collect();
    let models = chosen(&loaded, &args.models)?;
    let out = args.out.clone().unwrap_or_else(|| beside(&args.data));
    let opened = Results::open(&out, !args.afresh).map_err(|error| format!("{}: {error}", out.display()));
    let mut results = opened?;
    let open: Vec<(String, VecDeque<Question>)> = models
        .iter()
        .map(|model| {
            let open = items.iter().filter(|item| results.get(&item.id, model).is_none());
            let question = |item: &Arc<Item>| Question { model: model.clone(), item: Arc::clone(item) };
            (model.clone(), open.map(question).collect())
        })
        .collect();
    let asked = Asked::start(loaded)?;
    let failures = ask_all(&asked, open, args, &mut results)?;
    let placement = |model: &str| {
        let snapshot = asked.shared().snapshot();
        let target = snapshot.targets.iter().find(|target| target.name == model);
        target.map_or("", |target| target.upstream.placement_name())
    };
    let comparison = Comparison::new(&items, &models, &results, placement, &classifiers.difficulty);
    let comparison = comparison.between(args.edge.as_deref(), args.cloud.as_deref())?;
    asked.end();
    for (model, reason, count) in &failures {
        eprintln!("{model}: {count} without an answer: {reason}");
    }
    if !failures.is_empty() {
        eprintln!("what was answered is in {}; run the command again to ask the rest", results.path().display());
    }
    written(args, &comparison)?;
    let text = match args.format {
        Shape::Json => super::pretty(&comparison.json(args.target_quality)),
        Shape::Table => told::table(&comparison, args.target_quality),
    };
    Ok((text, failures.is_empty()))
}

fn written(args: &ModelsArgs, comparison: &Comparison<'_>) -> Result<(), String> {
    if let Some(path) = &args.calibration {
        let calibration = comparison.calibration().ok_or("there is no edge and cloud model to calibrate between")?;
        crate::cli::train::write(path, super::pretty(&calibration).as_bytes())?;
    }
    match &args.rows {
        Some(path) => crate::cli::train::write(path, comparison.rows().as_bytes()),
        None => Ok(()),
    }
}

fn chosen(loaded: &Loaded, named: &[String]) -> Result<Vec<String>, String> {
    let all = &loaded.file.models;
    if let Some(unknown) = named.iter().find(|name| !all.contains_key(*name)) {
        let known: Vec<&str> = all.keys().map(String::as_str).collect();
        return Err(format!("--models: there is no model `{unknown}`; there are {}", known.join(", ")));
    }
    match (named.is_empty(), all.is_empty()) {
        (_, true) => Err("the configuration has no models".into()),
        (true, false) => Ok(all.keys().cloned().collect()),
        (false, false) => Ok(named.to_vec()),
    }
}

/// `set.jsonl` → `set.results.jsonl`
fn beside(data: &Path) -> PathBuf {
    data.with_extension("results.jsonl")
}

/// Models, reasons and how many questions failed by them.
type Failures = Vec<(String, String, usize)>;

/// Asks what is open: each model by its own clients, all at once. Ctrl-C ends it; what was answered stays.
fn ask_all(
    asked: &Asked,
    open: Vec<(String, VecDeque<Question>)>,
    args: &ModelsArgs,
    results: &mut Results,
) -> Result<Failures, String> {
    let total: usize = open.iter().map(|(_, questions)| questions.len()).sum();
    if total == 0 {
        return Ok(vec![]);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        let (tell, mut told) = mpsc::channel(64);
        for (_, questions) in open {
            let questions = Arc::new(Mutex::new(questions));
            for _ in 0..args.concurrency.max(1) {
                let (questions, tell) = (Arc::clone(&questions), tell.clone());
                let client = asked.client(args.temperature);
                // Ends when there are no more questions, or nobody listens.
                drop(task::spawn("eval", work(client, questions, tell)));
            }
        }
        drop(tell);
        listen(&mut told, total, results).await
    })
}

async fn work(mut client: Client, questions: Arc<Mutex<VecDeque<Question>>>, tell: mpsc::Sender<Answered>) {
    loop {
        let Some(question) = questions.lock().pop_front() else { return };
        let answered = client.ask(&question.model, &question.item).await;
        if tell.send(answered.map_err(|reason| (question.model, reason))).await.is_err() {
            return;
        }
    }
}

async fn listen(told: &mut mpsc::Receiver<Answered>, total: usize, results: &mut Results) -> Result<Failures, String> {
    let live = std::io::stderr().is_terminal();
    let (mut done, mut failures) = (0, Failures::new());
    loop {
        let answered = tokio::select! {
            answered = told.recv() => answered,
            _ = tokio::signal::ctrl_c() => {
                failures.push(("all".into(), "interrupted".into(), total - done));
                None
            }
        };
        let Some(answered) = answered else { break };
        done += 1;
        match answered {
            Ok(graded) => {
                let path = results.path().display().to_string();
                results.add(graded).map_err(|error| format!("{path}: {error}"))?;
            }
            Err((model, reason)) => match failures.iter_mut().find(|(m, r, _)| *m == model && *r == reason) {
                Some((_, _, count)) => *count += 1,
                None => failures.push((model, reason, 1)),
            },
        }
        if live {
            eprint!("\rasked {done}/{total} ");
        }
    }
    if live {
        eprint!("\r                          \r");
    }
    Ok(failures)
}
