//! What a value looks like: drawn at random, made of words, or standing in for something.
//!
//! What a reader could get wrong: Shannon's entropy alone does not tell a token from a name (`AccessTokenProvider` has more than many a key); how often
//! letters, capitals and digits alternate does.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::words::Words;

/// Parts of what documentation writes in a secret's place.
const STANDING_IN: &str = "your example placeholder changeme change_me change-me change_this changethis replace redacted dummy xxxx **** insert todo \
    put_ _here -here goes-here goeshere enter_ enter- my_secret my-secret my_token my-token mysecret mytoken my_api my-api myapikey not-a- not_a_ \
    notareal not-real not-used not_used unused some-secret some_secret some-token some_token test-key test_key testkey test-token test_token \
    fake-key fake_key fake-token fake_token sample-key sample_key secret_key secret-key secretkey api_key api-key apikey access_token deine- votre_ \
    ... \u{2026} \u{2022} ${ {{ }} <redacted";

/// Sequences that nobody draws at random.
const SEQUENCES: &str =
    "1234567 0123456 abcdefg abcdef123 abc123 deadbeef cafebabe 00000000 11111111 aaaaaaaa qwerty fedcba 7654321";

/// Whole values that mean that there is none, or name its type.
static NONE: Words = Words::new(
    "password passwort contrase\u{f1}a passphrase passwd pass pwd pw secret token key value string str none null nil true false undefined \
    empty required optional unset default n/a na tbd text hidden masked env basic bearer number integer boolean bool object any xxx *** yes no on off \
    foo bar credentials auth kennwort function async await return const char varchar buffer bytes self this new let var mixed input ask prompt \
    secretstr login username user email field description title type invalid incorrect wrong missing expired",
);

static STANDS_IN: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| parts(STANDING_IN));
static RUNS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| parts(SEQUENCES));

fn parts(list: &str) -> Option<AhoCorasick> {
    AhoCorasick::builder().ascii_case_insensitive(true).build(list.split_ascii_whitespace()).ok()
}

/// Whether it stands in for a secret, refers to one, or says that there is none.
pub(in crate::pii) fn is_placeholder(value: &str) -> bool {
    let first = value.bytes().next().unwrap_or(b' ');
    let refers = match first {
        b'<' | b'{' | b'[' | b'(' | b' ' => true,
        b'%' => value.len() < 4 || value.ends_with('%') || value.starts_with("%(") || value.starts_with("%{"),
        b'$' | b'#' | b'@' => matches!(value.as_bytes().get(1), Some(b'{' | b'(' | b'$')) || is_variable(value),
        _ => false,
    };
    refers || is_one_sign(value) || is_none(value) || STANDS_IN.as_ref().is_some_and(|known| known.is_match(value))
}

/// Whether it counts or spells the alphabet.
pub(super) fn is_sequence(value: &str) -> bool {
    RUNS.as_ref().is_some_and(|known| known.is_match(value))
}

/// Whether it names the absence or the type of a secret.
pub(super) fn is_none(value: &str) -> bool {
    NONE.has(value)
}

/// `$DB_PASSWORD`, `$env:TOKEN`: a dollar sign and a name in capitals or in small letters with no digit. `$ecret1` is a password.
fn is_variable(value: &str) -> bool {
    let name = value.get(1..).unwrap_or_default();
    let is_name = |byte: u8| byte.is_ascii_uppercase() || byte == b'_' || byte == b':';
    value.starts_with('$')
        && !name.is_empty()
        && (name.bytes().all(|byte| is_name(byte) || byte.is_ascii_digit())
            || name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
            || name.starts_with("env:"))
}

/// `********`, `xxxxxx`, `------`.
fn is_one_sign(value: &str) -> bool {
    let mut signs = value.chars();
    let first = signs.next();
    first.is_none() || signs.all(|sign| Some(sign) == first)
}

/// Counts over a value of ASCII.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Measure {
    pub(super) lower: usize,
    pub(super) upper: usize,
    pub(super) digits: usize,
    pub(super) others: usize,
    /// Neighbours of different kinds (small letter, capital, digit), and neighbours.
    changes: usize,
    pairs: usize,
    /// Different bytes.
    pub(super) distinct: usize,
    /// Neighbours of which one is a digit and one a letter.
    switches: usize,
    /// Neighbours that are letters of one word (small letters, or a capital and what follows it), and those of them that are common.
    joined: usize,
    common: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Lower,
    Upper,
    Digit,
    Other,
}

fn kind(byte: u8) -> Kind {
    match byte {
        b'a'..=b'z' => Kind::Lower,
        b'A'..=b'Z' => Kind::Upper,
        b'0'..=b'9' => Kind::Digit,
        _ => Kind::Other,
    }
}

pub(super) fn measure(value: &str) -> Measure {
    let mut found = Measure::default();
    let mut seen = [0_u64; 4];
    let (mut last, mut previous) = (Kind::Other, 0);
    for byte in value.bytes() {
        if let Some(word) = seen.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
        let this = kind(byte);
        match this {
            Kind::Lower => found.lower += 1,
            Kind::Upper => found.upper += 1,
            Kind::Digit => found.digits += 1,
            Kind::Other => found.others += 1,
        }
        if this != Kind::Other && last != Kind::Other {
            found.pairs += 1;
            found.changes += usize::from(this != last);
            found.switches += usize::from((this == Kind::Digit) != (last == Kind::Digit));
        }
        let in_word =
            byte.is_ascii_alphabetic() && matches!((last, this), (Kind::Upper, _) | (Kind::Lower, Kind::Lower));
        found.joined += usize::from(in_word);
        found.common += usize::from(in_word && is_common(previous, byte));
        previous = byte;
        last = this;
    }
    found.distinct = seen.iter().map(|word| word.count_ones() as usize).sum();
    found
}

/// For each letter those that often follow it in English words and in identifiers: four pairs in ten, 19 of 20 that are written.
const FOLLOWERS: [&str; 26] = [
    "abcdfgiklmnprstuvwxy",
    "abceilorsuy",
    "acdehiklorstuy",
    "acdefgilorsuy",
    "abcdefgilmnopqrstuvwxyz",
    "aefilortu",
    "aeghilnorsu",
    "aeiortuy",
    "abcdefgklmnoprstvxz",
    "aeou",
    "aeis",
    "adeilostuy",
    "abeimopsu",
    "acdefgiklnostuv",
    "abcdfgiklmnoprstuvw",
    "aehiloprstu",
    "u",
    "acdefgiklmnoprstuvy",
    "acehiklmopstuy",
    "acdehilmorstuy",
    "abcdefgilmnprst",
    "aeio",
    "aehinors",
    "ceiptx",
    "imnps",
    "aei",
];

fn is_common(first: u8, second: u8) -> bool {
    let place = usize::from(first.to_ascii_lowercase().wrapping_sub(b'a'));
    FOLLOWERS.get(place).is_some_and(|followers| followers.as_bytes().contains(&second.to_ascii_lowercase()))
}

impl Measure {
    pub(super) fn length(&self) -> usize {
        self.lower + self.upper + self.digits + self.others
    }

    /// How many of the four kinds (small letters, capitals, digits, signs) occur.
    pub(super) fn classes(&self) -> usize {
        [self.lower, self.upper, self.digits, self.others].into_iter().filter(|count| *count > 0).count()
    }

    /// How often the kind changes, in percent: random base 62 about 60, random hexadecimal 45, camel case 25, words 0.
    fn changes_in_percent(&self) -> usize {
        self.changes * 100 / self.pairs.max(1)
    }
}

/// Whether it could have been drawn at random: at least `least` bytes of letters and digits, no words, no placeholder.
pub(super) fn is_random(value: &str, least: usize) -> bool {
    let measure = measure(value);
    let letters = measure.lower + measure.upper;
    if measure.length() < least
        || measure.distinct < 7.min(least / 2 + 1)
        || measure.others * 3 > measure.length()
        || letters < 2
    {
        return false;
    }
    let mixed = if measure.digits == 0 { 35 } else { 15 };
    let alternates = measure.changes_in_percent() >= mixed;
    let unspeakable = measure.joined >= 8 && measure.common * 100 < measure.joined * 62;
    (alternates || unspeakable) && !is_placeholder(value) && !is_sequence(value) && !is_words(value)
}

/// Words and numbers, joined in whatever way: `gpt-4o-mini`, `projects/me/secrets/key`, `AccessTokenProvider2`, `PrivatePkcs8KeyDer`.
pub(super) fn is_words(value: &str) -> bool {
    let measure = measure(value);
    let letters = measure.lower + measure.upper;
    // Words are longer than the runs of letters that chance makes, and their letters follow one another as they do in words.
    let are_joined = measure.joined * 100 >= letters * 60 && measure.common * 100 >= measure.joined * 72;
    let are_cased = measure.lower == 0 || measure.upper * 5 <= letters * 2;
    letters == 0 || (are_joined && are_cased && measure.switches * 8 <= measure.length())
}

/// Whether it is a UUID as usually written.
pub(super) fn is_uuid(value: &str) -> bool {
    value.len() == 36
        && value.bytes().enumerate().all(|(place, byte)| {
            if matches!(place, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_is_what_alternates_and_has_no_words() {
        for random in [
            "a8F3kd92LmQx71Zp",
            "9f86d081884c7d659a2feaa0c55ad015",
            "kJ8-x_2Lq9ZtR4vB7nM1",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCY",
        ] {
            assert!(is_random(random, 16), "{random}");
        }
        for other in [
            "AccessTokenProvider",
            "my-service-account-token",
            "gpt-4o-mini-2024-07-18",
            "projects/me/secrets/key/versions/1",
            "aaaaaaaaaaaaaaaaaaaa",
            "your-8f3kd92LmQx71Zp",
            "getAccessTokenFromRequest",
            "1234567890123456",
            "short1A",
        ] {
            assert!(!is_random(other, 16), "{other}");
        }
    }

    #[test]
    fn what_stands_in_for_a_secret_is_none() {
        for placeholder in [
            "<TOKEN>",
            "${VAR}",
            "$DB_PASSWORD",
            "$(cat f)",
            "{{ key }}",
            "xxxxxxxx",
            "********",
            "changeme",
            "your_api_key_here",
            "%s",
            "null",
        ] {
            assert!(is_placeholder(placeholder), "{placeholder}");
        }
        for real in ["hunter2", "$ecret1!", "Tr0ub4dor&3", "#abc12", "pa55"] {
            assert!(!is_placeholder(real), "{real}");
        }
    }
}
