//! Adds up what the database gives, line by line.
//!
//! What a reader could get wrong: a million rows may come through here, so a row costs a few look-ups of numbers and no text is made
//! for it.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::dimension::is_hit;
use super::{Answer, Dimension, Line, Query, Totals};
use crate::ledger::entry::Entry;
use crate::ledger::store::{
    EARLIER_ATTEMPT, Fact, Figure, Kind, Measured, NO_ATTEMPT, Sums, Word, earlier, hour, request,
};

/// Where users or tags were asked for and are no longer kept.
const NOT_KEPT: &str = "(not kept)";

/// Users held at once, so that a filter for one of them does not hold all.
const MOST_SEEN: usize = 65_536;

type Fast<K, V> = HashMap<K, V, RandomState>;

/// Adds up the facts of one query.
pub struct Fold<'q> {
    query: &'q Query,
    kinds: Fast<i64, Option<Role>>,
    /// Values of the dimensions that a kind, and that a request's user and tags have, numbered.
    of_kind: Groups,
    of_single: Groups,
    /// What was found for a user with tags (length of the first, both), so that they are looked at once.
    seen: Fast<Box<[u8]>, Option<u32>>,
    key: Vec<u8>,
    lines: Fast<Key, Totals>,
    partly_unknown: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    of_kind: u32,
    of_single: u32,
    time: i64,
}

/// What rows of a kind count as.
#[derive(Debug, Clone, Copy)]
struct Role {
    group: u32,
    request: bool,
    attempt: bool,
    failed: bool,
    hit: bool,
    estimated: bool,
    cloud: bool,
}

#[derive(Default)]
struct Groups {
    numbers: HashMap<Vec<Box<str>>, u32>,
    values: Vec<Vec<Box<str>>>,
}

impl Groups {
    fn number(&mut self, values: Vec<Box<str>>) -> u32 {
        let next = self.values.len() as u32;
        *self.numbers.entry(values).or_insert_with_key(|values| {
            self.values.push(values.clone());
            next
        })
    }
}

impl<'q> Fold<'q> {
    pub fn new(query: &'q Query) -> Fold<'q> {
        Fold {
            query,
            kinds: HashMap::default(),
            of_kind: Groups::default(),
            of_single: Groups::default(),
            seen: HashMap::default(),
            key: Vec::new(),
            lines: HashMap::default(),
            partly_unknown: false,
        }
    }

    /// Makes a kind known before its facts come.
    pub fn kind(&mut self, id: i64, kind: &Kind<Box<str>>) {
        let role = self.role(kind);
        self.kinds.insert(id, role);
    }

    pub fn fact(&mut self, fact: &Fact<'_>) {
        let Some(Some(role)) = self.kinds.get(&fact.kind).copied() else { return };
        let Some(single) = self.single(fact.user.zip(fact.tags)) else { return };
        self.add(role, single, fact.hour, fact.sums);
    }

    /// An entry that is not in the database.
    pub fn entry(&mut self, entry: &Entry<'_>) {
        if !self.query.range().contains(entry.at) {
            return;
        }
        for measured in earlier(entry).chain([request(entry)]) {
            self.measured(entry, &measured);
        }
    }

    fn measured(&mut self, entry: &Entry<'_>, measured: &Measured<'_>) {
        let Some(role) = self.role(&measured.kind) else { return };
        let Some(single) = self.single(Some((entry.user, entry.tags))) else { return };
        self.add(role, single, hour(entry.at), &Sums::one(&measured.figures, measured.cost_known));
    }

    fn add(&mut self, role: Role, of_single: u32, at_hour: i64, sums: &Sums) {
        let by = &self.query.by;
        let time = if by.contains(&Dimension::Hour) {
            at_hour
        } else if by.contains(&Dimension::Day) {
            at_hour.div_euclid(24) * 24
        } else {
            0
        };
        let totals = self.lines.entry(Key { of_kind: role.group, of_single, time }).or_default();
        let counted = |wanted: bool| if wanted { sums.rows } else { 0 };
        totals.add(&Totals {
            requests: counted(role.request),
            failed: counted(role.request && role.failed),
            cached_hits: counted(role.request && role.hit),
            attempts: counted(role.attempt),
            estimated: counted(role.attempt && role.estimated),
            cost_unknown: sums.unknown,
            cloud_bytes: if role.cloud { sums.of[Figure::BytesOut as usize] } else { 0 },
            of: sums.of,
        });
    }

    /// What a kind counts as; `None`: it is filtered out.
    fn role<W: AsRef<str>>(&mut self, kind: &Kind<W>) -> Option<Role> {
        let of_kind = |dimension: &&Dimension| !dimension.is_time() && !dimension.is_of_single_requests();
        if !self.passes(|dimension| of_kind(&dimension).then(|| dimension.of_kind(kind))) {
            return None;
        }
        let values = self.query.by.iter().filter(of_kind).map(|dimension| dimension.of_kind(kind).into()).collect();
        Some(Role {
            group: self.of_kind.number(values),
            request: kind.attempt != EARLIER_ATTEMPT,
            attempt: kind.attempt != NO_ATTEMPT,
            failed: kind.word(Word::Outcome) != "ok",
            hit: is_hit(kind),
            estimated: kind.estimated,
            cloud: kind.word(Word::Placement) == "cloud",
        })
    }

    /// The number of what user and tags come to; `None`: filtered out.
    fn single(&mut self, user_and_tags: Option<(&str, &str)>) -> Option<u32> {
        if !self.query.single() {
            return Some(0);
        }
        let Some((user, tags)) = user_and_tags else {
            self.partly_unknown = true;
            let filtered = self.query.filters.iter().any(|(dimension, _)| dimension.is_of_single_requests());
            return (!filtered).then(|| self.number(|_| NOT_KEPT));
        };
        self.key.clear();
        self.key.extend_from_slice(&(user.len() as u32).to_le_bytes());
        self.key.extend_from_slice(user.as_bytes());
        self.key.extend_from_slice(tags.as_bytes());
        if let Some(known) = self.seen.get(self.key.as_slice()) {
            return *known;
        }
        let of_single = |dimension: &Dimension| dimension.is_of_single_requests();
        let passes = self.passes(|dimension| of_single(dimension).then(|| dimension.of_single(user, tags)));
        let number = passes.then(|| self.number(|dimension| dimension.of_single(user, tags)));
        if self.seen.len() >= MOST_SEEN {
            self.seen.clear();
        }
        self.seen.insert(self.key.as_slice().into(), number);
        number
    }

    fn number<'v>(&mut self, value: impl Fn(&Dimension) -> &'v str) -> u32 {
        let single = self.query.by.iter().filter(|dimension| dimension.is_of_single_requests());
        let values = single.map(|dimension| value(dimension).into()).collect();
        self.of_single.number(values)
    }

    /// Whether, of each dimension that is filtered by and has a value here, that is one of those wanted.
    fn passes<'v>(&self, value: impl Fn(&Dimension) -> Option<&'v str>) -> bool {
        let filters = &self.query.filters;
        filters.iter().all(|(dimension, _)| {
            let Some(value) = value(dimension) else { return true };
            filters.iter().any(|(other, wanted)| other == dimension && wanted == value)
        })
    }

    pub fn answer(self) -> Answer {
        let by = &self.query.by;
        let mut answer = Answer { by: by.clone(), partly_unknown: self.partly_unknown, ..Answer::default() };
        for (key, totals) in self.lines {
            let mut of_kind = self.of_kind.values.get(key.of_kind as usize).into_iter().flatten();
            let mut of_single = self.of_single.values.get(key.of_single as usize).into_iter().flatten();
            let value = |dimension: &Dimension| match dimension {
                Dimension::Day => day(key.time),
                Dimension::Hour => format!("{}T{:02}:00Z", day(key.time), key.time.rem_euclid(24)),
                dimension if dimension.is_of_single_requests() => {
                    of_single.next().map(ToString::to_string).unwrap_or_default()
                }
                _ => of_kind.next().map(ToString::to_string).unwrap_or_default(),
            };
            answer.total.add(&totals);
            answer.lines.push(Line { group: by.iter().map(value).collect(), totals });
        }
        answer.sort();
        answer
    }
}

/// The day (UTC) of an hour since 1970.
fn day(at_hour: i64) -> String {
    let seconds = at_hour.saturating_mul(3600);
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| at_hour.to_string(), |time| time.strftime("%Y-%m-%d").to_string())
}
