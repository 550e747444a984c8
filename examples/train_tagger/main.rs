//! Trains the sequence tagger that ships with the gateway and measures it; `make train`.
//!
//! What a reader could get wrong: the data are not in the repository; `PII_DATA` and `ROUTING_DATA` name the folders. The same data give the same file
//! to the bit. With `--measure` the tagger is also trained five times without a fifth of the templates, and measured on those.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool's output")]

mod corpus;
mod file;
mod generate;
mod learn;
mod measure;
mod names;
mod places;
mod random;
mod slots;
mod vocabulary;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use tidegate::pii::tagger::model::Model;
use tidegate::pii::tagger::token::{Reader, hash_of};

use corpus::Corpus;
use generate::Example;
use learn::{Costs, Weights};
use measure::Report;
use names::Names;
use tidegate::pii::tagger::lexicon::{BRAND, CITY, COUNTRY, FIRST, GROUP, LAST};
use vocabulary::{Flags, Known};

const SEED: u64 = 1;
const EPOCHS: usize = 8;
const COSTS: Costs = Costs { missed: 24.0, invented: 20.0, confused: 12.0 };
const FOLDS: u64 = 5;
/// How often a sentence of the data is seen for each time of a generated one.
const SYNTH_TIMES: usize = 8;
const CODE_TIMES: usize = 10;

fn main() -> ExitCode {
    let folder =
        |name: &str, default: &str| std::env::var_os(name).map_or_else(|| PathBuf::from(default), PathBuf::from);
    let pii = folder("PII_DATA", "../shared/data/pii");
    let routing = folder("ROUTING_DATA", "../shared/data/routing");
    let mode = std::env::args().nth(1).unwrap_or_default();
    match run(&pii, &routing, &mode) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("train: {why}");
            ExitCode::FAILURE
        }
    }
}

struct Trainer {
    generated: Vec<Example>,
    plain: Vec<Example>,
    corpus: Corpus,
    all: Flags,
    part: Flags,
}

fn run(pii: &Path, routing: &Path, mode: &str) -> Result<(), String> {
    let start = Instant::now();
    let corpus = Corpus::read(pii, routing)?;
    let names = Names::read(include_str!("names.tsv"), include_str!("templates/words.tsv"));
    let generated = generate::examples(&names, SEED);
    let all = vocabulary::build(&names, &generated, &corpus.prompts, Known::All);
    let part = vocabulary::build(&names, &generated, &corpus.prompts, Known::Part);
    let plain = without_names(&corpus.prompts, &all);
    eprintln!("{} generated, {} plain, {} words, {:?}", generated.len(), plain.len(), all.len(), start.elapsed());
    let trainer = Trainer { generated, plain, corpus, all, part };
    match mode {
        "--generated" => {
            let model = trainer.model(&trainer.train(&[], &[]))?;
            let mut report = Report::default();
            report.add(&model, &trainer.corpus.synth);
            report.print("synth, trained on generated sentences only");
            trainer.show_code(&model, &trainer.corpus.code);
        }
        "--measure" => {
            let mut report = Report::default();
            let mut tweets = Report::default();
            let mut lines = 0;
            for fold in 0..FOLDS {
                let (test, train): (Vec<Example>, Vec<Example>) =
                    trainer.corpus.synth.iter().cloned().partition(|row| row.group % FOLDS == fold);
                let (code_test, code_train): (Vec<String>, Vec<String>) =
                    trainer.corpus.code.iter().cloned().partition(|text| hash_of(text) % FOLDS == fold);
                let model = trainer.model(&trainer.train(&train, &code_train))?;
                report.add(&model, &test);
                lines += trainer.show_code(&model, &code_test);
                if fold == 0 {
                    tweets.add(&model, &trainer.corpus.tweets_dev);
                }
            }
            report.print("synth, templates unseen");
            tweets.print("tweets");
            println!("\nnot_pii, lines unseen: {lines} of {} lines", trainer.corpus.code.len());
        }
        _ => {
            let weights = trainer.train(&trainer.corpus.synth, &trainer.corpus.code);
            let bytes = file::bytes(&weights, &vocabulary::slots(&trainer.all));
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pii/tagger/weights.bin");
            std::fs::write(&path, &bytes).map_err(|error| format!("{}: {error}", path.display()))?;
            println!("weights.bin: {} bytes", bytes.len());
        }
    }
    eprintln!("{:?}", start.elapsed());
    Ok(())
}

impl Trainer {
    fn train(&self, synth: &[Example], code: &[String]) -> Weights {
        let mut stretches = vec![];
        let generated = self.generated.iter().chain(&self.plain);
        stretches.extend(generated.flat_map(|example| learn::stretches(example, &self.part)));
        for example in synth {
            let example = Example { times: SYNTH_TIMES, ..example.clone() };
            stretches.extend(learn::stretches(&example, &self.part));
        }
        for (place, text) in self.corpus.prompts.iter().enumerate() {
            stretches.extend(learn::ordinary(text, &self.all, place % 2 == 1));
        }
        for text in code {
            let example = Example { text: text.clone(), times: CODE_TIMES, strict: true, ..Example::default() };
            stretches.extend(learn::stretches(&example, &self.part));
        }
        stretches.extend(self.corpus.tweets.iter().flat_map(|example| learn::stretches(example, &self.part)));
        learn::learn(&stretches, EPOCHS, COSTS, SEED)
    }

    fn model(&self, weights: &Weights) -> Result<Model, String> {
        let bytes = file::bytes(weights, &vocabulary::slots(&self.all));
        Model::read(bytes.leak()).ok_or_else(|| "the weights cannot be read back".to_owned())
    }

    fn show_code(&self, model: &Model, code: &[String]) -> usize {
        let mut found = vec![];
        let mut lines = 0;
        for text in code {
            found.clear();
            tidegate::pii::tagger::tag_with(model, text, &mut found);
            lines += usize::from(!found.is_empty());
            for span in &found {
                let name = span.entity.about().map_or("", |about| about.name);
                eprintln!("code {name} {:.2}: [{}] in {text:?}", span.score, &text[span.start..span.end]);
            }
        }
        println!("not_pii: {lines} of {} lines", code.len());
        lines
    }
}

/// Prompts in which no word is known as a name, and none has a capital but at the beginning.
fn without_names(prompts: &[String], flags: &Flags) -> Vec<Example> {
    let listed = |text: &str| {
        Reader::new(text).any(|token| {
            flags.get(&token.hash).is_some_and(|flags| flags & (FIRST | LAST | CITY | COUNTRY | GROUP | BRAND) != 0)
        })
    };
    let plain = prompts.iter().filter(|text| text.len() < 600 && !listed(text));
    plain.map(|text| Example { text: text.clone(), times: 1, ..Example::default() }).collect()
}
