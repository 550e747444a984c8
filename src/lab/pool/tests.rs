//! What the pool must show.

use super::*;

const SEEDS: [u64; 3] = [1, 2, 3];

#[test]
fn prefix_hits_two_and_a_half_times_as_much_and_answers_twice_as_soon() {
    for seed in SEEDS {
        let run = |policy| simulate(policy, Machines::default(), Traffic::shared(), seed);
        let (robin, least, prefix) = (run(Policy::RoundRobin), run(Policy::LeastLoad), run(Policy::Prefix));
        assert_eq!((robin.requests, robin.requests), (least.requests, prefix.requests));
        let figures = format!("seed {seed}: {robin:?} {least:?} {prefix:?}");
        assert!(prefix.hit_tokens as f64 >= 2.5 * robin.hit_tokens as f64, "{figures}");
        assert!(prefix.ttft_p99 <= 0.5 * robin.ttft_p99, "{figures}");
        assert!(prefix.ttft_p99 <= least.ttft_p99 && prefix.ttft_p50 <= least.ttft_p50, "{figures}");
    }
}

#[test]
fn it_hits_as_often_as_the_longest_match_and_has_no_long_waits() {
    // Whether nodes tell how many requests they work on at once or not.
    for tell in [true, false] {
        let machines = Machines { tell, ..Machines::default() };
        let sums = |policy| {
            let each = SEEDS.map(|seed| simulate(policy, machines, Traffic::shared(), seed));
            each.iter().fold((0, 0.0), |sum, outcome| (sum.0 + outcome.hit_tokens, sum.1 + outcome.ttft_p99))
        };
        let (longest, prefix) = (sums(Policy::LongestMatch), sums(Policy::Prefix));
        assert!(prefix.0 >= longest.0 && prefix.1 <= 0.5 * longest.1, "{longest:?} {prefix:?} tell: {tell}");
    }
}

#[test]
fn without_shared_prefixes_it_is_never_worse_than_least_load() {
    let usual = (Machines::default(), Traffic::unshared());
    // Short prompts, long answers, few slots: what is scarce is places, not reading.
    let writing = (
        Machines { slots: 4, reads: 20_000.0, ..Machines::default() },
        Traffic { system: (50, 200), answer: (200, 600), rate: 3.0, ..Traffic::unshared() },
    );
    for (machines, traffic) in [usual, writing] {
        // Equal loads are told apart in another way: over some seeds that evens out, and what is left is noise.
        let sums = |policy| {
            let each = (1..=6).map(|seed| simulate(policy, machines, traffic, seed));
            each.fold((0.0, 0.0), |sum, outcome| (sum.0 + outcome.ttft_p50, sum.1 + outcome.ttft_p99))
        };
        let (least, prefix) = (sums(Policy::LeastLoad), sums(Policy::Prefix));
        assert!(prefix.0 <= 1.03 * least.0 && prefix.1 <= 1.03 * least.1, "{least:?} {prefix:?} {traffic:?}");
    }
}

/// Prints the table of decision 0023.
#[test]
#[ignore = "six tables over ten seeds take minutes"]
fn the_claims_hold_with_seeds_that_nothing_was_chosen_by() {
    let (usual, shared) = (Machines::default(), Traffic::shared());
    let few = Machines { slots: 4, ..usual };
    let calm = Traffic { rate: 1.2, conversations: 400, ..shared };
    for (name, machines, traffic) in [
        ("shared", usual, shared),
        ("shared, not told", Machines { tell: false, ..usual }, shared),
        ("reading fast", Machines { reads: 20_000.0, ..usual }, Traffic { rate: 5.0, ..shared }),
        ("few slots", few, calm),
        ("few slots, not told", Machines { tell: false, ..few }, calm),
        ("unshared", usual, Traffic::unshared()),
    ] {
        let all = [Policy::RoundRobin, Policy::LeastLoad, Policy::Prefix, Policy::LongestMatch].map(|policy| {
            let each: Vec<Outcome> = (101..=110).map(|seed| simulate(policy, machines, traffic, seed)).collect();
            let mean = |figure: fn(&Outcome) -> f64| each.iter().map(figure).sum::<f64>() / each.len() as f64;
            let hits = mean(|o| 100.0 * o.hit_tokens as f64 / o.prompt_tokens as f64);
            let (p50, p99) = (mean(|o| 1e3 * o.ttft_p50), mean(|o| 1e3 * o.ttft_p99));
            let worst = each.iter().map(|o| 1e3 * o.ttft_p99).fold(0.0, f64::max);
            println!("{name:<20} {policy:<12?} {hits:>5.1} % {p50:>6.0} ms {p99:>6.0} ms ({worst:.0})");
            each
        });
        let [robin, least, prefix, _] = &all;
        for ((robin, least), prefix) in robin.iter().zip(least).zip(prefix) {
            if traffic.systems == 0 {
                assert!(prefix.ttft_p99 <= least.ttft_p99, "{least:?} {prefix:?}");
            } else if machines.slots == usual.slots {
                assert!(prefix.hit_tokens as f64 >= 2.5 * robin.hit_tokens as f64, "{robin:?} {prefix:?}");
            }
            assert!(name != "shared" || prefix.ttft_p99 <= 0.5 * robin.ttft_p99, "{robin:?} {prefix:?}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_table() {
    let traffic = Traffic { conversations: 40, ..Traffic::shared() };
    let table = |seed| table(Machines::default(), traffic, seed);
    assert_eq!(table(7), table(7));
    assert_ne!(table(7), table(8));
}
