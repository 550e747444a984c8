//! A real process, really killed: `kill -9` while two threads begin and finish requests as fast as they can.
//!
//! What a reader could get wrong: the process is this test program once more, told by a variable to be the victim; it says on its
//! standard output what it has begun, after it has.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::*;

const VICTIM: &str = "TIDEGATE_TEST_JOURNAL";

#[test]
fn nothing_is_lost_nor_doubled_by_kill_9() {
    if let Some(dir) = std::env::var_os(VICTIM) {
        return victim(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    for kill_after in [1, 2_000, 20_000] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "ledger::journal::tests::killed::nothing_is_lost_nor_doubled_by_kill_9", "--nocapture"])
            .env(VICTIM, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut said: Vec<u64> = vec![];
        let told = |line: String| line.strip_prefix("begun ").and_then(|number| number.parse::<u64>().ok());
        said.extend(lines.by_ref().filter_map(told).take(kill_after));
        child.kill().unwrap();
        child.wait().unwrap();
        // The last line may be cut, and so name another.
        let rest: Vec<String> = lines.collect();
        said.extend(rest.into_iter().rev().skip(1).filter_map(told));
        let (found, recovered) = left(dir.path());
        let mut times: HashMap<u64, usize> = HashMap::new();
        numbers(&found).into_iter().for_each(|number| *times.entry(number).or_default() += 1);
        assert!(times.values().all(|times| *times == 1), "doubled");
        let lost: Vec<&u64> = said.iter().filter(|number| !times.contains_key(number)).collect();
        assert!(lost.is_empty(), "lost: {lost:?} of {} ({recovered:?})", said.len());
        assert!(recovered.damaged.is_empty());
        assert!(recovered.interrupted > 0, "it was killed with requests under way");
        // How many were durable by then is the disk's business: none, if it was slow.
        orphans(dir.path()).unwrap().remove(0).discard().unwrap();
    }
}

/// Goes on until it is killed.
fn victim(dir: &Path) {
    let journal = Journal::<()>::open(Settings { segment_bytes: 32 << 10, ..Settings::new(dir, 2) }).unwrap();
    thread::scope(|scope| {
        for worker in 0..2 {
            let journal = &journal;
            scope.spawn(move || {
                let mut open = VecDeque::new();
                loop {
                    let entry = Entry { boot: journal.boot(), number: journal.next_number(worker), ..Entry::default() };
                    open.push_back((journal.begin(worker, &entry).unwrap(), entry.number));
                    let line = format!("begun {}\n", entry.number);
                    if io::stdout().write_all(line.as_bytes()).is_err() {
                        return;
                    }
                    if open.len() > 50 {
                        let (slot, number) = open.pop_front().unwrap();
                        journal.finish(worker, Some(slot), &Entry { number, ..entry }, None);
                    }
                }
            });
        }
    });
}
