//! Which word of one question stands for which of the other.
//!
//! What a reader could get wrong: words that exclude each other (opposites, two months, two numbers) are never aligned, however near their vectors
//! are: "increase" and "decrease" are neighbours in every embedding.

use super::lexicon::{Lexicon, class};
use super::question::{NONE, Question, Word};
use super::words::{hash, slip};
use crate::cache::semantic::embedder::Embedder;

/// Below this, a cosine of two words says nothing.
const FLOOR: f32 = 0.3;
/// From here on two words are taken for the same.
pub const SAME: f32 = 0.8;
/// Of nearly a synonym.
const KINDRED: f32 = 0.79;
/// Of a word that has its counterpart elsewhere.
const AGAIN: f32 = 0.9;

/// For each word of a question its counterpart in the other and how well it fits, 0 to 1.
#[derive(Debug, Clone, Copy, Default)]
pub struct Link {
    /// Place in the other question plus one; 0 for none.
    pub to: u16,
    pub fit: f32,
}

impl Link {
    pub fn place(&self) -> Option<usize> {
        usize::from(self.to).checked_sub(1)
    }

    /// Whether the other question has the word, but less often.
    pub fn is_again(&self) -> bool {
        self.to == 0 && self.fit == AGAIN
    }
}

/// Both directions of one alignment.
#[derive(Debug, Default)]
pub struct Alignment {
    pub a: Vec<Link>,
    pub b: Vec<Link>,
}

impl Alignment {
    /// Exact words first, then stems, slips and synonyms, then the nearest vectors.
    pub fn of(a: &Question, b: &Question) -> Alignment {
        let mut found = Alignment { a: vec![Link::default(); a.words.len()], b: vec![Link::default(); b.words.len()] };
        found.pass(a, b, 1.0, |a, b| a.hash == b.hash);
        found.pass(a, b, 0.97, |a, b| a.is_content() && a.stem == b.stem);
        found.compounds(a, b);
        found.compounds_of_b(a, b);
        let lexicon = Lexicon::builtin();
        let may = |x: &Word, y: &Word| x.class & y.class & class::SYNONYM != 0 && x.is_content() && y.is_content();
        found.pass(a, b, 0.9, |x, y| may(x, y) && lexicon.alike(x.stem, y.stem) && !excludes(x, y));
        found.pass(a, b, 0.9, |x, y| {
            (x.class & y.class) & class::NAME == 0
                && (x.is(class::UNKNOWN) || y.is(class::UNKNOWN))
                && slip(a.spelling(x), b.spelling(y))
        });
        repeated(&a.words, &b.words, &mut found.a);
        repeated(&b.words, &a.words, &mut found.b);
        found.pass(a, b, KINDRED, |x, y| may(x, y) && lexicon.kindred(x.stem, y.stem) && !excludes(x, y));
        found.nearest(a, b);
        found
    }

    fn link(&mut self, i: usize, j: usize, fit: f32) {
        let number = |place: usize| u16::try_from(place + 1).unwrap_or_default();
        if let Some(link) = self.a.get_mut(i) {
            *link = Link { to: number(j), fit };
        }
        if let Some(link) = self.b.get_mut(j) {
            *link = Link { to: number(i), fit };
        }
    }

    /// Links what `fits`; of several, the one whose neighbour before is linked likewise, else the first.
    fn pass(&mut self, a: &Question, b: &Question, fit: f32, fits: impl Fn(&Word, &Word) -> bool) {
        for (i, word) in a.words.iter().enumerate() {
            if self.a.get(i).is_some_and(|link| link.to != 0) {
                continue;
            }
            let before = i.checked_sub(1).and_then(|before| self.a.get(before)).and_then(Link::place);
            let mut best = None;
            for (j, other) in b.words.iter().enumerate() {
                let is_free = self.b.get(j).is_some_and(|link| link.to == 0);
                if !is_free || !fits(word, other) {
                    continue;
                }
                let follows = before.is_some_and(|before| before + 1 == j) || (i == 0 && j == 0);
                let leads = a.words.get(i + 1).zip(b.words.get(j + 1)).is_some_and(|(a, b)| a.hash == b.hash);
                let is_misplaced = || best.is_some_and(|best| !self.in_place(a, b, i, best));
                if best.is_none() || (follows && leads) || ((follows || leads) && is_misplaced()) {
                    best = Some(j);
                }
            }
            if let Some(j) = best {
                self.link(i, j, fit);
            }
        }
    }

    /// Whether a neighbour of both words is the same.
    fn in_place(&self, a: &Question, b: &Question, i: usize, j: usize) -> bool {
        let same = |x: Option<&Word>, y: Option<&Word>| x.zip(y).is_some_and(|(x, y)| x.hash == y.hash);
        let left = i.checked_sub(1).and_then(|i| a.words.get(i));
        same(left, j.checked_sub(1).and_then(|j| b.words.get(j))) || same(a.words.get(i + 1), b.words.get(j + 1))
    }

    /// "log in" is "login".
    fn compounds(&mut self, a: &Question, b: &Question) {
        for i in 0..a.words.len().saturating_sub(1) {
            let (Some(first), Some(second)) = (a.words.get(i), a.words.get(i + 1)) else { continue };
            if self.a.get(i).is_some_and(|link| link.to != 0) || first.is(class::NUMBER) || second.is(class::NUMBER) {
                continue;
            }
            let joined = joined(a, first, second);
            let free = |(j, word): (usize, &Word)| word.hash == joined && self.b.get(j).is_some_and(|l| l.to == 0);
            let Some(j) = b.words.iter().enumerate().position(free) else { continue };
            self.link(i, j, 0.95);
            if let Some(link) = self.a.get_mut(i + 1).filter(|link| link.to == 0) {
                link.fit = 0.95;
            }
        }
    }

    fn compounds_of_b(&mut self, a: &Question, b: &Question) {
        std::mem::swap(&mut self.a, &mut self.b);
        self.compounds(b, a);
        std::mem::swap(&mut self.a, &mut self.b);
    }

    /// What is left, by vectors, the nearest first.
    fn nearest(&mut self, a: &Question, b: &Question) {
        let left = |links: &[Link], words: &[Word]| -> Vec<usize> {
            let is_left = |(link, word): &(&Link, &Word)| link.fit == 0.0 && word.is_content() && word.token != NONE;
            links.iter().zip(words).enumerate().filter(|(_, pair)| is_left(pair)).map(|(place, _)| place).collect()
        };
        let (from, to) = (left(&self.a, &a.words), left(&self.b, &b.words));
        let mut near = Vec::with_capacity(from.len().min(8) * to.len().min(8));
        for &i in from.iter().take(40) {
            for &j in to.iter().take(40) {
                let (Some(x), Some(y)) = (a.words.get(i), b.words.get(j)) else { continue };
                if excludes(x, y) {
                    continue;
                }
                let cosine = cosine(x, y);
                if cosine > FLOOR {
                    near.push((cosine, i, j));
                }
            }
        }
        near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        for (cosine, i, j) in near {
            let is_free = |links: &[Link], at: usize| links.get(at).is_some_and(|link| link.fit == 0.0);
            if is_free(&self.a, i) && is_free(&self.b, j) {
                self.link(i, j, (cosine * 0.9).min(0.79));
            }
        }
    }
}

/// What one question says once more than the other ("Mia has 3. Mia buys 2.") is not lost, but has no counterpart of its own either.
fn repeated(words: &[Word], others: &[Word], links: &mut [Link]) {
    for (word, link) in words.iter().zip(links) {
        let is_left = link.to == 0 && link.fit == 0.0 && word.is_content();
        if is_left && others.iter().any(|other| other.stem == word.stem) {
            link.fit = AGAIN;
        }
    }
}

fn joined(question: &Question, first: &Word, second: &Word) -> u32 {
    let (start, middle) = (usize::from(first.start), usize::from(second.start));
    if usize::from(first.len) + start != middle {
        return 0;
    }
    // Spellings stand one after the other: the two together are one slice.
    question.letters.get(start..middle + usize::from(second.len)).map_or(0, hash)
}

/// Of two words' vectors; 0 where one has none.
pub fn cosine(a: &Word, b: &Word) -> f32 {
    if a.token == NONE || b.token == NONE {
        return 0.0;
    }
    let embedder = Embedder::builtin();
    let (x, y) = (embedder.vector(u32::from(a.token)), embedder.vector(u32::from(b.token)));
    let dot: i32 = x.iter().zip(y).map(|(x, y)| i32::from(*x) * i32::from(*y)).sum();
    dot as f32 * a.scale * b.scale
}

/// Whether the two cannot stand for each other.
pub fn excludes(a: &Word, b: &Word) -> bool {
    if a.hash == b.hash || a.stem == b.stem {
        return false;
    }
    let both = a.class & b.class;
    let hard = class::NUMBER | class::CODE | class::QUOTED | class::NAME | class::PLACE;
    (a.class | b.class) & hard != 0
        || class::CLOSED.iter().any(|kind| both & kind != 0) && !Lexicon::builtin().alike(a.stem, b.stem)
        || both & class::OPPOSITE != 0 && Lexicon::builtin().opposed(a.stem, b.stem)
}
