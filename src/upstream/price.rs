//! What an answer costs: prices compiled to whole numbers, the cost of what was used, and the most that a request can come to.
//!
//! What a reader could get wrong: money is counted in whole nanodollars, so that sums are exact whatever their order. A rate is held
//! in picodollars (a millionth of a dollar per million tokens), a cost is added up in those and rounded to the nearest nanodollar
//! once, at the end of an attempt. Nothing here looks at a clock: the day is handed in.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use smallvec::SmallVec;

use crate::config::file::{self, Price};
use crate::config::price_list::{self, Source};
use crate::openai::usage::Usage;

/// A billionth of a US dollar: 9 billion dollars fit.
pub type NanoUsd = i64;

/// Nanodollars in a dollar.
pub const NANOS_PER_USD: f64 = 1e9;

/// Picodollars a token for a dollar per million tokens.
const PICOS_PER_TOKEN: f64 = 1e6;
const PICOS_PER_USD: f64 = 1e12;
const PICOS_PER_NANO: u128 = 1_000;
const MICROS_PER_HOUR: u128 = 3_600_000_000;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// The slowest that a node works through a prompt and writes an answer, tokens a second: a small machine without an accelerator.
const SLOWEST_PROMPT: u64 = 50;
const SLOWEST_ANSWER: u64 = 5;

/// A day of the calendar in UTC, as days since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

impl Day {
    /// The day of a moment.
    pub fn of(at: Timestamp) -> Day {
        Day::of_micros(at.as_microsecond())
    }

    /// The day of a moment in microseconds (Unix), as an entry of the ledger has it.
    pub fn of_micros(at: i64) -> Day {
        // An i64 of microseconds is at most 106,751,991 days away from 1970.
        Day(i32::try_from(at.div_euclid(MICROS_PER_DAY)).unwrap_or(i32::MAX))
    }
}

impl From<Date> for Day {
    fn from(date: Date) -> Day {
        let hours = date.duration_since(Date::constant(1970, 1, 1)).as_hours();
        Day(i32::try_from(hours.div_euclid(24)).unwrap_or(i32::MAX))
    }
}

/// Money and carbon of one attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Nanodollars, never negative.
    pub usd: NanoUsd,
    /// Millionths of a gram of CO2 (equivalent).
    pub co2_ug: u64,
}

/// The most that a request can use, known or estimated before it is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Tokens of the prompt.
    pub input_tokens: u64,
    /// Tokens of the answer, all choices together, reasoning included.
    pub output_tokens: u64,
    /// Images in the prompt.
    pub images: u64,
    /// The longest that a node works on it. Only prices with `per_node_hour` or `watts` read it. An upstream's total timeout is a true
    /// bound, and a useless one (two minutes held for an answer of two seconds): take the lesser of it and [`node_time`].
    pub busy: Duration,
}

/// How long a slow node takes for a prompt and an answer: what to reserve its time for. A node that is slower still is settled at what
/// it took, so that a budget can be overrun by the difference, once for each request in flight.
pub fn node_time(input_tokens: u64, output_tokens: u64) -> Duration {
    let prompt = Duration::from_secs(input_tokens.div_ceil(SLOWEST_PROMPT));
    prompt.saturating_add(Duration::from_secs(output_tokens.div_ceil(SLOWEST_ANSWER)))
}

/// What a model costs, by the day from which it does.
#[derive(Debug, Clone, Default)]
pub struct Prices {
    /// By their first day; none: the cost is not known.
    entries: SmallVec<[(Day, Rates); 1]>,
}

impl Prices {
    /// The prices that a model goes by; `name` is its key in `models`.
    pub fn of(name: &str, model: &file::Model, upstream: &file::Upstream) -> Prices {
        match price_list::source(name, model, upstream) {
            Source::Own(prices) => Prices::new(prices),
            Source::List(_, price) => Prices::new(&[price]),
            Source::Unknown => Prices::default(),
        }
    }

    /// The list price of a model that only an answer names: what is passed through to `upstream`.
    pub fn listed(id: &str, upstream: &file::Upstream) -> Prices {
        price_list::listed(id, upstream).map(|(_, price)| Prices::new(&[price])).unwrap_or_default()
    }

    /// Entries in any order; one without `from` holds since ever.
    pub fn new(prices: &[Price]) -> Prices {
        let since = |price: &Price| price.from.map_or(Day(i32::MIN), Day::from);
        let mut entries: SmallVec<_> = prices.iter().map(|price| (since(price), Rates::new(price))).collect();
        entries.sort_by_key(|(since, _)| *since);
        Prices { entries }
    }

    /// Whether a cost can be told on this day.
    pub fn is_known(&self, day: Day) -> bool {
        self.on(day).is_some()
    }

    /// What an attempt that answered cost. `busy` is the node's time that it is charged for: where a node works on several requests at
    /// once, the caller hands in this one's share. `None`: the price is not known.
    pub fn cost(&self, usage: &Usage, day: Day, busy: Duration) -> Option<Cost> {
        let rates = self.on(day)?;
        let time = micros(busy);
        let picos = rates.tokens(usage) + u128::from(rates.per_request) + node_time_share(time, rates.node_hour);
        let co2 = node_time_share(time, rates.co2_hour);
        Some(Cost { usd: nanos(picos), co2_ug: u64::try_from(co2).unwrap_or(u64::MAX) })
    }

    /// The most that an attempt within `bounds` can cost: every token of the prompt and of the answer at the dearest of its kinds, no
    /// discount for cached ones. `None`: the price is not known.
    pub fn worst(&self, bounds: &Bounds, day: Day) -> Option<NanoUsd> {
        let rates = self.on(day)?;
        let input = rates.input.max(rates.cached).max(rates.cache_write).max(rates.audio_in);
        let output = rates.output.max(rates.reasoning).max(rates.audio_out);
        let time = micros(bounds.busy);
        let picos = times(bounds.input_tokens, input)
            + times(bounds.output_tokens, output)
            + times(bounds.images, rates.image)
            + u128::from(rates.per_request)
            + node_time_share(time, rates.node_hour);
        Some(nanos(picos))
    }

    fn on(&self, day: Day) -> Option<&Rates> {
        self.entries.iter().rev().find(|(since, _)| *since <= day).map(|(_, rates)| rates)
    }
}

/// A price in whole numbers: picodollars a token, an image, a request, an hour; millionths of a gram an hour.
///
/// None is above 2^64, and neither are the counts that they are multiplied with, so that a sum of all fits into 128 bits: see `times`.
#[derive(Debug, Clone, Copy)]
struct Rates {
    input: u64,
    cached: u64,
    cache_write: u64,
    audio_in: u64,
    output: u64,
    reasoning: u64,
    audio_out: u64,
    image: u64,
    per_request: u64,
    node_hour: u64,
    co2_hour: u64,
}

impl Rates {
    fn new(price: &Price) -> Rates {
        let token = |usd: f64| whole(usd * PICOS_PER_TOKEN);
        let usd = |usd: Option<f64>| whole(usd.unwrap_or(0.0) * PICOS_PER_USD);
        let kilowatts = price.watts.unwrap_or(0.0) / 1_000.0;
        let power = kilowatts * price.usd_per_kwh.unwrap_or(0.0);
        let grams = kilowatts * price.g_co2_per_kwh.unwrap_or(0.0);
        Rates {
            input: token(price.input),
            cached: token(price.cached_input.unwrap_or(price.input)),
            cache_write: token(price.cache_write.unwrap_or(price.input)),
            audio_in: token(price.audio_input.unwrap_or(price.input)),
            output: token(price.output),
            reasoning: token(price.reasoning.unwrap_or(price.output)),
            audio_out: token(price.audio_output.unwrap_or(price.output)),
            image: usd(price.image),
            per_request: usd(price.per_request),
            node_hour: whole((price.per_node_hour.unwrap_or(0.0) + power) * PICOS_PER_USD),
            co2_hour: whole(grams * 1e6),
        }
    }

    /// Tokens and images, in picodollars. A token is charged once: as cached, else as written to the cache, else as audio, else as plain;
    /// a part that is larger than the whole counts as the whole.
    fn tokens(&self, usage: &Usage) -> u128 {
        let cached = usage.cached.min(usage.prompt);
        let fresh = usage.prompt - cached;
        let written = usage.cache_write.min(fresh);
        let audio_in = usage.audio_in.min(fresh - written);
        let reasoning = usage.reasoning.min(usage.completion);
        let visible = usage.completion - reasoning;
        let audio_out = usage.audio_out.min(visible);
        times(cached, self.cached)
            + times(written, self.cache_write)
            + times(audio_in, self.audio_in)
            + times(fresh - written - audio_in, self.input)
            + times(reasoning, self.reasoning)
            + times(audio_out, self.audio_out)
            + times(visible - audio_out, self.output)
            + times(usage.images, self.image)
    }
}

/// A product of two 64-bit numbers is below 2^128; held to 2^124, ten of them can be added.
fn times(count: u64, rate: u64) -> u128 {
    (u128::from(count) * u128::from(rate)).min(1 << 124)
}

fn node_time_share(micros: u64, per_hour: u64) -> u128 {
    (times(micros, per_hour) + MICROS_PER_HOUR / 2) / MICROS_PER_HOUR
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// To the nearest nanodollar, half a one up; more than 9 billion dollars are 9 billion.
fn nanos(picos: u128) -> NanoUsd {
    NanoUsd::try_from((picos + PICOS_PER_NANO / 2) / PICOS_PER_NANO).unwrap_or(NanoUsd::MAX)
}

/// The nearest whole number; nothing below zero and no NaN (the casts saturate).
fn whole(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(test)]
mod tests;
