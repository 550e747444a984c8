//! Pairs of sentences that people and models wrote: labelled sets, look-alikes of other sentences, and both with one thing changed.
//!
//! What a reader could get wrong: the sets are not in the repository; question_pairs is read by `--measure` only and nothing is trained on it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use tidegate::cache::semantic::embedder::Embedder;

use crate::change::{KINDS, change};
use crate::pair::{Pair, pair};
use crate::random::Random;
use crate::rewrite::{decorate, rewrite, words_of};
use crate::vocabulary::Vocabulary;

#[derive(Deserialize)]
struct Row {
    a: String,
    b: String,
    same: u8,
    #[serde(default)]
    kind: String,
}

#[derive(Deserialize)]
struct Prompt {
    prompt: String,
    #[serde(default)]
    subject: String,
}

/// Rows of a labelled set; each is its own group, by its first text.
pub fn labelled(folder: &Path, name: &str) -> Vec<Pair> {
    let text = std::fs::read_to_string(folder.join(format!("{name}.jsonl"))).unwrap_or_default();
    let rows = text.lines().filter_map(|line| serde_json::from_str::<Row>(line).ok());
    rows.map(|row| {
        let kind = row.kind.split(':').next().filter(|kind| !kind.is_empty()).unwrap_or("pair").to_owned();
        pair(&row.a, &row.b, row.same == 1, &format!("{name}:{kind}"), &format!("{name}:{}", row.a), name)
    })
    .collect()
}

/// Prompts of a routing set, with their subject, short ones only.
pub fn prompts(folder: &Path, name: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(folder.join(format!("{name}.jsonl"))).unwrap_or_default();
    let rows = text.lines().filter_map(|line| serde_json::from_str::<Prompt>(line).ok());
    rows.map(|row| (row.prompt.split("\nA. ").next().unwrap_or_default().trim().to_owned(), row.subject))
        .filter(|(text, _)| text.len() > 15 && text.len() < 500 && !text.contains(['\n', '`']))
        .collect()
}

/// The project's own sentences: question, the same, something like it.
pub fn written() -> Vec<Pair> {
    let mut out = vec![];
    for line in include_str!("templates/pairs.tsv").lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let parts: Vec<&str> = line.split(" | ").collect();
        if let [a, b, others @ ..] = &parts[..] {
            let group = format!("written:{a}");
            out.push(pair(a, b, true, "written:same", &group, "written"));
            for other in others {
                out.push(pair(a, other, false, "written:other", &group, "written"));
                out.push(pair(b, other, false, "written:other", &group, "written"));
            }
        }
    }
    out
}

/// For each text the one that shares most of its words with it; `may` says whether two may be set against each other.
pub fn lookalikes(
    texts: &[String],
    name: &str,
    most: usize,
    may: impl Fn(usize, usize) -> bool,
    random: &mut Random,
) -> Vec<Pair> {
    let sets: Vec<BTreeSet<String>> =
        texts.iter().map(|text| words_of(&text.to_lowercase()).map(|(_, word)| word.to_owned()).collect()).collect();
    let mut index: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, set) in sets.iter().enumerate() {
        set.iter().for_each(|word| index.entry(word).or_default().push(place));
    }
    let mut order: Vec<usize> = (0..texts.len()).collect();
    random.shuffle(&mut order);
    // Sentences of one document that share more are often the same thing said twice.
    let most_alike = if name.starts_with("gptcache") { 0.45 } else { 0.75 };
    let mut out = vec![];
    for &place in order.iter().take(most) {
        let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
        for word in &sets[place] {
            index[word.as_str()].iter().for_each(|other| *shared.entry(*other).or_default() += 1);
        }
        let mut near: Vec<(f64, usize)> = shared
            .into_iter()
            .filter(|(other, _)| *other != place && sets[*other] != sets[place] && may(place, *other))
            .map(|(other, both)| (both as f64 / (sets[place].len() + sets[other].len() - both) as f64, other))
            .collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, other) in near.into_iter().take(2).filter(|(likeness, _)| (0.25..most_alike).contains(likeness)) {
            out.push(pair(
                &texts[place],
                &texts[other],
                false,
                &format!("like:{name}"),
                &format!("{name}:{}", texts[place]),
                name,
            ));
        }
    }
    out
}

/// As `lookalikes`, by the vectors that the index searches: what it would propose.
pub fn nearest(texts: &[String], name: &str, most: usize, may: impl Fn(usize, usize) -> bool) -> Vec<Pair> {
    let vectors: Vec<Vec<f32>> = texts.iter().map(|text| Embedder::builtin().embed(text)).collect();
    let mut out = vec![];
    for place in 0..texts.len().min(most) {
        let cosine = |other: usize| vectors[place].iter().zip(&vectors[other]).map(|(x, y)| x * y).sum::<f32>();
        let others = (0..texts.len()).filter(|other| {
            *other != place && texts[*other].to_lowercase() != texts[place].to_lowercase() && may(place, *other)
        });
        let mut near: Vec<(f32, usize)> =
            others.map(|other| (cosine(other), other)).filter(|(cosine, _)| (0.6..0.97).contains(cosine)).collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, other) in near.into_iter().take(2) {
            out.push(pair(
                &texts[place],
                &texts[other],
                false,
                &format!("near:{name}"),
                &format!("{name}:{}", texts[place]),
                name,
            ));
        }
    }
    out
}

/// Of natural sentences: rewritten, and changed in one thing with or without being rewritten. `other` is a paraphrase where there is one.
pub fn worked(from: &[(String, Option<String>)], name: &str, words: &Vocabulary, random: &mut Random) -> Vec<Pair> {
    let mut out = vec![];
    for (text, other) in from {
        let group = format!("{name}:{text}");
        let strength = random.below(3) + 1;
        let again = match other {
            Some(other) if random.percent(70) => other.clone(),
            _ => rewrite(text, strength, words, random),
        };
        if other.is_none() {
            out.push(pair(text, &decorate(&again, random), true, &format!("rewritten:{name}"), &group, name));
        }
        let mut made = 0;
        for _ in 0..8 {
            let how = random.pick(&KINDS[..KINDS.len() - 1]);
            let base = if random.percent(60) { &again } else { text };
            if let Some(b) = change(base, how, words, random) {
                out.push(pair(text, &decorate(&b, random), false, &format!("change:{how}"), &group, name));
                made += 1;
            }
            if made == 2 {
                break;
            }
        }
        // A number is what is changed most in word problems.
        if name.starts_with("problems") {
            for base in [text, &again] {
                if let Some(b) = change(base, "number", words, random) {
                    out.push(pair(text, &decorate(&b, random), false, "change:number", &group, name));
                }
            }
        }
    }
    out
}
