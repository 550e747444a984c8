//! The lexicon: which words stand in which lists, and which are never part of a name.
//!
//! What a reader could get wrong: while the tagger learns, a third of the names is left out of the lists (`Known::Part`), or it would rely on them.

use std::collections::BTreeMap;

use tidegate::pii::tagger::lexicon::*;
use tidegate::pii::tagger::token::{Reader, Shape, hash_of};

use crate::generate::Example;
use crate::names::Names;

/// Words of names that are part of names only between two others.
const LINKS: &str = "of and the de la le du des del di da do dos von van der den zu y e et und und für for in on at les el al bin ibn st";
/// A plain text must have a word so often to call it ordinary.
const ORDINARY: u32 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    All,
    Part,
}

/// Flags by hash of word or phrase.
pub type Flags = BTreeMap<u64, u16>;

pub fn build(names: &Names, examples: &[Example], plain: &[String], known: Known) -> Flags {
    let mut flags = Flags::new();
    lists(names, known, &mut flags);
    let (inside, mut outside) = count(examples, plain);
    for word in include_str!("templates/english.txt").lines().chain(names.words("common").iter().map(String::as_str)) {
        *outside.entry(hash_of(word)).or_default() += ORDINARY;
    }
    let functions: Vec<u64> = names.words("function").iter().flat_map(|list| list.split(' ')).map(hash_of).collect();
    let links: Vec<u64> = LINKS.split(' ').map(hash_of).collect();
    for (hash, times) in &outside {
        let entry = flags.entry(*hash).or_default();
        let within = inside.get(hash).copied().unwrap_or(0);
        if links.contains(hash) {
            *entry |= LINK;
        } else if functions.contains(hash) {
            *entry |= NEVER;
        } else if *times >= ORDINARY {
            let listed = *entry & CLASS != 0;
            *entry |= if within == 0 && !listed { NEVER } else { WORD };
        }
    }
    flags.retain(|_, flags| *flags != 0);
    flags
}

fn lists(names: &Names, known: Known, flags: &mut Flags) {
    let mut add = |name: &str, flag: u16, drop: bool| {
        for (hash, text) in words(name) {
            if text.chars().count() < 2 && flag != STREET || drop && known == Known::Part && hash_of(&text) % 3 == 0 {
                continue;
            }
            *flags.entry(hash).or_default() |= flag;
            let folded = fold(&text);
            if folded != text {
                *flags.entry(hash_of(&folded)).or_default() |= flag;
            }
        }
    };
    for locale in &names.locales {
        for (kind, flag) in [("first", FIRST), ("last", LAST), ("city", CITY)] {
            locale.list(kind).iter().for_each(|name| add(name, flag, true));
        }
    }
    for (kind, flag) in [("city", CITY), ("town", CITY)] {
        names.words(kind).iter().for_each(|name| add(name, flag, true));
    }
    let fixed = [
        ("country", COUNTRY),
        ("country_more", COUNTRY),
        ("continent", COUNTRY),
        ("region", COUNTRY),
        ("nation", GROUP),
        ("nations", GROUP),
        ("firm_suffix", FIRM),
        ("firm_kind", FIRM),
        ("street_type", STREET),
        ("apt_type", STREET),
        ("honorific", HONORIFIC),
        ("honorific_de", HONORIFIC),
        ("honorific_fr", HONORIFIC),
        ("honorific_es", HONORIFIC),
        ("weekday", CALENDAR),
        ("month", CALENDAR),
        ("month_other", CALENDAR),
        ("job", JOB),
        ("job_who", JOB),
        ("job_alone", JOB),
        ("brand", BRAND),
    ];
    for (kind, flag) in fixed {
        names.words(kind).iter().for_each(|name| add(name, flag, false));
    }
    streets(names, &mut add);
    for kind in ["country", "country_more", "continent", "brand"] {
        for name in names.words(kind) {
            let hash = phrase(words(name).into_iter().map(|(hash, _)| hash));
            *flags.entry(hash).or_default() |= PUBLIC;
        }
    }
}

/// Words that many streets of a locale have in common.
fn streets(names: &Names, add: &mut impl FnMut(&str, u16, bool)) {
    for locale in &names.locales {
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        for name in locale.list("street") {
            for (_, text) in words(name) {
                *seen.entry(text).or_default() += 1;
            }
        }
        seen.iter().filter(|(_, times)| **times >= 4).for_each(|(text, _)| add(text, STREET, false));
    }
}

fn words(name: &str) -> Vec<(u64, String)> {
    let tokens = Reader::new(name).filter(|token| token.is_word());
    tokens.map(|token| (token.hash, name[token.start..token.end].to_lowercase())).collect()
}

/// Without the marks of Latin letters.
fn fold(text: &str) -> String {
    const FROM: &str = "àáâãäåāăąçćčďđèéêëēėęěğìíîïīįıķľłñńňņòóôõöøōőŕřśšşșťţțùúûüūůűųýÿźžż";
    const TO: &str = "aaaaaaaaacccddeeeeeeeegiiiiiiikllnnnnoooooooorrssssttttuuuuuuuuyyzzz";
    let folded = |sign: char| FROM.chars().zip(TO.chars()).find(|(from, _)| *from == sign).map_or(sign, |(_, to)| to);
    text.chars().map(folded).collect()
}

/// How often each word in lower case stands inside of something, and outside.
fn count(examples: &[Example], plain: &[String]) -> (BTreeMap<u64, u32>, BTreeMap<u64, u32>) {
    let (mut inside, mut outside) = (BTreeMap::new(), BTreeMap::new());
    for example in examples {
        for token in Reader::new(&example.text).filter(|token| token.is_word()) {
            let within = example.spans.iter().any(|(start, end, _)| *start <= token.start && token.start < *end);
            if within {
                *inside.entry(token.hash).or_default() += 1;
            } else if token.shape == Shape::Lower {
                *outside.entry(token.hash).or_default() += 1;
            }
        }
    }
    let mut capital: BTreeMap<u64, u32> = BTreeMap::new();
    let mut small: BTreeMap<u64, u32> = BTreeMap::new();
    for text in plain {
        let mut stop = true;
        for token in Reader::new(text) {
            match token.shape {
                Shape::Lower => *small.entry(token.hash).or_default() += 1,
                Shape::Initial if !stop => *capital.entry(token.hash).or_default() += 1,
                _ => {}
            }
            stop = !token.is_word();
        }
    }
    for (hash, times) in small {
        // One capital for four without: a name that is also a word, or a name in lower case.
        if capital.get(&hash).copied().unwrap_or(0) * 4 <= times {
            *outside.entry(hash).or_default() += times;
        }
    }
    (inside, outside)
}

/// The slots of the weights file.
pub fn slots(flags: &Flags) -> Vec<[u8; 4]> {
    let mut size = (flags.len() * 2).next_power_of_two();
    loop {
        if let Some(slots) = placed(flags, size) {
            return slots;
        }
        size *= 2;
    }
}

fn placed(flags: &Flags, size: usize) -> Option<Vec<[u8; 4]>> {
    let mut slots = vec![[0; 4]; size + REACH];
    for (hash, flags) in flags {
        let (at, fingerprint) = place(*hash);
        let from = at & (size - 1);
        let slot = slots.get_mut(from..from + REACH)?.iter_mut().find(|slot| slot[..2] == [0, 0])?;
        let ([a, b], [c, d]) = (fingerprint.to_le_bytes(), flags.to_le_bytes());
        *slot = [a, b, c, d];
    }
    Some(slots)
}
