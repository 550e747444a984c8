//! One small change after which the answer is another: a number, a name, a negation, a direction, an order, a kind of question.
//!
//! What a reader could get wrong: a change is made to a text of which only the surface is known, so some come out odd; what counts is that none
//! keeps the answer.

use crate::counting::{number, numbers_swapped};
use crate::exchange::{shuffled, swap};
use crate::random::Random;
use crate::rewrite::{find_word, words_of};
use crate::vocabulary::Vocabulary;

/// Kinds of changes, to leave whole ones out.
pub const KINDS: [&str; 15] = [
    "number",
    "name",
    "negation",
    "opposite",
    "class",
    "quantity",
    "swap",
    "question",
    "object",
    "added",
    "person",
    "numbers_swapped",
    "direction",
    "shuffled",
    "removed",
];

/// The text with one change of that kind; None where there is nothing to change.
pub fn change(text: &str, kind: &str, words: &Vocabulary, random: &mut Random) -> Option<String> {
    let changed = match kind {
        "number" => number(text, random),
        "name" => name(text, words, random),
        "negation" => negation(text, random),
        "opposite" => opposite(text, words, random),
        "class" => class(text, words, random),
        "quantity" => listed(text, QUANTITY, random),
        "swap" => swap(text, random),
        "question" => question(text, random),
        "object" => object(text, words, random),
        "added" => added(text, words, random),
        "person" => listed(text, PERSON, random),
        "numbers_swapped" => numbers_swapped(text, random),
        "direction" => listed(text, DIRECTION, random),
        "shuffled" => shuffled(text, words, random),
        _ => removed(text, random),
    };
    changed.filter(|changed| changed.to_lowercase() != text.to_lowercase())
}

const QUANTITY: &[&[&str]] = &[
    &["all", "some", "none of", "most"],
    &["every", "no", "any"],
    &["always", "never", "sometimes"],
    &["only", "also"],
    &["both", "neither"],
    &["many", "few"],
    &["more than", "less than", "exactly"],
    &["at least", "at most"],
    &["most", "least"],
    &["first", "last", "second"],
    &["minimum", "maximum", "average"],
    &["daily", "weekly", "monthly", "yearly"],
    &["once", "twice"],
    &["half", "double"],
    &["more", "fewer"],
    &["best", "worst"],
    &["can", "must", "should"],
    &["must", "may"],
    &["oldest", "newest"],
    &["per day", "per week"],
];
const PERSON: &[&[&str]] = &[
    &["my", "her", "their", "your"],
    &["he", "she"],
    &["his", "her"],
    &["i", "they", "she"],
    &["we", "they"],
    &["mother", "father"],
    &["brother", "sister"],
    &["son", "daughter"],
    &["husband", "neighbor"],
    &["parents", "children"],
    &["boss", "employee"],
];
const DIRECTION: &[&[&str]] = &[
    &["from", "to"],
    &["before", "after", "during"],
    &["with", "without"],
    &["over", "under"],
    &["above", "below"],
    &["up", "down"],
    &["since", "until"],
    &["inside", "outside"],
    &["left", "right"],
    &["into", "out of"],
];

pub fn replaced(text: &str, at: usize, len: usize, to: &str) -> String {
    let is_capital = text[at..].starts_with(char::is_uppercase);
    let to = if is_capital { crate::rewrite::capital(to) } else { to.to_owned() };
    format!("{}{to}{}", &text[..at], &text[at + len..])
}

/// Words with a capital that do not begin a sentence.
pub fn names(text: &str) -> Vec<(usize, &str)> {
    words_of(text)
        .filter(|(at, word)| {
            let before = text[..*at].trim_end();
            *at > 0
                && word.starts_with(char::is_uppercase)
                && *word != "I"
                && !word.starts_with("I'")
                && !before.is_empty()
                && !before.ends_with(['.', '?', '!', ':', '"'])
        })
        .collect()
}

fn name(text: &str, words: &Vocabulary, random: &mut Random) -> Option<String> {
    let found = names(text);
    if found.is_empty() {
        return None;
    }
    let (at, word) = *random.pick(&found);
    let list = ["city", "country", "person", "surname", "brand", "product"]
        .iter()
        .find(|slot| words.slots.get(**slot).is_some_and(|list| list.iter().any(|filling| filling == word)));
    let list = list.copied().unwrap_or_else(|| ["city", "person", "surname", "brand"][random.below(4)]);
    Some(replaced(text, at, word.len(), &words.filling(list, random)))
}

fn negation(text: &str, random: &mut Random) -> Option<String> {
    const PAIRS: &[(&str, &str)] = &[
        ("is", "is not"),
        ("are", "are not"),
        ("can", "can't"),
        ("does", "doesn't"),
        ("do", "don't"),
        ("should", "should not"),
        ("will", "won't"),
        ("was", "was not"),
        ("did", "didn't"),
        ("has", "has not"),
        ("have", "don't have"),
        ("would", "wouldn't"),
        ("to", "not to"),
        ("with", "without"),
        ("could", "couldn't"),
    ];
    for (_, negated) in PAIRS {
        if let Some(at) = find_word(text, negated) {
            let (plain, _) = PAIRS.iter().find(|(_, other)| other == negated)?;
            return Some(replaced(text, at, negated.len(), plain));
        }
    }
    let places: Vec<(usize, &str, &str)> =
        PAIRS.iter().filter_map(|(plain, negated)| find_word(text, plain).map(|at| (at, *plain, *negated))).collect();
    if places.is_empty() {
        return None;
    }
    let (at, plain, negated) = *random.pick(&places);
    Some(replaced(text, at, plain.len(), negated))
}

fn opposite(text: &str, words: &Vocabulary, random: &mut Random) -> Option<String> {
    let mut hits = vec![];
    for (at, word) in words_of(text) {
        let lower = word.to_lowercase();
        for sides in &words.opposites {
            for (here, there) in [(0, 1), (1, 0)] {
                for (ending, other) in [("", ""), ("s", "s"), ("ing", "ing"), ("d", "d"), ("ed", "ed")] {
                    let Some(base) =
                        lower.strip_suffix(ending).filter(|base| sides[here].iter().any(|word| word == base))
                    else {
                        continue;
                    };
                    let _ = base;
                    hits.push((at, word.len(), format!("{}{other}", random.pick(&sides[there]))));
                }
            }
        }
    }
    if hits.is_empty() {
        return None;
    }
    let (at, len, to) = random.pick(&hits).clone();
    Some(replaced(text, at, len, &to))
}

/// Another of the same closed class, or of the same list of slot fillings.
fn class(text: &str, words: &Vocabulary, random: &mut Random) -> Option<String> {
    const CLOSED: [&str; 8] = ["month", "weekday", "relative", "unit", "currency", "colour", "language", "tongue"];
    const ODD: [&str; 16] = [
        "may", "march", "second", "go", "c", "r", "d", "us", "won", "now", "foot", "mean", "ml", "bit", "bar", "swift",
    ];
    let mut hits = vec![];
    for (at, word) in words_of(text) {
        let lower = word.to_lowercase();
        if ODD.contains(&lower.as_str()) || lower.len() < 3 {
            continue;
        }
        for kind in CLOSED {
            let list = &words.classes[kind];
            if list.contains(&lower) {
                let to = random.pick(list);
                // "min" and "minute" are one.
                if to.len() > 3 && lower.len() > 3 && to[..3] != lower[..3] {
                    hits.push((at, word.len(), to.clone()));
                }
            }
        }
    }
    for (name, list) in &words.slots {
        for filling in list.iter().filter(|filling| filling.len() > 3) {
            if let Some(at) = find_word(text, filling) {
                hits.push((at, filling.len(), words.filling(name, random)));
            }
        }
    }
    if hits.is_empty() {
        return None;
    }
    let (at, len, to) = random.pick(&hits).clone();
    (text.get(at..at + len)? != to).then(|| replaced(text, at, len, &to))
}

fn listed(text: &str, lists: &[&[&str]], random: &mut Random) -> Option<String> {
    let lower = text.to_lowercase();
    if lower.len() != text.len() {
        return None;
    }
    let mut hits = vec![];
    for list in lists {
        for word in *list {
            if let Some(at) = find_word(&lower, word) {
                hits.extend(list.iter().filter(|other| *other != word).map(|other| (at, word.len(), *other)));
            }
        }
    }
    if hits.is_empty() {
        return None;
    }
    let (at, len, to) = *random.pick(&hits);
    Some(replaced(text, at, len, to))
}

fn question(text: &str, random: &mut Random) -> Option<String> {
    const KINDS: &[&[&str]] = &[
        &["how do", "why do", "when do", "where do"],
        &["how can", "when can", "where can"],
        &["how does", "why does", "when does"],
        &["why is", "when is", "where is", "how is"],
        &["when did", "why did", "where did", "how did"],
        &["who", "when"],
        &["how many", "how long"],
        &["how much", "how often"],
        &["how to", "why", "when to"],
        &["how long", "how far", "how much"],
        &["can i", "why should i", "when can i"],
        &["should i", "how do i"],
        &["what are", "where are"],
    ];
    let start = text.find(", ").filter(|_| random.percent(30)).map_or(0, |comma| comma + 2);
    let (before, rest) = text.split_at(start);
    let changed = listed(rest, KINDS, random)?;
    // Only what opens the clause is the kind of question.
    let opening = |text: &str| text.chars().take(3).collect::<String>();
    (opening(&changed) != opening(rest)).then(|| format!("{before}{changed}"))
}

/// One word of matter becomes another of the lists, or of the text's own field.
fn object(text: &str, words: &Vocabulary, random: &mut Random) -> Option<String> {
    let lists: Vec<String> =
        words.slots.keys().filter(|name| !["person", "surname", "city"].contains(&name.as_str())).cloned().collect();
    let all: Vec<(usize, &str)> = words_of(text).filter(|(at, word)| word.len() > 4 && *at > 0).collect();
    let known: Vec<&(usize, &str)> = all
        .iter()
        .filter(|(_, word)| {
            let lower = word.to_lowercase();
            !words.classes["light"].contains(&lower)
                && !words.classes["function"].contains(&lower)
                && !["direction", "modal", "question", "quantifier", "person3", "person1", "person2"]
                    .iter()
                    .any(|kind| words.classes[*kind].contains(&lower))
        })
        .collect();
    if known.is_empty() {
        return None;
    }
    let (at, word) = **random.pick(&known);
    let lower = word.to_lowercase();
    let to = if random.percent(50) {
        words.filling(&lists[random.below(lists.len())], random)
    } else {
        let line = random.pick(&words.synonyms);
        random.pick(line).clone()
    };
    let alike = words.synonyms.iter().any(|line| line.contains(&lower) && line.contains(&to));
    (!alike && to.to_lowercase() != lower).then(|| replaced(text, at, word.len(), &to))
}

fn added(text: &str, words: &Vocabulary, random: &mut Random) -> Option<String> {
    let bare = text.trim_end_matches(['?', '.', '!', ' ']);
    let mark = &text[bare.len()..];
    let extra = words.filling("extra", random);
    Some(format!("{bare} {extra}{mark}"))
}

/// A qualification at the end falls away.
fn removed(text: &str, random: &mut Random) -> Option<String> {
    let bare = text.trim_end_matches(['?', '.', '!', ' ']);
    let mut cuts = vec![];
    for word in
        [" in ", " on ", " for ", " without ", " with ", " after ", " before ", " under ", " during ", " if ", " when "]
    {
        cuts.extend(
            bare.rfind(word)
                .filter(|at| *at > bare.len() / 2 && bare.len() - at < 40 && bare.len() > at + word.len() + 2),
        );
    }
    (!cuts.is_empty()).then(|| format!("{}{}", &bare[..*random.pick(&cuts)], &text[bare.len()..]))
}
