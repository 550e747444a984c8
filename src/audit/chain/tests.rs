//! The chain's writer: batches, checkpoints, segments, crashes.

use std::fs;

use super::*;
use crate::audit::files::{CHECKPOINTS_FILE, segment};
use crate::audit::verify::{Kind, Report, Trust, verify};

pub(crate) fn settings(checkpoint_every: u32, segment_records: u32) -> Settings {
    Settings { checkpoint_every, segment_records, key: Some([7; 32]), keep: None }
}

pub(crate) fn at(offset: u64) -> Position {
    Position { boot: 1, segment: 1, offset }
}

/// Record number `offset`.
fn append(chain: &mut Chain, offset: u64) -> bool {
    let id = format!("req-{offset}");
    let entry =
        Entry { request_id: &id, tenant: "acme", at: 1_772_366_400_000_000 + offset as i64, ..Entry::default() };
    chain.append(at(offset), &entry).unwrap()
}

/// A log of `records` records (`req-1` and so on), one to a commit, closed.
pub(crate) fn log_of(folder: &Path, records: u64, checkpoint_every: u32, segment_records: u32) {
    let mut chain = Chain::open(folder, &settings(checkpoint_every, segment_records)).unwrap();
    for offset in 1..=records {
        assert!(append(&mut chain, offset));
        chain.commit().unwrap();
    }
    chain.close().unwrap();
}

pub(crate) fn checked(folder: &Path) -> Report {
    verify(folder, &Trust::default(), &mut |_| {}).unwrap()
}

fn sound(folder: &Path, records: u64) -> Report {
    let report = checked(folder);
    assert!(report.is_sound(), "{:#?}", report.faults);
    assert_eq!(report.records, records);
    report
}

#[test]
fn batches_checkpoints_and_segments() {
    let folder = tempfile::tempdir().unwrap();
    let mut chain = Chain::open(folder.path(), &settings(4, 10)).unwrap();
    for offset in 1..=23 {
        append(&mut chain, offset);
        if offset % 3 == 0 {
            chain.commit().unwrap();
        }
    }
    assert_eq!(
        (chain.seq(), chain.position(1), chain.position(2)),
        (23, at(23), Position { boot: 2, ..Position::default() })
    );
    chain.close().unwrap();
    let report = sound(folder.path(), 23);
    assert_eq!((report.segments, report.unsigned, report.torn), (3, 0, false));
    // 6, 10 (sealed), 15, 20 (sealed), 23 on close.
    assert_eq!(report.checkpoints, 5);
    assert_eq!(report.first_at, "2026-03-01T12:00:00.000001Z");
    assert_eq!(report.last_at, "2026-03-01T12:00:00.000023Z");
}

#[test]
fn an_entry_that_is_there_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    log_of(folder.path(), 5, 2, 3);
    let mut chain = Chain::open(folder.path(), &settings(2, 3)).unwrap();
    for offset in 1..=5 {
        assert!(!append(&mut chain, offset));
    }
    assert!(append(&mut chain, 6));
    let other = Position { boot: 9, segment: 1, offset: 1 };
    assert!(chain.append(other, &Entry::default()).unwrap(), "positions count per process");
    chain.close().unwrap();
    let chain = Chain::open(folder.path(), &settings(2, 3)).unwrap();
    assert_eq!((chain.position(1), chain.position(9)), (at(6), other));
    sound(folder.path(), 7);
}

/// Whatever byte the last write stopped at: what is whole is kept, the rest comes again, nothing twice.
#[test]
fn a_crash_anywhere_resumes_exactly_once() {
    let whole = tempfile::tempdir().unwrap();
    let mut chain = Chain::open(whole.path(), &settings(3, 100)).unwrap();
    for offset in 1..=4 {
        append(&mut chain, offset);
        chain.commit().unwrap();
    }
    let signed = chain.length;
    append(&mut chain, 5);
    append(&mut chain, 6);
    chain.flush().unwrap();
    let (log, copies) =
        (fs::read(segment(whole.path(), 1)).unwrap(), fs::read(whole.path().join(CHECKPOINTS_FILE)).unwrap());
    for length in signed as usize..=log.len() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("public-key"), format!("{}\n", chain.public_key())).unwrap();
        fs::write(segment(folder.path(), 1), &log[..length]).unwrap();
        fs::write(folder.path().join(CHECKPOINTS_FILE), &copies).unwrap();
        assert!(checked(folder.path()).is_sound(), "killed at {length}");
        let mut chain = Chain::open(folder.path(), &settings(3, 100)).unwrap();
        let resumed = chain.position(1).offset;
        assert!((4..=6).contains(&resumed));
        for offset in 1..=7 {
            assert_eq!(append(&mut chain, offset), offset > resumed);
        }
        chain.close().unwrap();
        let report = sound(folder.path(), 7);
        assert_eq!(report.unsigned, 0);
    }
}

#[test]
fn a_checkpoint_that_was_not_copied_is_copied() {
    for (records, segment_records) in [(3, 100), (3, 3)] {
        let folder = tempfile::tempdir().unwrap();
        let mut chain = Chain::open(folder.path(), &settings(3, segment_records)).unwrap();
        for offset in 1..=records {
            append(&mut chain, offset);
        }
        chain.flush().unwrap();
        let before = chain.length;
        chain.checkpoint(segment_records == 3).unwrap();
        drop(chain);
        let path = segment(folder.path(), 1);
        let log = fs::read(&path).unwrap();
        for length in before as usize..=log.len() {
            fs::write(&path, &log[..length]).unwrap();
            assert!(sound(folder.path(), 3).unsigned == 0, "cut at {length}");
            drop(Chain::open(folder.path(), &settings(3, segment_records)).unwrap());
            assert_eq!(fs::read(&path).unwrap(), log);
        }
        let mut chain = Chain::open(folder.path(), &settings(3, segment_records)).unwrap();
        assert!(append(&mut chain, 4));
        chain.close().unwrap();
        sound(folder.path(), 4);
    }
}

#[test]
fn a_checkpoint_that_was_half_written_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    log_of(folder.path(), 3, 100, 100);
    let (path, copies) = (segment(folder.path(), 1), folder.path().join(CHECKPOINTS_FILE));
    let (log, copy) = (fs::read(&path).unwrap(), fs::read(&copies).unwrap());
    fs::write(&path, &log[..log.len() - copy.len()]).unwrap();
    for length in [0, 1, 200, copy.len() - 1] {
        fs::write(&copies, &copy[..length]).unwrap();
        assert_eq!(sound(folder.path(), 3).unsigned, 3);
        let chain = Chain::open(folder.path(), &settings(100, 100)).unwrap();
        chain.close().unwrap();
        assert_eq!(sound(folder.path(), 3).unsigned, 0);
        fs::write(&path, &log[..log.len() - copy.len()]).unwrap();
    }
}

#[test]
fn a_segment_that_was_just_begun_is_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    log_of(folder.path(), 5, 100, 3);
    let path = segment(folder.path(), 2);
    let log = fs::read(&path).unwrap();
    let header = log.iter().position(|byte| *byte == b'\n').unwrap();
    let copies = folder.path().join(CHECKPOINTS_FILE);
    let all = fs::read_to_string(&copies).unwrap();
    let (seal, _) = all.split_once('\n').unwrap();
    for length in [0, 1, header] {
        fs::write(&copies, format!("{seal}\n")).unwrap();
        fs::write(&path, &log[..length]).unwrap();
        sound(folder.path(), 3);
        let mut chain = Chain::open(folder.path(), &settings(100, 3)).unwrap();
        assert_eq!(chain.position(1), at(3));
        assert!(append(&mut chain, 4));
        chain.close().unwrap();
        sound(folder.path(), 4);
    }
    // The first one of a chain.
    let folder = tempfile::tempdir().unwrap();
    drop(Chain::open(folder.path(), &settings(100, 3)).unwrap());
    sound(folder.path(), 0);
    fs::write(segment(folder.path(), 1), "{\"log\":\"tide").unwrap();
    sound(folder.path(), 0);
    log_of(folder.path(), 2, 100, 3);
    sound(folder.path(), 2);
}

#[test]
fn a_log_with_a_changed_end_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    log_of(folder.path(), 6, 3, 100);
    let path = segment(folder.path(), 1);
    let log = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = log.split_inclusive('\n').collect();
    let shorter = lines[..lines.len() - 2].concat();
    let changed = log.replace("req-5", "req-9");
    let swapped = [&lines[..5], &[lines[6], lines[5]], &lines[7..]].concat().concat();
    let torn = &log[..log.len() - 900];
    for (text, expected) in [
        (shorter.as_str(), "the last checkpoint (number 2) says 6 records, there are 5: the end is missing"),
        (changed.as_str(), "line 7 was changed: its hash does not fit"),
        (swapped.as_str(), "does not follow the line before it"),
        (torn, "the end is missing"),
    ] {
        fs::write(&path, text).unwrap();
        let error = Chain::open(folder.path(), &settings(3, 100)).unwrap_err();
        assert!(error.is_tampered(), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    fs::write(&path, &log).unwrap();
    let copies = folder.path().join(CHECKPOINTS_FILE);
    let all = fs::read_to_string(&copies).unwrap();
    fs::write(&copies, all.split_inclusive('\n').next().unwrap()).unwrap();
    let error = Chain::open(folder.path(), &settings(3, 100)).unwrap_err();
    assert!(error.to_string().contains("checkpoints.jsonl ends with number 1, the segment with 2"), "{error}");
}

#[test]
fn another_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    log_of(folder.path(), 2, 1, 100);
    let error = Chain::open(folder.path(), &Settings { key: Some([8; 32]), ..settings(1, 100) }).unwrap_err();
    assert!(error.is_key() && error.to_string().contains("`audit.key` is another's"), "{error}");
    let public = fs::read_to_string(folder.path().join("public-key")).unwrap();
    assert_eq!(public.trim(), ::hex::encode(crate::audit::key::public_key(&[7; 32])), "it is left as it was");
}

#[test]
fn time_brings_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let mut chain = Chain::open(folder.path(), &settings(100, 100)).unwrap();
    append(&mut chain, 1);
    chain.commit().unwrap();
    let since = chain.state.unsigned_since.unwrap();
    chain.tick(since + 4_900_000).unwrap();
    assert_eq!(chain.state.number, 0);
    chain.tick(since + 5_000_000).unwrap();
    assert_eq!((chain.state.number, chain.state.unsigned), (1, 0));
    chain.tick(since + 60_000_000).unwrap();
    assert_eq!(chain.state.number, 1, "nothing new, nothing to sign");
    sound(folder.path(), 1);
}

#[test]
fn old_records_go_and_the_gap_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Settings { keep: Some(Duration::from_secs(3600)), ..settings(2, 5) };
    log_of(folder.path(), 12, 2, 5);
    let before = fs::read_to_string(segment(folder.path(), 1)).unwrap();
    let mut chain = Chain::open(folder.path(), &kept).unwrap();
    let now = text::now();
    chain.tick(now).unwrap();
    sound(folder.path(), 12);
    chain.tick(now + 3_700_000_000).unwrap();
    let report = sound(folder.path(), 2);
    assert_eq!((report.deleted, report.segments), (10, 3));
    let after = fs::read_to_string(segment(folder.path(), 1)).unwrap();
    assert_eq!(after.lines().count(), 3);
    assert!(!after.contains("req-"));
    chain.close().unwrap();
    let mut chain = Chain::open(folder.path(), &kept).unwrap();
    chain.tick(now + 9_000_000_000).unwrap();
    chain.close().unwrap();
    sound(folder.path(), 2);
    // Without the signed notice it is a fault.
    let forged: Vec<&str> = before.split_inclusive('\n').collect();
    fs::write(segment(folder.path(), 1), [forged[0], forged[forged.len() - 1]].concat()).unwrap();
    assert!(checked(folder.path()).faults.iter().any(|fault| fault.kind == Kind::Removed));
    let changed = after.replace("\"removed\":5", "\"removed\":4");
    fs::write(segment(folder.path(), 1), changed).unwrap();
    assert!(!checked(folder.path()).is_sound());
}

#[test]
fn a_failed_write_is_made_up_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut chain = Chain::open(folder.path(), &settings(2, 3)).unwrap();
    append(&mut chain, 1);
    // A file that is only open for reading stands for a disk that takes nothing.
    let broken = || File::open(folder.path().join("public-key")).unwrap();
    let good = std::mem::replace(&mut chain.segment_file, broken());
    assert!(chain.commit().is_err());
    chain.segment_file = good;
    append(&mut chain, 2);
    let good = std::mem::replace(&mut chain.checkpoints_file, broken());
    assert!(chain.commit().is_err());
    append(&mut chain, 3);
    assert!(chain.append(at(4), &Entry::default()).is_err(), "the segment cannot be sealed");
    assert_eq!(chain.seq(), 3);
    chain.checkpoints_file = good;
    assert!(append(&mut chain, 4));
    chain.commit().unwrap();
    chain.close().unwrap();
    sound(folder.path(), 4);
}

#[test]
fn no_key_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("{:?} {:?}", settings(1, 1), Chain::open(folder.path(), &settings(1, 1)).unwrap());
    assert!(!text.contains("7, 7") && !text.contains("0707") && text.contains("***"), "{text}");
}
