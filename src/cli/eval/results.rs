//! What models answered, kept beside the eval set so that a run that was interrupted goes on where it was.
//!
//! What a reader could get wrong: answers are kept, not marks: they are graded anew by each run, so a corrected `expected` costs no
//! request. An answer counts for the very question it was given to (prompt, limits, temperature and the model's name at its upstream);
//! a request that failed, and a line that was cut off by an interruption, are asked again.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// One answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The row's `id`, for people.
    pub row: String,
    /// The `models` key.
    pub model: String,
    /// Digest of the question.
    pub question: String,
    pub answer: String,
    /// From sending to the end of the answer.
    pub ms: f64,
    /// From sending to the first of its text.
    pub first_ms: f64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    /// US dollars; absent: the price is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
}

/// All answers, and the file that further ones are appended to.
#[derive(Debug)]
pub struct Results {
    path: PathBuf,
    file: File,
    known: HashMap<(String, String), Answer>,
}

impl Results {
    /// Opens the file; with `resume`, what is there counts, else it is put aside as `PATH.old`.
    ///
    /// # Errors
    /// It cannot be read or written, or another run is writing it.
    pub fn open(path: &Path, resume: bool) -> io::Result<Results> {
        if !resume && path.exists() {
            let mut old = path.as_os_str().to_owned();
            old.push(".old");
            fs::rename(path, old)?;
        }
        // Answers may hold what prompts hold.
        let mut file = OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::other("another run is writing it; wait for its end"));
            }
            // Where a file system has no locks, nobody guards.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let before = fs::read(path)?;
        let lines = before.split(|byte| *byte == b'\n');
        let read = lines.filter_map(|line| serde_json::from_slice::<Answer>(line).ok());
        let known = read.map(|answer| ((answer.question.clone(), answer.model.clone()), answer)).collect();
        if before.last().is_some_and(|last| *last != b'\n') {
            file.write_all(b"\n")?;
        }
        Ok(Results { path: path.to_owned(), file, known })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The answer of a model to the question with that digest.
    pub fn get(&self, question: &str, model: &str) -> Option<&Answer> {
        self.known.get(&(question.to_owned(), model.to_owned()))
    }

    /// Keeps an answer, on disk at once.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn add(&mut self, answer: Answer) -> io::Result<()> {
        let mut line = serde_json::to_vec(&answer)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.known.insert((answer.question.clone(), answer.model.clone()), answer);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(question: &str) -> Answer {
        Answer {
            row: "7".into(),
            model: "m".into(),
            question: question.into(),
            answer: "B".into(),
            ms: 1.5,
            first_ms: 0.5,
            prompt_tokens: 3,
            completion_tokens: 4,
            cost_usd: None,
        }
    }

    #[test]
    fn a_run_goes_on_where_it_was_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.jsonl");
        let mut results = Results::open(&path, true).unwrap();
        results.add(answer("a")).unwrap();
        results.add(Answer { answer: "ä".into(), ..answer("b") }).unwrap();
        drop(results);
        let bytes = fs::read(&path).unwrap();
        let inside = bytes.iter().position(|byte| *byte == 0xc3).unwrap();
        fs::write(&path, &bytes[..=inside]).unwrap();
        let mut again = Results::open(&path, true).unwrap();
        assert_eq!(again.get("a", "m"), Some(&answer("a")));
        assert_eq!((again.get("b", "m"), again.get("a", "n")), (None, None), "cut off within a character; not asked");
        again.add(answer("b")).unwrap();
        drop(again);
        assert!(Results::open(&path, true).unwrap().get("b", "m").is_some());
    }

    #[test]
    fn what_was_paid_for_is_put_aside_and_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.jsonl");
        Results::open(&path, true).unwrap().add(answer("a")).unwrap();
        assert!(Results::open(&path, false).unwrap().get("a", "m").is_none());
        assert!(fs::read_to_string(folder.path().join("results.jsonl.old")).unwrap().contains("\"question\":\"a\""));
    }

    #[test]
    fn two_runs_do_not_write_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.jsonl");
        let _first = Results::open(&path, true).unwrap();
        let why = Results::open(&path, true).unwrap_err().to_string();
        assert_eq!(why, "another run is writing it; wait for its end");
    }
}
