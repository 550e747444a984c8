//! Figures for a person: by kind, with whole kinds left out, and on sets that were not trained on.
//!
//! What a reader could get wrong: a kind has only the same or only the different; what is told of it is set against all of the other sort that a
//! user of the cache would meet with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tidegate::cache::semantic::verify::features::name;
use tidegate::cache::semantic::verify::forest::{Forest, LEAF};

use crate::learn::{Plan, Row};
use crate::measure::{Scored, auc, recall};
use crate::natural;
use crate::pair::Pair;

/// What is measured together: name, kinds of the same, kinds of the different.
const VIEWS: [(&str, &[&str], &[&str]); 12] = [
    ("worded problems, one number", &["worded:same"], &["worded:number"]),
    ("paraphrases, written", &["written:same"], &["written:other"]),
    (
        "paraphrases, numbers",
        &["gptcache_mock_pairs:pair", "written:same", "problem:same"],
        &["change:number", "problem:number"],
    ),
    ("paraphrases", &["gptcache_mock_pairs:pair", "written:same"], &["like:", "near:", "written:other"]),
    ("paraphrases, nearest", &["gptcache_mock_pairs:pair", "written:same"], &["near:", "written:other"]),
    ("paraphrases, changed", &["gptcache_mock_pairs:pair", "written:same"], &["change:"]),
    ("templates", &["question:same"], &["question:"]),
    ("word problems", &["problem:same"], &["problem:"]),
    ("changes", &["rewritten:", "written:same", "gptcache_mock"], &["change:"]),
    ("slots", &["snips_slot_swap:"], &["snips_slot_swap:"]),
    ("intents", &["banking77_intent_pairs:"], &["banking77_intent_pairs:"]),
    ("all", &[""], &[""]),
];

fn line(what: &str, scores: &[Scored], cosine: &[Scored], overlap: &[Scored]) {
    let counts = (scores.iter().filter(|pair| pair.1).count(), scores.iter().filter(|pair| !pair.1).count());
    print!("{what:<34} {:>6} {:>6}", counts.0, counts.1);
    for of in [scores, cosine, overlap] {
        print!("   {:.3} {:.3} {:.3}", auc(of), recall(of, 0.01), recall(of, 0.05));
    }
    println!();
}

fn head() {
    println!(
        "{:<34} {:>6} {:>6}   {:<17}   {:<17}   overlap",
        "AUC, recall at 1 %, at 5 %", "same", "other", "verifier", "cosine"
    );
}

/// Held out by group.
pub fn kinds(pairs: &[Pair], rows: &[Row], held: &[f64]) {
    head();
    let chosen = |same: &[&str], other: &[&str]| -> Vec<usize> {
        let fits = |pair: &Pair, kinds: &[&str]| kinds.iter().any(|kind| pair.kind.starts_with(kind));
        (0..pairs.len()).filter(|place| fits(&pairs[*place], if pairs[*place].same { same } else { other })).collect()
    };
    let show = |what: &str, places: &[usize]| {
        let of = |value: &dyn Fn(usize) -> f64| -> Vec<Scored> {
            places.iter().map(|place| (value(*place), pairs[*place].same)).collect()
        };
        line(
            what,
            &of(&|place| held[place]),
            &of(&|place| f64::from(rows[place].features[0])),
            &of(&|place| f64::from(rows[place].features[1])),
        );
    };
    for (what, same, other) in VIEWS {
        show(what, &chosen(same, other));
    }
    let changes: BTreeSet<&str> = pairs.iter().filter(|pair| !pair.same).map(|pair| pair.kind.as_str()).collect();
    for kind in changes {
        show(kind, &chosen(&["rewritten:", "written:same", "gptcache_mock", "question:same"], &[kind]));
    }
}

/// The pairs that are most wrong, `count` of each kind of the different, and as many of the same.
pub fn errors(pairs: &[Pair], held: &[f64], count: usize) {
    let kinds: BTreeSet<&str> = pairs.iter().map(|pair| pair.kind.as_str()).collect();
    for kind in kinds {
        let mut own: Vec<usize> = (0..pairs.len()).filter(|place| pairs[*place].kind == kind).collect();
        let wrongness = |place: usize| if pairs[place].same { -held[place] } else { held[place] };
        own.sort_by(|a, b| wrongness(*b).total_cmp(&wrongness(*a)));
        own.sort_by_key(|place| pairs[*place].same);
        for sort in [false, true] {
            for place in own.iter().filter(|place| pairs[**place].same == sort).take(count) {
                println!("{kind} {:.2}\n    {}\n    {}", held[*place], pairs[*place].a, pairs[*place].b);
            }
        }
    }
}

/// Trained without a kind of change, without a field, measured on it.
pub fn left_out(pairs: &[Pair], rows: &[Row], plan: Plan) {
    println!("left out of training");
    let changes: BTreeSet<&str> =
        pairs.iter().filter(|pair| pair.kind.starts_with("change:")).map(|pair| pair.kind.as_str()).collect();
    let fields: BTreeSet<&str> = pairs.iter().map(|pair| pair.field.as_str()).collect();
    let mut what: Vec<(String, Box<dyn Fn(&Pair) -> bool>)> = vec![];
    for kind in changes {
        what.push((kind.to_owned(), Box::new(move |pair: &Pair| pair.kind == kind)));
    }
    for field in fields {
        what.push((format!("field:{field}"), Box::new(move |pair: &Pair| pair.field == field)));
    }
    head();
    for (name, is_out) in what {
        let own: Vec<(&Pair, &Row)> = pairs.iter().zip(rows).filter(|(pair, _)| !is_out(pair)).collect();
        let forest = crate::both(&own, plan);
        let is_whole = name.starts_with("field:");
        let wanted = |pair: &Pair| is_out(pair) || (!is_whole && pair.same && pair.kind.starts_with("rewritten:"));
        let kept: Vec<(&Row, bool)> =
            rows.iter().zip(pairs).filter(|(_, pair)| wanted(pair)).map(|(row, pair)| (row, pair.same)).collect();
        let of = |value: &dyn Fn(&Row) -> f64| -> Vec<Scored> {
            kept.iter().map(|(row, same)| (value(row), *same)).collect()
        };
        line(
            &name,
            &of(&|row| forest.score(&row.features)),
            &of(&|row| f64::from(row.features[0])),
            &of(&|row| f64::from(row.features[1])),
        );
    }
}

/// Which features the trees ask.
pub fn used(forest: &Forest) {
    let mut counts: BTreeMap<u8, usize> = BTreeMap::new();
    for node in forest.alike.iter().chain(&forest.unchanged).flatten().filter(|node| node.feature != LEAF) {
        *counts.entry(node.feature).or_default() += 1;
    }
    let mut sorted: Vec<(usize, u8)> = counts.into_iter().map(|(feature, count)| (count, feature)).collect();
    sorted.sort_by(|a, b| b.cmp(a));
    let told: Vec<String> =
        sorted.iter().map(|(count, feature)| format!("{} {count}", name(usize::from(*feature)))).collect();
    println!("used: {}", told.join(", "));
}

/// What was not trained on at all.
pub fn sets(forest: &Forest, cache: &Path) {
    head();
    let set = "question_pairs";
    let pairs = natural::labelled(cache, set);
    let rows = crate::rows(&pairs);
    let of = |value: &dyn Fn(&Row) -> f64| -> Vec<Scored> { rows.iter().map(|row| (value(row), row.same)).collect() };
    line(
        set,
        &of(&|row| forest.score(&row.features)),
        &of(&|row| f64::from(row.features[0])),
        &of(&|row| f64::from(row.features[1])),
    );
}
