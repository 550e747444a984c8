//! Words to put into slots and to exchange for each other: names, places, things, the verifier's own lists.
//!
//! What a reader could get wrong: half of each list is kept out of training when vocabularies left out are measured (`half`).

use std::collections::BTreeMap;

use crate::random::Random;

/// All lists.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    pub synonyms: Vec<Vec<String>>,
    /// Each line's two sides.
    pub opposites: Vec<[Vec<String>; 2]>,
    pub classes: BTreeMap<String, Vec<String>>,
    /// Fillings of slots by name.
    pub slots: BTreeMap<String, Vec<String>>,
}

impl Vocabulary {
    /// Reads `lexicon/` and `templates/slots.txt`; with `half` 0 or 1 every other filling.
    pub fn read(half: Option<usize>) -> Vocabulary {
        let lines = |text: &'static str| text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let synonyms = lines(include_str!("../../src/cache/semantic/verify/lexicon/synonyms.txt")).map(words).collect();
        let opposites = lines(include_str!("../../src/cache/semantic/verify/lexicon/antonyms.txt"))
            .filter_map(|line| line.split_once('|'))
            .map(|(left, right)| [words(left), words(right)])
            .collect();
        let named = |line: &'static str| line.split_once(": ");
        let classes = lines(include_str!("../../src/cache/semantic/verify/lexicon/classes.txt"))
            .filter_map(named)
            .map(|(name, list)| (name.to_owned(), words(list)))
            .collect();
        let slots = lines(include_str!("templates/slots.txt"))
            .filter_map(named)
            .map(|(name, list)| {
                let all = list.split('|').map(|filling| filling.trim().to_owned()).enumerate();
                let kept = all.filter(|(place, _)| half.is_none_or(|half| place % 2 == half));
                (name.to_owned(), kept.map(|(_, filling)| filling).collect())
            })
            .collect();
        Vocabulary { synonyms, opposites, classes, slots }
    }

    /// A filling of the slot: from its list, or made up.
    pub fn filling(&self, slot: &str, random: &mut Random) -> String {
        match slot {
            "n" => random.between(2, 20).to_string(),
            "nn" => (random.between(2, 19) * 5 + random.below(5)).to_string(),
            "big" => ((random.between(1, 99) * 50) as u64).to_string(),
            "year" => random.between(1900, 2025).to_string(),
            "percent" => format!("{}%", random.between(1, 19) * 5),
            "money" => format!("${}", random.between(2, 400)),
            "time" => {
                format!("{}{}", random.between(1, 12), random.pick(&["am", "pm", ":30 pm", ":15 am", " o'clock"]))
            }
            "date" => format!("{} {}", random.pick(&self.slots["month"]), random.between(1, 28)),
            "version" => format!("{}.{}", random.between(1, 20), random.below(15)),
            "code" => random.pick(&["E", "ERR-", "0x", ""]).to_string() + &random.between(100, 900).to_string(),
            _ => self.slots.get(slot).map_or_else(|| format!("[{slot}]"), |list| random.pick(list).clone()),
        }
    }
}
