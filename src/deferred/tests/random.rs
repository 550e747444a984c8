//! Random sequences of operations, crashes among them, against a model of the queue.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{LIMITS, job, outcome};
use crate::deferred::*;

#[derive(Debug, Clone)]
enum Op {
    Enqueue,
    Claim(usize),
    Finish(usize),
    GiveBack(usize),
    Cancel(usize),
    Delete(usize),
    Append(usize),
    Crash,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => Just(Op::Enqueue),
        4 => (1usize..4).prop_map(Op::Claim),
        4 => (0usize..50).prop_map(Op::Finish),
        2 => (0usize..50).prop_map(Op::GiveBack),
        1 => (0usize..50).prop_map(Op::Cancel),
        1 => (0usize..50).prop_map(Op::Delete),
        2 => (0usize..50).prop_map(Op::Append),
        1 => Just(Op::Crash),
    ]
}

/// What is known of a job from outside.
#[derive(Debug, Default)]
struct Known {
    state: Option<State>,
    /// The one result whose storing was confirmed.
    result: Option<String>,
    /// The number of the lease that holds.
    holds: Option<usize>,
}

async fn play(ops: Vec<Op>) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path(), LIMITS).unwrap();
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    let mut leases: Vec<Claimed> = vec![];
    for (now, op) in (10..).zip(ops) {
        match op {
            Op::Enqueue => {
                let name = format!("job-{:03}", known.len());
                store.enqueue(vec![NewJob { expires_us: i64::MAX, ..job(&name, "a") }]).await.unwrap();
                known.insert(name, Known { state: Some(State::Queued), ..Known::default() });
            }
            Op::Claim(limit) => {
                let claimed = store.claim(now, limit).await.unwrap();
                let waiting = known.values().filter(|known| known.state == Some(State::Queued)).count();
                assert_eq!(claimed.len(), waiting.min(limit));
                for claimed in claimed {
                    let known = known.get_mut(claimed.lease.job.as_str()).unwrap();
                    assert_eq!(known.state, Some(State::Queued));
                    (known.state, known.holds) = (Some(State::Running), Some(leases.len()));
                    leases.push(claimed);
                }
            }
            Op::Finish(which) if !leases.is_empty() => {
                let which = which % leases.len();
                let lease = &leases[which].lease;
                let text = format!("result {which} at {now}");
                let stored = store.finish(lease, outcome(&text)).await.unwrap();
                let known = known.get_mut(lease.job.as_str()).unwrap();
                assert_eq!(stored, known.holds == Some(which), "{known:?}");
                if stored {
                    assert_eq!(known.result.replace(text), None, "a second result");
                    (known.state, known.holds) = (Some(State::Completed), None);
                }
            }
            Op::GiveBack(which) if !leases.is_empty() => {
                let which = which % leases.len();
                let given = store.give_back(&leases[which].lease, now, Back::Failed).await.unwrap();
                let known = known.get_mut(leases[which].lease.job.as_str()).unwrap();
                assert_eq!(given, known.holds == Some(which));
                if given {
                    (known.state, known.holds) = (Some(State::Queued), None);
                }
            }
            Op::Append(which) if !leases.is_empty() => {
                let which = which % leases.len();
                let claimed = &mut leases[which];
                let kept = store.append_events(&claimed.lease, claimed.next_event, vec!["event".into()]).await.unwrap();
                assert_eq!(kept, known[claimed.lease.job.as_str()].holds == Some(which));
                claimed.next_event += i64::from(kept);
            }
            Op::Cancel(which) if !known.is_empty() => {
                let name = format!("job-{:03}", which % known.len());
                let found = store.cancel(&JobId::named(&name), "a", now).await.unwrap();
                let known = known.get_mut(&name).unwrap();
                if known.state.is_some_and(|state| !state.is_final()) {
                    (known.state, known.holds) = (Some(State::Cancelled), None);
                }
                assert_eq!(found.map(|job| job.state), known.state);
            }
            Op::Delete(which) if !known.is_empty() => {
                let name = format!("job-{:03}", which % known.len());
                let deleted = store.delete(&JobId::named(&name), "a").await.unwrap();
                let known = known.get_mut(&name).unwrap();
                assert_eq!(deleted, known.state.is_some());
                // The model keeps what was stored once, so that nothing is stored a second time.
                (known.state, known.holds) = (None, None);
            }
            Op::Crash => {
                store = Store::open(folder.path(), LIMITS).unwrap();
                store.recover().await.unwrap();
                for known in known.values_mut().filter(|known| known.state == Some(State::Running)) {
                    (known.state, known.holds) = (Some(State::Queued), None);
                }
            }
            _ => {}
        }
    }
    let mut by_state = [0; State::ALL.len()];
    for (name, known) in &known {
        let id = JobId::named(name);
        assert_eq!(store.get(&id, "a").await.unwrap().map(|job| job.state), known.state, "{name}");
        let stored = store.text(&id, "a", Part::Result).await.unwrap();
        let expected = known.result.as_ref().filter(|_| known.state.is_some());
        assert_eq!(stored.as_deref(), expected.map(String::as_bytes), "{name}");
        if let Some(state) = known.state {
            by_state[state as usize] += 1;
        }
    }
    let counts = store.counts().await.unwrap();
    assert_eq!(counts.jobs, by_state, "what the triggers counted");
    for name in known.keys() {
        store.delete(&JobId::named(name), "a").await.unwrap();
    }
    assert_eq!(store.counts().await.unwrap().bytes, 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_a_job_has_one_result_at_most(ops in prop::collection::vec(op(), 1..80)) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(play(ops));
    }
}
