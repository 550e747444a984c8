//! Cost to the nanodollar, its bounds, and the days of prices.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;

const TODAY: Day = Day(20_000);

fn usd(prices: &Prices, usage: &Usage) -> NanoUsd {
    prices.cost(usage, TODAY, Duration::ZERO).unwrap().usd
}

#[test]
fn every_kind_of_token_has_its_price() {
    let prices = Prices::new(&[Price {
        input: 1.25,
        output: 10.0,
        cached_input: Some(0.125),
        cache_write: Some(1.5625),
        reasoning: Some(12.0),
        audio_input: Some(32.0),
        audio_output: Some(64.0),
        image: Some(0.001),
        per_request: Some(0.01),
        ..Price::default()
    }]);
    let usage = Usage {
        prompt: 1_000,
        cached: 600,
        cache_write: 100,
        audio_in: 50,
        completion: 200,
        reasoning: 120,
        audio_out: 30,
        images: 2,
        ..Usage::default()
    };
    let tokens = 600 * 125 + 100 * 1_562 + 50 + 50 * 32_000 + 250 * 1_250 + 120 * 12_000 + 30 * 64_000 + 50 * 10_000;
    assert_eq!(usd(&prices, &usage), tokens + 2 * 1_000_000 + 10_000_000);
}

#[test]
fn what_is_not_given_costs_as_the_whole_does() {
    let prices = Prices::new(&[Price { input: 2.0, output: 8.0, ..Price::default() }]);
    let usage = Usage { prompt: 10, cached: 5, cache_write: 2, audio_in: 1, ..Usage::default() };
    assert_eq!(usd(&prices, &usage), 20_000);
    assert_eq!(usd(&prices, &Usage { completion: 10, reasoning: 7, audio_out: 3, ..Usage::default() }), 80_000);
    // A part that is larger than the whole is the whole.
    assert_eq!(
        usd(&prices, &Usage { prompt: 1, cached: 99, cache_write: 99, audio_in: 99, ..Usage::default() }),
        2_000
    );
    assert_eq!(usd(&prices, &Usage { completion: 1, reasoning: 99, audio_out: 99, ..Usage::default() }), 8_000);
}

#[test]
fn cheap_tokens_are_not_rounded_away_one_by_one() {
    let prices = Prices::new(&[Price { input: 0.0375, ..Price::default() }]);
    assert_eq!(usd(&prices, &Usage { prompt: 2, ..Usage::default() }), 75);
    assert_eq!(usd(&prices, &Usage { prompt: 1_000_000, ..Usage::default() }), 37_500_000);
}

/// The example of docs/prices.md.
#[test]
fn a_nodes_hour_and_its_energy_become_money_and_grams() {
    let prices = Prices::new(&[Price {
        per_node_hour: Some(0.40),
        watts: Some(350.0),
        usd_per_kwh: Some(0.30),
        g_co2_per_kwh: Some(380.0),
        ..Price::default()
    }]);
    let cost = prices.cost(&Usage::default(), TODAY, Duration::from_millis(2_000)).unwrap();
    assert_eq!(cost, Cost { usd: 280_556, co2_ug: 73_889 });
    assert_eq!(prices.cost(&Usage::default(), TODAY, Duration::from_secs(3_600)).unwrap().usd, 505_000_000);
}

#[test]
fn a_price_holds_from_its_day_on() {
    let entry = |from: Option<Date>, input| Price { from, input, ..Price::default() };
    let prices = Prices::new(&[entry(Some(date(2026, 7, 1)), 0.8), entry(Some(date(2026, 1, 1)), 1.0)]);
    let on =
        |day: Date| prices.cost(&Usage { prompt: 1, ..Usage::default() }, day.into(), Duration::ZERO).map(|c| c.usd);
    assert_eq!(on(date(2025, 12, 31)), None, "nothing is known of the time before");
    assert_eq!(on(date(2026, 1, 1)), Some(1_000));
    assert_eq!(on(date(2026, 6, 30)), Some(1_000));
    assert_eq!(on(date(2026, 7, 1)), Some(800));
    assert_eq!(on(date(9999, 12, 31)), Some(800));
    let always = Prices::new(&[entry(None, 2.0), entry(Some(date(2026, 7, 1)), 0.8)]);
    assert!(always.is_known(date(1900, 1, 1).into()));
    assert!(!Prices::default().is_known(TODAY));
}

#[test]
fn days_are_those_of_utc() {
    assert_eq!(Day::from(date(1970, 1, 1)), Day(0));
    assert_eq!(Day::from(date(1969, 12, 31)), Day(-1));
    assert_eq!(Day::of_micros(-1), Day(-1));
    let midnight: Timestamp = "2026-07-01T00:00:00Z".parse().unwrap();
    assert_eq!(Day::of(midnight), Day::from(date(2026, 7, 1)));
    assert_eq!(Day::of_micros(midnight.as_microsecond() - 1), Day::from(date(2026, 6, 30)));
    assert!(Day::of_micros(i64::MAX) > Day::of_micros(i64::MIN));
}

#[test]
fn what_cannot_be_is_held_to_the_bounds() {
    let absurd = Price {
        input: f64::INFINITY,
        output: f64::MAX,
        cached_input: Some(f64::NAN),
        cache_write: Some(-1.0),
        image: Some(1e300),
        per_request: Some(1e300),
        per_node_hour: Some(1e300),
        watts: Some(f64::INFINITY),
        usd_per_kwh: Some(1e300),
        g_co2_per_kwh: Some(1e300),
        ..Price::default()
    };
    let prices = Prices::new(&[absurd]);
    let most = u64::MAX;
    let usage = Usage { prompt: most, completion: most, images: most, ..Usage::default() };
    let cost = prices.cost(&usage, TODAY, Duration::MAX).unwrap();
    assert_eq!(cost.usd, NanoUsd::MAX);
    let bounds = Bounds { input_tokens: most, output_tokens: most, images: most, busy: Duration::MAX };
    assert_eq!(prices.worst(&bounds, TODAY), Some(NanoUsd::MAX));
    assert_eq!(
        usd(&prices, &Usage { prompt: 3, cached: 3, ..Usage::default() }),
        NanoUsd::try_from(u64::MAX / 1_000).unwrap() + 1
    );
}

fn price() -> impl Strategy<Value = Price> {
    let token = || prop_oneof![Just(None), (0.0..100.0f64).prop_map(Some)];
    let other = || prop_oneof![Just(None), (0.0..1.0f64).prop_map(Some)];
    let tokens = (0.0..100.0f64, 0.0..100.0f64, token(), token(), token(), token(), token());
    let rest = (other(), other(), other(), prop_oneof![Just(None), (0.0..2_000.0f64).prop_map(Some)], other());
    (tokens, rest).prop_map(
        |((input, output, cached_input, cache_write, reasoning, audio_input, audio_output), rest)| {
            let (image, per_request, per_node_hour, watts, usd_per_kwh) = rest;
            let g_co2_per_kwh = watts.map(|watts| watts / 4.0);
            Price {
                input,
                output,
                cached_input,
                cache_write,
                reasoning,
                audio_input,
                audio_output,
                image,
                per_request,
                per_node_hour,
                watts,
                usd_per_kwh,
                g_co2_per_kwh,
                from: None,
            }
        },
    )
}

/// Parts may be larger than the whole.
fn usage() -> impl Strategy<Value = Usage> {
    let count = || 0..2_000_000u64;
    (count(), count(), count(), count(), count(), count(), count(), 0..50u64).prop_map(
        |(prompt, completion, cached, cache_write, reasoning, audio_in, audio_out, images)| Usage {
            prompt,
            completion,
            cached,
            cache_write,
            reasoning,
            audio_in,
            audio_out,
            images,
            compute_us: 0,
        },
    )
}

proptest! {
    #[test]
    fn more_used_never_costs_less(price in price(), used in usage(), more in 0..1_000u64, busy in 0..600_000u64) {
        let prices = Prices::new(&[price]);
        let cost = |usage: &Usage, busy| prices.cost(usage, TODAY, Duration::from_millis(busy)).unwrap();
        let before = cost(&used, busy);
        let grown = [
            (Usage { prompt: used.prompt + more, ..used }, busy),
            (Usage { completion: used.completion + more, ..used }, busy),
            (Usage { images: used.images + more, ..used }, busy),
            (used, busy + more),
        ];
        // A token more of the prompt may turn the last plain one into a cheaper kind only where a part was larger than the whole, and
        // then it is the token more that has the kind.
        for (usage, busy) in grown {
            let after = cost(&usage, busy);
            prop_assert!(after.usd >= before.usd && after.co2_ug >= before.co2_ug, "{:?}", usage);
        }
        prop_assert!(before.usd >= 0);
    }

    #[test]
    fn the_parts_come_to_the_whole(price in price(), used in usage()) {
        // Parts that fit into their whole, so that nothing is clipped.
        let prompt = used.prompt + used.cached + used.cache_write + used.audio_in;
        let completion = used.completion + used.reasoning + used.audio_out;
        let whole = Usage { prompt, completion, ..used };
        let prices = Prices::new(&[Price { per_request: None, ..price }]);
        let parts = [
            Usage { prompt: used.prompt, ..Usage::default() },
            Usage { prompt: used.cached, cached: used.cached, ..Usage::default() },
            Usage { prompt: used.cache_write, cache_write: used.cache_write, ..Usage::default() },
            Usage { prompt: used.audio_in, audio_in: used.audio_in, ..Usage::default() },
            Usage { completion: used.completion, ..Usage::default() },
            Usage { completion: used.reasoning, reasoning: used.reasoning, ..Usage::default() },
            Usage { completion: used.audio_out, audio_out: used.audio_out, ..Usage::default() },
            Usage { images: used.images, ..Usage::default() },
        ];
        let sum: NanoUsd = parts.iter().map(|part| usd(&prices, part)).sum();
        // Half a nanodollar for each rounding.
        prop_assert!((sum - usd(&prices, &whole)).abs() <= 5, "{} {}", sum, usd(&prices, &whole));
    }

    #[test]
    fn nothing_within_the_bounds_costs_more_than_the_worst(price in price(), used in usage(), spare in 0..1_000u64, busy in 0..600_000u64) {
        let prices = Prices::new(&[price]);
        let bounds = Bounds {
            input_tokens: used.prompt + spare,
            output_tokens: used.completion + spare,
            images: used.images,
            busy: Duration::from_millis(busy + spare),
        };
        let cost = prices.cost(&used, TODAY, Duration::from_millis(busy)).unwrap();
        prop_assert!(prices.worst(&bounds, TODAY).unwrap() >= cost.usd);
    }

    #[test]
    fn cost_is_what_floats_say_to_a_hair(input in 0.0..100.0f64, output in 0.0..100.0f64, prompt in 0..1_000_000u64, completion in 0..1_000_000u64) {
        let prices = Prices::new(&[Price { input, output, ..Price::default() }]);
        let exact = (prompt as f64 * input + completion as f64 * output) * 1e3;
        // A rate is within half a picodollar a token of what was written: a thousandth of a nanodollar each, 2 million tokens.
        let slack = (prompt + completion) as f64 * 0.000_5 + 1.0;
        let counted = usd(&prices, &Usage { prompt, completion, ..Usage::default() }) as f64;
        prop_assert!((counted - exact).abs() <= slack, "{} {}", counted, exact);
    }
}
