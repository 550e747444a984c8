//! What two questions have in common and what not, as numbers for the trees.
//!
//! What a reader could get wrong: all features are the same whichever question comes first, so that the model is symmetric by construction; the
//! order of `NAMES` is the order in the weights file, which holds its hash.

use super::align::{Alignment, Link, SAME};
use super::counted;
use super::kinds::{self, KINDS};
use super::lexicon::{Lexicon, class};
use super::near;
use super::order;
use super::question::{Asks, Question};

/// How many there are before those of the kinds of words.
const PLAIN: usize = 50;
/// How many there are.
pub const COUNT: usize = PLAIN + 2 * KINDS.len();

/// What a pair looks like.
pub type Features = [f32; COUNT];

/// Each name begins with the direction in which the probability may go when it grows: `-`, `+` or `~` for either.
pub const NAMES: [&str; PLAIN] = [
    "+cosine",
    "+overlap",
    "+content_overlap",
    "-length_ratio",
    "-sentences",
    "-lost_less",
    "-lost_more",
    "-lost_share_less",
    "-lost_share_more",
    "-worst_less",
    "-worst_more",
    "-lost_hard_less",
    "-lost_hard_more",
    "-lost_count_less",
    "-lost_count_more",
    "+soft_fit",
    "-asks",
    "-asks_pair",
    "-number_clash",
    "-number_alone",
    "+number_same",
    "-number_order",
    "-number_noun",
    "-number_soft",
    "-number_more",
    "+number_share",
    "-negation",
    "-negation_target",
    "-opposed",
    "-opposed_lost",
    "-inversions",
    "-exchanged",
    "-reversed",
    "~passive",
    "-slot",
    "-slot_hard",
    "-slot_cosine",
    "+longest",
    "+identical",
    "-edits",
    "+first_same",
    "+last_same",
    "-alone_clash",
    "-adjacent_lost",
    "-name_order",
    "-voice",
    "-number_place",
    "+residual",
    "+near_less",
    "+near_more",
];

/// Places in `NAMES` that rules and explanations speak of.
pub mod at {
    pub const COSINE: usize = 0;
    pub const LOST_MORE: usize = 6;
    pub const ASKS: usize = 16;
    pub const NUMBER_CLASH: usize = 18;
    pub const NUMBER_ALONE: usize = 19;
    pub const NUMBER_ORDER: usize = 21;
    pub const NUMBER_NOUN: usize = 22;
    pub const NUMBER_SOFT: usize = 23;
    pub const NUMBER_MORE: usize = 24;
    pub const NEGATION: usize = 26;
    pub const OPPOSED: usize = 28;
    pub const INVERSIONS: usize = 30;
    pub const EXCHANGED: usize = 31;
    pub const REVERSED: usize = 32;
    pub const IDENTICAL: usize = 38;
    /// Of identifiers.
    pub const CODE_CLASH: usize = KINDS + 2 * 4;
    /// The kinds' pairs of features begin here.
    pub const KINDS: usize = super::PLAIN;
}

/// The direction of a feature: -1, 1, or 0 for either.
pub fn direction(feature: usize) -> i8 {
    match NAMES.get(feature).and_then(|name| name.bytes().next()) {
        Some(b'+') => 1,
        Some(b'~') => 0,
        _ => -1,
    }
}

/// Its name, without the direction.
pub fn name(feature: usize) -> String {
    match NAMES.get(feature) {
        Some(name) => name.get(1..).unwrap_or_default().to_owned(),
        None => {
            let kind = KINDS.get((feature - PLAIN) / 2).map_or("", |kind| kind.0);
            format!("{kind}_{}", if (feature - PLAIN).is_multiple_of(2) { "clash" } else { "alone" })
        }
    }
}

/// Compares.
pub fn features(a: &Question, b: &Question) -> Features {
    let links = Alignment::of(a, b);
    let mut out = [0.0; COUNT];
    let mut put = {
        let mut next = 0;
        let out = &mut out;
        move |value: f32| {
            if let Some(place) = out.get_mut(next) {
                *place = if value.is_finite() { value } else { 0.0 };
            }
            next += 1;
        }
    };
    whole(a, b, &links, &mut put);
    let (left, right) = (Lost::of(a, &links.a), Lost::of(b, &links.b));
    lost(&left, &right, &mut put);
    question_type(a.asks, b.asks, &mut put);
    counted::numbers(a, b, &links, &mut put);
    opposites(a, b, &links, &mut put);
    order::order(a, b, &links, &mut put);
    near::near(a, b, &links, &mut put);
    kinds::kinds(a, b, &links, &mut put);
    out
}

fn both(x: f32, y: f32, put: &mut impl FnMut(f32)) {
    put(x.min(y));
    put(x.max(y));
}

/// Of the texts as a whole.
fn whole(a: &Question, b: &Question, links: &Alignment, put: &mut impl FnMut(f32)) {
    put(cosine(&a.vector, &b.vector));
    let exact = links.a.iter().filter(|link| link.fit >= 0.97).count() as f32;
    put(exact / (a.words.len() + b.words.len()).max(1) as f32 * 2.0);
    let content = |question: &Question| question.words.iter().filter(|word| word.is_content()).count() as f32;
    let same = links.a.iter().zip(&a.words).filter(|(link, word)| link.fit >= SAME && word.is_content()).count();
    put(same as f32 * 2.0 / (content(a) + content(b)).max(1.0));
    let (x, y) = (a.letters.len().max(1) as f32, b.letters.len().max(1) as f32);
    put((x.max(y) / x.min(y)).min(8.0));
    put(f32::from(a.sentences.abs_diff(b.sentences)));
}

fn cosine(a: &[i8], b: &[i8]) -> f32 {
    let (mut both, mut one, mut two) = (0_i32, 0_i32, 0_i32);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (i32::from(*x), i32::from(*y));
        both += x * y;
        one += x * x;
        two += y * y;
    }
    if one == 0 || two == 0 { 0.0 } else { both as f32 / ((one as f32) * (two as f32)).sqrt() }
}

/// What one side has that the other lacks.
#[derive(Default)]
struct Lost {
    weight: f32,
    share: f32,
    worst: f32,
    /// Without the benefit of near vectors.
    hard: f32,
    count: f32,
    /// Of what has no exact counterpart, how well the next best fits.
    soft: f32,
}

impl Lost {
    fn of(question: &Question, links: &[Link]) -> Lost {
        let mut lost = Lost::default();
        let (mut total, mut inexact) = (0.0, 0.0);
        for (word, link) in question.words.iter().zip(links) {
            let weight = word.weight();
            let missing = weight * (1.0 - link.fit);
            total += weight;
            lost.weight += missing;
            lost.worst = lost.worst.max(missing);
            if link.fit < SAME && word.is_content() {
                lost.hard += weight;
                lost.count += 1.0;
                inexact += weight;
                lost.soft += weight * link.fit;
            }
        }
        lost.share = lost.weight / total.max(0.1);
        lost.soft = if inexact > 0.0 { lost.soft / inexact } else { 1.0 };
        lost
    }
}

fn lost(a: &Lost, b: &Lost, put: &mut impl FnMut(f32)) {
    both(a.weight, b.weight, put);
    both(a.share, b.share, put);
    both(a.worst, b.worst, put);
    both(a.hard, b.hard, put);
    both(a.count, b.count, put);
    put(a.soft.min(b.soft));
}

/// 0 the same, 1 may be, 2 another question.
fn question_type(a: Asks, b: Asks, put: &mut impl FnMut(f32)) {
    let is_loose = |asks: Asks| matches!(asks, Asks::How | Asks::What | Asks::Whether | Asks::Nothing);
    let distance = match (a, b) {
        _ if a == b => 0.0,
        (Asks::Nothing, _) | (_, Asks::Nothing) => 1.0,
        _ if is_loose(a) && is_loose(b) => 1.0,
        (Asks::Count | Asks::Degree | Asks::When, Asks::What)
        | (Asks::What, Asks::Count | Asks::Degree | Asks::When) => 1.0,
        (Asks::Who | Asks::Where, Asks::What) | (Asks::What, Asks::Who | Asks::Where) => 1.0,
        (Asks::Why, Asks::What) | (Asks::What, Asks::Why) => 1.5,
        _ => 2.0,
    };
    put(distance);
    let is_whether = |asks: Asks| asks == Asks::Whether;
    put(if is_whether(a) != is_whether(b) && a != Asks::Nothing && b != Asks::Nothing { 1.0 } else { 0.0 });
}

/// Negations and opposites.
fn opposites(a: &Question, b: &Question, links: &Alignment, put: &mut impl FnMut(f32)) {
    let count = |question: &Question| question.words.iter().filter(|word| word.is(class::NEGATION)).count();
    put(count(a).abs_diff(count(b)) as f32);
    put(order::negation_targets(a, b, links).max(order::negation_targets_back(a, b, links)));
    let lexicon = Lexicon::builtin();
    let (mut pairs, mut weight) = (0.0, 0.0);
    for (word, link) in a.words.iter().zip(&links.a) {
        if link.fit >= 0.97 || !word.is(class::OPPOSITE) {
            continue;
        }
        let opposite = b.words.iter().zip(&links.b).any(|(other, link)| {
            link.fit < 0.97
                && other.is(class::OPPOSITE)
                && other.stem != word.stem
                && lexicon.opposed(word.stem, other.stem)
        });
        if opposite {
            pairs += 1.0;
        }
    }
    for (question, links) in [(a, &links.a), (b, &links.b)] {
        for (word, link) in question.words.iter().zip(links) {
            if link.fit < SAME && word.is(class::OPPOSITE) {
                weight += 1.0;
            }
        }
    }
    put(pairs);
    put(weight);
}
