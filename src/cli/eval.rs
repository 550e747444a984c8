//! `tidegate eval`: measures each layer on a labelled set.
//!
//! What a reader could get wrong: `routing` measures the difficulty model against labels that are there; `models` asks the configured models
//! and makes such labels. What is shown goes to stdout, what is going on to stderr.

mod ask;
pub mod cache;
mod curve;
mod grade;
pub mod models;
pub mod pii;
pub mod report;
mod results;
pub mod routing;
mod set;
mod told;

use std::io::{self, Write as _};

use clap::Subcommand;

/// What is measured.
#[derive(Debug, Subcommand)]
pub enum EvalCommand {
    /// The difficulty model, on prompts with known outcomes: APGR, CPT50 and CPT80 as RouteLLM defines them, calibration.
    #[command(
        after_help = "Examples:\n  tidegate eval routing labelled.jsonl\n  tidegate eval routing labelled.jsonl --model ours.bin --format json | jq .model.apgr\n  tidegate eval routing labelled.jsonl -c tidegate.yaml      # the configuration's difficulty_model"
    )]
    Routing {
        #[command(flatten)]
        args: routing::RoutingArgs,
    },
    /// The recognizers of personal data and secrets, on texts whose spans are known: precision, recall and F2 by type.
    #[command(
        after_help = "Each row has a `text` and `spans` of {start, end, type (or entity, entity_type)}; offsets in Unicode code points, end exclusive.\nExact: the same start, end and type. Partial: any overlap of the same type. As presidio-research counts, F2 weighs recall twice as much\nas precision.\n\nExamples:\n  tidegate eval pii labelled.jsonl\n  tidegate eval pii labelled.jsonl --map GPE=LOCATION --map STREET_ADDRESS=LOCATION\n  tidegate eval pii labelled.jsonl --format json | jq .all.partial.f2\n  tidegate eval pii labelled.jsonl --errors 20     # shows what was missed, without the text around it"
    )]
    Pii {
        #[command(flatten)]
        args: pii::PiiArgs,
    },
    /// The verifier of the semantic cache, on pairs of which it is known whether one answer serves both: AUC, recall at 1 % and 5 % false hits.
    #[command(
        after_help = "Each row has `a`, `b` and `same` (0 or 1), optionally a `kind`; each kind is measured by itself and all together, next to cosine\nsimilarity and the overlap of words alone.\n\nExamples:\n  tidegate eval cache pairs.jsonl\n  tidegate eval cache pairs.jsonl --max-error 0.002\n  tidegate eval cache pairs.jsonl --json | jq .kinds.all.at_threshold"
    )]
    Cache {
        #[command(flatten)]
        args: cache::CacheArgs,
    },
    /// The configured models, edge and cloud, on prompts with expected answers: quality, latency, cost, and the threshold for a target quality.
    #[command(
        after_help = "Each row has a `prompt` or `messages`, and `expected` (a text, a number, a letter, or a list of which one will do) or `check`\n({type: exact|contains|regex|number|choice|json, value, tolerance}); optionally `id`, `max_tokens`, `weight`.\n\nThe prompts are sent to the providers of the configuration and cost money there. Answers are kept in DATA.results.jsonl: a run that was\ninterrupted (Ctrl-C) goes on where it was, and changing `expected` or `check` asks nothing again. Exit status 3: some have no answer yet.\n\nExamples:\n  tidegate eval models set.jsonl -c tidegate.yaml\n  tidegate eval models set.jsonl --models small,frontier --target-quality 0.95 --calibration calibration.json\n  tidegate eval models set.jsonl --route auto --format json | jq .boundary\n  tidegate eval models set.jsonl --rows labelled.jsonl && tidegate train routing labelled.jsonl -o ours.bin"
    )]
    Models {
        #[command(flatten)]
        args: models::ModelsArgs,
    },
}

/// Measures; gives the exit status.
pub fn run(command: &EvalCommand) -> u8 {
    match command {
        EvalCommand::Routing { args } => routing::run(args),
        EvalCommand::Pii { args } => pii::run(args),
        EvalCommand::Cache { args } => cache::run(args),
        EvalCommand::Models { args } => models::run(args),
    }
}

/// Prints a result; colours only where they are seen.
pub fn show(text: &str) -> u8 {
    match anstream::stdout().lock().write_all(text.as_bytes()) {
        // A closed pipe (`| head`) is no failure.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("the result cannot be written: {error}");
            super::ENVIRONMENT
        }
        _ => 0,
    }
}

/// The input is wrong.
pub fn wrong(problem: &str) -> u8 {
    eprintln!("{}", problem.trim_end());
    super::WRONG_INPUT
}

/// JSON for files that people read as well.
pub fn pretty<T: serde::Serialize>(value: &T) -> String {
    // Fails only for maps whose keys are no text.
    serde_json::to_string_pretty(value).map(|text| text + "\n").unwrap_or_default()
}
