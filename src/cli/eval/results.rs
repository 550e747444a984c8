//! What models answered, kept beside the eval set so that a run that was interrupted goes on where it was.
//!
//! What a reader could get wrong: only answers are kept; a request that failed is asked again by the next run. A line that was cut off by
//! the interruption is left out, and asked again too.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// One graded answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Result {
    pub row: String,
    /// The `models` key.
    pub model: String,
    pub ok: bool,
    /// From sending to the end of the answer.
    pub ms: f64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    /// US dollars; absent: the price is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
}

/// All results, and the file that further ones are appended to.
#[derive(Debug)]
pub struct Results {
    path: PathBuf,
    file: File,
    known: HashMap<(String, String), Result>,
}

impl Results {
    /// Opens the file; with `resume`, what is there counts, else it begins anew.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn open(path: &Path, resume: bool) -> io::Result<Results> {
        let before = if resume && path.exists() { std::fs::read_to_string(path)? } else { String::new() };
        let read = before.lines().filter_map(|line| serde_json::from_str::<Result>(line).ok());
        let known = read.map(|result| ((result.row.clone(), result.model.clone()), result)).collect();
        let mut file = OpenOptions::new().create(true).append(resume).write(true).truncate(!resume).open(path)?;
        if !before.is_empty() && !before.ends_with('\n') {
            file.write_all(b"\n")?;
        }
        Ok(Results { path: path.to_owned(), file, known })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn get(&self, row: &str, model: &str) -> Option<&Result> {
        self.known.get(&(row.to_owned(), model.to_owned()))
    }

    /// Keeps an answer, on disk at once.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(&mut self, result: Result) -> io::Result<()> {
        let mut line = serde_json::to_vec(&result)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.known.insert((result.row.clone(), result.model.clone()), result);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_on_where_it_was_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.jsonl");
        let result = |row: &str| Result {
            row: row.into(),
            model: "m".into(),
            ok: true,
            ms: 1.5,
            prompt_tokens: 3,
            completion_tokens: 4,
            cost_usd: None,
        };
        let mut results = Results::open(&path, true).unwrap();
        results.add(result("a")).unwrap();
        results.add(result("b")).unwrap();
        drop(results);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 9]).unwrap();
        let mut again = Results::open(&path, true).unwrap();
        assert_eq!(again.get("a", "m"), Some(&result("a")));
        assert_eq!(again.get("b", "m"), None, "its line was cut off");
        again.add(result("b")).unwrap();
        assert!(Results::open(&path, true).unwrap().get("b", "m").is_some());
        assert!(Results::open(&path, false).unwrap().get("a", "m").is_none());
    }
}
