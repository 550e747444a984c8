//! The queue on a disk of its own: accepted, claimed, finished, interrupted, bounded.
#![allow(clippy::future_not_send, reason = "tests run on one thread")]

mod faults;
mod files;
mod random;

use bytes::Bytes;
use tempfile::TempDir;

use super::*;

pub(super) const LIMITS: Limits =
    Limits { jobs_per_tenant: 1000, jobs: 5000, bytes_per_tenant: 1 << 30, bytes: 1 << 32 };

pub(super) fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), LIMITS).unwrap();
    (folder, store)
}

pub(super) fn job(id: &str, tenant: &str) -> NewJob {
    NewJob {
        id: JobId::named(id),
        kind: Kind::Background,
        tenant: tenant.into(),
        batch: None,
        asked: Asked { endpoint: "/v1/responses".into(), user: Some("ann".into()), ..Asked::default() },
        body: Bytes::from(format!("the question of {id}")),
        edge: None,
        created_us: 1,
        not_before_us: 1,
        expires_us: 1_000,
    }
}

pub(super) fn outcome(text: &str) -> Outcome {
    Outcome {
        state: State::Completed,
        status: 200,
        body: Bytes::copy_from_slice(text.as_bytes()),
        model: "frontier".into(),
        placement: "cloud".into(),
        prompt_tokens: 3,
        completion_tokens: 4,
        at_us: 50,
    }
}

async fn state(store: &Store, id: &str, tenant: &str) -> Option<State> {
    store.get(&JobId::named(id), tenant).await.unwrap().map(|job| job.state)
}

async fn result(store: &Store, id: &str) -> Option<Bytes> {
    store.text(&JobId::named(id), "a", Part::Result).await.unwrap()
}

#[tokio::test]
async fn a_job_is_accepted_claimed_and_done_once() {
    let (_folder, store) = store();
    store.enqueue(vec![job("one", "a")]).await.unwrap();
    let claimed = store.claim(10, 5).await.unwrap().pop().unwrap();
    assert_eq!((claimed.body.clone(), claimed.attempts), (Bytes::from("the question of one"), 1));
    assert_eq!(claimed.asked.user.as_deref(), Some("ann"));
    assert!(store.claim(10, 5).await.unwrap().is_empty(), "it has been given out");
    assert!(store.finish(&claimed.lease, outcome("first")).await.unwrap());
    assert!(!store.finish(&claimed.lease, outcome("second")).await.unwrap());
    assert!(!store.give_back(&claimed.lease, 20, Back::Failed).await.unwrap());
    let job = store.get(&JobId::named("one"), "a").await.unwrap().unwrap();
    assert_eq!((job.state, job.started_us, job.completed_us, job.status), (State::Completed, Some(10), Some(50), 200));
    assert_eq!((job.prompt_tokens, job.completion_tokens, job.model.as_str()), (3, 4, "frontier"));
    assert_eq!(result(&store, "one").await.unwrap(), "first");
}

#[tokio::test]
async fn what_is_anothers_is_not_there() {
    let (_folder, store) = store();
    store.enqueue(vec![job("one", "a")]).await.unwrap();
    let id = JobId::named("one");
    assert_eq!(store.get(&id, "b").await.unwrap(), None);
    assert_eq!(store.text(&id, "b", Part::Request).await.unwrap(), None);
    assert_eq!(store.cancel(&id, "b", 5).await.unwrap(), None);
    assert!(!store.delete(&id, "b").await.unwrap());
    let lease = store.claim(10, 1).await.unwrap().pop().unwrap().lease;
    assert!(store.append_events(&lease, 0, vec![Bytes::from("event")]).await.unwrap());
    assert!(store.events_after(&id, "b", -1, 9).await.unwrap().is_empty());
    assert_eq!(store.events_after(&id, "a", -1, 9).await.unwrap(), [(0, Bytes::from("event"))]);
    assert_eq!(state(&store, "one", "a").await, Some(State::Running));
}

#[tokio::test]
async fn a_crash_in_each_state_loses_nothing_and_does_nothing_twice() {
    let (folder, store) = store();
    let names = ["queued", "running", "done", "cancelled", "back"];
    // Given out in this order, one at a time.
    store.enqueue(vec![job("running", "a")]).await.unwrap();
    let running = store.claim(10, 1).await.unwrap().pop().unwrap();
    store.enqueue(vec![job("done", "a")]).await.unwrap();
    let done = store.claim(10, 1).await.unwrap().pop().unwrap();
    assert!(store.finish(&done.lease, outcome("answer")).await.unwrap());
    store.enqueue(vec![job("back", "a")]).await.unwrap();
    let back = store.claim(10, 1).await.unwrap().pop().unwrap();
    assert!(store.give_back(&back.lease, 700, Back::Failed).await.unwrap());
    store.enqueue(vec![job("queued", "a"), job("cancelled", "a")]).await.unwrap();
    store.cancel(&JobId::named("cancelled"), "a", 20).await.unwrap();
    // No clean end: the new process opens what the old one left.
    let store = Store::open(folder.path(), LIMITS).unwrap();
    assert_eq!(store.recover().await.unwrap(), 1);
    let mut states = vec![];
    for name in names {
        states.push(state(&store, name, "a").await.unwrap());
    }
    assert_eq!(states, [State::Queued, State::Queued, State::Completed, State::Cancelled, State::Queued]);
    assert!(!store.finish(&running.lease, outcome("too late")).await.unwrap(), "the old lease does not hold");
    let mut again: Vec<_> = store.claim(40, 9).await.unwrap();
    again.sort_by(|one, other| one.lease.job.cmp(&other.lease.job));
    let again: Vec<_> = again.iter().map(|claimed| (claimed.lease.job.as_str(), claimed.attempts)).collect();
    assert_eq!(again, [("queued", 1), ("running", 2)]);
    assert_eq!(store.claim(700, 9).await.unwrap()[0].attempts, 2, "what was put back has waited");
    assert_eq!(result(&store, "done").await.unwrap(), "answer");
}

#[tokio::test]
async fn what_waits_for_nobody_to_be_reached_counts_no_execution_and_can_be_hastened() {
    let (_folder, store) = store();
    store.enqueue(vec![job("one", "a")]).await.unwrap();
    let lease = store.claim(10, 1).await.unwrap().pop().unwrap().lease;
    store.give_back(&lease, 800, Back::Unreachable).await.unwrap();
    assert!(store.claim(20, 1).await.unwrap().is_empty());
    assert_eq!(store.next_at(20).await.unwrap(), Some(800));
    store.enqueue(vec![NewJob { not_before_us: 900, ..job("later", "a") }]).await.unwrap();
    assert_eq!(store.hasten(20, 9).await.unwrap(), 1, "what never began waits for its own time");
    let claimed = store.claim(20, 9).await.unwrap().pop().unwrap();
    assert_eq!((claimed.attempts, claimed.postponed), (1, 1));
    store.give_back(&claimed.lease, 30, Back::Stopped).await.unwrap();
    let claimed = store.claim(30, 9).await.unwrap().pop().unwrap();
    assert_eq!((claimed.attempts, claimed.postponed), (1, 1));
}

#[tokio::test]
async fn tenants_take_turns_and_whoever_polls_comes_before_batches() {
    let (_folder, store) = store();
    let batch = NewBatch { id: "batch".into(), tenant: "a".into(), created_us: 1, expires_us: 9, about: Bytes::new() };
    store.create_batch(batch).await.unwrap();
    let line = |n: u32| NewJob { kind: Kind::Batch, batch: Some("batch".into()), ..job(&format!("line-{n}"), "a") };
    store.enqueue((0..4).map(line).collect()).await.unwrap();
    assert!(store.claim(10, 9).await.unwrap().is_empty(), "held until the batch begins");
    assert_eq!((store.release("batch", 3).await.unwrap(), store.release("batch", 3).await.unwrap()), (3, 1));
    store.enqueue(vec![job("polled", "a"), job("other", "b")]).await.unwrap();
    let order: Vec<_> = store.claim(10, 3).await.unwrap().into_iter().map(|c| c.lease.job.to_string()).collect();
    assert_eq!(order, ["polled", "other", "line-0"]);
}

#[tokio::test]
async fn bounds_hold_and_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { jobs_per_tenant: 2, jobs: 3, bytes_per_tenant: 10_000, bytes: 15_000 };
    let store = Store::open(folder.path(), limits).unwrap();
    let refused = |fault: Fault| matches!(fault, Fault::Full(_)).then(|| fault.to_string()).unwrap();
    store.enqueue(vec![job("1", "a"), job("2", "a")]).await.unwrap();
    let message = refused(store.enqueue(vec![job("3", "a")]).await.unwrap_err());
    assert!(message.starts_with("more than 2 deferred requests of this tenant would be waiting; "), "{message}");
    assert!(refused(store.enqueue(vec![job("4", "b"), job("5", "b")]).await.unwrap_err()).contains("gateway can keep"));
    assert_eq!(state(&store, "4", "b").await, None, "all or none");
    let large = NewJob { body: Bytes::from(vec![b'x'; 10_000]), ..job("6", "b") };
    assert!(refused(store.enqueue(vec![large.clone()]).await.unwrap_err()).contains("10000 bytes"));
    store.delete(&JobId::named("1"), "a").await.unwrap();
    store.cancel(&JobId::named("2"), "a", 5).await.unwrap();
    store.enqueue(vec![job("7", "a"), job("8", "a")]).await.unwrap();
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.jobs[State::Queued as usize], counts.jobs[State::Cancelled as usize]), (2, 1));
    assert_eq!(counts.oldest_us, Some(1));
    store.set_limits(LIMITS);
    store.enqueue(vec![large]).await.unwrap();
}

#[tokio::test]
async fn time_runs_out_and_old_things_go() {
    let (_folder, store) = store();
    store.enqueue(vec![job("late", "a"), NewJob { expires_us: 100, ..job("soon", "a") }]).await.unwrap();
    assert_eq!(store.sweep(99, 1_000).await.unwrap(), sweep::Swept::default());
    assert_eq!(store.sweep(100, 1_000).await.unwrap().expired, [(JobId::named("soon"), Kind::Background)]);
    assert_eq!(state(&store, "soon", "a").await, Some(State::Expired));
    assert_eq!(store.claim(100, 9).await.unwrap().len(), 1);
    assert_eq!(store.sweep(1_100, 1_000).await.unwrap().removed, 0);
    assert_eq!(store.sweep(1_101, 1_000).await.unwrap().removed, 1);
    assert_eq!(state(&store, "soon", "a").await, None);
    assert_eq!(store.text(&JobId::named("soon"), "a", Part::Request).await.unwrap(), None);
}

#[tokio::test]
async fn numbers_of_events_are_never_given_twice() {
    let (_folder, store) = store();
    store.enqueue(vec![job("one", "a")]).await.unwrap();
    let first = store.claim(10, 1).await.unwrap().pop().unwrap();
    let events = |texts: &[&str]| texts.iter().map(|text| Bytes::copy_from_slice(text.as_bytes())).collect::<Vec<_>>();
    assert!(store.append_events(&first.lease, first.next_event, events(&["a", "b"])).await.unwrap());
    store.give_back(&first.lease, 20, Back::Failed).await.unwrap();
    let second = store.claim(20, 1).await.unwrap().pop().unwrap();
    assert_eq!(second.next_event, 2);
    assert!(!store.append_events(&first.lease, 2, events(&["stale"])).await.unwrap());
    assert!(store.append_events(&second.lease, 2, events(&["c"])).await.unwrap());
    let after = |n| store.events_after(&second.lease.job, "a", n, 9);
    assert_eq!(after(-1).await.unwrap(), [(2, Bytes::from("c"))]);
    assert!(after(2).await.unwrap().is_empty());
}

#[tokio::test]
async fn who_waits_hears_of_it() {
    let (_folder, store) = store();
    store.enqueue(vec![job("one", "a")]).await.unwrap();
    let lease = store.claim(10, 1).await.unwrap().pop().unwrap().lease;
    let mut changes = store.subscribe("one");
    let (finished, ()) = tokio::join!(store.finish(&lease, outcome("x")), changes.changed());
    assert!(finished.unwrap());
    assert_eq!(state(&store, "one", "a").await, Some(State::Completed));
}

#[tokio::test]
async fn nothing_can_be_read_on_the_disk_and_the_key_must_fit() {
    let (folder, store) = store();
    let asked = Asked { user: Some("ann-lee".into()), custom_id: Some("row-of-ann".into()), ..Asked::default() };
    let secret = NewJob { asked, body: Bytes::from("the patient is called Ann Lee"), ..job("one", "a") };
    store.enqueue(vec![secret]).await.unwrap();
    let lease = store.claim(10, 1).await.unwrap().pop().unwrap().lease;
    store.append_events(&lease, 0, vec![Bytes::from("she is called Ann Lee")]).await.unwrap();
    store.finish(&lease, outcome("her name is Ann Lee")).await.unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(folder.path().join(store::FOLDER)).unwrap().flatten() {
        let bytes = std::fs::read(entry.path()).unwrap();
        seen += bytes.len();
        let has = |what: &[u8]| bytes.windows(what.len()).any(|part| part == what);
        assert!(!has(b"Ann Lee") && !has(b"ann"), "{:?}", entry.path());
    }
    assert!(seen > 10_000);
    drop(store);
    std::fs::remove_file(folder.path().join("deferred/key")).unwrap();
    let message = Store::open(folder.path(), LIMITS).unwrap_err();
    assert!(message.contains("sealed under another key"), "{message}");
}

#[tokio::test]
async fn an_edge_answer_that_comes_too_late_is_not_kept() {
    let (_folder, store) = store();
    let of = |id: &str| NewJob { kind: Kind::Upgrade, ..job(id, "a") };
    store.enqueue(vec![of("open"), of("done"), of("forbidden"), of("cancelled")]).await.unwrap();
    let claimed = store.claim(10, 9).await.unwrap();
    assert!(store.finish(&claimed[1].lease, outcome("the cloud's")).await.unwrap());
    let refused = Outcome { state: State::Failed, placement: String::new(), ..outcome("refused") };
    assert!(store.finish_and_forget(&claimed[2].lease, refused).await.unwrap());
    store.cancel(&claimed[3].lease.job, "a", 20).await.unwrap();
    let mut kept = vec![];
    for claimed in &claimed {
        store.put_edge(&claimed.lease.job, "a", "what the edge said".into()).await.unwrap();
        kept.push(store.text(&claimed.lease.job, "a", Part::Edge).await.unwrap().is_some());
    }
    assert_eq!(kept, [true, true, false, false]);
    assert_eq!((store.take_cancelled(Kind::Upgrade), store.take_cancelled(Kind::Upgrade)), (1, 0));
}
