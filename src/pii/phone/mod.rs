//! Phone numbers: international ones by the numbering plan of their country, national ones by how they are written or by the words near.
//!
//! What a reader could get wrong: without `+` nearly any eight digits are a phone number somewhere, so the plan says nothing about a national one;
//! shape and context decide, and dates, addresses of machines and times since 1970 are kept out by shape.

mod plan;
mod written;

use std::ops::Range;
use std::sync::OnceLock;

use regex::bytes::{Regex, RegexBuilder};

use self::plan::PLANS;
use self::written::Written;
use super::entity::Entity;
use super::scan::{Asker, Scan};

/// So many digits a national number has at least; fewer (islands) only right behind a word for it.
const LEAST: usize = 6;
const LEAST_BEHIND_WORD: usize = 5;
/// E.164 allows 15; a few national forms with a prefix are shorter still.
const MOST: usize = 13;
/// How near, in bytes, a word that has other uses as well must stand.
const CLOSE: usize = 24;
/// How near a label behind a number must stand.
const LABEL: usize = 3;
/// How near a word must stand to a number that is written without any group.
const VERY_CLOSE: usize = 12;

const INTERNATIONAL: f32 = 0.75;
const WITH_WORD: f32 = 0.65;
const BY_SHAPE: f32 = 0.6;

/// Words that speak of phones and of nothing else.
const STRONG: &[&str] = &[
    "phone",
    "tel",
    "tel.",
    "tel:",
    "telefon",
    "telef",
    "teléf",
    "telephon",
    "téléphon",
    "mobile",
    "mobil",
    "móvil",
    "movil",
    "cell",
    "cellular",
    "celular",
    "cellulare",
    "telemóvel",
    "landline",
    "fax",
    "telefax",
    "whatsapp",
    "handy",
    "handynummer",
    "rufnummer",
    "festnetz",
    "portable",
    "gsm",
    "hotline",
    "helpline",
    "sms",
    "voicemail",
    "pager",
    "dial",
    "toll-free",
    "toll free",
    "tollfree",
    "freephone",
    "durchwahl",
    "numéro de tel",
    "numéro de tél",
    "joignable",
    "rappel",
    "llámame",
    "llamame",
    "llámeme",
    "llámanos",
    "bellen",
    "telnr",
    "mobielnummer",
    "appelez",
    "телефон",
    "тел",
    "電話",
    "电话",
    "手机",
    "携帯",
    "전화",
    "هاتف",
    "טלפון",
    "โทร",
    "điện thoại",
    "telepon",
    "puhelin",
    "τηλ",
];
/// Words that people also use without a phone; they count in front of a number, unless one of `ELSE` stands nearer.
const WEAK: &[&str] = &[
    "call",
    "calls",
    "called",
    "calling",
    "caller",
    "call me",
    "reach me",
    "reach us",
    "reach him",
    "reach her",
    "reach them",
    "reached at",
    "ring",
    "text me",
    "texted",
    "contact",
    "kontakt",
    "answering at",
    "registered",
    "office:",
    "desk:",
    "home:",
    "work:",
    "line:",
    "direct:",
    "direct line",
    "my number",
    "his number",
    "her number",
    "their number",
    "your number",
    "our number",
    "meine nummer",
    "mon numéro",
    "mi número",
    "mi numero",
    "il mio numero",
    "meu número",
    "mijn nummer",
    "anrufen",
    "erreich",
    "angerufen",
    "ruf mich",
    "rufen",
    "appeler",
    "joindre",
    "llamar",
    "contacto",
    "chiama",
    "ligar",
    "ligue",
    "signal",
    "viber",
    "telegram",
    "emergency",
    "customer service",
];
/// Labels behind a number, as in lists of a person's numbers.
const LABELS: &[&str] = &[
    "office", "desk", "home", "work", "fax", "mobile", "cell", "phone", "tel", "mobil", "büro", "bureau", "oficina",
    "(m)", "(o)", "(h)",
];
/// Numbers of other things.
const ELSE: &[&str] = &[
    "card", "karte", "carte", "tarjeta", "account", "konto", "compte", "cuenta", "order", "invoice", "ticket", "case",
    "serial", "isbn", "zip", "bytes", "tokens", "id", "ids", "version", "port", "line ", "function", "method", "api",
    "process", "pid", "tracking", "bestell", "rechnung", "facture", "commande", "pedido", "factura",
];

pub(super) const WORDS: &[(Asker, &[&str])] =
    &[(Asker::Phone, STRONG), (Asker::MaybePhone, WEAK), (Asker::PhoneLabel, LABELS), (Asker::OtherNumber, ELSE)];

/// Looks at a run of digits (bytes of the text; from its first word with a digit to its last).
pub(super) fn look(scan: &mut Scan<'_, '_>, run: Range<usize>) {
    let mut at = run.start;
    while at < run.end {
        let Some(start) = written::next(scan.bytes(), at, run.end) else { break };
        let found = judge(scan, start);
        at = match found {
            Some((range, score)) => {
                scan.push(range.start, range.end, Entity::PHONE_NUMBER, score);
                range.end
            }
            None => written::behind(scan.bytes(), start),
        };
    }
}

/// The number whose first digit is at `start`, and how sure that is.
fn judge(scan: &mut Scan<'_, '_>, start: usize) -> Option<(Range<usize>, f32)> {
    let written = written::read(scan.bytes(), start)?;
    let abroad = if written.plus || written.double_zero { international(scan, &written) } else { None };
    abroad.or_else(|| national(scan, &written))
}

/// The longest part that some country's plan allows.
fn international(scan: &mut Scan<'_, '_>, written: &Written) -> Option<(Range<usize>, f32)> {
    let skip = if written.plus { 0 } else { written.exit_digits };
    let groups = (1..=written.groups.len()).rev().find(|groups| {
        let digits = written.digits(*groups);
        digits.get(skip..).is_some_and(is_planned)
    })?;
    let range = written.range(scan.bytes(), groups);
    let grouped = groups > 1;
    match (written.plus, near(scan, &range)) {
        (true, None) => Some((range, INTERNATIONAL)),
        // Digits behind two zeros are common in other texts; in groups, less so.
        (false, None) if grouped => Some((range, BY_SHAPE)),
        (false, None) => None,
        (_, Some(_)) => Some((range, INTERNATIONAL + 0.1)),
    }
}

/// Whether a calling code and a national number that it allows.
fn is_planned(digits: &[u8]) -> bool {
    (1..=3).any(|length| {
        let Some((code, national)) = digits.split_at_checked(length) else { return false };
        let code = code.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
        let Ok(place) = PLANS.binary_search_by_key(&code, |(code, _, _)| *code) else { return false };
        let (Some((_, trunk, _)), Some(pattern)) = (PLANS.get(place), pattern(place)) else { return false };
        let without = national.strip_prefix(trunk.as_bytes()).filter(|_| !trunk.is_empty());
        pattern.is_match(national) || without.is_some_and(|national| pattern.is_match(national))
    })
}

/// Compiled when a number of that country is first seen, once per process: most are never.
fn pattern(place: usize) -> Option<&'static Regex> {
    static PATTERNS: [OnceLock<Option<Regex>>; PLANS_LENGTH] = [const { OnceLock::new() }; PLANS_LENGTH];
    let (_, _, pattern) = PLANS.get(place)?;
    let compile = || RegexBuilder::new(&format!("^(?:{pattern})$")).unicode(false).build().ok();
    PATTERNS.get(place)?.get_or_init(compile).as_ref()
}

const PLANS_LENGTH: usize = PLANS.len();

/// A word for phones near a number.
#[derive(Clone, Copy)]
struct Word {
    /// It means nothing else.
    strong: bool,
    distance: usize,
}

fn near(scan: &mut Scan<'_, '_>, range: &Range<usize>) -> Option<Word> {
    const FAR: usize = usize::MAX;
    let (mut strong, mut label, mut weak, mut other) = (FAR, FAR, FAR, FAR);
    scan.near(range, |near| {
        let least = match (near.asker, near.behind) {
            (Asker::Phone, false) => &mut strong,
            (Asker::MaybePhone, false) if near.distance <= CLOSE => &mut weak,
            (Asker::OtherNumber, false) => &mut other,
            (Asker::Phone, true) if near.distance <= CLOSE => &mut label,
            (Asker::PhoneLabel, true) if near.distance <= LABEL => &mut label,
            _ => return,
        };
        *least = near.distance.min(*least);
    });
    if strong < FAR {
        return Some(Word { strong: true, distance: strong });
    }
    // Behind a number only what is its label, on the same line.
    let between = scan.bytes().get(range.end..range.end.saturating_add(label));
    if between.is_some_and(|between| !between.contains(&b'\n')) {
        return Some(Word { strong: true, distance: label + VERY_CLOSE });
    }
    (weak < FAR && weak <= other).then_some(Word { strong: false, distance: weak })
}

/// A number without a country: as it is written, or by the words near.
fn national(scan: &mut Scan<'_, '_>, written: &Written) -> Option<(Range<usize>, f32)> {
    let groups = written.national_groups(MOST)?;
    let range = written.range(scan.bytes(), groups);
    let digits = written.digits(groups);
    if digits.len() < LEAST_BEHIND_WORD || written.is_other(groups) {
        return None;
    }
    let shape = written.is_unmistakable(groups);
    let score = match near(scan, &range) {
        Some(Word { strong, distance }) => {
            let enough =
                digits.len() >= LEAST || (digits.len() >= LEAST_BEHIND_WORD && distance <= VERY_CLOSE && strong);
            let plain = groups == 1 && !digits.starts_with(b"0");
            // Without groups it may be any number: a count, a time since 1970.
            let fits =
                enough && (!plain || strong || (distance <= VERY_CLOSE && digits.len() >= 7 && !is_epoch(digits)));
            if fits { Some(if shape { WITH_WORD + 0.05 } else { WITH_WORD }) } else { None }
        }
        None => None,
    };
    let score = score.or(shape.then_some(BY_SHAPE))?;
    Some((range, score))
}

/// Seconds, milliseconds, microseconds since 1970, for the years 2001 to 2286 as far as they begin with 1.
fn is_epoch(digits: &[u8]) -> bool {
    matches!(digits.len(), 10 | 13 | 16) && digits.starts_with(b"1")
}

#[cfg(test)]
mod tests;
