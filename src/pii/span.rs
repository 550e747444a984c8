//! A place in a text where something was found, and which of two overlapping finds stays.
//!
//! What a reader could get wrong: positions are bytes; people (and `tidegate redact`) are told Unicode code points.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::entity::Entity;

/// Something found: `text[start..end]`, on character boundaries, never empty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    pub start: usize,
    pub end: usize,
    pub entity: Entity,
    /// How sure, 0 to 1.
    pub score: f32,
    /// A name that everyone knows (a country, a household name): found, counted nowhere, hidden only where its type is listed.
    pub public: bool,
}

/// Below this a find is no more than a guess and is dropped.
pub const LEAST_SCORE: f32 = 0.35;

/// Sorts by position and drops what overlaps with something better: the higher score wins, then the longer one, then the earlier in the table.
pub fn settle(spans: &mut Vec<Span>) {
    spans.retain(|span| span.score >= LEAST_SCORE && span.start < span.end);
    spans.sort_unstable_by(|a, b| a.start.cmp(&b.start).then_with(|| best_first(a, b)));
    if spans.windows(2).all(|pair| matches!(pair, [a, b] if a.end <= b.start)) {
        return;
    }
    spans.sort_unstable_by(best_first);
    let mut kept: BTreeMap<usize, usize> = BTreeMap::new();
    spans.retain(|span| {
        // Those kept do not overlap one another: only the last that begins before this one's end can reach into it.
        let rival = kept.range(..span.end).next_back();
        let free = rival.is_none_or(|(_, end)| *end <= span.start);
        if free {
            kept.insert(span.start, span.end);
        }
        free
    });
    spans.sort_unstable_by_key(|span| span.start);
}

/// Scores of different recognizers are no finer than a twentieth.
const STEPS: f32 = 20.0;

fn best_first(a: &Span, b: &Span) -> Ordering {
    let step = |span: &Span| (span.score * STEPS).round();
    let length = |span: &Span| span.end - span.start;
    step(b)
        .total_cmp(&step(a))
        .then(length(b).cmp(&length(a)))
        .then(b.score.total_cmp(&a.score))
        .then(a.start.cmp(&b.start))
        .then(a.entity.cmp(&b.entity))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: usize, end: usize, score: f32) -> Span {
        Span { start, end, entity: Entity::PERSON, score, public: false }
    }

    fn settled(mut spans: Vec<Span>) -> Vec<(usize, usize)> {
        settle(&mut spans);
        spans.iter().map(|span| (span.start, span.end)).collect()
    }

    #[test]
    fn the_surer_find_stays_and_among_equals_the_longer() {
        assert_eq!(settled(vec![span(0, 9, 0.5), span(3, 6, 0.9)]), [(3, 6)]);
        assert_eq!(settled(vec![span(0, 9, 0.9), span(3, 6, 0.9)]), [(0, 9)]);
        assert_eq!(settled(vec![span(5, 9, 0.6), span(0, 6, 0.6)]), [(0, 6)]);
        assert_eq!(settled(vec![span(0, 2, 0.6), span(2, 4, 0.6), span(8, 9, 0.1)]), [(0, 2), (2, 4)]);
    }

    #[test]
    fn one_that_covers_several_displaces_all_or_none() {
        assert_eq!(settled(vec![span(0, 3, 0.5), span(3, 6, 0.5), span(0, 9, 0.9)]), [(0, 9)]);
        assert_eq!(settled(vec![span(0, 3, 0.5), span(4, 8, 0.99), span(2, 9, 0.9)]), [(0, 3), (4, 8)]);
    }
}
