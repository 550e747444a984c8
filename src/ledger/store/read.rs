//! Which rows answer a question: whole hours from the hourly sums, the rest from single requests.
//!
//! What a reader could get wrong: an hour whose single requests are no longer (all) kept is always answered from its sums, so it
//! counts as a whole even where the question begins in the middle of it, and users and tags of it are unknown.

use super::measure::{FIGURES, Figure, HOUR_US, OF_ATTEMPT, Sums, hour};

/// Arrival times, microseconds (Unix), the end not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub since: i64,
    pub until: i64,
}

impl Range {
    pub const ALL: Range = Range { since: i64::MIN, until: i64::MAX };

    pub fn contains(&self, at: i64) -> bool {
        self.since <= at && at < self.until
    }
}

/// Sums of some rows that are alike.
#[derive(Debug)]
pub struct Fact<'f> {
    /// Since 1970.
    pub hour: i64,
    pub kind: i64,
    /// `None`: not asked for, or no longer kept.
    pub user: Option<&'f str>,
    pub tags: Option<&'f str>,
    pub sums: &'f Sums,
}

/// The requests of an hour, as the database knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub hour: i64,
    pub first_id: i64,
    pub last_id: i64,
    pub pruned: bool,
}

/// Single requests to go through: those in a range of ids that came in a range of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Singles {
    pub first_id: i64,
    pub last_id: i64,
    pub range: Range,
}

/// What to read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Hours from the sums: first and last.
    pub hours: Vec<(i64, i64)>,
    pub singles: Vec<Singles>,
}

impl Plan {
    /// `single`: users or tags are asked for, which the sums do not know. `spans` in the order of their hours.
    pub fn new(range: Range, single: bool, spans: &[Span]) -> Plan {
        let mut plan = Plan::default();
        let mut before = None;
        for span in spans {
            let (begin, end) = (span.hour.saturating_mul(HOUR_US), (span.hour + 1).saturating_mul(HOUR_US));
            if end <= range.since || range.until <= begin {
                continue;
            }
            let whole = range.since <= begin && end <= range.until;
            let from_sums = span.pruned || (whole && !single);
            // Neighbours are read at once.
            let joined = before == Some(from_sums);
            before = Some(from_sums);
            if from_sums {
                match plan.hours.last_mut().filter(|_| joined) {
                    Some((_, last)) => *last = span.hour,
                    None => plan.hours.push((span.hour, span.hour)),
                }
                continue;
            }
            let part = Range { since: range.since.max(begin), until: range.until.min(end) };
            match plan.singles.last_mut().filter(|_| joined) {
                Some(singles) => {
                    singles.first_id = singles.first_id.min(span.first_id);
                    singles.last_id = singles.last_id.max(span.last_id);
                    singles.range.until = part.until;
                }
                None => {
                    plan.singles.push(Singles { first_id: span.first_id, last_id: span.last_id, range: part });
                }
            }
        }
        plan
    }

    /// Whether the hour is answered from the sums.
    pub fn sums_hold(&self, at_hour: i64) -> bool {
        self.hours.iter().any(|(first, last)| (*first..=*last).contains(&at_hour))
    }
}

/// The figures that are read of single requests, by their places in [`FIGURES`]: reading one costs a few hundredths of a microsecond a
/// row, and most requests have no audio, nothing cached and no wait. What the hourly sums know to be zero is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen(pub Vec<usize>);

impl Chosen {
    pub fn all() -> Chosen {
        Chosen((0..FIGURES.len()).collect())
    }

    /// `sum` is that of a figure over the hours in question. Money may be negative, and cancel out; whether a cost is known
    /// must be looked at in any case.
    pub fn not_zero(sum: impl Fn(usize) -> i64) -> Chosen {
        let money = [Figure::Cost as usize, Figure::Saving as usize];
        Chosen((0..FIGURES.len()).filter(|at| money.contains(at) || sum(*at) != 0).collect())
    }

    /// Those that attempts have.
    pub fn of_attempts(&self) -> Chosen {
        Chosen(self.0.iter().copied().filter(|at| *at >= OF_ATTEMPT).collect())
    }

    /// Their columns, each after the name of its table.
    pub fn columns(&self, column: impl Fn(&str) -> String) -> String {
        self.0.iter().map(|at| column(FIGURES[*at])).collect::<Vec<_>>().join(", ")
    }
}

/// The hours that a range touches, for a database's `BETWEEN`.
pub fn hours_of(range: Range) -> (i64, i64) {
    (hour(range.since), hour(range.until))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(hour: i64, pruned: bool) -> Span {
        Span { hour, first_id: hour * 10, last_id: hour * 10 + 9, pruned }
    }

    #[test]
    fn whole_hours_come_from_sums_and_the_edges_from_single_requests() {
        let spans: Vec<Span> = (100..104).map(|hour| span(hour, false)).collect();
        let range = Range { since: 100 * HOUR_US + 5, until: 103 * HOUR_US + 7 };
        let plan = Plan::new(range, false, &spans);
        assert_eq!(plan.hours, [(101, 102)]);
        let first =
            Singles { first_id: 1000, last_id: 1009, range: Range { since: range.since, until: 101 * HOUR_US } };
        let last = Singles { first_id: 1030, last_id: 1039, range: Range { since: 103 * HOUR_US, until: range.until } };
        assert_eq!(plan.singles, [first, last]);
        assert!(plan.sums_hold(101) && plan.sums_hold(102) && !plan.sums_hold(100) && !plan.sums_hold(103));
    }

    #[test]
    fn everything_comes_from_sums_where_nobody_asks_for_users() {
        let spans: Vec<Span> = (1..9).map(|hour| span(hour, hour < 4)).collect();
        assert_eq!(Plan::new(Range::ALL, false, &spans), Plan { hours: vec![(1, 8)], singles: vec![] });
        let plan = Plan::new(Range::ALL, true, &spans);
        assert_eq!(plan.hours, [(1, 3)], "what is no longer kept");
        let range = Range { since: 4 * HOUR_US, until: 9 * HOUR_US };
        assert_eq!(plan.singles, [Singles { first_id: 40, last_id: 89, range }]);
    }

    #[test]
    fn a_pruned_hour_counts_as_a_whole() {
        let plan =
            Plan::new(Range { since: 7 * HOUR_US + 1, until: i64::MAX }, false, &[span(7, true), span(8, false)]);
        assert_eq!(plan, Plan { hours: vec![(7, 8)], singles: vec![] });
        assert_eq!(Plan::new(Range { since: 5, until: 5 }, false, &[]), Plan::default());
    }
}
