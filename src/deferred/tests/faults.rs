//! Clouds that are down, clocks that are wrong, disks that are full or damaged.

use bytes::Bytes;

use super::{LIMITS, job, outcome, state, store};
use crate::deferred::*;

/// One whose model is known.
fn asks(id: &str, tenant: &str, model: &str) -> NewJob {
    NewJob { body: Bytes::from(format!("{{\"model\":\"{model}\"}}")), expires_us: i64::MAX, ..job(id, tenant) }
}

fn names(claimed: &[Claimed]) -> Vec<&str> {
    claimed.iter().map(|claimed| claimed.lease.job.as_str()).collect()
}

#[tokio::test]
async fn while_nobody_can_be_reached_one_is_sent_ahead_and_the_others_wait() {
    let (_folder, store) = store();
    store.enqueue((0..9).map(|n| asks(&format!("cloud-{n}"), "a", "cloud")).collect()).await.unwrap();
    store.enqueue(vec![asks("edge-0", "a", "edge"), asks("other-0", "b", "cloud")]).await.unwrap();
    let first = store.claim(10, 2).await.unwrap();
    assert_eq!(names(&first), ["cloud-0", "other-0"]);
    assert!(store.give_back(&first[0].lease, 500, Back::Unreachable).await.unwrap());
    let rest = store.claim(20, 9).await.unwrap();
    assert_eq!(names(&rest), ["edge-0"], "other models and tenants are none of its business");
    assert_eq!(store.next_at(20).await.unwrap(), Some(500));
    let ahead = store.claim(500, 9).await.unwrap();
    assert_eq!(names(&ahead), ["cloud-0"]);
    assert!(store.claim(510, 9).await.unwrap().is_empty(), "one at a time");
    store.give_back(&ahead[0].lease, 800, Back::Unreachable).await.unwrap();
    assert_eq!(store.failures(&ahead[0].lease), 2);
    assert!(store.claim(510, 9).await.unwrap().is_empty());
    store.hasten(520, 9).await.unwrap();
    let ahead = store.claim(520, 9).await.unwrap();
    assert_eq!(ahead.len(), 1, "hastened, but one at a time");
    // One that is cancelled tells nobody what it found.
    store.cancel(&ahead[0].lease.job, "a", 530).await.unwrap();
    let ahead = store.claim(540, 9).await.unwrap();
    assert_eq!(ahead.len(), 1);
    assert!(store.finish(&ahead[0].lease, outcome("answer")).await.unwrap());
    assert_eq!(store.claim(550, 99).await.unwrap().len(), 7, "somebody is there again");
}

#[tokio::test]
async fn what_failed_by_itself_keeps_nobody_waiting() {
    let (_folder, store) = store();
    store.enqueue((0..3).map(|n| asks(&format!("{n}"), "a", "cloud")).collect()).await.unwrap();
    let first = store.claim(10, 1).await.unwrap().pop().unwrap();
    store.give_back(&first.lease, 500, Back::Failed).await.unwrap();
    assert_eq!(names(&store.claim(20, 9).await.unwrap()), ["1", "2"]);
}

#[tokio::test]
async fn a_clock_that_is_set_back_stops_nothing() {
    const HOUR: i64 = 3_600_000_000;
    let (_folder, store) = store();
    let of = |id| NewJob { created_us: 9 * HOUR, not_before_us: 9 * HOUR, ..asks(id, "a", id) };
    store.enqueue(vec![of("fresh"), of("back"), of("stopped"), of("crashed")]).await.unwrap();
    let claimed = store.claim(9 * HOUR, 4).await.unwrap();
    assert_eq!(names(&claimed), ["fresh", "back", "stopped", "crashed"]);
    store.give_back(&claimed[1].lease, 9 * HOUR + 5, Back::Unreachable).await.unwrap();
    store.give_back(&claimed[2].lease, 9 * HOUR, Back::Stopped).await.unwrap();
    assert_eq!(store.recover().await.unwrap(), 2);
    let mut again: Vec<String> =
        store.claim(7 * HOUR, 9).await.unwrap().iter().map(|claimed| claimed.lease.job.to_string()).collect();
    again.sort();
    assert_eq!(again, ["back", "crashed", "fresh", "stopped"]);
}

#[tokio::test]
async fn none_gets_more_than_its_share_of_the_places() {
    let (_folder, store) = store();
    store.enqueue((0..9).map(|n| asks(&format!("{n}"), "a", "cloud")).collect()).await.unwrap();
    assert_eq!(store.claim_fairly(10, 4, 3).await.unwrap().len(), 3);
    assert!(store.claim_fairly(10, 1, 3).await.unwrap().is_empty());
    store.enqueue(vec![asks("late", "b", "cloud")]).await.unwrap();
    assert_eq!(names(&store.claim_fairly(10, 1, 3).await.unwrap()), ["late"]);
}

#[tokio::test]
async fn who_has_more_than_fits_gets_no_more_done() {
    let (_folder, store) = store();
    store.enqueue((0..3).map(|n| asks(&format!("{n}"), "a", "cloud")).collect()).await.unwrap();
    store.enqueue(vec![asks("other", "b", "cloud")]).await.unwrap();
    store.set_limits(Limits { bytes_per_tenant: 1_000, ..LIMITS });
    let first = store.claim(10, 1).await.unwrap().pop().unwrap();
    assert!(store.finish(&first.lease, outcome(&"x".repeat(2_000))).await.unwrap(), "it is paid for, and kept");
    assert_eq!(names(&store.claim(20, 9).await.unwrap()), ["other"]);
    store.delete(&first.lease.job, "a").await.unwrap();
    assert_eq!(names(&store.claim(30, 9).await.unwrap()), ["1", "2"]);
}

#[tokio::test]
async fn what_may_not_be_kept_any_more_is_gone() {
    let (_folder, store) = store();
    store.enqueue(vec![NewJob { edge: Some("answered".into()), ..job("one", "a") }]).await.unwrap();
    let lease = store.claim(10, 1).await.unwrap().pop().unwrap().lease;
    store.append_events(&lease, 0, vec![Bytes::from("event")]).await.unwrap();
    let refused = Outcome { state: State::Failed, placement: String::new(), ..outcome("refused") };
    assert!(store.finish_and_forget(&lease, refused).await.unwrap());
    assert_eq!(state(&store, "one", "a").await, Some(State::Failed));
    for (part, text) in [(Part::Request, None), (Part::Edge, None), (Part::Result, Some(Bytes::from("refused")))] {
        assert_eq!(store.text(&lease.job, "a", part).await.unwrap(), text);
    }
    assert!(store.events_after(&lease.job, "a", -1, 9).await.unwrap().is_empty());
    store.delete(&lease.job, "a").await.unwrap();
    assert_eq!(store.counts().await.unwrap().bytes, 0);
}
