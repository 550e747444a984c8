//! `tidegate eval models`: asks each configured model every question of a set, and says what each is worth and which threshold is needed.
//!
//! What a reader could get wrong: what was answered is kept at once, so nothing is paid for twice; requests that fail are told and asked
//! again by the next run.

use std::collections::{HashSet, VecDeque};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::ask::{self, Asked, Client, Unanswered};
use super::results::{Answer, Results};
use super::routing::Shape;
use super::set::{self, Item};
use super::told::{self, Comparison};
use crate::cli::{ENVIRONMENT, WRONG_INPUT};
use crate::config::Loaded;
use crate::config::file::{Placement, Try};
use crate::state::{Classifiers, reload};
use crate::task;

/// A model that fails so often in a row is not asked on: its other questions are left to a later run.
const HOPELESS_AFTER: usize = 10;

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
    /// Ask everything anew, also what was answered by an earlier run; its answers are put aside as RESULTS.jsonl.old.
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
    /// Compare the first edge and the first cloud model that the rules of this route try.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["edge", "cloud"])]
    route: Option<String>,
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
            0 if !complete => ENVIRONMENT,
            status => status,
        },
        Err((status, problem)) => {
            eprintln!("{}", problem.trim_end());
            status
        }
    }
}

/// An exit status and what to say.
type Ended<T> = Result<T, (u8, String)>;

fn input(problem: impl ToString) -> (u8, String) {
    (WRONG_INPUT, problem.to_string())
}

fn environment(problem: impl ToString) -> (u8, String) {
    (ENVIRONMENT, problem.to_string())
}

/// A model, and the digest of each row's question as it is put to it.
struct Chosen {
    client: Arc<Client>,
    placement: &'static str,
    digests: Vec<String>,
}

/// The text to show, and whether every question has its answer.
fn measure(args: &ModelsArgs) -> Ended<(String, bool)> {
    let loaded = reload::load(&args.config).map_err(input)?;
    let classifiers = Classifiers::load(loaded.file.difficulty_model.as_ref(), &loaded.attached).map_err(input)?;
    let items: Vec<Arc<Item>> = set::read(&args.data).map_err(input)?.into_iter().map(Arc::new).collect();
    let models = chosen(&loaded, &args.models).map_err(input)?;
    let (edge, cloud) = pair(&loaded, args, &models).map_err(input)?;
    let out = args.out.clone().unwrap_or_else(|| beside(&args.data));
    let opened = Results::open(&out, !args.afresh);
    let mut results = opened.map_err(|error| environment(format!("{}: {error}", out.display())))?;
    let asked = Asked::start(loaded).map_err(environment)?;
    let models = digested(&asked, &models, &items, args.temperature);
    let outcome = ask_all(&models, &items, args, &mut results);
    asked.end();
    let Outcome { failures, interrupted } = outcome?;
    for (model, reason, count) in &failures {
        eprintln!("{model}: {count} without an answer: {reason}");
    }
    if interrupted || !failures.is_empty() {
        eprintln!("what was answered is in {}; run the command again to ask the rest", out.display());
    }
    let answers = models.iter().map(|of| told::Asked {
        model: of.client.model().to_owned(),
        placement: of.placement,
        answers: of.digests.iter().map(|digest| results.get(digest, of.client.model())).collect(),
    });
    let comparison = Comparison::new(&items, &answers.collect::<Vec<_>>(), &classifiers.difficulty);
    let comparison = comparison.between(edge.as_deref(), cloud.as_deref()).map_err(input)?;
    if !interrupted {
        written(args, &comparison)?;
    }
    let text = match args.format {
        Shape::Json => super::pretty(&comparison.json(args.target_quality)),
        Shape::Table => told::table(&comparison, args.target_quality),
    };
    Ok((text, failures.is_empty() && !interrupted))
}

fn digested(asked: &Asked, models: &[String], items: &[Arc<Item>], temperature: Option<f64>) -> Vec<Chosen> {
    let one = |model: &String| {
        let target = asked.target(model)?;
        let digest = |item: &Arc<Item>| item.digest(&ask::question(target, item, temperature), &target.id);
        Some(Chosen {
            client: Arc::new(asked.client(target, temperature)),
            placement: target.upstream.placement_name(),
            digests: items.iter().map(digest).collect(),
        })
    };
    models.iter().filter_map(one).collect()
}

fn written(args: &ModelsArgs, comparison: &Comparison<'_>) -> Ended<()> {
    if let Some(path) = &args.calibration {
        let none = || environment("--calibration: no row was answered by both an edge and a cloud model");
        let calibration = comparison.calibration().ok_or_else(none)?;
        crate::cli::train::write(path, super::pretty(&calibration).as_bytes()).map_err(environment)?;
    }
    match &args.rows {
        Some(path) => crate::cli::train::write(path, comparison.rows().as_bytes()).map_err(environment),
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

/// The edge and the cloud model that are to be compared, where it is said: before anything is asked, because that costs money.
fn pair(loaded: &Loaded, args: &ModelsArgs, models: &[String]) -> Result<(Option<String>, Option<String>), String> {
    let file = &loaded.file;
    let placement = |model: &str| {
        let upstream = file.models.get(model).and_then(|model| file.upstreams.get(&model.upstream));
        upstream.map(|upstream| upstream.placement)
    };
    for (option, named, wanted) in [("--edge", &args.edge, Placement::Edge), ("--cloud", &args.cloud, Placement::Cloud)]
    {
        if let Some(name) = named
            && !(models.contains(name) && placement(name) == Some(wanted))
        {
            return Err(format!("{option}: `{name}` is not among the models that are asked, or runs elsewhere"));
        }
    }
    let Some(name) = &args.route else { return Ok((args.edge.clone(), args.cloud.clone())) };
    let route = file.routes.get(name).ok_or_else(|| {
        let known: Vec<&str> = file.routes.keys().map(String::as_str).collect();
        format!("--route: there is no route `{name}`; there are {}", known.join(", "))
    })?;
    let first = |wanted: Placement| {
        let mut tried = route
            .rules
            .iter()
            .flat_map(|rule| rule.targets.iter().map(Try::model).chain(rule.split.keys().map(String::as_str)));
        let found = tried.find(|model| placement(model) == Some(wanted) && models.iter().any(|m| m == model));
        let missing = || {
            format!(
                "--route: the rules of `{name}` try no {} model that is asked",
                if wanted == Placement::Edge { "edge" } else { "cloud" }
            )
        };
        found.map(str::to_owned).ok_or_else(missing)
    };
    Ok((Some(first(Placement::Edge)?), Some(first(Placement::Cloud)?)))
}

/// `set.jsonl` → `set.results.jsonl`
fn beside(data: &Path) -> PathBuf {
    data.with_extension("results.jsonl")
}

/// Models, reasons and how many questions failed by them.
type Failures = Vec<(String, String, usize)>;

/// How the asking went.
#[derive(Debug, Default)]
struct Outcome {
    failures: Failures,
    interrupted: bool,
}

/// A model's questions, and how many have failed in a row.
struct Open {
    questions: VecDeque<Arc<Item>>,
    failed: usize,
}

/// What became of questions to a model: an answer, or why there is none and how many that concerns.
type Answered = Result<Answer, (String, String, usize)>;

/// Asks what is open: each model by its own clients, all at once. Ctrl-C ends it; what was answered stays.
fn ask_all(models: &[Chosen], items: &[Arc<Item>], args: &ModelsArgs, results: &mut Results) -> Ended<Outcome> {
    let mut total = 0;
    let open: Vec<(Arc<Client>, Open)> = models
        .iter()
        .map(|of| {
            // Rows that ask the same share an answer.
            let mut seen = HashSet::new();
            let is_open = |digest: &String| results.get(digest, of.client.model()).is_none();
            let rows = items.iter().zip(&of.digests).filter(|(_, digest)| is_open(digest) && seen.insert(*digest));
            let questions: VecDeque<Arc<Item>> = rows.map(|(item, _)| Arc::clone(item)).collect();
            total += questions.len();
            (Arc::clone(&of.client), Open { questions, failed: 0 })
        })
        .collect();
    if total == 0 {
        return Ok(Outcome::default());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(environment)?.block_on(async {
        // Caught from before the first question on.
        let interrupt = signal(SignalKind::interrupt()).map_err(environment)?;
        let (tell, mut told) = mpsc::channel(64);
        for (client, open) in open {
            let open = Arc::new(Mutex::new(open));
            for _ in 0..args.concurrency.max(1) {
                // Ends when there are no more questions, or nobody listens.
                drop(task::spawn("eval", work(Arc::clone(&client), Arc::clone(&open), tell.clone())));
            }
        }
        drop(tell);
        listen(&mut told, interrupt, total, results).await
    })
}

async fn work(client: Arc<Client>, open: Arc<Mutex<Open>>, tell: mpsc::Sender<Answered>) {
    loop {
        let Some(item) = open.lock().questions.pop_front() else { return };
        let answered = client.ask(&item).await;
        let mut given_up = 0;
        {
            let mut open = open.lock();
            open.failed = if answered.is_ok() { 0 } else { open.failed + 1 };
            let hopeless = answered.as_ref().is_err_and(|why| why.hopeless) || open.failed >= HOPELESS_AFTER;
            if hopeless {
                given_up = open.questions.len();
                open.questions.clear();
            }
        }
        let model = || client.model().to_owned();
        let answered = answered.map_err(|Unanswered { reason, .. }| (model(), reason, 1));
        if tell.send(answered).await.is_err() {
            return;
        }
        let rest = (model(), "not asked, because those before failed".to_owned(), given_up);
        if given_up > 0 && tell.send(Err(rest)).await.is_err() {
            return;
        }
    }
}

async fn listen(
    told: &mut mpsc::Receiver<Answered>,
    mut interrupt: Signal,
    total: usize,
    results: &mut Results,
) -> Ended<Outcome> {
    let live = std::io::stderr().is_terminal();
    let (mut done, mut spent, mut outcome) = (0, 0.0, Outcome::default());
    loop {
        let answered = tokio::select! {
            answered = told.recv() => answered,
            _ = interrupt.recv() => {
                outcome.interrupted = true;
                None
            }
        };
        let Some(answered) = answered else { break };
        match answered {
            Ok(answer) => {
                done += 1;
                spent += answer.cost_usd.unwrap_or(0.0);
                let path = results.path().display().to_string();
                results.add(answer).map_err(|error| environment(format!("{path}: {error}")))?;
            }
            Err((model, reason, count)) => {
                done += count;
                match outcome.failures.iter_mut().find(|(m, r, _)| *m == model && *r == reason) {
                    Some((_, _, sum)) => *sum += count,
                    None => outcome.failures.push((model, reason, count)),
                }
            }
        }
        if live {
            eprint!("\r{}", progress(done, total, spent, &outcome.failures));
        }
    }
    if live {
        eprint!("\r{:60}\r", "");
    }
    if outcome.interrupted {
        eprintln!("interrupted: {done} of {total} questions were asked");
    }
    Ok(outcome)
}

fn progress(done: usize, total: usize, spent: f64, failures: &Failures) -> String {
    let failed: usize = failures.iter().map(|(_, _, count)| count).sum();
    let failed = if failed == 0 { String::new() } else { format!(", {failed} failed") };
    format!("asked {done} of {total}{failed}, {spent:.4} USD ")
}
