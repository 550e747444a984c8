//! Against a plain model, and what must hold of memory and threads. What a reader could get wrong: among few entries the index is exact; only
//! `nearly_all_of_the_nearest_are_found_among_many` has more than it takes exact products of.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const DIMENSIONS: usize = 64;

/// Numbers of a bell curve, roughly; the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn bell(&mut self) -> f32 {
        (0..4).map(|_| self.next() as f32 / (1_u64 << 31) as f32 - 0.5).sum()
    }

    fn vector(&mut self, dimensions: usize) -> Vec<f32> {
        (0..dimensions).map(|_| self.bell()).collect()
    }

    fn near(&mut self, centre: &[f32], spread: f32) -> Vec<f32> {
        centre.iter().map(|part| part + spread * self.bell()).collect()
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The same, plainly.
#[derive(Default)]
struct Model {
    entries: Vec<(Scope, u64, Vec<f32>)>,
}

impl Model {
    fn insert(&mut self, capacity: usize, scope: Scope, id: u64, vector: Vec<f32>) {
        self.remove(scope, id);
        self.entries.push((scope, id, vector));
        let beyond = self.entries.len().saturating_sub(capacity);
        self.entries.drain(..beyond);
    }

    fn remove(&mut self, scope: Scope, id: u64) {
        self.entries.retain(|(other, kept, _)| (*other, *kept) != (scope, id));
    }

    fn cosines(&self, scope: Scope, vector: &[f32]) -> HashMap<u64, f32> {
        let own = self.entries.iter().filter(|(other, ..)| *other == scope);
        own.map(|(_, id, kept)| (*id, cosine(kept, vector))).collect()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Insert(u128, u64, u64),
    Remove(u128, u64),
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (0_u128..3, 0_u64..12, any::<u64>()).prop_map(|(scope, id, seed)| Step::Insert(scope, id, seed)),
        6 => (0_u128..3, 0_u64..12).prop_map(|(scope, id)| Step::Remove(scope, id)),
        1 => Just(Step::Clear),
    ]
}

proptest! {
    #[test]
    fn it_does_what_the_model_does(steps in proptest::collection::vec(step(), 0..80), capacity in 0_usize..14, seed in any::<u64>()) {
        let index = Index::new(DIMENSIONS, capacity);
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Insert(scope, id, seed) => {
                    let vector = Random(seed).vector(DIMENSIONS);
                    prop_assert_eq!(index.insert(Scope(scope), id, &vector), capacity > 0);
                    model.insert(capacity, Scope(scope), id, vector);
                }
                Step::Remove(scope, id) => {
                    index.remove(Scope(scope), id);
                    model.remove(Scope(scope), id);
                }
                Step::Clear => {
                    index.clear();
                    model.entries.clear();
                    prop_assert_eq!(index.bytes(), 0);
                }
            }
            prop_assert_eq!(index.len(), model.entries.len());
            prop_assert_eq!(index.bytes() == 0, index.is_empty());
        }
        let question = Random(seed).vector(DIMENSIONS);
        for scope in (0..3).map(Scope) {
            let expected = model.cosines(scope, &question);
            let found = index.nearest(scope, &question, usize::MAX);
            prop_assert_eq!(found.len(), expected.len());
            prop_assert!(found.is_sorted_by(|a, b| a.cosine >= b.cosine));
            for found in &found {
                prop_assert!((expected[&found.id] - found.cosine).abs() < 0.02, "{:?} against {}", found, expected[&found.id]);
            }
            let few = index.nearest(scope, &question, 2);
            prop_assert_eq!(&few[..], &found[..found.len().min(2)]);
        }
    }
}

/// Four of four neighbours, over questions that lie near an entry, as paraphrases do.
#[test]
fn nearly_all_of_the_nearest_are_found_among_many() {
    let (entries, dimensions, questions) = (12_000, 128, 50);
    let mut random = Random(7);
    let centres: Vec<Vec<f32>> = (0..600).map(|_| random.vector(dimensions)).collect();
    let kept: Vec<Vec<f32>> = (0..entries).map(|at| random.near(&centres[at % centres.len()], 0.7)).collect();
    let index = Index::new(dimensions, entries);
    for (id, vector) in (0..).zip(&kept) {
        assert!(index.insert(Scope(1), id, vector));
    }
    let mut found = 0;
    for at in 0..questions {
        let question = random.near(&kept[at * 97], 0.5);
        let mut exact: Vec<(u64, f32)> = (0..).zip(kept.iter().map(|kept| cosine(kept, &question))).collect();
        exact.sort_by(|a, b| b.1.total_cmp(&a.1));
        let near = index.nearest(Scope(1), &question, 4);
        assert_eq!(near.len(), 4);
        found += exact[..4].iter().filter(|(id, _)| near.iter().any(|near| near.id == *id)).count();
    }
    assert!(found * 100 >= questions * 4 * 95, "{found} of {}", questions * 4);
}

#[test]
fn the_oldest_go_first_whatever_their_scope() {
    let index = Index::new(DIMENSIONS, 3);
    let vector = Random(1).vector(DIMENSIONS);
    for id in 0..3 {
        index.insert(Scope(u128::from(id)), id, &vector);
    }
    index.insert(Scope(0), 0, &vector);
    index.insert(Scope(9), 9, &vector);
    let kept: Vec<u128> =
        [0, 1, 2, 9].into_iter().filter(|scope| !index.nearest(Scope(*scope), &vector, 1).is_empty()).collect();
    assert_eq!(kept, [0, 2, 9], "what was replaced is new again");
}

#[test]
fn what_has_no_direction_replaces_nothing_and_finds_nothing() {
    let index = Index::new(2, 10);
    assert!(index.insert(Scope(1), 1, &[1.0, 0.0]));
    assert!(index.nearest(Scope(1), &[0.0, 0.0], 4).is_empty());
    assert!(!index.insert(Scope(1), 1, &[f32::NAN, 0.0]));
    assert!(index.nearest(Scope(1), &[1.0, 0.0], 4).is_empty(), "the entry of before is outdated");
}

#[test]
fn a_million_entries_later_no_more_is_held() {
    let (dimensions, capacity) = (16, 50_000);
    let index = Index::new(dimensions, capacity);
    let vectors: Vec<Vec<f32>> = (0..64).map(|seed| Random(seed).vector(dimensions)).collect();
    let mut most = 0;
    for id in 0..1_000_000_u64 {
        // One busy scope, a thousand small ones, and now and then one that is never seen again.
        let scope = if id % 3 == 0 { 0 } else { id % 1_000 + if id % 7 == 0 { id } else { 0 } };
        index.insert(Scope(u128::from(scope)), id, &vectors[id as usize % vectors.len()]);
        if id % 5_000 == 0 {
            most = most.max(index.bytes());
        }
    }
    assert_eq!(index.len(), capacity);
    // An entry: 8 + 4 + 8 + 16 bytes, twice that where a vector has just grown; 80 in the order; a lone entry's room besides.
    assert!(most < capacity * (2 * 36 + 80 + 192 + 136), "{most}");
    assert!(index.bytes() > capacity * (36 + 80));
}

#[test]
fn removals_leave_no_empty_shells() {
    let index = Index::new(DIMENSIONS, 100_000);
    let vector = Random(3).vector(DIMENSIONS);
    for id in 0..20_000 {
        index.insert(Scope(1), id, &vector);
    }
    let full = index.bytes();
    for id in (0..20_000).filter(|id| id % 64 != 0) {
        index.remove(Scope(1), id);
    }
    assert!(index.bytes() * 10 < full, "{} of {full}", index.bytes());
    for id in 20_000..21_000 {
        index.insert(Scope(1), id, &vector);
    }
    assert!(index.bytes() * 7 < full, "gaps are filled: {} of {full}", index.bytes());
    for id in 0..21_000 {
        index.remove(Scope(1), id);
    }
    assert_eq!((index.len(), index.bytes()), (0, 0));
}

#[test]
fn lookups_go_on_while_others_add_and_remove() {
    let index = Index::new(DIMENSIONS, 3_000);
    let vector = |id: u64| Random(id).vector(DIMENSIONS);
    index.insert(Scope(1), u64::MAX, &vector(u64::MAX));
    std::thread::scope(|threads| {
        let index = &index;
        for writer in 0..2_u64 {
            threads.spawn(move || {
                for id in 0..4_000 {
                    index.insert(Scope(1), id * 2 + writer, &vector(id));
                    if let Some(older) = id.checked_sub(5) {
                        index.remove(Scope(1), older * 2 + writer);
                    }
                }
            });
        }
        threads.spawn(move || {
            for id in 0..400 {
                let near = index.nearest(Scope(1), &vector(id), 4);
                assert!(near.iter().all(|near| near.cosine <= 1.0) && near.len() <= 4);
            }
        });
    });
    let near = index.nearest(Scope(1), &vector(u64::MAX), 1);
    assert!(near[0].id == u64::MAX && near[0].cosine > 0.99, "{near:?}");
    assert!(index.len() < 20, "{}", index.len());
}
