//! What words do not show: signs, brackets, capitals that tell one thing from another. Two texts of the same words may mean different things by them
//! (`-5 + 3`, `10 mW` and `10 MW`, `\d` and `\D`).
//!
//! What a reader could get wrong: this is strict on purpose. Where it finds a difference nothing is answered from memory; a politer or lazier way to
//! write the same is a lost hit, no wrong answer.

/// Words of up to three letters whose capital says nothing.
const COMMON: &str = " a an the i in on at to of by or and as is it its be am are was do did does has had can may my me we us our you he she his \
                      her how who why for not no but if so up off out all any get use new old one two what when where which with from \
                      im ive id ill ok yes ";
/// Words that mean another thing with a capital.
const CAPITONYMS: &str = " access amazon apple august bath bill china cork earth excel go grace guinea hope java jobs jordan lima march mark \
                          mercury mobile nice office oracle polish python reading rose ruby rust shell swift teams turkey will windows word ";

/// How a text is written, as far as that may mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spelling {
    /// Quoted text, paths, flags, units behind a number, the indentation of code.
    hard: u64,
    /// These and capitals: names of variables (`dBm`), short words in capitals, words that mean another thing with one.
    all: u64,
    /// Nothing is in capitals: whoever writes like that means nothing by it.
    is_lazy: bool,
}

impl Spelling {
    pub(super) fn of(text: &str) -> Spelling {
        let mut hard: Vec<&str> = text.split('"').skip(1).step_by(2).collect();
        let mut capitals: Vec<&str> = Vec::new();
        let (mut begins, mut counts) = (true, false);
        for word in text.split_whitespace() {
            let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
            let has_letters = word.chars().any(char::is_alphabetic);
            let is_path = has_letters && (bare.contains(['/', '\\', '_', '.']) || word.starts_with(['/', '.', '\\']));
            let is_flag = word.starts_with('-') && has_letters;
            let is_common = COMMON.contains(&format!(" {} ", bare.to_lowercase()));
            let is_unit = counts && has_letters && !is_common && bare.chars().count() <= 3;
            if is_path || is_flag {
                hard.push(word.trim_end_matches(['.', '?', '!', ',', ';', ':']));
            } else if is_unit {
                hard.push(bare);
            } else if has_telling_capital(bare, begins) {
                capitals.push(bare);
            }
            begins = word.ends_with(['.', '?', '!', ':']);
            counts = bare.ends_with(|c: char| c.is_ascii_digit());
        }
        let mut hasher = blake3::Hasher::new();
        add(&mut hasher, &mut hard);
        // White space means something in code.
        for indent in text.lines().skip(1).map(|line| line.len() - line.trim_start().len()) {
            hasher.update(&indent.to_le_bytes());
        }
        let of_hard = first(&hasher);
        add(&mut hasher, &mut capitals);
        Spelling { hard: of_hard, all: first(&hasher), is_lazy: !text.chars().any(char::is_uppercase) }
    }

    /// Of the same words: whether they are the same text, too.
    pub(super) fn agrees(self, other: Spelling) -> bool {
        self.hard == other.hard && (self.all == other.all || self.is_lazy || other.is_lazy)
    }
}

fn add(hasher: &mut blake3::Hasher, parts: &mut [&str]) {
    parts.sort_unstable();
    for part in parts {
        hasher.update(part.as_bytes()).update(b"\0");
    }
}

fn has_telling_capital(word: &str, begins: bool) -> bool {
    let capitals = word.chars().filter(|c| c.is_uppercase()).count();
    let letters = word.chars().filter(|c| c.is_alphabetic()).count();
    let leads = word.starts_with(char::is_uppercase);
    if capitals == 0 || begins && leads && capitals == 1 {
        return false;
    }
    let lower = format!(" {} ", word.to_lowercase().replace('\'', ""));
    if COMMON.contains(&lower) {
        // `us` is no `US`.
        return lower == " us " || lower == " it " && capitals > 1;
    }
    let is_mixed = capitals < letters && !(leads && capitals == 1);
    letters <= 3 || is_mixed || CAPITONYMS.contains(&lower)
}

/// The signs of formulas and code, and digits that stand high or low, whatever their order; emoji.
pub(super) fn signs(text: &str) -> u64 {
    let chars: Vec<char> = text.chars().collect();
    let is_digit = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
    let mut signs: Vec<char> = Vec::new();
    let mut brackets: Vec<char> = Vec::new();
    let mut is_formula = false;
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| chars.get(at));
        match c {
            '+' | '*' | '=' | '<' | '>' | '^' | '|' | '&' | '\\' | '~' | '`' | '[' | ']' | '{' | '}' | '×' | '÷'
            | '±' | '√' => {
                is_formula = true;
                signs.push(c);
            }
            '_' => signs.push(c),
            // A sign: nothing but space or a bracket stands before it.
            '-' | '−' if is_digit(at + 1) && before.is_none_or(|b| b.is_whitespace() || matches!(b, '(' | '=')) => {
                signs.push('-');
            }
            '!' if before.is_some_and(char::is_ascii_digit) => signs.push(c),
            '(' | ')' => brackets.push(c),
            _ if !c.is_ascii() && is_raised_or_picture(c) => signs.push(c),
            _ => {}
        }
    }
    if is_formula {
        signs.append(&mut brackets);
    }
    signs.sort_unstable();
    let mut hasher = blake3::Hasher::new();
    hasher.update(String::from_iter(signs).as_bytes());
    first(&hasher)
}

/// `²`, `₁`, `½`, emoji and other pictures.
fn is_raised_or_picture(c: char) -> bool {
    let code = u32::from(c);
    matches!(c, '²' | '³' | '¹' | '¼' | '½' | '¾')
        || (0x2070..=0x209f).contains(&code)
        || (0x2150..=0x218f).contains(&code)
        || (0x2190..=0x2bff).contains(&code)
        || code >= 0x1f000
}

fn first(hasher: &blake3::Hasher) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(hasher.finalize().as_bytes().get(..8).unwrap_or(&[0; 8]));
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::{Question, Verifier};

    #[test]
    fn what_only_signs_and_capitals_tell_apart_is_told_apart() {
        for (one, other) in [
            ("What is -5 + 3?", "What is 5 + 3?"),
            ("My balance is -200 dollars", "My balance is 200 dollars"),
            ("What is 2 + 3 * 4?", "What is (2 + 3) * 4?"),
            ("Compute 3!", "Compute 3"),
            ("What is 10 mW in dBm?", "What is 10 MW in dBm?"),
            ("How many Mb are in a file of 4 pages?", "How many MB are in a file of 4 pages?"),
            ("Where do I find polish food?", "Where do I find Polish food?"),
            ("what is 10 mw in watts?", "What is 10 MW in watts?"),
            ("What does \\d match?", "What does \\D match?"),
            ("What does curl -o do?", "What does curl -O do?"),
            ("What does a | b mean?", "What does a || b mean?"),
            ("Show me the uppercase of \"abc\"", "Show me the uppercase of \"ABC\""),
            ("How do I read ./a in a script?", "How do I read ../a in a script?"),
            ("What does 👍 mean?", "What does 👎 mean?"),
            ("How much is 2²?", "How much is 2³?"),
        ] {
            let verifier = Verifier::builtin();
            let (a, b) = (Question::prepare(one), Question::prepare(other));
            let found = verifier.probability(&a, &b);
            assert!(found < verifier.threshold(0.05), "{one} / {other}: {found}");
        }
    }

    #[test]
    fn a_lazier_way_to_write_the_same_is_the_same() {
        for (one, other) in [
            ("How do I reset my password?", "how do i reset my password"),
            ("  What is a tide? ", "What is  a tide"),
            ("Hello. Can you help me?", "hello. can you help me"),
            ("What's the capital of Peru?", "what is the capital of peru"),
            ("HOW DO I RESET MY PASSWORD", "How do I reset my password?"),
            ("play something new by nina in rio", "Play something new by Nina in Rio"),
        ] {
            assert!(
                Verifier::builtin().probability(&Question::prepare(one), &Question::prepare(other)) > 0.99,
                "{one} / {other}"
            );
        }
    }
}
