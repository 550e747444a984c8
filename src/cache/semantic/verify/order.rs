//! Who does what to whom: the order of what both questions have, roles around prepositions, slots filled differently.
//!
//! What a reader could get wrong: order alone proves nothing ("the capital of France", "France's capital"); an exchange does, where two words of
//! one question have taken each other's place between the same neighbours.

use super::align::{Alignment, Link, SAME, cosine};
use super::lexicon::class;
use super::question::{Question, Word};
use super::words::hash;

const OF: u32 = hash("of");
const BY: u32 = hash("by");

/// Words of the first question with counterparts: place here, place there.
fn pairs(a: &Question, links: &[Link], wanted: impl Fn(&Word) -> bool) -> Vec<(usize, usize)> {
    let linked = |(place, (word, link)): (usize, (&Word, &Link))| {
        link.place().filter(|_| link.fit >= SAME && wanted(word)).map(|to| (place, to))
    };
    a.words.iter().zip(links).enumerate().filter_map(linked).collect()
}

fn inversions(pairs: &[(usize, usize)]) -> f32 {
    let mut count = 0_u32;
    for (place, (_, first)) in pairs.iter().enumerate() {
        count += pairs.iter().skip(place + 1).filter(|(_, second)| second < first).count() as u32;
    }
    count as f32
}

/// The features of order, in the order of `NAMES`.
pub fn order(a: &Question, b: &Question, links: &Alignment, put: &mut impl FnMut(f32)) {
    let is_matter = |word: &Word| word.is_content() && !word.is(class::LIGHT);
    let content = pairs(a, &links.a, is_matter);
    let most = (content.len() * content.len().saturating_sub(1) / 2).max(1) as f32;
    put(inversions(&content) / most);
    put(exchanged(a, b, &content));
    put(reversed(&content));
    put(if passive(a) == passive(b) { 0.0 } else { 1.0 });
    let slots = Slots::of(a, b, links);
    put(slots.count);
    put(slots.hard);
    put(1.0 - slots.cosine);
    let all = pairs(a, &links.a, |_| true);
    let longest = longest(&all);
    let words = a.words.len().max(b.words.len()).max(1) as f32;
    put(longest / words);
    put(if a.sequence == b.sequence && a.words.len() == b.words.len() { 1.0 } else { 0.0 });
    put(a.words.len().max(b.words.len()) as f32 - longest);
    let ends = |last: bool| {
        let pick = |question: &Question| {
            let mut words = question.words.iter().filter(|word| is_matter(word));
            if last { words.next_back().map(|word| word.stem) } else { words.next().map(|word| word.stem) }
        };
        if pick(a) == pick(b) { 1.0 } else { 0.0 }
    };
    put(ends(false));
    put(ends(true));
    put(slots.lone);
    put(adjacent(a, b, links));
    let named = class::NAME | class::PLACE | class::UNKNOWN | class::CODE | class::QUOTED;
    // A capital on one side is enough.
    let is_named = |(from, to): &(usize, usize)| {
        a.words.get(*from).is_some_and(|word| word.is(named)) || b.words.get(*to).is_some_and(|word| word.is(named))
    };
    let names: Vec<(usize, usize)> = content.iter().copied().filter(is_named).collect();
    put(inversions(&names));
    let things: Vec<(usize, usize)> = content
        .iter()
        .copied()
        .filter(|(at, _)| a.words.get(*at).is_some_and(|word| !word.is(class::NUMBER)))
        .collect();
    put(voice(a, b, if names.len() >= 2 { &names } else { &things }));
    put(number_places(a, b, links));
}

/// 1 where who does it has changed: the order turned and the voice not, or the voice and not the order.
fn voice(a: &Question, b: &Question, pairs: &[(usize, usize)]) -> f32 {
    let turned = inversions(pairs) > 0.0;
    if pairs.len() >= 2 && turned == (passive(a) == passive(b)) { 1.0 } else { 0.0 }
}

/// Length of the longest common run of links in order.
fn longest(pairs: &[(usize, usize)]) -> f32 {
    let mut ends: Vec<usize> = Vec::with_capacity(pairs.len());
    for (_, to) in pairs {
        let place = ends.partition_point(|end| end < to);
        match ends.get_mut(place) {
            Some(end) => *end = *to,
            None => ends.push(*to),
        }
    }
    ends.len() as f32
}

/// The word of grammar that stands before, two words back at most: its role.
fn role(question: &Question, place: usize) -> u32 {
    let before = |back: usize| place.checked_sub(back).and_then(|at| question.words.get(at));
    let governs = |word: &&Word| word.is(class::DIRECTION | class::COMPARATIVE | class::NEGATION) || word.hash == OF;
    let near = before(1).filter(governs);
    let far = before(2).filter(governs).filter(|_| before(1).is_some_and(|word| word.is(class::FUNCTION)));
    near.or(far).map_or(0, |word| word.stem)
}

/// Pairs of words that have taken each other's place: by preposition, or by the words on both sides.
fn exchanged(a: &Question, b: &Question, content: &[(usize, usize)]) -> f32 {
    let side = |question: &Question, place: usize, step: isize| {
        place.checked_add_signed(step).and_then(|at| question.words.get(at)).map_or(1, |word| word.stem)
    };
    let roles: Vec<(u32, u32)> = content.iter().map(|(i, to)| (role(a, *i), role(b, *to))).collect();
    let mut count = 0.0;
    for (number, ((i, to_i), (first, first_there))) in content.iter().zip(&roles).enumerate() {
        for ((j, to_j), (second, second_there)) in content.iter().zip(&roles).skip(number + 1) {
            let by_role = first != second && first == second_there && second == first_there;
            let swapped =
                |step: isize| side(a, *i, step) == side(b, *to_j, step) && side(a, *j, step) == side(b, *to_i, step);
            let stayed =
                |step: isize| side(a, *i, step) == side(b, *to_i, step) && side(a, *j, step) == side(b, *to_j, step);
            let by_place = to_j < to_i && ((swapped(-1) && !stayed(-1)) || (swapped(1) && !stayed(1)));
            count += f32::from(u8::from(by_role)) + f32::from(u8::from(by_place));
        }
    }
    count.min(6.0)
}

/// Neighbours that are neighbours there too, the other way round.
fn reversed(content: &[(usize, usize)]) -> f32 {
    content.windows(2).filter(|two| matches!(two, [(_, first), (_, second)] if second < first)).count() as f32
}

fn passive(question: &Question) -> bool {
    const BE: [u32; 7] = [hash("is"), hash("are"), hash("was"), hash("were"), hash("be"), hash("been"), hash("being")];
    question.words.iter().any(|word| word.hash == BY) && question.words.iter().any(|word| BE.contains(&word.hash))
}

/// Words without counterpart that stand at the same place: the slot is filled with something else.
#[derive(Default)]
struct Slots {
    count: f32,
    /// Of these, names, quotations, rare words and such.
    hard: f32,
    /// The least likeness of two fillings; 1 where there are none.
    cosine: f32,
    /// 1 where such a slot is all that differs in content.
    lone: f32,
}

impl Slots {
    fn of(a: &Question, b: &Question, links: &Alignment) -> Slots {
        let mut slots = Slots { cosine: 1.0, ..Slots::default() };
        let mut left = [0.0_f32; 2];
        for (side, (question, links)) in [(a, &links.a), (b, &links.b)].into_iter().enumerate() {
            let lost = |(word, link): &(&Word, &Link)| link.fit < SAME && word.is_content() && !word.is(class::LIGHT);
            if let Some(left) = left.get_mut(side) {
                *left = question.words.iter().zip(links).filter(lost).count() as f32;
            }
        }
        for (i, (word, link)) in a.words.iter().zip(&links.a).enumerate() {
            if link.fit >= SAME || !word.is_content() {
                continue;
            }
            for place in places(i, &links.a, b.words.len()).into_iter().flatten() {
                let Some(other) = b.words.get(place) else { continue };
                let is_lost = links.b.get(place).is_some_and(|link| link.fit < SAME) && other.is_content();
                if is_lost {
                    slots.add(word, other);
                    break;
                }
            }
        }
        slots.lone = if slots.count > 0.0 && left == [1.0, 1.0] { 1.0 } else { 0.0 };
        slots
    }

    fn add(&mut self, word: &Word, other: &Word) {
        let hard = class::NAME | class::PLACE | class::QUOTED | class::CODE | class::NUMBER | class::UNKNOWN;
        self.count += 1.0;
        self.hard += if word.is(hard) || other.is(hard) { 1.0 } else { 0.0 };
        let cosine = cosine(word, other);
        self.cosine = self.cosine.min(cosine);
    }
}

/// Where the neighbours' counterparts say that a word should stand: after that of the word before it, before that of the word after it.
fn places(i: usize, links: &[Link], len: usize) -> [Option<usize>; 2] {
    let linked = |link: &Link| link.place().filter(|_| link.fit >= SAME);
    let before = match i.checked_sub(1) {
        Some(before) => links.get(before).and_then(linked).map(|place| place + 1),
        None => Some(0),
    };
    let after = match links.get(i + 1) {
        Some(link) => linked(link).and_then(|place| place.checked_sub(1)),
        None => len.checked_sub(1),
    };
    [before, after]
}

/// Neighbours here, both linked, whose counterparts are further apart than before with something lost between.
fn adjacent(a: &Question, b: &Question, links: &Alignment) -> f32 {
    let linked = |link: &Link| link.place().filter(|_| link.fit >= SAME);
    let mut count = 0.0;
    for (links, other, back) in [(&links.a, b, &links.b), (&links.b, a, &links.a)] {
        for two in links.windows(2) {
            let [first, second] = two else { continue };
            let (Some(first), Some(second)) = (linked(first), linked(second)) else { continue };
            let between = (first + 1)..second;
            let lost = between.filter(|at| {
                back.get(*at).is_some_and(|link| link.fit < SAME)
                    && other.words.get(*at).is_some_and(|word| word.is_content() && !word.is(class::LIGHT))
            });
            count += lost.count().min(1) as f32;
        }
    }
    count
}

/// Numbers that both have, in another order.
pub fn number_inversions(a: &Question, links: &Alignment) -> f32 {
    inversions(&pairs(a, &links.a, |word| word.is(class::NUMBER) && !word.is(class::SOFT)))
}

/// Numbers that both have, before other nouns that both have.
pub fn number_nouns(a: &Question, b: &Question, links: &Alignment) -> f32 {
    let noun = |question: &Question, place: usize| {
        let near = question.words.iter().enumerate().skip(place + 1).take(4);
        near.take_while(|(_, word)| !word.is(class::NUMBER))
            .find(|(_, word)| word.is_content() && !word.is(class::LIGHT))
            .map(|(at, _)| at)
    };
    let mut count = 0.0;
    for (i, j) in pairs(a, &links.a, |word| word.is(class::NUMBER)) {
        let (Some(here), Some(there)) = (noun(a, i), noun(b, j)) else { continue };
        let to = links.a.get(here).and_then(Link::place);
        let from = links.b.get(there).and_then(Link::place);
        // Both nouns are in both questions, and they are not each other's counterpart.
        let other = to.is_some_and(|to| to != there) && from.is_some_and(|from| from != here);
        let same = a.words.get(here).zip(b.words.get(there)).is_some_and(|(x, y)| x.stem == y.stem);
        count += if other && !same { 1.0 } else { 0.0 };
    }
    count
}

/// Numbers that both have, next to other names or days that both have.
fn number_places(a: &Question, b: &Question, links: &Alignment) -> f32 {
    let near = |question: &Question, place: usize| {
        let kinds = class::NAME | class::PLACE | class::WEEKDAY | class::MONTH | class::COLOUR | class::RELATIVE;
        let marks = question.words.iter().enumerate().filter(|(_, word)| word.is(kinds));
        // After it before before it, at the same distance.
        marks.map(|(at, _)| (2 * at.abs_diff(place) + usize::from(at < place), at)).min().map(|(_, at)| at)
    };
    let mut count = 0.0;
    for (i, j) in pairs(a, &links.a, |word| word.is(class::NUMBER)) {
        let (Some(here), Some(there)) = (near(a, i), near(b, j)) else { continue };
        let to = links.a.get(here).and_then(Link::place);
        let from = links.b.get(there).and_then(Link::place);
        let stems = a.words.get(here).zip(b.words.get(there));
        let moved = to.is_some() && from.is_some() && stems.is_some_and(|(x, y)| x.stem != y.stem);
        count += if moved { 1.0 } else { 0.0 };
    }
    count
}

/// Negations here whose next word of matter has a counterpart that is not negated.
pub fn negation_targets(a: &Question, b: &Question, links: &Alignment) -> f32 {
    targets(a, b, &links.a)
}

/// As `negation_targets`, from the other side.
pub fn negation_targets_back(a: &Question, b: &Question, links: &Alignment) -> f32 {
    targets(b, a, &links.b)
}

fn targets(a: &Question, b: &Question, links: &[Link]) -> f32 {
    let mut count = 0.0;
    for (place, _) in a.words.iter().enumerate().filter(|(_, word)| word.is(class::NEGATION)) {
        let target = a.words.iter().zip(links).skip(place + 1).find(|(word, _)| word.is_content());
        let Some(to) = target.and_then(|(_, link)| link.place()) else { continue };
        let negated = b.words.iter().take(to).rev().take(4).any(|word| word.is(class::NEGATION));
        count += if negated { 0.0 } else { 1.0 };
    }
    count
}
