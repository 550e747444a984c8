//! From text to words: what is a name, a number, a quotation, an identifier; contractions and number words written out.
//!
//! What a reader could get wrong: a fenced block of code is not read, only hashed; two questions with other code are never the same.

use super::contractions::contraction;
use super::lexicon::{Lexicon, class};
use super::number;
use super::numerals::join;
use super::words::{hash, stem};

/// A word as read, before it is weighed.
#[derive(Debug, Clone)]
pub struct Raw {
    pub hash: u32,
    pub stem: u32,
    pub class: u32,
    /// Where its spelling stands among the letters.
    pub start: usize,
    pub len: usize,
    /// Where it began in the text, to find the embedder's tokens.
    pub origin: usize,
    pub value: Option<f64>,
    pub is_capital: bool,
}

/// All that was read.
#[derive(Debug, Default)]
pub struct Reading {
    /// The words' spellings in lower case, one after the other.
    pub letters: String,
    pub words: Vec<Raw>,
    /// Hash of what stands in fences; 0 for none.
    pub fenced: u32,
    pub sentences: u8,
    pub asks: bool,
    quoted: Option<char>,
}

/// Reads a text.
pub fn read(text: &str) -> Reading {
    let mut reading = Reading { letters: String::with_capacity(text.len()), ..Reading::default() };
    let (mut at, mut is_start) = (0, true);
    while let Some(sign) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or_default();
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        if sign == '`' {
            at += reading.code(rest, at);
            continue;
        }
        if reading.quote(sign, before, rest) {
            at += sign.len_utf8();
            continue;
        }
        if sign.is_alphanumeric() || (matches!(sign, '/' | '.' | '~' | '_') && path_begins(rest)) {
            at += reading.chunk(rest, at, before, is_start);
            is_start = false;
            continue;
        }
        reading.sign(sign, before, rest, at);
        let ends = matches!(sign, '.' | '!' | '?' | '\n' | '。' | '？');
        reading.asks |= matches!(sign, '?' | '？');
        if ends && !reading.words.is_empty() && !is_start {
            reading.sentences = reading.sentences.saturating_add(1);
        }
        is_start |= ends;
        at += sign.len_utf8();
    }
    reading.sentences += u8::from(!is_start);
    join(&mut reading.words, &reading.letters);
    reading
}

fn path_begins(rest: &str) -> bool {
    let mut signs = rest.chars();
    let (first, second) = (signs.next(), signs.next());
    match first {
        Some('/' | '~') => second.is_some_and(|sign| sign.is_alphabetic() || sign == '/'),
        Some('.') => second == Some('/'),
        Some('_') => second.is_some_and(|sign| sign.is_alphanumeric() || sign == '_'),
        _ => false,
    }
}

impl Reading {
    fn push(&mut self, word: &str, origin: usize, class: u32, is_capital: bool) {
        let (start, hash, stem) = (self.letters.len(), hash(word), stem(word));
        self.letters.push_str(word);
        let class =
            class | Lexicon::builtin().classes(hash, stem) | if self.quoted.is_some() { class::QUOTED } else { 0 };
        let value = None;
        let len = word.len();
        self.words.push(Raw { hash, stem, class, start, len, origin, value, is_capital });
    }

    /// `class::SOFT` or 0.
    fn push_number(&mut self, value: f64, origin: usize) {
        self.push("", origin, class::NUMBER, false);
        if let Some(word) = self.words.last_mut() {
            (word.value, word.hash, word.stem) = (Some(value), number::hash_of(value), number::hash_of(value));
        }
    }

    /// A fenced block or what stands between backticks; how many bytes.
    fn code(&mut self, rest: &str, at: usize) -> usize {
        let fence = if rest.starts_with("```") { "```" } else { "`" };
        let inner = rest.get(fence.len()..).unwrap_or_default();
        let Some(end) = inner.find(fence) else { return fence.len() };
        let inner = inner.get(..end).unwrap_or_default().trim();
        if fence.len() == 3 {
            self.fenced = self.fenced.wrapping_mul(31).wrapping_add(hash(inner)) | 1;
        } else if !inner.is_empty() {
            self.push(inner, at, class::CODE | class::QUOTED, false);
        }
        end + 2 * fence.len()
    }

    /// Whether the sign opens or closes a quotation.
    fn quote(&mut self, sign: char, before: Option<char>, rest: &str) -> bool {
        let is_inside = |sign: Option<char>| sign.is_some_and(char::is_alphanumeric);
        let after = rest.chars().nth(1);
        if let Some(open) = self.quoted {
            let closes = sign == open && (open != '\'' || !is_inside(after));
            if closes {
                self.quoted = None;
            }
            return closes;
        }
        let close = match sign {
            '"' => '"',
            '“' => '”',
            '«' => '»',
            '‘' if !is_inside(before) => '’',
            '\'' if !is_inside(before) && is_inside(after) => '\'',
            _ => return false,
        };
        let closed = rest.chars().skip(1).take(120).any(|other| other == close);
        if closed {
            self.quoted = Some(close);
        }
        closed
    }

    /// Operators of formulas, currency signs; everything else has no meaning here.
    fn sign(&mut self, sign: char, before: Option<char>, rest: &str, at: usize) {
        let after = rest.chars().nth(1);
        let is_minus = matches!(sign, '-' | '−')
            && !before.is_some_and(char::is_alphabetic)
            && after.is_some_and(|sign| sign.is_ascii_digit() || sign == ' ')
            && self.words.last().is_none_or(|word| word.class & (class::NUMBER | class::CODE) != 0);
        let currency = match sign {
            '€' => "euro",
            '£' => "pound",
            '¥' => "yen",
            '₹' => "rupee",
            '$' if after.is_some_and(|sign| sign.is_ascii_digit()) => "dollar",
            _ => "",
        };
        if !currency.is_empty() {
            self.push(currency, at, 0, false);
        } else if sign == '%' {
            self.push("percent", at, 0, false);
        } else if matches!(sign, '+' | '*' | '^' | '=' | '<' | '>' | '±' | '×' | '÷' | '≤' | '≥' | '√') || is_minus
        {
            let mut bytes = [0; 4];
            self.push(if is_minus { "-" } else { sign.encode_utf8(&mut bytes) }, at, class::CODE, false);
        }
    }

    /// A run without spaces; how many bytes were read.
    fn chunk(&mut self, rest: &str, at: usize, before: Option<char>, is_start: bool) -> usize {
        let end = rest.find(|sign: char| sign.is_whitespace() || "\"`“”«»()[]{}<>,;!?|".contains(sign));
        let whole = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        let whole = whole.trim_end_matches(['.', ':', '\'', '’', '*', '-']);
        if is_identifier(whole) {
            self.push(&whole.to_lowercase(), at, class::CODE, false);
            return whole.len();
        }
        if let Some((value, length)) = number::digits(rest) {
            return self.number(value, length, rest, at);
        }
        let letters =
            rest.find(|sign: char| !sign.is_alphabetic() && !matches!(sign, '\'' | '’' | '\u{300}'..='\u{36f}'));
        let word = rest.get(..letters.unwrap_or(rest.len())).unwrap_or_default();
        let word = word.trim_end_matches(['\'', '’']);
        if word.is_empty() {
            return rest.chars().next().map_or(1, char::len_utf8);
        }
        let is_capital = !is_start && word.starts_with(char::is_uppercase) && before != Some('\'');
        let is_shout = word.len() >= 2 && word.chars().all(char::is_uppercase);
        let lower = word.to_lowercase().replace('’', "'");
        self.word(&lower, at, is_capital || (is_shout && is_start), is_shout);
        word.len()
    }

    /// Digits with what is attached to them: "5k", "3rd", "1/2", "3:30", "20%".
    fn number(&mut self, value: f64, length: usize, rest: &str, at: usize) -> usize {
        let tail = rest.get(length..).unwrap_or_default();
        let letters = tail.find(|sign: char| !sign.is_ascii_alphabetic()).unwrap_or(tail.len());
        let suffix = tail.get(..letters).unwrap_or_default().to_ascii_lowercase();
        match suffix.as_str() {
            "k" => self.push_number(value * 1e3, at),
            "s" => self.push_number(value, at),
            "st" | "nd" | "rd" | "th" => match number::ordinal(value) {
                Some(word) => self.push(word, at, 0, false),
                None => self.push_number(value, at),
            },
            "" => {
                let divided = tail.strip_prefix('/').and_then(number::digits).filter(|(by, _)| *by > 0.0);
                if let Some((by, more)) = divided.filter(|(by, _)| value < *by) {
                    self.push_number((value / by * 1e6).round() / 1e6, at);
                    return length + 1 + more;
                }
                if divided.is_some() {
                    self.push_number(value, at);
                    self.push("/", at, class::CODE, false);
                    return length + 1;
                }
                self.push_number(value, at);
                if let Some(minutes) = tail.strip_prefix(":00") {
                    return rest.len() - minutes.len();
                }
            }
            unit => {
                self.push_number(value, at);
                self.push(unit, at + length, 0, false);
            }
        }
        length + letters
    }

    /// One word of letters, contractions written out.
    fn word(&mut self, lower: &str, at: usize, is_capital: bool, is_shout: bool) {
        if let Some(parts) = contraction(lower) {
            parts.split(' ').for_each(|part| self.push(part, at, 0, false));
            return;
        }
        let cut = ["'s", "'re", "'ve", "'ll", "'d", "'m"].iter().find(|with| lower.ends_with(**with));
        let word = cut.map_or(lower, |with| lower.trim_end_matches(with));
        let name = if is_capital && word != "i" { class::NAME } else { 0 };
        self.push(word, at, name, is_capital);
        if let Some(last) = self.words.last_mut() {
            last.class = sense(word, last.class, is_capital, is_shout);
            if name != 0 && word != "a" && last.class & (class::LIGHT | class::GRAMMAR) != 0 {
                last.class &= !class::NAME;
            }
        }
    }
}

/// Words that are something else with a capital.
fn sense(word: &str, class: u32, is_capital: bool, is_shout: bool) -> u32 {
    match word {
        "may" | "march" | "mar" | "sun" | "sat" | "dec" if !is_capital => class & !(class::MONTH | class::WEEKDAY),
        "may" => class & !class::MODAL,
        "c" | "r" if !is_capital => class & !class::TONGUE,
        "go" | "swift" | "rust" | "dart" | "excel" | "ruby" | "julia" if !is_capital => class & !class::TONGUE,
        "go" | "c" | "r" => class & !class::LIGHT,
        "us" if is_shout => class::PLACE | class::NAME,
        "it" if is_shout => class::NAME,
        // "Square A", "player I" no.
        "a" if is_capital => class::NAME,
        _ => class,
    }
}

/// What is no word of a sentence: addresses, paths, versions, names of code.
fn is_identifier(chunk: &str) -> bool {
    let bytes = chunk.as_bytes();
    let has = |byte: u8| bytes.contains(&byte);
    if bytes.len() < 2 || !chunk.is_ascii() {
        return false;
    }
    let is_case =
        bytes.windows(2).any(|pair| matches!(pair, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()));
    let dots = bytes
        .windows(3)
        .filter(|three| matches!(three, [a, b'.', c] if a.is_ascii_alphanumeric() && c.is_ascii_alphanumeric()));
    let (mut dotted, mut lettered) = (0, false);
    for three in dots {
        dotted += 1;
        lettered |= three.iter().any(u8::is_ascii_alphabetic);
    }
    let slashes = bytes.iter().filter(|byte| **byte == b'/').count();
    let is_mixed = has_letter_then_digit(bytes);
    is_case
        || has(b'_')
        || has(b'@')
        || has(b'\\')
        || chunk.contains("::")
        || chunk.contains("://")
        || slashes >= 2 && !has(b' ')
        || chunk.starts_with(['/', '~', '.'])
        || dotted >= 2
        || lettered && dotted == 1
        || is_mixed
        || chunk.ends_with("++")
        || chunk.ends_with('#')
}

/// "x86", "B12", "utf8": a letter, then a digit.
fn has_letter_then_digit(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|pair| matches!(pair, [a, b] if a.is_ascii_alphabetic() && b.is_ascii_digit()))
}
