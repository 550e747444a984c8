//! The order of nodes in made-up situations.

use super::*;

const IDLE: Standing =
    Standing { tier: 0, requests: 0, pending: 0, recent: 0, slots: 8, share: WHOLE, matched: 0, affinity: 0 };

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
    // So much waits there to be read that the idle node, reading three thousand tokens more, is the better one for everybody.
    let swamped = |pending| by_prefix(&[IDLE, Standing { pending, ..holder }], 4000, true)[0];
    assert_eq!((swamped(3000 * MISSED - 1000), swamped(3000 * MISSED)), (1, 0));
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
    // Nor where much was read lately: that would be driven out.
    let full = Standing { recent: 10_000, ..busy(1) };
    assert_eq!(by_prefix(&[full, busy(2)], 4000, false)[0], 1);
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
    // Forty thousand tokens would be worth any line, by their cost.
    let holder = |requests| Standing { matched: 40_000, ..busy(requests) };
    assert_eq!(by_prefix(&[busy(2), holder(30), busy(3)], 40_000, true)[..], [0, 2, 1]);
    assert_eq!(by_prefix(&[busy(2), holder(15), busy(12)], 40_000, true)[..], [1, 0, 2]);
    // What a crowd costs is weighed before that: one place too few is no reason to read four thousand tokens anew.
    let crowded = Standing { matched: 4000, ..busy(12) };
    assert_eq!(by_prefix(&[busy(8), crowded, busy(9)], 4000, true)[0], 1);
}
