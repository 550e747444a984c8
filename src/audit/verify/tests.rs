//! What is done to a log, and what is said about it.

use std::fs;
use std::path::Path;

use super::*;
use crate::audit::chain::tests::{checked, log_of};
use crate::audit::files::segment as path_of;
use crate::audit::key::public_key;
use crate::audit::line::LineHasher;

/// A log's files.
struct Log {
    segments: Vec<Vec<u8>>,
    checkpoints: Vec<u8>,
}

impl Log {
    fn new(records: u64, checkpoint_every: u32, segment_records: u32) -> Log {
        let folder = tempfile::tempdir().unwrap();
        log_of(folder.path(), records, checkpoint_every, segment_records);
        Log::read(folder.path())
    }

    fn read(folder: &Path) -> Log {
        let numbers = files::segments(folder).unwrap();
        let segments = numbers.iter().map(|number| fs::read(path_of(folder, *number)).unwrap()).collect();
        Log { segments, checkpoints: fs::read(folder.join(CHECKPOINTS_FILE)).unwrap() }
    }

    fn report(&self) -> Report {
        let trust = Trust { public_key: PublicKey::new(&public_key(&[7; 32])), kept: vec![] };
        let segments: Vec<&[u8]> = self.segments.iter().map(Vec::as_slice).collect();
        verify_bytes(&segments, &self.checkpoints, &trust)
    }

    /// The faults after the first segment's lines were changed.
    fn with(&self, change: impl Fn(&mut Vec<String>)) -> Vec<String> {
        let text = String::from_utf8(self.segments[0].clone()).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        change(&mut lines);
        let mut segments = self.segments.clone();
        segments[0] = (lines.join("\n") + "\n").into_bytes();
        told(&Log { segments, checkpoints: self.checkpoints.clone() }.report())
    }
}

fn told(report: &Report) -> Vec<String> {
    report.faults.iter().map(|fault| format!("{:?} {fault}", fault.kind)).collect()
}

/// The line with its hash made anew, as somebody without the key can; linked to `prev` if it is given.
fn rehashed(line: &str, prev: Option<&str>) -> String {
    let (before, _) = line.split_once(",\"prev\":\"").unwrap();
    let old = line::split(line.as_bytes()).unwrap().prev;
    let prev = prev.map_or(old, |prev| line::split(prev.as_bytes()).unwrap().hash);
    let mut out = before.as_bytes().to_vec();
    LineHasher::new().end(&mut out, 0, &prev, None);
    String::from_utf8(out).unwrap().trim_end().to_owned()
}

use crate::audit::line;

/// The log of the tests by hand: header, records 1 to 4 (lines 2 to 5), checkpoint 1, records 5 to 8 (7 to 10), checkpoint 2, 9, 3.
fn small() -> Log {
    Log::new(9, 4, 100)
}

#[test]
fn a_log_that_nobody_touched_is_sound() {
    for (records, every, segment) in [(0, 1, 1), (1, 1, 1), (9, 4, 100), (12, 1, 3), (12, 5, 4)] {
        let report = Log::new(records, every, segment).report();
        assert_eq!(told(&report), Vec::<String>::new());
        assert_eq!((report.records, report.unsigned), (records, 0));
    }
}

/// Each byte is flipped in two places: in one that changes from byte to byte, and where upper and lower case differ. The fuzz target
/// tries all.
fn bits(at: usize) -> [usize; 2] {
    [at % 8, 5]
}

#[test]
fn a_flipped_bit_in_any_byte_is_found() {
    let log = Log::new(5, 2, 3);
    let trust = Trust { public_key: PublicKey::new(&public_key(&[7; 32])), kept: vec![] };
    let mut segments = log.segments.clone();
    for number in 0..segments.len() {
        for at in 0..segments[number].len() {
            for bit in bits(at) {
                segments[number][at] ^= 1 << bit;
                let given: Vec<&[u8]> = segments.iter().map(Vec::as_slice).collect();
                let report = verify_bytes(&given, &log.checkpoints, &trust);
                assert!(!report.is_sound(), "segment {number}, byte {at}, bit {bit}");
                segments[number][at] ^= 1 << bit;
            }
        }
    }
    let mut checkpoints = log.checkpoints.clone();
    let given: Vec<&[u8]> = segments.iter().map(Vec::as_slice).collect();
    for at in 0..checkpoints.len() {
        for bit in bits(at) {
            checkpoints[at] ^= 1 << bit;
            assert!(!verify_bytes(&given, &checkpoints, &trust).is_sound(), "checkpoints, byte {at}, bit {bit}");
            checkpoints[at] ^= 1 << bit;
        }
    }
}

/// Found by the fuzzer: a last line without its newline is no licence to change the rest of it.
#[test]
fn a_torn_checkpoint_must_be_the_beginning_of_its_copy() {
    let mut log = small();
    let cut = log.segments[0].pop();
    assert_eq!(cut, Some(b'\n'));
    assert!(log.report().is_sound() && log.report().torn);
    *log.segments[0].last_mut().unwrap() = b']';
    assert_eq!(log.report().faults[0].kind, Kind::Changed);
    let mut sealed = Log::new(4, 10, 3);
    sealed.segments.truncate(1);
    let seal = sealed.checkpoints.iter().position(|byte| *byte == b'\n').unwrap();
    sealed.checkpoints.truncate(seal + 1);
    assert_eq!(told(&sealed.report()), Vec::<String>::new());
    sealed.segments[0].extend_from_slice(b"{\"seq\":4");
    assert_eq!(sealed.report().faults[0].kind, Kind::Changed);
}

/// The place that is named for a flipped bit is the line that it is in (or, for a newline, the one that it ended).
#[test]
fn the_flipped_bits_line_is_named() {
    let log = small();
    let mut line = 1;
    for (at, byte) in log.segments[0].iter().enumerate() {
        let mut segments = log.segments.clone();
        segments[0][at] ^= 1;
        let report = Log { segments, checkpoints: log.checkpoints.clone() }.report();
        let named = report.faults.iter().any(|fault| fault.file == "segment-00000001.jsonl" && fault.line == line);
        assert!(named, "byte {at} in line {line}: {:?}", told(&report));
        line += u64::from(*byte == b'\n');
    }
}

#[test]
fn a_changed_record_is_named() {
    let log = small();
    assert_eq!(
        log.with(|lines| lines[3] = lines[3].replace("acme", "acne")),
        ["Changed segment-00000001.jsonl:4: record 3 (request req-3) was changed: its hash does not fit"]
    );
    assert_eq!(
        log.with(|lines| lines[3] = rehashed(&lines[3].replace("acme", "acne"), None)),
        [
            "Exchanged segment-00000001.jsonl:5: record 4 (request req-4) does not follow the line before it: one of the two was exchanged"
        ]
    );
    assert_eq!(
        log.with(|lines| {
            lines[8] = rehashed(&lines[8].replace("acme", "acne"), None);
            lines[9] = rehashed(&lines[9].clone(), Some(&lines[8].clone()));
        }),
        [
            "Rewritten segment-00000001.jsonl:11: checkpoint 2 was made over other records: one or more of 5 to 8 were exchanged and hashes made anew"
        ]
    );
}

#[test]
fn removed_records_are_named() {
    let log = small();
    for (range, told) in [
        (3..4, "Removed segment-00000001.jsonl:4: record 3 is missing before this line: it was removed"),
        (7..9, "Removed segment-00000001.jsonl:8: records 6 to 7 are missing before this line: they were removed"),
        (4..5, "Removed segment-00000001.jsonl:5: record 4 is missing before this line: it was removed"),
    ] {
        assert_eq!(log.with(|lines| drop(lines.drain(range.clone()))), [told]);
    }
}

#[test]
fn swapped_records_are_named() {
    assert_eq!(
        small().with(|lines| lines.swap(2, 3)),
        [
            "Reordered segment-00000001.jsonl:4: record 2 (request req-2) stands here, its place is before segment-00000001.jsonl:3"
        ]
    );
}

#[test]
fn inserted_records_are_named() {
    let log = small();
    assert_eq!(
        log.with(|lines| lines.insert(3, lines[2].clone())),
        [
            "Inserted segment-00000001.jsonl:4: record 2 (request req-2) is there a second time, number 3 was to come: one was inserted"
        ]
    );
    // With a number and a link that fit, and a hash that does: the true one then is the second.
    let forged = |lines: &[String]| rehashed(&lines[3].replace("req-3", "forged"), None);
    assert_eq!(
        log.with(|lines| lines.insert(3, forged(lines))),
        [
            "Inserted segment-00000001.jsonl:5: record 3 (request req-3) is there a second time, number 4 was to come: one was inserted"
        ]
    );
    // At the end, and everything behind it numbered and hashed anew.
    assert_eq!(
        log.with(|lines| {
            let forged = lines[4].replace("\"seq\":4", "\"seq\":5").replace("req-4", "forged");
            lines.insert(5, rehashed(&forged, Some(&lines[4].clone())));
        }),
        [
            "Inserted segment-00000001.jsonl:7: checkpoint 1 was made when there were 4 records, 5 stand before it: one or more of 1 to 5 were inserted"
        ]
    );
}

#[test]
fn a_cut_tail_is_named() {
    let log = small();
    assert_eq!(
        log.with(|lines| lines.truncate(10)),
        ["Truncated checkpoints.jsonl:3: checkpoint 3 says 9 records, the log ends at 8: its end was cut off"]
    );
    assert_eq!(
        log.with(|lines| lines.truncate(9)),
        ["Truncated checkpoints.jsonl:2: checkpoint 2 says 8 records, the log ends at 7: its end was cut off"]
    );
    let mut torn = small();
    let length = torn.segments[0].len() - 700;
    torn.segments[0].truncate(length);
    assert!(torn.report().faults.iter().any(|fault| fault.kind == Kind::Truncated));
}

#[test]
fn checkpoints_that_were_changed_or_removed_are_named() {
    let log = small();
    let told_without = |number: usize| {
        let text = String::from_utf8(log.checkpoints.clone()).unwrap();
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        lines.remove(number);
        told(&Log { segments: log.segments.clone(), checkpoints: lines.concat().into_bytes() }.report())
    };
    assert_eq!(
        told_without(0),
        ["Checkpoint checkpoints.jsonl:1: checkpoint 1 is missing before this line: it was removed"]
    );
    assert_eq!(
        told_without(2),
        ["Checkpoint checkpoints.jsonl:2: checkpoint 3 is missing behind this line: it was removed"]
    );
    let text = String::from_utf8(log.checkpoints.clone()).unwrap().replacen("\"seq\":8", "\"seq\":7", 1);
    let edited = Log { segments: log.segments.clone(), checkpoints: text.into_bytes() };
    assert_eq!(
        told(&edited.report()),
        ["Checkpoint checkpoints.jsonl:2: checkpoint 2 is not the one in the segment: one was changed"]
    );
    let gone = Log { segments: log.segments.clone(), checkpoints: vec![] };
    assert_eq!(gone.report().count, 3);
    assert_eq!(
        log.with(|lines| drop(lines.remove(5))),
        [
            "Exchanged segment-00000001.jsonl:6: record 5 (request req-5) does not follow the line before it: one of the two was exchanged",
            "Checkpoint segment-00000001.jsonl:10: checkpoint 2 where 1 was to come: one or more were removed",
        ]
    );
}

#[test]
fn a_missing_segment_is_named() {
    let folder = tempfile::tempdir().unwrap();
    log_of(folder.path(), 12, 2, 3);
    fs::remove_file(path_of(folder.path(), 2)).unwrap();
    let report = checked(folder.path());
    let first = report.faults.first().unwrap();
    assert_eq!(first.to_string(), "segment-00000003.jsonl: segment 2 before this one: missing");
    fs::remove_file(path_of(folder.path(), 1)).unwrap();
    let told = told(&checked(folder.path()));
    assert_eq!(told[0], "MissingSegment segment-00000003.jsonl: segments 1 to 2 before this one: missing");
    for number in [3, 4] {
        fs::remove_file(path_of(folder.path(), number)).unwrap();
    }
    assert_eq!(checked(folder.path()).faults[0].kind, Kind::MissingSegment);
    fs::remove_file(folder.path().join(CHECKPOINTS_FILE)).unwrap();
    assert!(verify(folder.path(), &Trust::default(), &mut |_| {}).unwrap_err().is_missing());
}

#[test]
fn the_last_segments_are_missed() {
    let folder = tempfile::tempdir().unwrap();
    log_of(folder.path(), 12, 2, 3);
    fs::remove_file(path_of(folder.path(), 4)).unwrap();
    let report = checked(folder.path());
    assert_eq!(report.faults[0].kind, Kind::Truncated, "{:?}", told(&report));
}

#[test]
fn a_log_made_anew_is_another_keys() {
    let folder = tempfile::tempdir().unwrap();
    log_of(folder.path(), 3, 2, 100);
    let trust = Trust { public_key: PublicKey::new(&public_key(&[8; 32])), kept: vec![] };
    let report = verify(folder.path(), &trust, &mut |_| {}).unwrap();
    assert!(report.faults.iter().any(|fault| fault.kind == Kind::Key));
    fs::write(folder.path().join(PUBLIC_KEY_FILE), "00").unwrap();
    assert_eq!(told(&checked(folder.path())), ["Key public-key: it does not hold the public key of the log"]);
}

#[test]
fn a_log_cut_back_to_a_checkpoint_is_found_with_a_kept_one() {
    let folder = tempfile::tempdir().unwrap();
    log_of(folder.path(), 8, 4, 100);
    let kept = checked(folder.path()).last_checkpoint;
    let trust = Trust { public_key: None, kept: vec![kept.clone(), "a comment".into()] };
    let report = |trust: &Trust| verify(folder.path(), trust, &mut |_| {}).unwrap();
    assert!(report(&trust).is_sound());
    for (path, lines) in [(path_of(folder.path(), 1), 6), (folder.path().join(CHECKPOINTS_FILE), 1)] {
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.split_inclusive('\n').take(lines).collect::<String>()).unwrap();
    }
    assert!(report(&Trust::default()).is_sound(), "nothing in the log itself tells");
    assert_eq!(
        told(&report(&trust)),
        ["Truncated checkpoint 2, of which you have a copy, is not in the log: it was cut off or made anew"]
    );
}

#[test]
fn a_log_is_sound_at_every_moment_of_its_making() {
    use crate::audit::chain::Chain;
    use crate::audit::chain::tests::{at, settings};
    use crate::ledger::entry::Entry;
    let folder = tempfile::tempdir().unwrap();
    let mut chain = Chain::open(folder.path(), &settings(3, 7)).unwrap();
    for offset in 1..=30 {
        chain.append(at(offset), &Entry::default()).unwrap();
        assert!(checked(folder.path()).is_sound());
        chain.commit().unwrap();
        let report = checked(folder.path());
        assert!(report.is_sound(), "{:?}", told(&report));
        assert_eq!(report.records, offset);
    }
}
