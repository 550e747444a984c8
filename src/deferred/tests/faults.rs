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
    assert_eq!(names(&ahead), ["cloud-1"], "one that was not tried yet: what kept the first may be its own");
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

#[tokio::test]
async fn what_one_waits_for_keeps_nobody_else_waiting() {
    let of = |id: &str, asked: Asked, body: &str| NewJob {
        asked,
        body: Bytes::copy_from_slice(body.as_bytes()),
        ..asks(id, "a", "auto")
    };
    let named = |app: Option<&str>, user: Option<&str>, placement: Option<&str>| Asked {
        app: app.map(str::to_owned),
        user: user.map(str::to_owned),
        headers: placement.map(|hint| ("x-tidegate-placement".to_owned(), hint.to_owned())).into_iter().collect(),
        ..Asked::default()
    };
    let auto = r#"{"model":"auto"}"#;
    let jobs = [
        of("x", named(Some("x"), None, None), auto),
        of("y", named(Some("y"), None, None), auto),
        of("ann", named(None, Some("ann"), None), auto),
        of("bob", named(None, Some("bob"), None), auto),
        of("cloud", named(None, None, Some("only-cloud")), auto),
        of("any", named(None, None, None), auto),
        of("hinted", named(None, None, None), r#"{"model":"auto","tidegate":{"placement":"only-cloud"}}"#),
    ];
    for (held, free) in [("x", "y"), ("ann", "bob"), ("cloud", "any"), ("hinted", "any")] {
        let (_folder, store) = store();
        store.enqueue(jobs.iter().filter(|job| job.id.as_str() == held).cloned().collect()).await.unwrap();
        let lease = store.claim(10, 1).await.unwrap().pop().unwrap().lease;
        store.give_back(&lease, 900, Back::Paused).await.unwrap();
        let mut again = jobs.iter().find(|job| job.id.as_str() == held).unwrap().clone();
        again.id = JobId::named("again");
        let other = jobs.iter().find(|job| job.id.as_str() == free).unwrap().clone();
        store.enqueue(vec![again, other]).await.unwrap();
        assert_eq!(names(&store.claim(20, 9).await.unwrap()), [free], "beside {held}");
    }
}

#[tokio::test]
async fn a_job_that_waits_alone_leaves_its_lane_open() {
    let (_folder, store) = store();
    store.enqueue((0..12).map(|n| asks(&format!("{n:02}"), "a", "auto")).collect()).await.unwrap();
    let putting =
        Putting { why: Back::Unreachable, not_before_us: 900, is_all: false, lane_until_us: 700, is_unseen: false };
    for n in 0..8 {
        let first = store.claim(10, 1).await.unwrap().pop().unwrap();
        assert_eq!(first.lease.job.as_str(), format!("{n:02}"), "the others are not kept");
        store.put_back(&first.lease, putting).await.unwrap();
    }
    assert!(store.claim(10, 9).await.unwrap().is_empty(), "so many in a row speak for all");
    assert_eq!(store.next_at(10).await.unwrap(), Some(700));
    let ahead = store.claim(700, 9).await.unwrap();
    assert_eq!(names(&ahead), ["08"]);
    store.finish(&ahead[0].lease, outcome("answer")).await.unwrap();
    assert_eq!(store.claim(710, 99).await.unwrap().len(), 11);
}

#[tokio::test]
async fn lanes_without_number_take_turns_and_cost_no_look_at_each() {
    let (_folder, store) = store();
    let of = |n: usize| NewJob {
        asked: Asked { user: Some(format!("user {}", n % 300)), ..Asked::default() },
        ..asks(&format!("{n:03}"), "a", "auto")
    };
    store.enqueue((0..900).map(of).collect()).await.unwrap();
    let mut users = std::collections::BTreeSet::new();
    for claimed in store.claim(10, 300).await.unwrap() {
        users.insert(claimed.asked.user.clone().unwrap());
        store.give_back(&claimed.lease, 800, Back::Paused).await.unwrap();
    }
    assert_eq!(users.len(), 300, "each once");
    assert!(store.claim(20, 9).await.unwrap().is_empty());
    store
        .enqueue(vec![NewJob {
            asked: Asked { user: Some("late".into()), ..Asked::default() },
            ..asks("late", "a", "auto")
        }])
        .await
        .unwrap();
    assert_eq!(names(&store.claim(30, 9).await.unwrap()), ["late"]);
    assert_eq!(store.claim(800, 500).await.unwrap().len(), 300, "one of each is sent ahead");
}

#[tokio::test]
async fn what_waits_for_people_looks_when_they_have_done_something() {
    let (_folder, store) = store();
    store.enqueue((0..4).map(|n| asks(&format!("{n}"), "a", "auto")).collect()).await.unwrap();
    store.enqueue(vec![asks("failed", "b", "auto")]).await.unwrap();
    let claimed = store.claim(10, 9).await.unwrap();
    for claimed in &claimed {
        let why = if claimed.tenant == "b" { Back::Failed } else { Back::Paused };
        store.give_back(&claimed.lease, 600_000_000, why).await.unwrap();
    }
    assert!(store.claim(20, 9).await.unwrap().is_empty());
    assert_eq!(store.paused(20).await.unwrap(), 4);
    assert_eq!(store.look_again(20, 3).await.unwrap(), 3);
    let ahead = store.claim(20, 9).await.unwrap();
    assert_eq!(
        (ahead.len(), ahead[0].tenant.as_str()),
        (1, "a"),
        "the lane sends one ahead; what failed waits its time"
    );
    store.finish(&ahead[0].lease, outcome("answer")).await.unwrap();
    assert_eq!(store.claim(30, 9).await.unwrap().len(), 2);
}

#[tokio::test]
async fn executions_are_told_apart_whether_they_count_or_not() {
    let (_folder, store) = store();
    store.enqueue(vec![asks("one", "a", "auto")]).await.unwrap();
    let mut seen = vec![];
    for why in [Back::PushedBack, Back::Paused, Back::Stopped, Back::Failed, Back::Unreachable] {
        let claimed = store.claim(10, 1).await.unwrap().pop().unwrap();
        seen.push((claimed.executions, claimed.attempts));
        store.give_back(&claimed.lease, 5, why).await.unwrap();
    }
    assert_eq!(seen, [(1, 1), (2, 1), (3, 1), (4, 1), (5, 2)]);
    for _ in 0..2 {
        let claimed = store.claim(10, 1).await.unwrap().pop().unwrap();
        assert_eq!(claimed.executions, 6, "what was only looked at is in no book");
        let (why, is_all) = (Back::Paused, true);
        let putting = Putting { why, not_before_us: 5, is_all, lane_until_us: 5, is_unseen: true };
        store.put_back(&claimed.lease, putting).await.unwrap();
    }
}

#[tokio::test]
async fn tables_of_the_first_version_are_brought_up_to_this_one() {
    let (folder, store) = store();
    store.enqueue(vec![asks("one", "a", "auto"), asks("two", "a", "auto")]).await.unwrap();
    drop(store);
    let db = rusqlite::Connection::open(folder.path().join("deferred/queue.sqlite")).unwrap();
    let earlier = "ALTER TABLE jobs DROP COLUMN executions; UPDATE jobs SET attempts = 1, postponed = 2, lane = 7; PRAGMA user_version = 1";
    db.execute_batch(earlier).unwrap();
    drop(db);
    let store = Store::open(folder.path(), LIMITS).unwrap();
    let claimed = store.claim(10, 1).await.unwrap().pop().unwrap();
    assert_eq!((claimed.executions, claimed.attempts), (4, 2));
    store.give_back(&claimed.lease, 900, Back::Paused).await.unwrap();
    assert_eq!(names(&store.claim(20, 9).await.unwrap()), ["two"], "it was in an earlier lane, and moves to its own");
    drop(store);
    Store::open(folder.path(), LIMITS).unwrap();
}
