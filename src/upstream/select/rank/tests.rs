//! The order of nodes in made-up situations.

use super::*;

const IDLE: Standing = Standing { tier: 0, requests: 0, pending: 0, slots: 8, share: WHOLE, matched: 0, affinity: 0 };

fn busy(requests: u32) -> Standing {
    Standing { requests, ..IDLE }
}

#[test]
fn least_load_counts_requests_for_their_share() {
    assert_eq!(by_load(&[busy(2), busy(1), busy(3)])[..], [1, 0, 2]);
    let half = Standing { share: WHOLE / 2, ..busy(1) };
    assert_eq!(by_load(&[half, busy(1)])[..], [1, 0]);
    let backup = Standing { tier: 1, ..IDLE };
    assert_eq!(by_load(&[backup, busy(9)])[..], [1, 0], "a higher tier is asked last however idle");
}

#[test]
fn a_match_wins_until_reading_the_prompt_anew_is_sooner() {
    let holder = Standing { matched: 3000, ..busy(2) };
    assert_eq!(by_prefix(&[IDLE, holder], 4000, true)[0], 1);
    // Twelve thousand tokens wait there to be read: the idle node has read four thousand before.
    let swamped = Standing { pending: 12_000, ..holder };
    assert_eq!(by_prefix(&[IDLE, swamped], 4000, true)[0], 0);
    // All its slots are taken: an answer must end first.
    let full = Standing { requests: 8, slots: 1, ..holder };
    assert_eq!(by_prefix(&[IDLE, full], 4000, true)[0], 0);
}

#[test]
fn of_two_holders_the_longer_match_or_the_idler_one() {
    let long = Standing { matched: 3800, ..busy(1) };
    let short = Standing { matched: 1000, ..busy(0) };
    assert_eq!(by_prefix(&[short, long], 4000, true)[0], 1);
    let equal = Standing { matched: 3800, ..busy(5) };
    assert_eq!(by_prefix(&[equal, long], 4000, true)[0], 1);
}

#[test]
fn without_anything_shared_it_is_least_load() {
    let nodes = [busy(3), busy(1), busy(2)];
    assert_eq!(by_prefix(&nodes, 4000, false), by_load(&nodes));
    // A few tokens of boilerplate are nothing to share.
    let boilerplate = [Standing { matched: 64, ..busy(3) }, busy(1), busy(2)];
    assert_eq!(by_prefix(&boilerplate, 4000, false)[..], [1, 2, 0]);
}

#[test]
fn a_known_beginning_that_nobody_has_goes_home_unless_that_is_overloaded() {
    let home = Standing { affinity: 9, ..busy(1) };
    let other = Standing { affinity: 5, ..IDLE };
    let third = Standing { affinity: 7, ..IDLE };
    assert_eq!(by_prefix(&[other, home, third], 4000, true)[..], [1, 2, 0]);
    let overloaded = Standing { requests: 9, ..home };
    assert_eq!(by_prefix(&[other, overloaded, third], 4000, true)[..], [2, 0, 1]);
}

#[test]
fn a_node_over_the_bound_is_passed_over_even_with_a_match() {
    let holder = Standing { matched: 4000, pending: 0, ..busy(30) };
    let nodes = [busy(8), holder, busy(9)];
    assert_eq!(by_prefix(&nodes, 4000, true)[..], [0, 2, 1]);
}
