//! `tidegate score`: how hard prompts are and whether they need fresh knowledge, line by line, as the gateway sees them.
//!
//! What a reader could get wrong: a line is not decoded and written anew. It is scanned as a request is, and two members are spliced in
//! before its closing brace, so that everything else stays byte for byte what it was; that is also what makes it fast.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::jsonl;
use crate::openai::view::{self, Line};
use crate::signals::classifier::{Circumstances, Classifier, Passage, score};
use crate::state::{Classifiers, reload};

/// The members that are added.
const ADDED: [&str; 2] = ["difficulty", "needs_fresh_knowledge"];
/// Digits behind the point: easy prompts differ in the fourth.
const DIGITS: usize = 6;

/// Where the models come from, and what becomes of bad lines.
#[derive(Debug, clap::Args)]
pub struct ScoreArgs {
    /// Use the `difficulty_model` of this configuration. Default: the built-in one; no configuration is needed.
    #[arg(short, long = "config", value_name = "FILE", conflicts_with = "model")]
    config: Option<PathBuf>,
    /// Use this difficulty model, as written by `tidegate train routing`.
    #[arg(long, value_name = "MODEL")]
    model: Option<PathBuf>,
    /// Write a bad line back with an `error` member and go on, instead of ending.
    #[arg(long)]
    keep_going: bool,
}

/// The two models.
struct Models {
    difficulty: Arc<Classifier>,
    fresh: Arc<Classifier>,
}

/// Scores standard input; gives the exit status.
pub fn run(args: &ScoreArgs) -> u8 {
    match models(args) {
        Ok(models) => jsonl::run(args.keep_going, "scored", |line, output| scored(line, &models, output)),
        Err(problem) => super::eval::wrong(&problem),
    }
}

fn models(args: &ScoreArgs) -> Result<Models, String> {
    let difficulty = match (&args.config, &args.model) {
        (Some(config), _) => {
            let loaded = reload::load(config).map_err(|problems| problems.to_string())?;
            Classifiers::load(loaded.file.difficulty_model.as_ref(), &loaded.attached)?.difficulty
        }
        (None, Some(model)) => Arc::new(read_model(model)?),
        (None, None) => Classifier::difficulty(),
    };
    Ok(Models { difficulty, fresh: Classifier::fresh_knowledge() })
}

/// A model's file.
///
/// # Errors
/// It cannot be read, or is no model: which file, and why.
pub fn read_model(path: &Path) -> Result<Classifier, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Classifier::from_bytes(&bytes).map_err(|error| format!("{}: {error}", path.display()))
}

/// One line. The outer error is the line's fault, the inner one the output's.
fn scored(text: &[u8], models: &Models, output: &mut dyn Write) -> Result<io::Result<()>, String> {
    let line = scan(text)?;
    let view = &line.view;
    let circumstances = Circumstances { turns: view.turns, has_tools: view.has_tools, modalities: view.modalities };
    let passages = view.pieces.iter().filter_map(|piece| {
        let text = text.get(piece.range.start + 1..piece.range.end.checked_sub(1)?)?;
        Some(Passage { source: piece.source, message: piece.message, text })
    });
    let scores = score(Some(&models.difficulty), Some(&models.fresh), &circumstances, passages);
    let [difficulty, fresh] =
        [scores.difficulty, scores.fresh].map(|score| format!("{:.DIGITS$}", score.unwrap_or_default()));
    let [old_difficulty, old_fresh] = line.values;
    let [first, second] = ADDED;
    Ok(jsonl::spliced(text, line.close, &[(old_difficulty, first, difficulty), (old_fresh, second, fresh)], output))
}

fn scan(text: &[u8]) -> Result<Line<2>, String> {
    let line = view::scan_line(text, ADDED).map_err(|malformed| {
        let place = malformed.param.map_or("no JSON object".to_owned(), |param| format!("`{param}`"));
        format!("{place}: {} (byte {})", malformed.what, malformed.at + 1)
    })?;
    if line.has_prompt { Ok(line) } else { Err("it has neither `prompt` (a string) nor `messages`".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    fn models() -> Models {
        Models { difficulty: Classifier::difficulty(), fresh: Classifier::fresh_knowledge() }
    }

    fn run(input: &str, keep_going: bool) -> (Vec<String>, Option<String>) {
        let mut output = Vec::new();
        let bad =
            jsonl::lines(BufReader::new(input.as_bytes()), &mut output, keep_going, "scored", &mut |line, output| {
                scored(line, &models(), output)
            })
            .unwrap();
        (String::from_utf8(output).unwrap().lines().map(str::to_owned).collect(), bad)
    }

    #[test]
    fn everything_else_stays_as_it_was_and_in_order() {
        let input = "{\"id\": 7, \"prompt\": \"caf\\u00e9?\", \"x\" : [1,  2]}\n\n  {\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]} \n";
        let (lines, bad) = run(input, false);
        assert_eq!(bad, None);
        assert!(lines[0].starts_with("{\"id\": 7, \"prompt\": \"caf\\u00e9?\", \"x\" : [1,  2],\"difficulty\":0."));
        assert!(lines[1].starts_with("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"difficulty\":0."));
        for line in &lines {
            let read: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!((0.0..=1.0).contains(&read["difficulty"].as_f64().unwrap()));
            assert!((0.0..=1.0).contains(&read["needs_fresh_knowledge"].as_f64().unwrap()));
        }
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn scoring_twice_replaces_the_figures_and_nothing_else() {
        let (once, _) = run("{\"prompt\":\"hi\",\"b\":1.50,\"a\":2}", false);
        let (twice, _) = run(&once[0], false);
        assert_eq!(once, twice);
        let (replaced, _) =
            run("{\"needs_fresh_knowledge\": null, \"prompt\":\"hi\", \"difficulty\" : \"?\", \"b\":1.50 }", false);
        let read: serde_json::Value = serde_json::from_str(&once[0]).unwrap();
        let [fresh, difficulty] = ["needs_fresh_knowledge", "difficulty"].map(|name| read[name].as_f64().unwrap());
        assert_eq!(
            replaced[0],
            format!(
                "{{\"needs_fresh_knowledge\": {fresh:.6}, \"prompt\":\"hi\", \"difficulty\" : {difficulty:.6}, \"b\":1.50}}"
            )
        );
    }

    #[test]
    fn a_prompt_that_speaks_of_difficulty_is_kept_to_the_byte() {
        let line = "{\"prompt\":\"what difficulty has caf\\u00e9\",\"x\":12345678901234567890.10,\"x\":2}";
        let (scored, _) = run(line, false);
        assert!(scored[0].starts_with(line.strip_suffix('}').unwrap()), "{}", scored[0]);
    }

    #[test]
    fn other_columns_neither_count_nor_hinder() {
        let plain = run("{\"prompt\":\"hi\"}", false).0[0].clone();
        let figures = plain.split_once(',').unwrap().1;
        for others in [
            "\"input\":\"Prove that the group is abelian.\"",
            "\"model\":7,\"n\":\"many\",\"stream\":\"no\",\"max_tokens\":1.5,\"user\":\"u\"",
        ] {
            let (lines, bad) = run(&format!("\u{feff}{{{others},\"prompt\":\"hi\"}}\r\n"), false);
            assert_eq!(bad, None);
            assert!(lines[0].ends_with(figures), "{} {figures}", lines[0]);
        }
    }

    #[test]
    fn what_is_scored_is_what_training_scores() {
        let both =
            "{\"prompt\":\"hi\",\"messages\":[{\"role\":\"user\",\"content\":\"Prove that the group is abelian.\"}]}";
        let value: serde_json::Value = serde_json::from_str(both).unwrap();
        let prompt = crate::learn::rows::Prompt::of(&value).unwrap();
        let expected = score(Some(&models().difficulty), None, &prompt.circumstances(), prompt.passages());
        let (lines, _) = run(both, false);
        let read: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        assert!((read["difficulty"].as_f64().unwrap() - f64::from(expected.difficulty.unwrap())).abs() < 1e-6);
    }

    #[test]
    fn a_bad_line_ends_it_or_is_told_in_its_place() {
        let input = "{\"prompt\":\"hi\"}\n{\"text\":\"hi\"}\n{\"prompt\":\n[1]\n{\"prompt\":\"bye\"}";
        let (lines, bad) = run(input, false);
        assert_eq!(lines.len(), 1);
        assert_eq!(bad.unwrap(), "line 2: it has neither `prompt` (a string) nor `messages`");
        let (lines, bad) = run(input, true);
        assert_eq!(bad.unwrap(), "3 lines could not be scored; see `error`");
        assert_eq!(lines.len(), 5);
        assert_eq!(lines[1], "{\"text\":\"hi\",\"error\":\"it has neither `prompt` (a string) nor `messages`\"}");
        assert!(lines[2].starts_with("{\"line\":\"{\\\"prompt\\\":\",\"error\":"), "{}", lines[2]);
        assert!(lines[4].contains("difficulty"));
    }
}
