//! Names, places, organisations, addresses: a sequence tagger. [`reader`] reads words, [`lexicon`] says which of them may be ignored, [`feature`] turns
//! the others into buckets of [`model`]'s weights, [`decode`] finds the best row of [`label`]s.
//!
//! What a reader could get wrong: a text is read in blocks of bounded size, cut where two quiet words meet, so memory and time per byte do not depend
//! on its length. How the weights came about and what they are worth: README.md beside this file.

pub mod decode;
pub mod feature;
pub mod label;
pub mod lexicon;
pub mod model;
pub mod reader;
mod support;
pub mod token;

#[cfg(test)]
mod tests;

use std::ops::Range;

use super::entity::Entity;
use super::span::Span;
use feature::{AROUND, Outlook, features, survey};
use label::Label;
use model::{Lanes, Model};
use reader::Reader;
use token::{Beside, Shape, Token};

/// Words of a block. Larger ones cost memory, smaller ones cut lists and addresses.
const BLOCK: usize = 256;

/// What tagging needs besides the text: kept between blocks, allocated once.
#[derive(Debug, Default)]
struct Scratch {
    /// Two of the edge or of the block before, the block, two of the edge or behind it.
    tokens: Vec<Token>,
    quiet: Vec<bool>,
    sums: Vec<Lanes>,
    back: Vec<Lanes>,
    labels: Vec<Label>,
}

impl Scratch {
    fn for_text(text: &str) -> Scratch {
        // Most words and signs are shorter than a third of this with their space; a vector that is too small grows.
        let words = (text.len() / 3 + 2 * AROUND + 4).min(BLOCK + 2 * AROUND);
        Scratch {
            tokens: Vec::with_capacity(words),
            quiet: Vec::with_capacity(words),
            sums: Vec::with_capacity(words / 4),
            back: Vec::with_capacity(words / 4),
            labels: Vec::with_capacity(words / 4),
        }
    }
}

/// Tags `text`; pushes what it finds, in order. Linear in the text's length.
pub fn tag(text: &str, found: &mut Vec<Span>) {
    if let Some(model) = Model::shipped() {
        tag_with(model, text, found);
    }
}

/// The same with any weights.
pub fn tag_with(model: &Model, text: &str, found: &mut Vec<Span>) {
    let before = found.len();
    read_through(model, text, found);
    support::settle(text, found, before);
}

fn read_through(model: &Model, text: &str, found: &mut Vec<Span>) {
    let mut scratch = Scratch::for_text(text);
    let mut outlook = Outlook::default();
    let mut reader = Reader::new(text);
    scratch.tokens.resize(AROUND, Token::default());
    let mut from = AROUND;
    loop {
        let room = BLOCK + 2 * AROUND - scratch.tokens.len();
        let flags = |mut token: Token| {
            if token.has_letters() {
                token.flags = model.lexicon.flags(token.hash);
            }
            token
        };
        scratch.tokens.extend(reader.by_ref().take(room).map(flags));
        let whole = scratch.tokens.len() < BLOCK + 2 * AROUND;
        if whole {
            scratch.tokens.extend([Token::default(); AROUND]);
        }
        survey(&mut scratch.tokens, &mut outlook, &mut scratch.quiet);
        let to = if whole { scratch.tokens.len() - AROUND } else { cut(&scratch.quiet, from) };
        stretches(model, text, &mut scratch, from..to, found);
        if whole {
            return;
        }
        // The last words in front of the cut and those behind it are seen again.
        scratch.tokens.drain(..to - AROUND);
        from = AROUND;
    }
}

/// Where to end a block: behind its last quiet word, or, where there is none, at its end.
fn cut(quiet: &[bool], from: usize) -> usize {
    let end = quiet.len() - AROUND;
    let last = quiet.get(from..end).and_then(|quiet| quiet.iter().rposition(|quiet| *quiet));
    last.map_or(end, |last| from + last + 1)
}

/// Looks at each stretch of words between quiet ones.
fn stretches(model: &Model, text: &str, scratch: &mut Scratch, block: Range<usize>, found: &mut Vec<Span>) {
    let mut at = block.start;
    while at < block.end {
        let rest = scratch.quiet.get(at..block.end).unwrap_or_default();
        let length = rest.iter().take_while(|quiet| !**quiet).count();
        if length == 0 {
            at += rest.iter().take_while(|quiet| **quiet).count();
            continue;
        }
        let windows = scratch.tokens.get(at - AROUND..at + length + AROUND).unwrap_or_default();
        scratch.sums.clear();
        scratch.sums.extend(windows.array_windows().map(|window| model.sum(&features(window))));
        decode::decode(model, &scratch.sums, &mut scratch.back, &mut scratch.labels);
        let tokens = scratch.tokens.get(at..at + length).unwrap_or_default();
        spans(model, text, tokens, &scratch.sums, &scratch.labels, found);
        at += length;
    }
}

/// Makes spans of labels.
fn spans(model: &Model, text: &str, tokens: &[Token], sums: &[Lanes], labels: &[Label], found: &mut Vec<Span>) {
    let mut at = 0;
    while let Some(label) = labels.get(at) {
        let mut length = 1;
        while let (Some(next), Some(token)) = (labels.get(at + length), tokens.get(at + length)) {
            if !next.is_inside() && !continues(*label, *next, token) {
                break;
            }
            length += 1;
        }
        if let (Some(entity), Some(tokens)) = (label.entity(), tokens.get(at..at + length)) {
            let margin = margin(sums, labels, at..at + length);
            found.extend(span(model, text, tokens, entity, margin));
        }
        at += length;
    }
}

/// Two names with nothing but a space between them are one.
fn continues(label: Label, next: Label, token: &Token) -> bool {
    matches!(label, Label::Person | Label::Organization | Label::Address)
        && label == next
        && token.before == Beside::Space
}

/// By how much these labels beat "nothing", on average.
fn margin(sums: &[Lanes], labels: &[Label], range: Range<usize>) -> f32 {
    let pairs = sums.iter().zip(labels).skip(range.start).take(range.len());
    let total: i32 = pairs
        .map(|(sum, label)| {
            let [nothing, ..] = *sum;
            i32::from(sum.get(*label as usize).copied().unwrap_or(0)) - i32::from(nothing)
        })
        .sum();
    #[allow(clippy::cast_precision_loss, reason = "sums of a few thousand")]
    let mean = total as f32 / range.len().max(1) as f32;
    mean
}

/// A margin at which a find is as likely right as wrong, and how fast that changes.
const EVEN: f32 = 280.0;
const SLOPE: f32 = 0.007;
/// Finds that are less sure than this are dropped; on lines that look like code, so much more for each step of likeness.
const FLOOR: f32 = 90.0;
const CODE: f32 = 170.0;
/// Scores of names lie between these: below those of numbers whose check digit fits.
const LEAST: f32 = 0.4;
const MOST: f32 = 0.85;

fn span(model: &Model, text: &str, tokens: &[Token], entity: Entity, margin: f32) -> Option<Span> {
    let (first, last) = (tokens.first()?, tokens.last()?);
    // Signs at the end belong to the sentence.
    let last = tokens.iter().rev().find(|token| token.shape != Shape::Sign).unwrap_or(last);
    let (start, mut end) = (first.start, last.end);
    if entity == Entity::TITLE && end - start <= 5 && text.as_bytes().get(end) == Some(&b'.') {
        end += 1;
    }
    text.get(start..end)?;
    if margin < FLOOR + CODE * f32::from(first.code) || !is_plausible(entity, tokens) {
        return None;
    }
    let sure = 1.0 / (1.0 + libm::expf(-SLOPE * (margin - EVEN)));
    let score = LEAST + (MOST - LEAST) * sure;
    let named = matches!(entity, Entity::LOCATION | Entity::ORGANIZATION);
    let words = tokens.iter().filter(|token| token.is_word()).map(|token| token.hash);
    let public = named && model.lexicon.flags(lexicon::phrase(words)) & lexicon::PUBLIC != 0;
    Some(Span { start, end, entity, score, public })
}

/// What a kind of find must look like, whatever the weights say. Dates in digits are found by their form elsewhere; a year by itself must stand by
/// itself; among signs of code a name has a capital.
fn is_plausible(entity: Entity, tokens: &[Token]) -> bool {
    let is_glued = |side: Beside| matches!(side, Beside::Slash | Beside::Hyphen | Beside::Colon | Beside::Code);
    let is_number = |token: &Token| {
        matches!(token.shape, Shape::Digit1 | Shape::Digit2 | Shape::Digit3 | Shape::Digit4 | Shape::Digit5)
    };
    let has_letters = tokens.iter().any(Token::has_letters);
    let is_small = tokens.iter().all(|token| matches!(token.shape, Shape::Lower | Shape::Caseless | Shape::Sign));
    if is_small && tokens.first().is_some_and(|token| token.code >= 2) {
        return false;
    }
    match (entity, tokens) {
        (Entity::DATE_TIME, [year]) if year.shape == Shape::Digit4 => !is_glued(year.before) && !is_glued(year.behind),
        (Entity::STREET_ADDRESS, _) => true,
        (Entity::AGE, _) => tokens.iter().any(|token| is_number(token) || token.shape == Shape::DigitsLetters),
        (Entity::ZIP_CODE, _) => tokens.iter().all(|token| token.shape != Shape::Digits || token.end - token.start < 9),
        (Entity::ORGANIZATION, _) => has_letters || tokens.iter().any(|token| token.shape == Shape::DigitsLetters),
        _ => has_letters,
    }
}
