//! What of an entry is counted: its figures, and the kind (who, where, how it ended) that they are summed under.
//!
//! What a reader could get wrong: a request's row holds its last attempt as well, because nearly every request has one attempt; only
//! the earlier ones (retries, fallbacks) are measured as rows of their own. So each request and each attempt is counted once. A copy
//! to a shadow has an entry of its own and is an attempt without a request.

use crate::ledger::entry::{Attempt, Entry};

/// Microseconds of an hour, the unit of the roll-ups.
pub const HOUR_US: i64 = 3_600_000_000;

/// A single figure counts at most this much (10^12: tokens, microseconds, bytes): beyond it is a broken upstream, and one of them
/// must not overflow the sums of everybody.
pub const MOST: u64 = 1 << 40;

/// The same for money: 17,592 dollars for one attempt.
pub const MOST_COST: i64 = 1 << 44;

/// A figure that is summed, in the order of the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Figure {
    Saving,
    WaitUs,
    OverheadUs,
    FirstTokenUs,
    TotalUs,
    Prompt,
    Cached,
    Completion,
    Reasoning,
    AudioIn,
    AudioOut,
    Cost,
    Co2Ug,
    UpstreamUs,
    ComputeUs,
    TransferUs,
    BytesOut,
}

/// The columns' names, in the order of [`Figure`].
pub const FIGURES: [&str; 17] = [
    "saving",
    "wait_us",
    "overhead_us",
    "first_token_us",
    "total_us",
    "prompt",
    "cached",
    "completion",
    "reasoning",
    "audio_in",
    "audio_out",
    "cost",
    "co2_ug",
    "upstream_us",
    "compute_us",
    "transfer_us",
    "bytes_out",
];

/// The first figures are the request's; those from here on are the attempt's.
pub const OF_ATTEMPT: usize = Figure::Prompt as usize;

/// Figures of one row.
pub type Figures = [i64; FIGURES.len()];

/// Figures summed over rows of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// Rows; what they are (requests, attempts) tells the kind.
    pub rows: i64,
    /// Attempts of unknown price.
    pub unknown: i64,
    pub of: Figures,
}

impl Sums {
    /// One row; `cost` tells whether its price is known.
    pub fn one(figures: &Figures, cost_known: bool) -> Sums {
        Sums { rows: 1, unknown: i64::from(!cost_known), of: *figures }
    }

    pub fn add(&mut self, other: &Sums) {
        self.rows += other.rows;
        self.unknown += other.unknown;
        for (sum, more) in self.of.iter_mut().zip(&other.of) {
            *sum = sum.saturating_add(*more);
        }
    }
}

/// The texts of a kind, in the order of the columns.
pub const WORDS: [&str; 16] = [
    "tenant",
    "app",
    "endpoint",
    "route",
    "rule",
    "outcome",
    "privacy",
    "cache",
    "fallback",
    "role",
    "model",
    "upstream",
    "node",
    "placement",
    "region",
    "attempt_outcome",
];

/// A text of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Word {
    Tenant,
    App,
    Endpoint,
    Route,
    Rule,
    Outcome,
    Privacy,
    Cache,
    Fallback,
    Role,
    Model,
    Upstream,
    Node,
    Placement,
    Region,
    AttemptOutcome,
}

/// What a row of a kind stands for.
pub const NO_ATTEMPT: u8 = 0;
pub const LAST_ATTEMPT: u8 = 1;
pub const EARLIER_ATTEMPT: u8 = 2;

/// Who asked, where it ran and how it ended: what rows are summed by. `W` is `&str` from an entry, `Box<str>` from the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind<W> {
    pub words: [W; WORDS.len()],
    /// The request's.
    pub status: u16,
    pub stream: bool,
    /// [`NO_ATTEMPT`], [`LAST_ATTEMPT`] (each with its request) or [`EARLIER_ATTEMPT`].
    pub attempt: u8,
    pub attempt_status: u16,
    pub estimated: bool,
}

impl<W: AsRef<str>> Kind<W> {
    pub fn word(&self, word: Word) -> &str {
        self.words[word as usize].as_ref()
    }

    /// Bytes that are the same for the same kind only.
    pub fn key(&self, into: &mut Vec<u8>) {
        into.clear();
        into.extend_from_slice(&self.status.to_le_bytes());
        into.extend_from_slice(&self.attempt_status.to_le_bytes());
        into.push(u8::from(self.stream) | u8::from(self.estimated) << 1 | self.attempt << 2);
        for word in &self.words {
            let word = word.as_ref();
            into.extend_from_slice(&(word.len() as u32).to_le_bytes());
            into.extend_from_slice(word.as_bytes());
        }
    }
}

/// One row to be.
#[derive(Debug)]
pub struct Measured<'e> {
    pub kind: Kind<&'e str>,
    pub figures: Figures,
    pub cost_known: bool,
}

/// The request's row, with its last attempt.
pub fn request<'e>(entry: &Entry<'e>) -> Measured<'e> {
    let attempt = entry.attempts.last();
    if entry.is_shadow() {
        // Nobody's request: it has cost and tokens, and counts as an attempt.
        return row(entry, attempt, EARLIER_ATTEMPT);
    }
    let mut measured = row(entry, attempt, if attempt.is_some() { LAST_ATTEMPT } else { NO_ATTEMPT });
    measured.kind.words[Word::Fallback as usize] = entry.fallback_reason();
    let figures = &mut measured.figures;
    figures[Figure::Saving as usize] = money(entry.saving);
    figures[Figure::WaitUs as usize] = count(entry.wait_us);
    figures[Figure::OverheadUs as usize] = count(entry.overhead_us);
    figures[Figure::FirstTokenUs as usize] = count(entry.first_token_us);
    figures[Figure::TotalUs as usize] = count(entry.total_us);
    measured
}

/// The attempts before the last, in their order.
pub fn earlier<'a, 'e: 'a>(entry: &'a Entry<'e>) -> impl Iterator<Item = Measured<'e>> + 'a {
    let attempts = entry.attempts.as_slice();
    let earlier = &attempts[..attempts.len().saturating_sub(1)];
    earlier.iter().map(|attempt| row(entry, Some(attempt), EARLIER_ATTEMPT))
}

fn row<'e>(entry: &Entry<'e>, attempt: Option<&Attempt<'e>>, stands_for: u8) -> Measured<'e> {
    let none = Attempt::default();
    let made = attempt.unwrap_or(&none);
    let tokens = &made.tokens;
    let kind = Kind {
        words: [
            entry.tenant,
            entry.app,
            entry.endpoint,
            entry.route,
            entry.rule,
            entry.outcome,
            entry.privacy,
            entry.cache,
            "",
            made.role,
            made.model,
            made.upstream,
            made.node,
            made.placement,
            made.region,
            made.outcome,
        ],
        status: entry.status,
        stream: entry.stream,
        attempt: stands_for,
        attempt_status: made.status,
        estimated: made.estimated,
    };
    let figures = [
        0,
        0,
        0,
        0,
        0,
        count(tokens.prompt),
        count(tokens.cached),
        count(tokens.completion),
        count(tokens.reasoning),
        count(tokens.audio_in),
        count(tokens.audio_out),
        money(made.cost.unwrap_or(0)),
        count(made.co2_ug),
        count(made.upstream_us),
        count(made.compute_us),
        count(made.transfer_us),
        count(made.bytes_out),
    ];
    Measured { kind, figures, cost_known: attempt.is_none() || made.cost.is_some() }
}

fn count(value: u64) -> i64 {
    value.min(MOST) as i64
}

fn money(value: i64) -> i64 {
    value.clamp(-MOST_COST, MOST_COST)
}

/// The hour (since 1970) of a time in microseconds.
pub fn hour(at: i64) -> i64 {
    at.div_euclid(HOUR_US)
}

/// A share from 0 to 1 in ten-thousandths.
pub fn share(value: Option<f32>) -> Option<i64> {
    value.map(|share| (f64::from(share) * 1e4).round() as i64)
}
