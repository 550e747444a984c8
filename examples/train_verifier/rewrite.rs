//! The same question in other words: frames, politeness, contractions, spelling, number words, synonyms.
//!
//! What a reader could get wrong: every rewriting must keep the answer; what may change it belongs into `change`.

use crate::random::Random;
use crate::vocabulary::Vocabulary;

const HOW: &[&str] = &[
    "how do i {}",
    "how can i {}",
    "how to {}",
    "how could i {}",
    "what is the way to {}",
    "what's the best way to {}",
    "can you tell me how to {}",
    "could you explain how to {}",
    "please explain how to {}",
    "i want to {}, how do i do that",
    "how should i {}",
    "what steps do i follow to {}",
    "what do i need to do to {}",
    "i need to {}",
    "is there a way to {}",
    "show me how to {}",
    "how would i go about it if i want to {}",
    "what is the process to {}",
    "i'd like to know how to {}",
    "how does one {}",
    "what are the steps to {}",
    "help me {}",
    "any idea how to {}",
    "tell me how i can {}",
];
const WHAT: &[&str] = &[
    "what is {}",
    "what's {}",
    "can you tell me what {} is",
    "tell me what {} is",
    "please tell me {}",
    "could you tell me {}",
    "do you know what {} is",
    "i'd like to know what {} is",
    "i want to know {}",
    "give me {}",
];
const BEFORE: &[&str] = &[
    "please ",
    "hi, ",
    "hello, ",
    "hey, ",
    "can you tell me, ",
    "quick question: ",
    "i was wondering, ",
    "i have a question. ",
    "just curious, ",
    "hello! ",
    "excuse me, ",
    "hi there, ",
    "question: ",
    "could you help me? ",
    "tell me, ",
];
const AFTER: &[&str] = &[
    " please",
    ", please",
    ", thanks",
    ". thank you",
    " thanks in advance",
    " ?",
    "??",
    ". can you help",
    ", do you know",
];
const SHORT: &[(&str, &str)] = &[
    ("what is", "what's"),
    ("do not", "don't"),
    ("does not", "doesn't"),
    ("can not", "can't"),
    ("is not", "isn't"),
    ("i am", "i'm"),
    ("i have", "i've"),
    ("it is", "it's"),
    ("are not", "aren't"),
    ("did not", "didn't"),
    ("will not", "won't"),
    ("cannot", "can't"),
    ("who is", "who's"),
    ("how is", "how's"),
];
const SPELLED: &[(&str, &str)] = &[
    ("color", "colour"),
    ("organize", "organise"),
    ("center", "centre"),
    ("favorite", "favourite"),
    ("gray", "grey"),
    ("analyze", "analyse"),
    ("email", "e-mail"),
    ("login", "log in"),
    ("website", "web site"),
    ("setup", "set up"),
    ("percent", "%"),
    ("kilometers", "km"),
    ("dollars", "usd"),
    ("okay", "ok"),
    ("tv", "television"),
    ("backup", "back up"),
];
const UNITS: [&str; 21] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
];
const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// Says it otherwise, with `strength` rewritings or so.
pub fn rewrite(text: &str, strength: usize, words: &Vocabulary, random: &mut Random) -> String {
    let mut text = text.to_owned();
    if random.percent(60) {
        text = frame(&text, random);
    }
    for _ in 0..strength {
        text = match random.below(12) {
            0..=3 => synonym(&text, words, random),
            4 => exchange(&text, SHORT, random),
            5 => exchange(&text, SPELLED, random),
            6 => numbers(&text, random),
            7 => function_slip(&text, random),
            8 => clauses(&text),
            9 => moved(&text),
            10 => listed(&text, random),
            _ => text,
        };
    }
    text
}

/// Politeness, case and punctuation: what is put round a question last, so that no change is made to it.
pub fn decorate(text: &str, random: &mut Random) -> String {
    let mut text = text.to_owned();
    if random.percent(12) {
        text = format!("{}{text}", random.pick(BEFORE));
    }
    if random.percent(12) {
        text = format!("{}{}", text.trim_end_matches(['?', '.', '!']), random.pick(AFTER));
    }
    surface(&text, random)
}

/// Case and punctuation.
pub fn surface(text: &str, random: &mut Random) -> String {
    let mut text = text.to_owned();
    if random.percent(15) {
        text = text.trim_end_matches(['?', '.', '!', ' ']).to_owned();
    }
    if random.percent(15) {
        text = text.to_lowercase();
    } else if random.percent(60) {
        text = capital(&text);
    }
    text
}

pub fn capital(text: &str) -> String {
    let mut signs = text.chars();
    signs.next().map_or(String::new(), |first| first.to_uppercase().chain(signs).collect())
}

fn frame(text: &str, random: &mut Random) -> String {
    let bare = text.trim_end_matches(['?', '.', '!']);
    let lower = bare.to_lowercase();
    for (frames, opens) in
        [(HOW, &["how do i ", "how can i ", "how to ", "how do you "][..]), (WHAT, &["what is ", "what's "][..])]
    {
        if let Some(open) = opens.iter().find(|open| lower.starts_with(**open)) {
            let rest = &bare[open.len()..];
            // "what is X" with a verb in X cannot be turned round.
            if rest.split(' ').count() <= 7 || frames.len() > WHAT.len() {
                return random.pick(frames).replace("{}", rest) + if random.percent(70) { "?" } else { "" };
            }
        }
    }
    text.to_owned()
}

fn exchange(text: &str, pairs: &[(&str, &str)], random: &mut Random) -> String {
    let lower = text.to_lowercase();
    let mut hits = vec![];
    for (long, short) in pairs {
        for (from, to) in [(long, short), (short, long)] {
            if let Some(at) = find_word(&lower, from) {
                hits.push((at, from.len(), *to));
            }
        }
    }
    if hits.is_empty() || lower.len() != text.len() {
        return text.to_owned();
    }
    let (at, len, to) = *random.pick(&hits);
    format!("{}{to}{}", &text[..at], &text[at + len..])
}

/// Where a word stands by itself.
pub fn find_word(text: &str, word: &str) -> Option<usize> {
    let is_edge = |sign: Option<char>| sign.is_none_or(|sign| !sign.is_alphanumeric() && sign != '\'' && sign != '-');
    text.match_indices(word)
        .map(|(at, _)| at)
        .find(|at| is_edge(text[..*at].chars().next_back()) && is_edge(text[at + word.len()..].chars().next()))
}

fn synonym(text: &str, words: &Vocabulary, random: &mut Random) -> String {
    let lower = text.to_lowercase();
    if lower.len() != text.len() {
        return text.to_owned();
    }
    let mut hits = vec![];
    for (at, word) in words_of(&lower) {
        if text[at..].starts_with(char::is_lowercase) {
            for line in words.synonyms.iter().filter(|line| line.iter().any(|other| other == word)) {
                hits.extend(line.iter().filter(|other| *other != word).map(|other| (at, word.len(), other)));
            }
        }
    }
    if hits.is_empty() {
        return text.to_owned();
    }
    let (at, len, to) = random.pick(&hits);
    format!("{}{to}{}", &text[..*at], &text[at + len..])
}

/// Words with their places.
pub fn words_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let start = text.as_ptr() as usize;
    text.split(|sign: char| !sign.is_alphanumeric() && sign != '\'')
        .filter(|word| !word.is_empty())
        .map(move |word| (word.as_ptr() as usize - start, word))
}

/// Digits as words or words as digits.
pub fn numbers(text: &str, random: &mut Random) -> String {
    let mut hits = vec![];
    for (at, word) in words_of(text) {
        let near = |step: Option<char>| step.is_some_and(|sign| ".,/:-$".contains(sign));
        if near(text[..at].chars().next_back()) || text[at + word.len()..].starts_with(['.', ',', '/', ':', '-']) {
            continue;
        }
        if let Some(value) = word.parse::<usize>().ok().filter(|value| *value < 100 && *value != 1) {
            hits.push((at, word.len(), spelled(value)));
        } else if let Some(value) = UNITS.iter().position(|unit| *unit == word).filter(|value| *value > 1) {
            hits.push((at, word.len(), value.to_string()));
        }
    }
    if hits.is_empty() {
        return text.to_owned();
    }
    let (at, len, to) = random.pick(&hits);
    format!("{}{to}{}", &text[..*at], &text[at + len..])
}

pub fn spelled(value: usize) -> String {
    match value {
        0..=20 => UNITS[value].to_owned(),
        21..=99 if value.is_multiple_of(10) => TENS[value / 10].to_owned(),
        21..=99 => format!("{}-{}", TENS[value / 10], UNITS[value % 10]),
        _ => value.to_string(),
    }
}

fn function_slip(text: &str, random: &mut Random) -> String {
    const SLIPS: &[(&str, &str)] = &[
        ("the", "teh"),
        ("with", "wiht"),
        ("what", "waht"),
        ("how", "hwo"),
        ("the ", ""),
        ("a ", ""),
        ("you", "u"),
        ("please", "pls"),
        ("would", "woud"),
        ("because", "becuase"),
        ("which", "wich"),
        ("their", "thier"),
    ];
    let (from, to) = random.pick(SLIPS);
    match find_word(text, from.trim_end()) {
        Some(at) => format!("{}{to}{}", &text[..at], text.get(at + from.len()..).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// "If A, B" is "B if A".
fn clauses(text: &str) -> String {
    let bare = text.trim_end_matches(['?', '.', '!']);
    let lower = bare.to_lowercase();
    for open in ["if ", "when ", "after ", "before "] {
        if lower.starts_with(open) {
            if let Some((clause, rest)) =
                bare.split_once(", ").filter(|(_, rest)| rest.len() > 12 && !rest.contains(['.', ',']))
            {
                let mut clause = clause.to_owned();
                clause[..1].make_ascii_lowercase();
                return format!("{rest} {clause}");
            }
        }
    }
    text.to_owned()
}

/// "In 1990, A did B" is "A did B in 1990".
fn moved(text: &str) -> String {
    let bare = text.trim_end_matches(['?', '.', '!', ' ']);
    let mark = &text[bare.len()..];
    let lower = bare.to_lowercase();
    let opens =
        ["in ", "on ", "at ", "during ", "since ", "until ", "by ", "as "].iter().any(|open| lower.starts_with(open));
    let Some((clause, rest)) = bare.split_once(',').filter(|_| opens) else { return text.to_owned() };
    if clause.split(' ').count() > 5 || rest.len() < 15 || rest.contains(['.', ',']) {
        return text.to_owned();
    }
    let (first, tail) = clause.split_at(1);
    format!("{} {}{tail}{mark}", capital(rest.trim()), first.to_lowercase())
}

/// "A and B" is "B and A".
fn listed(text: &str, random: &mut Random) -> String {
    let words: Vec<(usize, &str)> = words_of(text).collect();
    let mut hits = vec![];
    for three in words.windows(3) {
        let [(at, first), (_, and), (other, second)] = three else { continue };
        let alike = first.starts_with(char::is_uppercase) == second.starts_with(char::is_uppercase);
        let spaced = text[at + first.len()..*other].len() == and.len() + 2;
        if (*and == "and" || *and == "or") && alike && spaced && *at > 0 && first.len() > 3 && second.len() > 3 {
            hits.push((*at, *first, *and, *second));
        }
    }
    if hits.is_empty() {
        return text.to_owned();
    }
    let (at, first, and, second) = *random.pick(&hits);
    format!("{}{second} {and} {first}{}", &text[..at], &text[at + first.len() + and.len() + second.len() + 2..])
}
