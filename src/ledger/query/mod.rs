//! Questions to the ledger: what was used and what it cost, by whom, where, when.
//!
//! What a reader could get wrong: a request counts once, under its last attempt (the one that answered); tokens, cost and times of an
//! upstream count under the attempt that had them. So every grouping adds up to the same total.

mod ask;
mod dimension;
mod fold;
mod output;
mod text;

pub use ask::{After, AskError, Asked, ask, parameters, usage_json};
pub use dimension::Dimension;
pub use output::{COLUMNS, Column, csv_line, decimal, number};
pub use text::moment;

use std::cmp::Reverse;

use super::entry::Entry;
use super::store::{FIGURES, Figure, Range, Source, Store, StoreError};
use crate::upstream::price::NanoUsd;

/// What is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// One line for each combination of these; none: one line in all.
    pub by: Vec<Dimension>,
    /// Arrival, microseconds (Unix).
    pub since: Option<i64>,
    /// Not included.
    pub until: Option<i64>,
    /// Only what has one of the values given for each dimension named.
    pub filters: Vec<(Dimension, String)>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    pub by: Vec<Dimension>,
    /// By time where that is asked for, else the dearest first.
    pub lines: Vec<Line>,
    pub total: Totals,
    /// Users or tags were asked for, and of a part only the hourly sums are kept, which know neither.
    pub partly_unknown: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// A value for each dimension asked for, in that order; empty where there is none (no model: nothing was sent).
    pub group: Vec<String>,
    pub totals: Totals,
}

/// Sums of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    pub requests: i64,
    /// Requests whose outcome was not `ok`.
    pub failed: i64,
    /// Requests answered from a cache or by joining another's.
    pub cached_hits: i64,
    pub attempts: i64,
    /// Attempts whose tokens were counted here.
    pub estimated: i64,
    /// Attempts whose price is not known; they cost 0 in the sum.
    pub cost_unknown: i64,
    /// Bytes that were sent to the cloud.
    pub cloud_bytes: i64,
    pub of: [i64; FIGURES.len()],
}

impl Totals {
    pub fn get(&self, figure: Figure) -> i64 {
        self.of[figure as usize]
    }

    pub fn add(&mut self, other: &Totals) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.cached_hits += other.cached_hits;
        self.attempts += other.attempts;
        self.estimated += other.estimated;
        self.cost_unknown += other.cost_unknown;
        self.cloud_bytes = self.cloud_bytes.saturating_add(other.cloud_bytes);
        for (sum, more) in self.of.iter_mut().zip(&other.of) {
            *sum = sum.saturating_add(*more);
        }
    }
}

impl Query {
    /// Asks the database, and adds what `tail` calls back with: entries that are not in it yet.
    pub fn run<E: From<StoreError>>(
        &self,
        source: &mut Source<'_>,
        tail: impl FnOnce(&mut dyn FnMut(&Entry<'_>)) -> Result<(), E>,
    ) -> Result<Answer, E> {
        let mut fold = fold::Fold::new(self);
        source.kinds(&mut |id, kind| fold.kind(id, &kind))?;
        source.facts(self.range(), self.single(), &mut |fact| fold.fact(fact))?;
        tail(&mut |entry| fold.entry(entry))?;
        Ok(fold.answer())
    }

    /// Only entries that are in no database yet.
    pub fn run_without<E>(&self, tail: impl FnOnce(&mut dyn FnMut(&Entry<'_>)) -> Result<(), E>) -> Result<Answer, E> {
        let mut fold = fold::Fold::new(self);
        tail(&mut |entry| fold.entry(entry))?;
        Ok(fold.answer())
    }

    fn range(&self) -> Range {
        Range { since: self.since.unwrap_or(Range::ALL.since), until: self.until.unwrap_or(Range::ALL.until) }
    }

    /// Whether the hourly sums do not do.
    fn single(&self) -> bool {
        self.by.iter().chain(self.filters.iter().map(|(dimension, _)| dimension)).any(Dimension::is_of_single_requests)
    }
}

impl Answer {
    fn sort(&mut self) {
        if self.by.iter().any(|dimension| matches!(dimension, Dimension::Day | Dimension::Hour)) {
            self.lines.sort_by(|a, b| a.group.cmp(&b.group));
            return;
        }
        self.lines.sort_by(|a, b| {
            let weight = |line: &Line| (Reverse(line.totals.get(Figure::Cost)), Reverse(line.totals.requests));
            weight(a).cmp(&weight(b)).then_with(|| a.group.cmp(&b.group))
        });
    }
}

impl Store {
    /// What a tenant (or one app of his) has spent on requests that came since then, booked ones only; exact: attempts of unknown price
    /// count 0. Where single requests of the first hour are no longer kept, that hour counts as a whole: a budget is never
    /// restored with less than was spent.
    pub fn spent(&mut self, tenant: &str, app: Option<&str>, since_us: i64) -> Result<NanoUsd, StoreError> {
        let mut filters = vec![(Dimension::Tenant, tenant.to_owned())];
        filters.extend(app.map(|app| (Dimension::App, app.to_owned())));
        let query = Query { since: Some(since_us), filters, ..Query::default() };
        let answer = query.run(&mut self.source()?, |_| Ok::<(), StoreError>(()))?;
        Ok(answer.total.get(Figure::Cost))
    }

    /// The same for all tenants and apps at once, in one pass: `(tenant, app, spent)`; a tenant's sum is that of his apps and of
    /// the empty one.
    pub fn spent_by_app(&mut self, since_us: i64) -> Result<Vec<(String, String, NanoUsd)>, StoreError> {
        let query = Query { by: vec![Dimension::Tenant, Dimension::App], since: Some(since_us), ..Query::default() };
        let answer = query.run(&mut self.source()?, |_| Ok::<(), StoreError>(()))?;
        let line = |line: Line| {
            let cost = line.totals.get(Figure::Cost);
            let mut group = line.group.into_iter();
            Some((group.next()?, group.next()?, cost))
        };
        Ok(answer.lines.into_iter().filter_map(line).collect())
    }
}
