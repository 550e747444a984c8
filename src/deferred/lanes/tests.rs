//! Which jobs wait together, and when.

use super::*;

fn back(n: i64, until_us: i64, why: Back) -> Return {
    Return { n, why, is_all: matches!(why, Back::Unreachable | Back::Paused), until_us }
}

/// By itself, for all that is known.
fn alone(n: i64, until_us: i64, why: Back) -> Return {
    Return { is_all: false, ..back(n, until_us, why) }
}

#[test]
fn who_may_wait_for_something_of_his_own_has_a_lane_of_his_own() {
    let asked = |app: &str, user: &str, headers: &[(&str, &str)]| Asked {
        app: Some(app.to_owned()).filter(|app| !app.is_empty()),
        user: Some(user.to_owned()).filter(|user| !user.is_empty()),
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..Asked::default()
    };
    let plain = asked("", "", &[("x-tidegate-tags", "a=b")]);
    let of = |tenant, kind, asked: &Asked, body: &str| lane(tenant, kind, asked, body.as_bytes());
    let one = of("a", Kind::Batch, &plain, r#"{"input":"x","model":"auto"}"#);
    assert_eq!(one, of("a", Kind::Batch, &Asked::default(), r#"{"model":"auto","messages":[{"role":"user"}]}"#));
    assert_eq!(one, of("a", Kind::Batch, &plain, r#"{"model":"auto","tidegate":{"tags":{"x":"y"}}}"#));
    let auto = r#"{"model":"auto"}"#;
    let mut all = vec![
        one,
        of("b", Kind::Batch, &plain, auto),
        of("a", Kind::Background, &plain, auto),
        of("a", Kind::Batch, &plain, r#"{"model":"frontier"}"#),
        of("a", Kind::Batch, &plain, "no json"),
        of("a", Kind::Batch, &asked("x", "", &[]), auto),
        of("a", Kind::Batch, &asked("", "x", &[]), auto),
        of("a", Kind::Batch, &asked("", "", &[("x-tidegate-placement", "only-cloud")]), auto),
        of("a", Kind::Batch, &plain, r#"{"model":"auto","tidegate":{"app":"x"}}"#),
        of("a", Kind::Batch, &plain, r#"{"model":"auto","tidegate":{"user":"x"}}"#),
        of("a", Kind::Batch, &plain, r#"{"model":"auto","tidegate":{"placement":"only-cloud"}}"#),
    ];
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
}

#[test]
fn a_lane_waits_as_one_and_sends_one_ahead() {
    let lanes = Lanes::default();
    lanes.back(7, back(1, 100, Back::Failed));
    assert_eq!(lanes.door(7, 10), Door::Open, "what failed by itself keeps nobody waiting");
    lanes.back(7, back(1, 100, Back::Unreachable));
    lanes.back(7, back(2, 900, Back::Unreachable));
    assert_eq!((lanes.door(7, 99), lanes.door(7, 100), lanes.door(8, 10)), (Door::Shut, Door::Ajar(None), Door::Open));
    lanes.begun(7, 3);
    assert_eq!((lanes.door(7, 100), lanes.next_at(50)), (Door::Ajar(Some(3)), Some(100)));
    lanes.back(7, back(3, 300, Back::Failed));
    assert_eq!((lanes.door(7, 299), lanes.failures(7)), (Door::Shut, 2));
    lanes.hasten();
    assert_eq!(lanes.door(7, 200), Door::Ajar(None));
    assert!(!lanes.done(7, 3, false) && lanes.done(7, 3, true) && !lanes.done(7, 3, true));
    assert_eq!(lanes.door(7, 200), Door::Open);
}

#[test]
fn what_may_be_a_jobs_own_trouble_shuts_the_lane_only_when_many_have_it() {
    let lanes = Lanes::default();
    for _ in 0..20 {
        lanes.back(7, alone(1, 100, Back::Unreachable));
    }
    assert_eq!(lanes.door(7, 10), Door::Open, "however often it comes back");
    for n in 2..8 {
        lanes.back(7, alone(n, 100, Back::Paused));
    }
    assert_eq!(lanes.door(7, 10), Door::Open);
    assert!(!lanes.done(7, 9, true));
    for n in 1..8 {
        lanes.back(7, alone(n, 100, Back::PushedBack));
    }
    assert_eq!(lanes.door(7, 10), Door::Open, "one was answered between");
    lanes.back(7, alone(8, 200, Back::Unreachable));
    assert_eq!((lanes.door(7, 10), lanes.failures(7)), (Door::Shut, 1));
    assert!(lanes.done(7, 9, true));
}

#[test]
fn one_that_is_pushed_back_while_others_pass_is_known() {
    let lanes = Lanes::default();
    lanes.back(7, alone(1, 100, Back::PushedBack));
    lanes.back(7, alone(1, 100, Back::PushedBack));
    assert!(!lanes.is_alone(7, 1), "nobody else was answered");
    lanes.done(7, 2, true);
    assert!(lanes.is_alone(7, 1) && !lanes.is_alone(7, 2) && !lanes.is_alone(8, 1));
    lanes.back(7, alone(1, 100, Back::Failed));
    assert!(!lanes.is_alone(7, 1), "once for each time that others pass");
    lanes.done(7, 1, false);
    assert_eq!(lanes.waits.lock().len(), 0, "nothing is kept of it");
}

#[test]
fn no_more_lanes_are_remembered_than_fit() {
    let lanes = Lanes::default();
    for lane in 0..3 * LANES as i64 {
        lanes.back(lane, back(lane, lane * 1_000_000, Back::Paused));
    }
    assert!(lanes.waits.lock().len() <= LANES);
}

#[test]
fn a_clock_that_was_set_back_keeps_nobody_waiting() {
    let lanes = Lanes::default();
    let two_hours = 2 * 3600 * 1_000_000;
    lanes.back(7, back(1, two_hours + 5, Back::Paused));
    assert_eq!((lanes.door(7, two_hours), lanes.door(7, 0)), (Door::Shut, Door::Ajar(None)));
}
