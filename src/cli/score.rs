//! `tidegate score`: how hard prompts are and whether they need fresh knowledge, line by line, as the gateway sees them.
//!
//! What a reader could get wrong: a line is not decoded and written anew. It is scanned as a request is, and two members are spliced in
//! before its closing brace, so that everything else stays byte for byte what it was; that is also what makes it fast.

use std::io::{self, BufRead, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::openai::Endpoint;
use crate::openai::view::{self, View};
use crate::signals::classifier::{Circumstances, Classifier, Passage, score};
use crate::state::{Classifiers, reload};

/// Room for input and output on their way.
const BUFFER: usize = 1 << 18;
/// The members that are added.
const ADDED: [&str; 2] = ["difficulty", "needs_fresh_knowledge"];

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
    let models = match models(args) {
        Ok(models) => models,
        Err(problem) => {
            eprintln!("{}", problem.trim_end());
            return super::WRONG_INPUT;
        }
    };
    let input = io::BufReader::with_capacity(BUFFER, io::stdin().lock());
    let mut output = BufWriter::with_capacity(BUFFER, io::stdout().lock());
    let done = lines(input, &mut output, &models, args.keep_going);
    let flushed = output.flush();
    match done.and_then(|bad| flushed.map(|()| bad)) {
        Ok(None) => 0,
        Ok(Some(message)) => {
            eprintln!("{message}");
            super::WRONG_INPUT
        }
        // A closed pipe (`| head`) is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(error) => {
            eprintln!("lines cannot be read or written: {error}");
            super::ENVIRONMENT
        }
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

/// Scores line by line. `Some`: what was wrong with a line, which ended it or, with `keep_going`, how many were.
fn lines(
    mut input: impl BufRead,
    output: &mut impl Write,
    models: &Models,
    keep_going: bool,
) -> io::Result<Option<String>> {
    let (mut line, mut number, mut bad) = (Vec::new(), 0u64, 0u64);
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        number += 1;
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        match scored(text, models, output) {
            Ok(written) => written?,
            Err(what) if keep_going => {
                bad += 1;
                failed(text, &what, output)?;
            }
            Err(what) => return Ok(Some(format!("line {number}: {what}"))),
        }
    }
    let told = |bad| format!("{bad} {} could not be scored; see `error`", if bad == 1 { "line" } else { "lines" });
    Ok((bad > 0).then(|| told(bad)))
}

/// One line. The outer error is the line's fault, the inner one the output's.
fn scored(line: &[u8], models: &Models, output: &mut impl Write) -> Result<io::Result<()>, String> {
    let view = scan(line)?;
    if has_added(line) {
        // Rare: the line was scored before. Its old figures are replaced.
        return rewritten(line).map(|line| scored_view(&line.0, &line.1, models, output));
    }
    Ok(scored_view(line, &view, models, output))
}

fn scored_view(line: &[u8], view: &View, models: &Models, output: &mut impl Write) -> io::Result<()> {
    let circumstances = Circumstances { turns: view.turns, has_tools: view.has_tools, modalities: view.modalities };
    let passages = view.pieces.iter().filter_map(|piece| {
        let text = line.get(piece.range.start + 1..piece.range.end.checked_sub(1)?)?;
        Some(Passage { source: piece.source, message: piece.message, text })
    });
    let scores = score(Some(&models.difficulty), Some(&models.fresh), &circumstances, passages);
    let (open, comma) = (line.strip_suffix(b"}").unwrap_or(line), if view.body_empty { "" } else { "," });
    output.write_all(open)?;
    let [difficulty, fresh] = [scores.difficulty, scores.fresh].map(Option::unwrap_or_default);
    writeln!(output, "{comma}\"{}\":{difficulty:.4},\"{}\":{fresh:.4}}}", ADDED[0], ADDED[1])
}

/// As a completion's body, or as a chat's where that finds no prompt.
fn scan(line: &[u8]) -> Result<View, String> {
    let told = |malformed: view::Malformed| match malformed.param {
        Some(param) => format!("`{param}`: {} (byte {})", malformed.what, malformed.at),
        None => format!("no JSON object: {} (byte {})", malformed.what, malformed.at),
    };
    let view = view::scan(Endpoint::Completions, line).map_err(told)?;
    if !view.pieces.is_empty() {
        return Ok(view);
    }
    let view = view::scan(Endpoint::Chat, line).map_err(told)?;
    match view.pieces.is_empty() {
        true => Err("it has neither `prompt` (a string) nor `messages`".into()),
        false => Ok(view),
    }
}

/// Whether a member of the line may have one of the names that are added.
fn has_added(line: &[u8]) -> bool {
    ADDED.iter().any(|name| memchr::memmem::find(line, name.as_bytes()).is_some())
}

/// Without the members that are added anew.
fn rewritten(line: &[u8]) -> Result<(Vec<u8>, View), String> {
    let mut members: indexmap::IndexMap<String, serde_json::Value> =
        serde_json::from_slice(line).map_err(|error| format!("no JSON object (column {})", error.column()))?;
    members.retain(|name, _| !ADDED.contains(&name.as_str()));
    let line = serde_json::to_vec(&members).map_err(|error| error.to_string())?;
    let view = scan(&line)?;
    Ok((line, view))
}

/// The line as it was, with what is wrong with it; one that is no object becomes a string.
fn failed(line: &[u8], what: &str, output: &mut impl Write) -> io::Result<()> {
    let what = serde_json::Value::from(what);
    match serde_json::from_slice::<indexmap::IndexMap<String, serde_json::Value>>(line) {
        Ok(members) if !members.is_empty() => {
            output.write_all(line.strip_suffix(b"}").unwrap_or(line))?;
            writeln!(output, ",\"error\":{what}}}")
        }
        _ => {
            let line = serde_json::Value::from(String::from_utf8_lossy(line));
            writeln!(output, "{{\"line\":{line},\"error\":{what}}}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn models() -> Models {
        Models { difficulty: Classifier::difficulty(), fresh: Classifier::fresh_knowledge() }
    }

    fn run(input: &str, keep_going: bool) -> (Vec<String>, Option<String>) {
        let mut output = Vec::new();
        let bad = lines(input.as_bytes(), &mut output, &models(), keep_going).unwrap();
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
    fn scoring_twice_replaces_the_figures() {
        let (once, _) = run("{\"prompt\":\"hi\",\"b\":1,\"a\":2}", false);
        let (twice, _) = run(&once[0], false);
        assert_eq!(once, twice);
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
