//! Pairs from templates: blocks of lines that ask the same, lines that ask something else, slots to fill.
//!
//! What a reader could get wrong: a slot with the same number has the same filling in all lines of a block; fillings of one block never repeat within
//! a list, so that an exchange is a change.

use crate::change::{KINDS, change};
use crate::pair::{Pair, pair};
use crate::random::Random;
use crate::rewrite::{decorate, numbers, rewrite, surface};
use crate::vocabulary::Vocabulary;

/// Lines of one meaning.
pub struct Block {
    pub field: String,
    pub same: Vec<String>,
    pub other: Vec<String>,
}

/// Reads the blocks.
pub fn blocks(text: &str) -> Vec<Block> {
    let (mut blocks, mut field): (Vec<Block>, String) = (vec![], String::new());
    let mut open = false;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix("@ ") {
            field = name.to_owned();
            open = false;
        } else if line.is_empty() {
            open = false;
        } else {
            if !open {
                blocks.push(Block { field: field.clone(), same: vec![], other: vec![] });
                open = true;
            }
            let block = blocks.last_mut().expect("a block");
            match line.strip_prefix("! ") {
                Some(line) => block.other.push(line.to_owned()),
                None => block.same.push(line.to_owned()),
            }
        }
    }
    blocks
}

type Filled = Vec<(String, String)>;

fn fill_slots(lines: &[String], words: &Vocabulary, random: &mut Random) -> Filled {
    let mut filled: Filled = vec![];
    for line in lines {
        for slot in line.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(slot, _)| slot) {
            if filled.iter().any(|(name, _)| name == slot) {
                continue;
            }
            let mut filling = words.filling(slot.split(':').next().unwrap_or(slot), random);
            for _ in 0..20 {
                if filled.iter().all(|(_, other)| *other != filling) {
                    break;
                }
                filling = words.filling(slot.split(':').next().unwrap_or(slot), random);
            }
            filled.push((slot.to_owned(), filling));
        }
    }
    filled
}

fn put(line: &str, filled: &Filled) -> String {
    filled.iter().fold(line.to_owned(), |line, (slot, filling)| line.replace(&format!("{{{slot}}}"), filling))
}

/// Pairs of all blocks, `rounds` fillings each.
pub fn pairs(blocks: &[Block], kind: &str, rounds: usize, words: &Vocabulary, random: &mut Random) -> Vec<Pair> {
    let mut out = vec![];
    for (number, block) in blocks.iter().enumerate() {
        let group = format!("{kind}:{number}");
        let mut all = block.same.clone();
        all.extend(block.other.iter().cloned());
        for _ in 0..rounds {
            let filled = fill_slots(&all, words, random);
            let write = |line: &str, filled: &Filled, random: &mut Random| {
                let text = put(line, filled);
                if kind == "problem" {
                    if random.percent(40) { numbers(&text, random) } else { text }
                } else {
                    rewrite(&text, 1, words, random)
                }
            };
            let dress = |text: &str, random: &mut Random| {
                if kind == "problem" { surface(text, random) } else { decorate(text, random) }
            };
            let first = random.pick(&block.same).clone();
            let second = random.pick(&block.same).clone();
            let a = write(&first, &filled, random);
            let a = dress(&a, random);
            let b = write(&second, &filled, random);
            out.push(pair(&a, &dress(&b, random), true, &format!("{kind}:same"), &group, &block.field));
            // One slot filled otherwise.
            if !filled.is_empty() {
                let mut other = filled.clone();
                let used: Vec<usize> =
                    (0..filled.len()).filter(|place| second.contains(&format!("{{{}}}", filled[*place].0))).collect();
                if !used.is_empty() {
                    let place = *random.pick(&used);
                    let fresh = fill_slots(&all, words, random);
                    let is_new = fresh[place].1 != filled[place].1
                        && filled.iter().all(|(_, filling)| *filling != fresh[place].1);
                    if is_new {
                        other[place].1 = fresh[place].1.clone();
                        let b = write(&second, &other, random);
                        let slot = filled[place].0.split(':').next().unwrap_or_default();
                        let what = if ["n", "nn", "big", "money", "percent", "year"].contains(&slot) {
                            "number"
                        } else {
                            "slot"
                        };
                        out.push(pair(&a, &dress(&b, random), false, &format!("{kind}:{what}"), &group, &block.field));
                    }
                }
            }
            if !block.other.is_empty() {
                let line = random.pick(&block.other).clone();
                let b = write(&line, &filled, random);
                out.push(pair(&a, &dress(&b, random), false, &format!("{kind}:other"), &group, &block.field));
            }
            let how = random.pick(&KINDS);
            if let Some(b) = change(&b, how, words, random) {
                out.push(pair(&a, &dress(&b, random), false, &format!("change:{how}"), &group, &block.field));
            }
        }
    }
    out
}

/// Pairs of blocks without slots: each line against each, and against each with a number or something else changed.
pub fn worded(blocks: &[Block], words: &Vocabulary, random: &mut Random) -> Vec<Pair> {
    let mut out = vec![];
    for (number, block) in blocks.iter().enumerate() {
        let group = format!("worded:{number}");
        let mut put = |a: &str, b: &str, same: bool, kind: &str| out.push(pair(a, b, same, kind, &group, "worded"));
        for (at, a) in block.same.iter().enumerate() {
            for b in block.same.iter().skip(at + 1) {
                put(a, b, true, "worded:same");
                for _ in 0..2 {
                    let (a, b) = if random.percent(50) { (a, b) } else { (b, a) };
                    if let Some(changed) = change(b, "number", words, random) {
                        put(a, &changed, false, "worded:number");
                    }
                }
                for how in ["numbers_swapped", "opposite", "question", "negation", "quantity", "object", "swap"] {
                    if let Some(changed) = change(b, how, words, random).filter(|_| random.percent(40)) {
                        put(a, &changed, false, &format!("change:{how}"));
                    }
                }
            }
            let number = change(a, "number", words, random);
            number.iter().for_each(|changed| put(a, changed, false, "worded:number"));
            put(a, &surface(&numbers(a, random), random), true, "worded:dressed");
        }
    }
    out
}
