//! Payment cards (ISO/IEC 7812) and business identifier codes (ISO 9362).
//!
//! What a reader could get wrong: one number in ten passes Luhn's check by accident; the issuer's range and its lengths are what makes a card.

use super::{Identifier, Number, luhn};
use crate::pii::context::{BEFORE, BEHIND};
use crate::pii::entity::Entity;
use crate::pii::scan::{Anchor, Scan};

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::CREDIT_CARD,
        forms: &["9999 9999 9999 9999", "9999 999999 99999", "9999 999999 9999", "9999 9999 9999 9999 999"],
        valid: card,
        context: CARD,
        alone: 0.85,
        near: 1.0,
    },
    Identifier {
        entity: Entity::CREDIT_CARD,
        forms: &["9999999999999999", "999999999999999"],
        valid: |number| card(number) && number.digit(0) != 1,
        context: CARD,
        alone: 0.7,
        near: 1.0,
    },
    Identifier {
        entity: Entity::CREDIT_CARD,
        forms: &["99999999999999"],
        // Diners Club: the ranges begin with 3, so that times and dates in one piece (`20240131…`) do not pass.
        valid: card,
        context: CARD,
        alone: 0.4,
        near: 1.0,
    },
    Identifier {
        entity: Entity::CREDIT_CARD,
        forms: &["#12", "#13", "#14", "#15", "#16", "#17", "#18", "#19"],
        valid: |number| card(number) || rare(number),
        context: CARD,
        alone: 0.0,
        near: 1.0,
    },
    Identifier {
        entity: Entity::SWIFT_CODE,
        forms: &["AAAAAAXX", "AAAAAAXXXXX", "AAAA AA XX", "AAAA AA XX XXX", "AAAAAA XX XXX"],
        valid: |number| bic(number.compact),
        context: SWIFT,
        alone: 0.0,
        near: 0.9,
    },
];

const CARD: &[&str] = &[
    "card",
    "cards",
    "credit",
    "debit",
    "cc",
    "ccn",
    "pan",
    "visa",
    "mastercard",
    "master card",
    "maestro",
    "amex",
    "american express",
    "discover",
    "diners",
    "jcb",
    "unionpay",
    "rupay",
    "elo",
    "payment",
    "karte",
    "kreditkarte",
    "kartennummer",
    "bankkarte",
    "carte",
    "carte bancaire",
    "carte bleue",
    "cb",
    "tarjeta",
    "crédito",
    "carta di credito",
    "carta",
    "cartão",
    "karta",
    "kaart",
    "kredi kartı",
    "карта",
    "карты",
];

const SWIFT: &[&str] =
    &["swift", "bic", "swift-code", "swiftcode", "bic-code", "business identifier", "bank identifier", "iso 9362"];

/// A card whose issuer's range says so, of a length that the issuer uses.
fn card(number: &Number<'_>) -> bool {
    let length = number.compact.len();
    let ranges = Issuer::of(number);
    ranges.is_some_and(|lengths| lengths.contains(&length)) && luhn(number.compact)
}

/// Ranges that are wide, or of lengths that other numbers have as well: Maestro, air travel (UATP), what lies around JCB's own range.
fn rare(number: &Number<'_>) -> bool {
    let maestro =
        (matches!(number.value(0, 2), 50 | 56..=69) || number.value(0, 4) == 604) && number.compact.len() >= 12;
    let travel = number.digit(0) == 1 && number.compact.len() == 15;
    let around = number.value(0, 2) == 35 && number.compact.len() == 16;
    (maestro || travel || around) && luhn(number.compact)
}

struct Issuer;

impl Issuer {
    /// The lengths of the issuer whose range (of the first six digits) the number is in, as the issuers publish them; `None` where there is none.
    fn of(number: &Number<'_>) -> Option<&'static [usize]> {
        let first = |digits: usize| number.value(0, digits);
        Some(match (first(1), first(2), first(3), first(4)) {
            // Visa, and the Elo ranges within it.
            (4, ..) => &[13, 16, 19],
            // Mastercard.
            (_, 51..=55, ..) | (.., 2221..=2720) => &[16],
            // American Express.
            (_, 34 | 37, ..) => &[15],
            // Diners Club.
            (_, _, 300..=305, _) | (.., 3095) | (_, 36 | 38 | 39, ..) => &[14, 16, 19],
            // JCB.
            (.., 3528..=3589) => &[16, 17, 18, 19],
            (.., 2131 | 1800) => &[15],
            // Mir, Borica.
            (.., 2200..=2205) => &[16, 17, 18, 19],
            // Discover, RuPay, Elo, Verve, Troy.
            (.., 6011 | 6500..=6599) | (_, _, 644..=649, _) => &[16, 17, 18, 19],
            // UnionPay, RuPay.
            (_, 62 | 81, ..) => &[16, 17, 18, 19],
            (_, 60 | 82, ..) | (_, _, 508, _) => &[16],
            // Elo, Verve, Dankort, Maestro.
            (
                ..,
                5018..=5020 | 5038 | 5060..=5067 | 5090..=5099 | 5893 | 6304 | 6362 | 6370 | 6390 | 6759 | 6761..=6763,
            ) => &[16, 18, 19],
            // Troy, Humo, Uzcard.
            (.., 9792 | 9860 | 8600) => &[16],
            _ => return None,
        })
    }
}

/// Places where a code may stand that has no digit.
pub static ANCHORS: &[Anchor] = &[
    Anchor { literal: "swift", look: codes },
    Anchor { literal: "bic", look: codes },
    Anchor { literal: "business identifier", look: codes },
    Anchor { literal: "bank identifier", look: codes },
];

/// Looks at the words around a word that says that there is a code; those with a digit are found by their form.
fn codes(scan: &mut Scan<'_, '_>, at: usize) {
    const SCORE: f32 = 0.85;
    let text = scan.text;
    let bytes = scan.bytes();
    let said = bytes.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let glued = at.checked_sub(1).and_then(|before| bytes.get(before)).is_some_and(u8::is_ascii_alphanumeric);
    if glued || !matches!(said, 3..=5 | 8 | 9) {
        return;
    }
    let from = text.floor_char_boundary(at.saturating_sub(BEHIND));
    let to = text.floor_char_boundary((at + BEFORE).min(text.len()));
    let mut start = from;
    for word in text.get(from..to).unwrap_or_default().split(|letter: char| !letter.is_ascii_alphanumeric()) {
        let end = start + word.len();
        let cut = (start == from && from > 0) || (end == to && to < text.len());
        let code = matches!(word.len(), 8 | 11) && word.bytes().all(|byte| byte.is_ascii_uppercase());
        if code && !cut && bic(word.as_bytes()) {
            scan.push(start, end, Entity::SWIFT_CODE, SCORE);
        }
        start = end + text.get(end..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
    }
}

/// ISO 9362: four letters or digits of the institution (letters in practice), the country, two of the place, three of the branch.
fn bic(code: &[u8]) -> bool {
    let country = code.get(4..6).and_then(|country| std::str::from_utf8(country).ok());
    code.iter().take(6).all(u8::is_ascii_alphabetic)
        && country.is_some_and(|country| COUNTRIES.split(' ').any(|known| known == country))
}

/// ISO 3166-1 alpha-2, and XK.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF \
    CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ \
    GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV \
    LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR \
    PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ \
    UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

#[cfg(test)]
mod tests;
