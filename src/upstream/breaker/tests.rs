//! Breakers: opening, probing, closing; everything by a clock that is handed in.

use super::*;

const RULES: Rules =
    Rules { failures: 5, rate: 0.5, window: Duration::from_secs(10), open_for: Duration::from_secs(1), slower: 5.0 };
const QUICK: Duration = Duration::from_millis(50);

fn fail(breaker: &Breaker, now: u64) -> Option<Change> {
    breaker.failed(Kind::UpstreamFailed, QUICK, None, &RULES, now)
}

#[test]
fn failures_in_a_row_open_it_and_good_probes_close_it() {
    let breaker = Breaker::default();
    (0..4).for_each(|n| assert_eq!(fail(&breaker, n), None));
    assert!(breaker.admits(4));
    assert_eq!(fail(&breaker, 4), Some(Change::Opened));
    assert!(!breaker.admits(900));
    assert_eq!(breaker.state(900), State::Open);
    // Its time is over: one request finds out, the next waits for it.
    assert_eq!(breaker.state(1_004), State::HalfOpen);
    assert!(breaker.admits(1_004));
    breaker.sends(1_004);
    assert!(!breaker.admits(1_005));
    assert!(breaker.admits(1_004 + PROBE_LASTS), "one that never comes back blocks nobody for good");
    breaker.released(1_040);
    assert!(breaker.admits(1_040), "one that was given up makes room for the next");
    breaker.sends(1_041);
    assert_eq!(breaker.answered(QUICK, &RULES, 1_050), None);
    assert!(breaker.admits(1_050));
    breaker.sends(1_050);
    assert_eq!(breaker.answered(QUICK, &RULES, 1_100), Some(Change::Closed));
    assert_eq!(breaker.state(1_100), State::Closed);
}

#[test]
fn a_probe_that_fails_leaves_it_alone_for_twice_as_long() {
    let breaker = Breaker::default();
    (0..5).for_each(|_| {
        let _ = fail(&breaker, 0);
    });
    assert_eq!(fail(&breaker, 1_000), Some(Change::Opened));
    assert!(!breaker.admits(2_900) && breaker.admits(3_000));
    // And never for longer than a minute.
    let mut now = 3_000;
    for _ in 0..20 {
        fail(&breaker, now);
        now += 60_000;
        assert!(breaker.admits(now));
    }
}

#[test]
fn those_under_way_when_it_opened_do_not_make_it_longer() {
    let breaker = Breaker::default();
    (0..5).for_each(|_| {
        let _ = fail(&breaker, 0);
    });
    (0..100).for_each(|_| assert_eq!(fail(&breaker, 500), None));
    assert!(breaker.admits(1_000));
}

#[test]
fn half_of_many_failing_opens_it_though_never_five_in_a_row() {
    let breaker = Breaker::default();
    for n in 0..4 {
        breaker.answered(QUICK, &RULES, n * 100);
        assert_eq!(fail(&breaker, n * 100), None);
    }
    breaker.answered(QUICK, &RULES, 500);
    assert_eq!(fail(&breaker, 500), Some(Change::Opened));
    // What lies before the window does not count.
    let breaker = Breaker::default();
    for n in 0..20 {
        breaker.answered(QUICK, &RULES, n * 6_000);
        assert_eq!(fail(&breaker, n * 6_000), None, "{n}");
    }
}

#[test]
fn the_pause_that_was_asked_for_is_kept() {
    let breaker = Breaker::default();
    let storm = |now| breaker.failed(Kind::RateLimited, QUICK, Some(Duration::from_secs(20)), &RULES, now);
    (0..5).for_each(|_| {
        let _ = storm(0);
    });
    assert!(!breaker.admits(19_999) && breaker.admits(20_000));
    assert_eq!(breaker.opened_by(0), Some((Kind::RateLimited, Duration::from_secs(20))));
}

#[test]
fn a_good_check_ends_the_absence_of_a_node_but_not_its_refusals() {
    let (absent, refusing) = (Breaker::default(), Breaker::default());
    for _ in 0..5 {
        absent.failed(Kind::Connect, QUICK, None, &RULES, 0);
        refusing.failed(Kind::RateLimited, QUICK, None, &RULES, 0);
    }
    [&absent, &refusing].into_iter().for_each(|breaker| breaker.checked_well(10));
    assert!(absent.admits(10) && !refusing.admits(10));
}

#[test]
fn one_much_slower_than_the_others_comes_last_for_a_while() {
    let breaker = Breaker::default();
    (0..10).for_each(|_| {
        let _ = breaker.answered(Duration::from_millis(500), &RULES, 0);
    });
    assert!(!breaker.compare(0.2, &RULES, 0), "two and a half times is not much");
    assert!(breaker.compare(0.05, &RULES, 0));
    assert!(breaker.is_slow(3_999) && !breaker.is_slow(4_000));
    let _ = breaker.answered(Duration::from_millis(500), &RULES, 100);
    assert!(!breaker.compare(0.05, &RULES, 100) && !breaker.is_slow(4_000), "sent before: nothing new");
    breaker.sends(4_000);
    assert!(breaker.is_slow(4_001) && breaker.is_slow(5_999), "one request finds out, and not the ones behind it");
    let _ = breaker.answered(Duration::from_millis(500), &RULES, 4_500);
    assert!(breaker.compare(0.05, &RULES, 4_500));
    assert!(breaker.is_slow(12_499) && !breaker.is_slow(12_500), "longer each time");
    for now in [12_500, 12_600] {
        assert!(!breaker.is_slow(now) && breaker.is_doubted());
        breaker.sends(now);
        let _ = breaker.answered(Duration::from_millis(60), &RULES, now);
        assert!(!breaker.compare(0.05, &RULES, now));
    }
    breaker.sends(12_700);
    assert!(!breaker.is_doubted() && !breaker.is_slow(12_700), "two quick answers prove it");
    assert!(breaker.admits(0), "it is not refused");
}

#[test]
fn turned_off_it_never_opens() {
    let off = Rules { failures: 0, ..RULES };
    let breaker = Breaker::default();
    (0..100).for_each(|_| assert_eq!(breaker.failed(Kind::Connect, QUICK, None, &off, 0), None));
}

#[test]
fn one_that_was_away_is_tried_again_soon_however_long_it_was() {
    let breaker = Breaker::default();
    let mut now = 0;
    for _ in 0..40 {
        breaker.failed(Kind::Connect, QUICK, None, &RULES, now);
        now += 5_000;
        assert!(breaker.admits(now));
    }
}

#[test]
fn where_finding_out_takes_long_it_is_done_seldom_whatever_the_checks_say() {
    let breaker = Breaker::default();
    let (stalled, mut now) = (Duration::from_secs(3), 0);
    (0..5).for_each(|_| {
        let _ = breaker.failed(Kind::Timeout, stalled, None, &RULES, now);
    });
    let mut victims = 0;
    while now < 600_000 {
        now += 200;
        breaker.checked_well(now);
        if breaker.admits(now) {
            victims += 1;
            breaker.sends(now);
            now += 3_000;
            let _ = breaker.failed(Kind::Timeout, stalled, None, &RULES, now);
        }
    }
    assert!(victims < 16, "{victims} in ten minutes");
}
