//! The data that is not in the repository: sentences with known names, tweets, lines of code, plain prompts.
//!
//! What a reader could get wrong: nothing of these texts is kept; places of the data are Unicode code points, ours are bytes.

use std::path::Path;

use serde_json::Value;
use tidegate::pii::tagger::label::Label;

use crate::generate::Example;

pub struct Corpus {
    pub synth: Vec<Example>,
    pub tweets: Vec<Example>,
    pub tweets_dev: Vec<Example>,
    /// Lines in which there is nothing.
    pub code: Vec<String>,
    /// Prompts in which there may be anything.
    pub prompts: Vec<String>,
}

impl Corpus {
    pub fn read(pii: &Path, routing: &Path) -> Result<Corpus, String> {
        let mut prompts = vec![];
        for name in ["easy_banking77", "easy_clinc150", "math_l5", "mmlu_1500", "llmrouter_mix"] {
            prompts.extend(rows(routing, name)?.iter().filter_map(|row| row["prompt"].as_str()).map(str::to_owned));
        }
        let examples = |name| Ok::<_, String>(rows(pii, name)?.iter().map(example).collect());
        let code = rows(pii, "not_pii_half")?;
        Ok(Corpus {
            synth: examples("synth_v2_half")?,
            tweets: examples("wnut17_train")?,
            tweets_dev: examples("wnut17_dev")?,
            code: code.iter().filter_map(|row| row["text"].as_str()).map(str::to_owned).collect(),
            prompts,
        })
    }
}

fn rows(folder: &Path, name: &str) -> Result<Vec<Value>, String> {
    let path = folder.join(name).with_extension("jsonl");
    let text = std::fs::read_to_string(&path).map_err(|error| {
        format!("{}: {error}; put the folders with the data into PII_DATA and ROUTING_DATA", path.display())
    })?;
    text.lines().map(|line| serde_json::from_str(line).map_err(|error| format!("{name}: {error}"))).collect()
}

fn example(row: &Value) -> Example {
    let text = row["text"].as_str().unwrap_or_default().to_owned();
    let mut places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    places.push(text.len());
    let place = |value: &Value| places[(value.as_u64().unwrap_or_default() as usize).min(places.len() - 1)];
    let spans = row["spans"].as_array().map_or(&[][..], Vec::as_slice);
    let spans = spans.iter().filter_map(|span| {
        let label = label(span["entity"].as_str()?)?;
        Some((place(&span["start"]), place(&span["end"]), label))
    });
    Example {
        spans: spans.collect(),
        group: row["template_id"].as_u64().unwrap_or_default(),
        times: 1,
        strict: false,
        text,
    }
}

fn label(name: &str) -> Option<Label> {
    Some(match name {
        "PERSON" | "person" => Label::Person,
        "GPE" | "location" => Label::Place,
        "ORGANIZATION" | "corporation" => Label::Organization,
        "STREET_ADDRESS" => Label::Address,
        "TITLE" => Label::Title,
        "DATE_TIME" => Label::Date,
        "AGE" => Label::Age,
        "NRP" => Label::Group,
        "ZIP_CODE" => Label::Zip,
        _ => return None,
    })
}
