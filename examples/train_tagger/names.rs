//! The lists that sentences are filled from: `names.tsv` by locale, `templates/words.tsv` by kind.
//!
//! What a reader could get wrong: half of the names that a sentence gets are made up from parts of two (see `mangle`), so that the tagger learns to
//! do without knowing a name.

use std::collections::BTreeMap;

use crate::random::Random;

#[derive(Debug, Default)]
pub struct Locale {
    pub code: String,
    pub lists: BTreeMap<String, Vec<String>>,
}

impl Locale {
    pub fn list(&self, kind: &str) -> &[String] {
        self.lists.get(kind).map_or(&[], Vec::as_slice)
    }
}

#[derive(Debug)]
pub struct Names {
    pub locales: Vec<Locale>,
    /// Lists that belong to no locale.
    pub words: BTreeMap<String, Vec<String>>,
}

impl Names {
    pub fn read(names: &str, words: &str) -> Names {
        let mut locales: BTreeMap<String, Locale> = BTreeMap::new();
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let entries = |list: &str| list.split('|').map(str::to_owned).collect::<Vec<_>>();
        for line in names.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<&str> = line.split('\t').collect();
            let [code, kind, list] = fields[..] else { continue };
            if code == "all" {
                all.insert(kind.to_owned(), entries(list));
                continue;
            }
            let locale = locales.entry(code.to_owned()).or_default();
            locale.code = code.to_owned();
            locale.lists.insert(kind.to_owned(), entries(list));
        }
        for line in words.lines() {
            if let Some((kind, list)) = line.split_once('\t') {
                all.entry(kind.to_owned()).or_insert_with(Vec::new).extend(entries(list));
            }
        }
        // Lists of plain words are written with spaces.
        let common: Vec<String> =
            all.get("common").into_iter().flatten().flat_map(|list| list.split(' ')).map(str::to_owned).collect();
        all.insert("common".to_owned(), common);
        let locales = locales.into_values().filter(|locale| spaced(&locale.code)).collect();
        Names { locales, words: all }
    }

    pub fn words(&self, kind: &str) -> &[String] {
        self.words.get(kind).map_or(&[], Vec::as_slice)
    }
}

/// Whether words are written apart.
fn spaced(code: &str) -> bool {
    !["ja_JP", "zh_CN", "zh_TW", "th_TH"].contains(&code)
}

/// The beginning of one name with the end of another.
pub fn mangle(random: &mut Random, one: &str, other: &str) -> String {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    if one.len() < 4 || other.len() < 4 {
        return one.into_iter().collect();
    }
    let cut = random.between(2, one.len().min(6) - 1);
    let keep = random.between(2, (other.len() - 2).min(5));
    let end = &other[other.len() - keep..];
    if end.iter().any(|sign| !sign.is_lowercase()) {
        return one.into_iter().collect();
    }
    one[..cut].iter().chain(end).collect()
}
