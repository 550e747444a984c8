//! A question, read once and kept with the stored entry.
//!
//! What a reader could get wrong: the spellings are kept (a slip of the pen is found letter by letter), so a `Question` is as private as its text.

use super::lexicon::class;
use super::read::{self, Raw, Reading};
use super::spelling::{self, Spelling};
use super::words::hash;
use crate::cache::semantic::embedder::{DIMENSIONS, Embedder, Token};

/// Longer texts are never said to be the same: that is where small differences hide.
pub const MAX_BYTES: usize = 2_000;
/// As `MAX_BYTES`, of words; alignment is quadratic.
const MAX_WORDS: usize = 255;
/// No vector of its own.
pub const NONE: u16 = u16::MAX;

/// A word as it is compared.
#[derive(Debug, Clone, Copy)]
pub struct Word {
    pub hash: u32,
    pub stem: u32,
    pub class: u32,
    pub start: u16,
    pub len: u8,
    /// How much is lost with it, in 64ths.
    pub weight: u8,
    /// Of the embedder's vocabulary, or `NONE`.
    pub token: u16,
    /// One over the length of the token's vector; 0 for none.
    pub scale: f32,
}

impl Word {
    pub fn is(&self, class: u32) -> bool {
        self.class & class != 0
    }

    pub fn weight(&self) -> f32 {
        f32::from(self.weight) / 64.0
    }

    /// Whether it carries matter, not grammar.
    pub fn is_content(&self) -> bool {
        !self.is(class::GRAMMAR) || self.is(class::NAME | class::QUOTED | class::NUMBER)
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    How,
    Why,
    When,
    Where,
    Who,
    Count,
    Degree,
    What,
    Whether,
    Nothing,
}

/// A question, prepared.
#[derive(Debug, Clone)]
pub struct Question {
    pub(super) letters: Box<str>,
    pub(super) words: Box<[Word]>,
    pub(super) vector: Box<[i8]>,
    pub(super) fenced: u32,
    /// Hash of the words in order, without case, punctuation and politeness.
    pub(super) sequence: u32,
    /// What words do not show, and the hash of the text's signs.
    pub(super) spelling: Spelling,
    pub(super) signs: u64,
    pub(super) asks: Asks,
    pub(super) sentences: u8,
    pub(super) is_foreign: bool,
    /// Too long or empty.
    pub(super) is_refused: bool,
}

impl Question {
    /// Reads a text; a text that is too long is refused, which makes every probability 0.
    pub fn prepare(text: &str) -> Question {
        let reading = if text.len() > MAX_BYTES { Reading::default() } else { read::read(text) };
        let is_refused = reading.words.len() > MAX_WORDS || (reading.words.is_empty() && reading.fenced == 0);
        let reading = if is_refused { Reading::default() } else { reading };
        let embedder = Embedder::builtin();
        let mut tokens = Vec::with_capacity(text.len() / 4 + 1);
        if !is_refused {
            embedder.tokens(text, &mut tokens);
        }
        let mut words = weighed(&reading.words, &tokens, embedder);
        untitled(&mut words, &reading.words);
        Question {
            asks: asks(&words, reading.asks),
            is_foreign: is_foreign(&words, &reading.letters),
            sequence: sequence(&words),
            spelling: Spelling::of(text),
            signs: spelling::signs(text),
            vector: vector(embedder, &tokens),
            words: words.into(),
            letters: reading.letters.into(),
            fenced: reading.fenced,
            sentences: reading.sentences,
            is_refused,
        }
    }

    /// Bytes that it holds, what it points to included.
    pub fn bytes(&self) -> usize {
        size_of::<Question>() + self.letters.len() + size_of_val(&*self.words) + self.vector.len()
    }

    pub(super) fn spelling(&self, word: &Word) -> &str {
        let start = usize::from(word.start);
        self.letters.get(start..start + usize::from(word.len)).unwrap_or_default()
    }
}

fn vector(embedder: &Embedder, tokens: &[Token]) -> Box<[i8]> {
    let vector = embedder.embed_tokens(tokens);
    let top = vector.iter().fold(1e-9_f32, |top, part| top.max(part.abs()));
    vector.iter().take(DIMENSIONS).map(|part| (part / top * 127.0).round() as i8).collect()
}

/// Words with the embedder's token and a weight.
fn weighed(raw: &[Raw], tokens: &[Token], embedder: &Embedder) -> Vec<Word> {
    let mut next = 0;
    raw.iter()
        .map(|raw| {
            while tokens.get(next).is_some_and(|token| token.range.start < raw.origin) {
                next += 1;
            }
            let own = tokens.get(next).filter(|token| token.range.start == raw.origin);
            let is_whole = !tokens.get(next + 1).is_some_and(|token| token.is_continuation);
            let id = own.filter(|_| is_whole && raw.value.is_none()).map(|token| token.id);
            let token = id.and_then(|id| u16::try_from(id).ok()).unwrap_or(NONE);
            let mut class = raw.class;
            if token == NONE && class & (class::NUMBER | class::CODE) == 0 && own.is_some() {
                class |= class::UNKNOWN;
            }
            let mut word = Word {
                hash: raw.hash,
                stem: raw.stem,
                class,
                start: u16::try_from(raw.start).unwrap_or(u16::MAX),
                len: u8::try_from(raw.len).unwrap_or(u8::MAX),
                weight: 0,
                token,
                scale: id.map_or(0.0, |id| scale(embedder.vector(id))),
            };
            let weight = weight(&word, id.map(|id| embedder.weight(id)));
            word.weight = (weight * 64.0).round().clamp(0.0, 255.0) as u8;
            word
        })
        .collect()
}

fn scale(vector: &[i8]) -> f32 {
    let square: i32 = vector.iter().map(|part| i32::from(*part) * i32::from(*part)).sum();
    if square > 0 { 1.0 / (square as f32).sqrt() } else { 0.0 }
}

/// How much of a question is lost with a word: by class first, then by how rare it is.
fn weight(word: &Word, rarity: Option<f32>) -> f32 {
    if word.is(class::SOFT) {
        return 0.5;
    }
    if word.is(class::NUMBER | class::CODE | class::QUOTED | class::NAME) {
        return 1.5;
    }
    if word.is(class::NEGATION | class::SUPERLATIVE | class::QUANTIFIER) {
        return 0.5;
    }
    if word.is(class::FUNCTION) {
        return 0.05;
    }
    if word.is(class::GRAMMAR) {
        return 0.1;
    }
    if word.is(class::LIGHT) {
        return 0.2;
    }
    if word.is(class::UNKNOWN) {
        return 1.4;
    }
    rarity.unwrap_or(1.0).clamp(0.4, 1.4)
}

/// In a text where most words have a capital, a capital says nothing.
fn untitled(words: &mut [Word], raw: &[Raw]) {
    let capitals = raw.iter().filter(|word| word.is_capital).count();
    let lettered = raw.iter().filter(|word| word.len > 3).count();
    if capitals > 3 && capitals * 10 > lettered * 7 {
        words.iter_mut().for_each(|word| word.class &= !class::NAME);
    }
}

fn sequence(words: &[Word]) -> u32 {
    let polite = ["please", "kindly", "thanks", "thank", "hi", "hello", "hey"].map(hash);
    words
        .iter()
        .filter(|word| !polite.contains(&word.hash))
        .fold(0x811c_9dc5, |sum: u32, word| (sum ^ word.hash).wrapping_mul(0x0100_0193).rotate_left(5))
}

/// Whether the text is in another language than English, as far as a few words tell.
fn is_foreign(words: &[Word], letters: &str) -> bool {
    const FOREIGN: [&str; 60] = [
        "el", "la", "los", "las", "que", "una", "por", "para", "como", "cómo", "qué", "cuál", "es", "wie", "der",
        "die", "das", "und", "ist", "ein", "eine", "mit", "für", "nicht", "ich", "wird", "le", "les", "des", "est",
        "une", "pour", "dans", "quel", "quelle", "comment", "du", "je", "il", "che", "di", "per", "della", "sono", "o",
        "os", "um", "uma", "não", "em", "het", "een", "van", "hoe", "ik", "och", "att", "är", "jak", "jest",
    ];
    let strange = letters.chars().filter(|sign| sign.is_alphabetic() && *sign > 'ɏ').count();
    if strange * 10 > letters.chars().count() * 3 {
        return true;
    }
    let spelled = |word: &Word| {
        let start = usize::from(word.start);
        letters.get(start..start + usize::from(word.len)).unwrap_or_default()
    };
    let foreign = words.iter().filter(|word| FOREIGN.contains(&spelled(word))).count();
    let english = words.iter().filter(|word| word.is(class::GRAMMAR)).count();
    foreign >= 2 && foreign > english
}

/// The kind of question: the last sentence's, since what comes before it is the setting.
fn asks(words: &[Word], has_mark: bool) -> Asks {
    let [how, why, when, where_, who, whom, whose, which, what] =
        ["how", "why", "when", "where", "who", "whom", "whose", "which", "what"].map(hash);
    let mut found = None;
    for (place, word) in words.iter().enumerate() {
        let next = words.get(place + 1).map_or(0, |word| word.hash);
        let ahead = |names: &[&str], reach: usize| {
            words.iter().skip(place + 1).take(reach).any(|word| names.iter().any(|name| hash(name) == word.hash))
        };
        let kind = match word.hash {
            word if word == how && ["many", "much"].map(hash).contains(&next) => Asks::Count,
            word if word == how
                && ["long", "often", "far", "old", "tall", "big", "fast", "high", "deep"].map(hash).contains(&next) =>
            {
                Asks::Degree
            }
            word if word == how => Asks::How,
            word if word == why => Asks::Why,
            word if word == when => Asks::When,
            word if word == where_ => Asks::Where,
            word if word == who || word == whom || word == whose => Asks::Who,
            word if word == what || word == which => {
                if ahead(&["reason", "reasons", "cause"], 3) {
                    Asks::Why
                } else if ahead(&["time", "date", "year"], 1) {
                    Asks::When
                } else if ahead(&["way", "ways", "steps", "method", "process", "procedure"], 4) {
                    Asks::How
                } else if ahead(&["number", "amount", "total", "many"], 3) {
                    Asks::Count
                } else {
                    Asks::What
                }
            }
            _ => continue,
        };
        // "When I open it, how do I …": a clause of time gives way to what is asked after it.
        if found.is_none() || matches!(found, Some(Asks::When | Asks::Where)) || place * 3 > words.len() * 2 {
            found = Some(kind);
        }
    }
    let opens =
        ["is", "are", "was", "were", "do", "does", "did", "can", "could", "should", "will", "would", "has", "have"];
    let first = words.first().map_or(0, |word| word.hash);
    match found {
        Some(kind) => kind,
        None if has_mark || opens.iter().any(|word| hash(word) == first) => Asks::Whether,
        None => Asks::Nothing,
    }
}
