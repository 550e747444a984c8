//! Single requests found again: lists, one with its attempts and its decision, feedback.

use serde_json::json;

use super::{BEGIN, Home, MINUTE, entry};
use crate::ledger::entry::{Attempt, Considered, Decided, Entry, Position};
use crate::ledger::store::records::{Feedback, Which, keep, latest, one};

/// Three requests: `a` and `b` of route `auto`, `c` of another tenant after a failed attempt.
fn booked(home: &Home) {
    let decided = Decided { rules: "easy=not-matched,hard=matched", threshold_from: "fixed", ..Decided::default() };
    let mut b = Entry {
        request_id: "b",
        route: "auto",
        difficulty: Some(0.312),
        threshold: Some(0.5),
        decided,
        ..entry(2, MINUTE, 1_000_000_000)
    };
    b.considered.push(Considered { model: "small", dropped: "" });
    let failed = Attempt { role: "first", model: "tiny", outcome: "connect", ..Attempt::default() };
    let mut c = Entry { request_id: "c", tenant: "other'; --", ..entry(3, 2 * MINUTE, 5) };
    c.attempts.insert(0, failed);
    let entries = [Entry { request_id: "a", route: "auto", ..entry(1, 0, 5) }, b, c];
    let at = |n: usize| Position { boot: 7, segment: 1, offset: 100 * (n as u64 + 1) };
    home.store().append(entries.into_iter().enumerate().map(|(n, entry)| (at(n), entry))).unwrap();
}

pub fn found(home: &Home) {
    booked(home);
    let ids = |which: &Which| -> Vec<String> {
        let rows = latest(&home.settings, which).unwrap();
        rows.iter().map(|row| row["request_id"].as_str().unwrap().to_owned()).collect()
    };
    let all = Which { limit: 10, ..Which::default() };
    assert_eq!(ids(&all), ["c", "b", "a"]);
    assert_eq!(ids(&Which { limit: 2, ..all.clone() }), ["c", "b"]);
    assert_eq!(ids(&Which { with: vec![("route", "auto".into())], ..all.clone() }), ["b", "a"]);
    assert_eq!(ids(&Which { with: vec![("tenant", "other'; --".into())], ..all.clone() }), ["c"]);
    assert_eq!(ids(&Which { since: Some(BEGIN + MINUTE), ..all.clone() }), ["c", "b"]);
    let before = latest(&home.settings, &all).unwrap()[1]["id"].as_i64();
    assert_eq!(ids(&Which { before, ..all }), ["a"]);

    let record = one(&home.settings, "b").unwrap().unwrap();
    assert_eq!((record["difficulty"].as_f64(), record["cost_usd"].as_f64()), (Some(0.312), Some(1.0)));
    assert_eq!(record["decision"]["rules"][1], json!({"name": "hard", "verdict": "matched"}));
    assert_eq!((&record["stream"], &record["feedback"]), (&json!(false), &json!(null)));
    let attempts = one(&home.settings, "c").unwrap().unwrap()["attempts"].clone();
    let outcomes: Vec<&str> = attempts.as_array().unwrap().iter().map(|a| a["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["connect", "ok"]);
    assert_eq!(one(&home.settings, "nobody").unwrap(), None);

    for (score, comment) in [(1.0, "good"), (-0.5, "")] {
        let feedback = Feedback { request_id: "b".into(), score, comment: comment.into(), at: BEGIN };
        keep(&home.settings, &feedback).unwrap();
        let kept = one(&home.settings, "b").unwrap().unwrap()["feedback"].clone();
        assert_eq!((kept["score"].as_f64(), &kept["comment"]), (Some(score), &json!(comment)), "the last word wins");
    }
}
