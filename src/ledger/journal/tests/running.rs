//! The thread itself: wakes up for work, wakes who waits for it, and ends.
//!
//! What a reader could get wrong: nothing here waits for time to pass; a test that hangs has found a wake-up that was lost.

use std::sync::mpsc;

use super::*;

#[test]
fn the_thread_makes_durable_wakes_who_waits_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Arc::new(Journal::<Arc<()>>::open(small(dir.path())).unwrap());
    let begin = journal.durable();
    let waiting = journal.clone();
    let waiter = thread::spawn(move || waiting.wait_beyond(begin, Duration::from_secs(60)));
    let reservation = Arc::new(());
    let entry = Entry { boot: journal.boot(), number: journal.next_number(1), ..Entry::default() };
    journal.finish(1, None, &entry, Some(reservation.clone()));
    assert!(waiter.join().unwrap() > begin);
    assert!(journal.flush());
    assert_eq!(Arc::strong_count(&reservation), 1);
    assert_eq!(journal.wait_beyond(journal.durable(), Duration::ZERO), journal.durable());
    let writers: Vec<_> = (0..2)
        .map(|worker| {
            let journal = journal.clone();
            thread::spawn(move || {
                for _ in 0..500 {
                    let entry = Entry { boot: journal.boot(), number: journal.next_number(worker), ..Entry::default() };
                    let slot = (entry.number.is_multiple_of(3)).then(|| journal.begin(worker, &entry).ok()).flatten();
                    journal.finish(worker, slot, &entry, None);
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    journal.finish(0, None, &Entry { boot: journal.boot(), number: 7 << 50, ..Entry::default() }, None);
    assert!(journal.close());
    assert!(!journal.flush(), "nobody is there to write");
    let mut reader = Reader::new(dir.path(), journal.boot(), Position::default());
    let mut found = numbers(&read(&mut reader, Some(journal.durable())));
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), 1002);
    assert_eq!(journal.wait_beyond(journal.durable(), Duration::from_secs(60)), journal.durable());
}

/// Tells who waits when it is let go.
struct Told(mpsc::Sender<()>);

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[test]
fn an_idle_thread_is_woken_by_each_single_entry() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::<Told>::open(Settings::new(dir.path(), 2)).unwrap();
    let (let_go, told) = mpsc::channel();
    for round in 0..40 {
        let entry = Entry { boot: journal.boot(), number: journal.next_number(round), ..Entry::default() };
        journal.finish(round, None, &entry, Some(Told(let_go.clone())));
        told.recv_timeout(Duration::from_secs(60)).expect("the entry becomes durable without anything else happening");
    }
}

#[test]
fn many_large_entries_are_all_there() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::<()>::open(Settings::new(dir.path(), 1)).unwrap();
    let tags = "t".repeat(1000);
    for number in 1..=4000 {
        journal.finish(0, None, &Entry { boot: journal.boot(), number, tags: &tags, ..Entry::default() }, None);
    }
    assert!(journal.flush());
    assert_eq!(journal.pending_bytes(), 0);
    assert!(journal.backlog_bytes() > 4_000_000);
    let (mut reader, mut batch) = (Reader::new(dir.path(), journal.boot(), Position::default()), Batch::default());
    let mut found = 0;
    while reader.next_batch(Some(journal.durable()), usize::MAX, &mut batch).unwrap() > 0 {
        found += batch.len();
    }
    assert_eq!(found, 4000);
}
