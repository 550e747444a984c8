//! Random histories: requests begin, change, end, are booked; the process is killed somewhere; each request is recorded once.
//!
//! What a reader could get wrong: "once" counts the books and what is left behind their position together, as a start would.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Op {
    Begin(usize),
    Amend(usize),
    Finish(usize),
    /// Ended without a slot: refused before it left for an upstream.
    Refused(usize),
    /// As many steps of a batch (4 is all); a batch once begun is ended first.
    Batch(u8),
    Book,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..3_usize).prop_map(Op::Begin),
        1 => any::<usize>().prop_map(Op::Amend),
        3 => any::<usize>().prop_map(Op::Finish),
        1 => (0..3_usize).prop_map(Op::Refused),
        3 => (1..=4_u8).prop_map(Op::Batch),
        1 => Just(Op::Book),
    ]
}

/// Takes a batch from the step it is at to another.
fn advance(rig: &mut Rig, step: &mut u8, to: u8) {
    while *step < to {
        match *step {
            0 => _ = rig.scribe.collect(),
            1 => rig.scribe.append().unwrap(),
            2 => rig.scribe.close_slots().unwrap(),
            _ => rig.scribe.settle(),
        }
        *step += 1;
    }
    *step %= 4;
}

fn settings(dir: &Path) -> Settings {
    Settings { segment_bytes: 300, slots: 5, ..Settings::new(dir, 3) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn each_request_is_recorded_once(ops in prop::collection::vec(op(), 0..80), garbage in 0..40_usize, cut in 0..200_u64) {
        let dir = tempfile::tempdir().unwrap();
        let mut rig = Rig::<()>::new(settings(dir.path()));
        let mut reader = Reader::new(dir.path(), rig.journal.boot(), Position::default());
        let (mut open, mut begun, mut booked, mut step) = (vec![], vec![], vec![], 0);
        for op in ops {
            match op {
                Op::Begin(worker) => {
                    let number = rig.journal.next_number(worker);
                    if let Ok(slot) = rig.journal.begin(worker, &rig.interrupted(number)) {
                        begun.push(number);
                        open.push((slot, number));
                    }
                }
                Op::Amend(which) if !open.is_empty() => {
                    let (slot, number) = &open[which % open.len()];
                    rig.journal.amend(slot, &rig.interrupted(*number));
                }
                Op::Finish(which) if !open.is_empty() => {
                    let (slot, number) = open.swap_remove(which % open.len());
                    rig.journal.finish(0, Some(slot), &rig.entry(number), None);
                }
                Op::Amend(_) | Op::Finish(_) => {}
                Op::Refused(worker) => {
                    let number = rig.journal.next_number(worker);
                    rig.journal.finish(worker, None, &rig.entry(number), None);
                    advance(&mut rig, &mut step, 4);
                    advance(&mut rig, &mut step, 4);
                    begun.push(number);
                }
                Op::Batch(to) => {
                    if step >= to {
                        advance(&mut rig, &mut step, 4);
                    }
                    advance(&mut rig, &mut step, to);
                }
                Op::Book => {
                    booked.extend(read(&mut reader, Some(rig.journal.durable())));
                    rig.journal.release(reader.position());
                }
            }
        }
        let boot = rig.journal.boot();
        let folder = rig.folder().to_owned();
        died(dir.path(), (rig, open));

        let last = segment::path(&folder, *segment::list(&folder).unwrap().last().unwrap());
        let mut bytes = fs::read(&last).unwrap();
        bytes.extend((0..garbage).map(|byte| byte as u8));
        fs::write(&last, &bytes).unwrap();
        let mut seen = numbers(&booked);
        seen.extend(numbers(&tail(dir.path(), reader.position())));

        let orphan = orphans(dir.path()).unwrap().remove(0);
        orphan.recover().unwrap();
        // Recovery itself is killed: the end of what it has added is not there.
        let file = fs::OpenOptions::new().write(true).open(&last).unwrap();
        let length = file.metadata().unwrap().len();
        file.set_len((length.saturating_sub(cut)).max(bytes.len() as u64 + if garbage > 0 && garbage < 8 { 8 } else { 0 }).min(length)).unwrap();
        orphan.recover().unwrap();
        prop_assert_eq!(orphan.recover().unwrap().interrupted, 0);
        booked.extend(read(&mut Reader::new(dir.path(), boot, reader.position()), None));

        begun.sort_unstable();
        let mut recorded = numbers(&booked);
        recorded.sort_unstable();
        prop_assert_eq!(&recorded, &begun);
        seen.sort_unstable();
        prop_assert_eq!(&seen, &begun, "as a command sees it from outside");
    }
}
