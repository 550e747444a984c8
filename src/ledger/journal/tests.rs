//! The journal as a whole: what is durable when, what is refused, what a killed process leaves.
//!
//! What a reader could get wrong: most tests take the steps of the journal's thread by hand (`Rig`), so that the process can be
//! "killed" between any two; only what is about waiting and waking runs the thread itself.

mod killed;
mod random;
mod running;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::*;

/// A journal whose thread does not run by itself.
pub(super) struct Rig<P: Send + 'static = ()> {
    pub journal: Journal<P>,
    pub scribe: Scribe<P>,
}

impl<P: Send + 'static> Rig<P> {
    pub fn new(settings: Settings) -> Rig<P> {
        let (shared, scribe) = assemble(settings).unwrap();
        Rig { journal: Journal { shared, thread: thread::current(), handle: Mutex::new(None) }, scribe }
    }

    pub fn step(&mut self) {
        self.scribe.collect();
        self.scribe.append().unwrap();
        self.scribe.close_slots().unwrap();
        self.scribe.settle();
    }

    pub fn entry(&self, number: u64) -> Entry<'static> {
        Entry { boot: self.journal.boot(), number, tenant: "acme", outcome: "ok", ..Entry::default() }
    }

    pub fn interrupted(&self, number: u64) -> Entry<'static> {
        Entry { outcome: "interrupted", ..self.entry(number) }
    }

    pub fn finish(&self, number: u64) {
        self.journal.finish(0, None, &self.entry(number), None);
    }

    pub fn folder(&self) -> &Path {
        &self.journal.shared.folder
    }
}

/// Number and outcome of everything that is read on from where the reader is.
pub(super) fn read(reader: &mut Reader, up_to: Option<Position>) -> Vec<(u64, String)> {
    let (mut found, mut batch) = (vec![], Batch::default());
    while reader.next_batch(up_to, 3, &mut batch).unwrap() > 0 {
        for item in batch.iter() {
            let (position, entry) = item.unwrap();
            assert!(position <= reader.position() && position.boot == entry.boot);
            found.push((entry.number, entry.outcome.to_owned()));
        }
        assert!(batch.last().unwrap() <= reader.position());
    }
    found
}

pub(super) fn numbers(found: &[(u64, String)]) -> Vec<u64> {
    found.iter().map(|(number, _)| *number).collect()
}

/// As `kill -9`. A process that another test is just starting holds a copy of the lock between fork and exec: until then nobody is dead.
pub(super) fn died<T>(dir: &Path, killed: T) {
    drop(killed);
    while orphans(dir).unwrap().is_empty() {
        thread::yield_now();
    }
}

/// What all dead processes have left, and what recovery said of the last.
fn left(dir: &Path) -> (Vec<(u64, String)>, Recovered) {
    let (mut found, mut recovered) = (vec![], Recovered::default());
    for orphan in orphans(dir).unwrap() {
        recovered = orphan.recover().unwrap();
        found.extend(read(&mut Reader::new(dir, orphan.boot(), Position::default()), None));
    }
    (found, recovered)
}

fn tail(dir: &Path, after: Position) -> Vec<(u64, String)> {
    let mut found = vec![];
    let tail = pending_tail(dir).unwrap();
    tail.read(
        |boot| if boot == after.boot { after } else { Position::default() },
        |entry| {
            found.push((entry.number, entry.outcome.to_owned()));
        },
    )
    .unwrap();
    found
}

fn small(dir: &Path) -> Settings {
    Settings { segment_bytes: 120, slots: 4, ..Settings::new(dir, 2) }
}

#[test]
fn entries_are_read_in_order_over_many_segments() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::<()>::new(small(dir.path()));
    let mut reader = Reader::new(dir.path(), rig.journal.boot(), Position::default());
    assert_eq!(read(&mut reader, Some(rig.journal.durable())), []);
    for number in 1..=20 {
        rig.finish(number);
        assert_eq!(read(&mut reader, Some(rig.journal.durable())), [], "not durable yet");
        rig.step();
        assert_eq!(numbers(&read(&mut reader, Some(rig.journal.durable()))), [number]);
    }
    assert_eq!(reader.position(), rig.journal.durable());
    assert!(rig.journal.durable().segment > 3);
    let mut again = Reader::new(dir.path(), rig.journal.boot(), Position::default());
    assert_eq!(numbers(&read(&mut again, Some(rig.journal.durable()))), (1..=20).collect::<Vec<_>>());
    assert_eq!(rig.journal.pending_bytes(), 0);
}

#[test]
fn released_segments_are_deleted_but_for_those_still_needed() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::<()>::new(small(dir.path()));
    for number in 1..=10 {
        rig.finish(number);
        rig.step();
    }
    let all = segment::list(rig.folder()).unwrap();
    assert!(rig.journal.backlog_bytes() > 400);
    let mut reader = Reader::new(dir.path(), rig.journal.boot(), Position::default());
    let mut batch = Batch::default();
    reader.next_batch(Some(rig.journal.durable()), 1, &mut batch).unwrap();
    reader.next_batch(Some(rig.journal.durable()), 1, &mut batch).unwrap();
    reader.next_batch(Some(rig.journal.durable()), 1, &mut batch).unwrap();
    let position = reader.position();
    assert!(position.segment > 1);
    rig.journal.release(position);
    rig.journal.release(Position { boot: rig.journal.boot(), segment: 1, offset: HEADER });
    assert_eq!(segment::list(rig.folder()).unwrap(), all[position.segment as usize - 1..]);
    let mut reader = Reader::new(dir.path(), rig.journal.boot(), position);
    assert_eq!(numbers(&read(&mut reader, Some(rig.journal.durable()))), (4..=10).collect::<Vec<_>>());
    rig.journal.release(Position { segment: u32::MAX, ..rig.journal.durable() });
    assert_eq!(rig.journal.backlog_bytes(), 0);
    assert_eq!(segment::list(rig.folder()).unwrap(), [*all.last().unwrap()]);
}

#[test]
fn what_is_kept_is_let_go_only_once_the_entry_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::<Arc<()>>::new(small(dir.path()));
    let reservation = Arc::new(());
    let slot = rig.journal.begin(1, &rig.interrupted(5)).unwrap();
    rig.journal.finish(1, Some(slot), &rig.entry(5), Some(reservation.clone()));
    rig.scribe.collect();
    rig.scribe.append().unwrap();
    rig.scribe.close_slots().unwrap();
    assert_eq!(Arc::strong_count(&reservation), 2);
    rig.scribe.settle();
    assert_eq!(Arc::strong_count(&reservation), 1);
}

#[test]
fn a_killed_process_leaves_each_request_once() {
    let dir = tempfile::tempdir().unwrap();
    // Killed behind each step of a batch.
    for steps in 0..=4 {
        let mut rig = Rig::<()>::new(small(dir.path()));
        let slots = [1, 2, 3].map(|number| rig.journal.begin(0, &rig.interrupted(number)).unwrap());
        let [first, second, third] = slots;
        rig.journal.finish(0, Some(first), &rig.entry(1), None);
        rig.step();
        rig.journal.amend(&second, &Entry { outcome: "amended", ..rig.entry(2) });
        rig.journal.finish(0, Some(third), &rig.entry(3), None);
        (steps >= 1).then(|| rig.scribe.collect());
        (steps >= 2).then(|| rig.scribe.append().unwrap());
        (steps >= 3).then(|| rig.scribe.close_slots().unwrap());
        (steps >= 4).then(|| rig.scribe.settle());
        assert!(orphans(dir.path()).unwrap().is_empty(), "it lives");
        let living: Vec<u64> = numbers(&tail(dir.path(), Position::default()));
        assert_eq!(living, if steps < 2 { vec![1] } else { vec![1, 3] });
        died(dir.path(), rig);
        let third = if steps < 2 { "interrupted" } else { "ok" };
        let mut seen = tail(dir.path(), Position::default());
        seen.sort();
        assert_eq!(seen, [(1, "ok".into()), (2, "amended".into()), (3, third.to_owned())], "{steps} steps");
        let (mut found, recovered) = left(dir.path());
        found.sort();
        assert_eq!(found, seen);
        assert_eq!(recovered.interrupted, if steps < 2 { 2 } else { 1 });
        assert_eq!((recovered.torn, recovered.damaged), (0, vec![]));
        assert_eq!(left(dir.path()).1.interrupted, 0, "doing it again adds nothing");
        let mut seen = tail(dir.path(), Position::default());
        seen.sort();
        assert_eq!(seen, found, "nor does looking at it afterwards");
        assert_eq!(tail(dir.path(), recovered.end), [], "everything is in the books");
        orphans(dir.path()).unwrap().remove(0).discard().unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_closed_slot_stays_closed_when_its_segment_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::<()>::new(small(dir.path()));
    for number in 1..=20 {
        let slot = rig.journal.begin(0, &rig.interrupted(number)).unwrap();
        rig.journal.finish(0, Some(slot), &rig.entry(number), None);
        rig.step();
    }
    let open = rig.journal.begin(0, &rig.interrupted(21)).unwrap();
    rig.journal.release(rig.journal.durable());
    let books = rig.journal.durable();
    died(dir.path(), (open, rig));
    assert_eq!(tail(dir.path(), books), [(21, "interrupted".into())]);
    let orphan = orphans(dir.path()).unwrap().remove(0);
    assert_eq!(orphan.recover().unwrap().interrupted, 1);
    let found = read(&mut Reader::new(dir.path(), orphan.boot(), books), None);
    assert_eq!(found, [(21, "interrupted".into())]);
}

#[test]
fn half_an_entry_at_the_end_is_covered_and_positions_stay_true() {
    let dir = tempfile::tempdir().unwrap();
    let mut whole = vec![];
    frame::put(b"an entry that was being written", &mut whole);
    for torn in [&whole[..3], &whole[..8], &whole[..whole.len() - 1], &[0; 4096]] {
        let mut rig = Rig::<()>::new(Settings::new(dir.path(), 1));
        let open = rig.journal.begin(0, &rig.interrupted(9)).unwrap();
        rig.finish(1);
        rig.step();
        let (books, boot) = (rig.journal.durable(), rig.journal.boot());
        let path = segment::path(rig.folder(), 1);
        died(dir.path(), (open, rig));
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend_from_slice(torn);
        fs::write(&path, &bytes).unwrap();
        assert_eq!(numbers(&tail(dir.path(), Position::default())), [1, 9]);
        let orphan = orphans(dir.path()).unwrap().remove(0);
        let recovered = orphan.recover().unwrap();
        assert_eq!((recovered.interrupted, recovered.torn, recovered.damaged), (1, torn.len() as u64, vec![]));
        assert_eq!(numbers(&read(&mut Reader::new(dir.path(), boot, books), None)), [9]);
        assert_eq!(numbers(&read(&mut Reader::new(dir.path(), boot, Position::default()), None)), [1, 9]);
        assert_eq!(numbers(&tail(dir.path(), books)), [9]);
        assert_eq!(orphan.recover().unwrap().torn, 0);
        orphan.discard().unwrap();
    }
}

#[test]
fn damage_in_the_middle_is_named_and_costs_only_what_it_hit() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::<()>::new(Settings::new(dir.path(), 1));
    let mut ends = vec![];
    for number in 1..=3 {
        rig.finish(number);
        rig.step();
        ends.push(rig.journal.durable().offset);
    }
    let path = segment::path(rig.folder(), 1);
    let mut bytes = fs::read(&path).unwrap();
    bytes[ends[0] as usize + 12] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (boot, durable) = (rig.journal.boot(), rig.journal.durable());
    let mut reader = Reader::new(dir.path(), boot, Position::default());
    let mut batch = Batch::default();
    assert_eq!(reader.next_batch(Some(durable), 100, &mut batch).unwrap(), 1, "what is intact comes first");
    let error = reader.next_batch(Some(durable), 100, &mut batch).unwrap_err().to_string();
    let error = error.replace(&path.display().to_string(), "FILE").replace(&ends[0].to_string(), "N");
    insta::assert_snapshot!(error, @"FILE is damaged at byte N: the checksum does not match; a restart recovers what is intact behind it");
    died(dir.path(), rig);
    let (found, recovered) = left(dir.path());
    assert_eq!(numbers(&found), [1, 3]);
    assert_eq!(recovered.damaged, [(path, ends[0], ends[1] - ends[0])]);
    assert_eq!(recovered.torn, 0);
}

#[test]
fn a_segment_that_was_just_begun_is_no_obstacle() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::<()>::new(Settings::new(dir.path(), 1));
    let open = rig.journal.begin(0, &rig.interrupted(2)).unwrap();
    rig.finish(1);
    rig.step();
    fs::write(segment::path(rig.folder(), 2), "tg").unwrap();
    died(dir.path(), (open, rig));
    assert_eq!(numbers(&tail(dir.path(), Position::default())), [1, 2]);
    let (found, recovered) = left(dir.path());
    assert_eq!((numbers(&found), recovered.end.segment), (vec![1, 2], 2));
}

#[test]
fn requests_are_refused_at_each_bound_and_let_in_again() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { max_pending: 400, max_backlog: 600, slots: 1, ..Settings::new(dir.path(), 2) };
    let mut rig = Rig::<()>::new(settings);
    let slot = rig.journal.begin(0, &rig.interrupted(1)).unwrap();
    assert_eq!(rig.journal.begin(0, &rig.interrupted(2)).unwrap_err(), Full::Slots);
    rig.journal.finish(0, Some(slot), &rig.entry(1), None);
    rig.step();
    assert!(rig.journal.begin(0, &rig.interrupted(3)).is_ok());
    let mut number = 10;
    while rig.journal.has_room().is_ok() {
        rig.finish(number);
        number += 1;
    }
    assert_eq!(rig.journal.has_room(), Err(Full::Memory));
    assert!((400..=500).contains(&rig.journal.pending_bytes()));
    rig.step();
    assert_eq!(rig.journal.pending_bytes(), 0);
    assert_eq!(rig.journal.has_room(), Ok(()));
    while rig.journal.has_room().is_ok() {
        rig.finish(number);
        rig.step();
        number += 1;
    }
    assert_eq!(rig.journal.has_room(), Err(Full::Backlog));
    rig.journal.release(rig.journal.durable());
    assert_eq!(rig.journal.has_room(), Ok(()));
    rig.journal.close();
    assert_eq!(rig.journal.has_room(), Err(Full::Closed));
}

#[test]
fn a_failing_disk_refuses_requests_and_loses_none() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::<Arc<()>>::new(small(dir.path()));
    let (folder, away) = (rig.folder().to_owned(), dir.path().join("away"));
    let reservation = Arc::new(());
    for number in 1..=4 {
        rig.journal.finish(0, None, &rig.entry(number), Some(reservation.clone()));
    }
    rig.step();
    fs::rename(&folder, &away).unwrap();
    rig.journal.finish(0, None, &rig.entry(5), Some(reservation.clone()));
    rig.scribe.collect();
    rig.scribe.attempt(Scribe::append).unwrap_err();
    rig.scribe.attempt(Scribe::append).unwrap_err();
    assert_eq!(rig.journal.has_room(), Err(Full::Disk));
    assert_eq!(rig.journal.write_failures(), 2);
    assert_eq!(Arc::strong_count(&reservation), 2);
    fs::rename(&away, &folder).unwrap();
    rig.scribe.attempt(Scribe::append).unwrap();
    rig.scribe.close_slots().unwrap();
    rig.scribe.settle();
    assert_eq!(rig.journal.has_room(), Ok(()));
    assert_eq!(Arc::strong_count(&reservation), 1);
    let mut reader = Reader::new(dir.path(), rig.journal.boot(), Position::default());
    assert_eq!(numbers(&read(&mut reader, Some(rig.journal.durable()))), [1, 2, 3, 4, 5]);
}

#[test]
fn numbers_of_workers_never_meet() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::<()>::new(Settings::new(dir.path(), 3));
    let numbers = [0, 0, 1, 2].map(|worker| rig.journal.next_number(worker));
    assert_eq!(numbers, [1, 2, (1 << 48) + 1, (2 << 48) + 1]);
}

#[test]
fn refusals_name_what_to_look_at() {
    let all = [Full::Memory, Full::Backlog, Full::Disk, Full::Slots, Full::Closed];
    insta::assert_snapshot!(all.map(|full| full.to_string()).join("\n"), @r"
    the journal holds as much in memory as it may: the disk of data_dir is too slow
    the journal holds as much on disk as it may: the ledger's database is away or too slow
    the journal cannot be written: look for a full or failed disk of data_dir
    too many requests are under way for the journal
    the journal is closed
    ");
}
