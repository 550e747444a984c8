//! National, tax and bank identifiers of Spanish-speaking South America.
//!
//! What a reader could get wrong: RUT, RUC, NIT and cédula each mean several countries' numbers; rows differ by form and check, and where those
//! agree the words near decide.

use super::algorithm::{completes, is_uniform};
use super::{Identifier, Number, luhn};
use crate::pii::entity::Entity;

const CUIT_WORDS: &[&str] = &[
    "cuit",
    "cuil",
    "c.u.i.t",
    "c.u.i.l",
    "identificación tributaria",
    "identificacion tributaria",
    "identificación laboral",
    "afip",
    "argentin",
];
const RUT_WORDS: &[&str] =
    &["rut", "r.u.t", "run", "rol único", "rol unico", "cédula de identidad", "cedula de identidad", "chile", "chili"];
const NIT_WORDS: &[&str] = &["nit", "n.i.t", "colombia", "kolumbi", "colombie", "tributaria colombian"];
const PERU_WORDS: &[&str] =
    &["dni", "cui", "documento nacional", "cédula única", "cedula unica", "perú", "peru", "pérou", "peruvian"];
const URUGUAY_WORDS: &[&str] = &["cédula", "cedula", "c.i", "ci", "urugua", "documento de identidad"];
const CEDULA_WORDS: &[&str] =
    &["cédula", "cedula", "ci", "c.i", "ecuador", "équateur", "equatori", "identity code", "documento de identidad"];
const RUC_WORDS: &[&str] = &["ruc", "r.u.c", "registro único", "registro unico", "contribuyente", "paragua"];

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::AR_CUIT,
        forms: &["99-99999999-9"],
        valid: cuit,
        context: CUIT_WORDS,
        alone: 0.7,
        near: 1.0,
    },
    Identifier { entity: Entity::AR_CUIT, forms: &["#11"], valid: cuit, context: CUIT_WORDS, alone: 0.0, near: 0.9 },
    Identifier {
        entity: Entity::AR_DNI,
        forms: &["99.999.999", "9.999.999", "99999999", "9999999", "A9999999"],
        valid: |number| {
            !is_uniform(number)
                && number.compact.first().is_some_and(|byte| byte.is_ascii_digit() || b"MF".contains(byte))
        },
        context: &[
            "dni",
            "d.n.i",
            "documento nacional de identidad",
            "documento de identidad",
            "libreta cívica",
            "argentin",
        ],
        alone: 0.0,
        near: 0.7,
    },
    Identifier {
        entity: Entity::AR_CBU,
        forms: &["#22"],
        valid: cbu,
        context: &["cbu", "clave bancaria", "cvu", "bancaria uniforme", "cuenta", "bank account", "alias", "argentin"],
        alone: 0.6,
        near: 1.0,
    },
    Identifier {
        entity: Entity::CL_RUT,
        forms: &["99.999.999-X", "9.999.999-X"],
        valid: rut,
        context: RUT_WORDS,
        alone: 0.75,
        near: 1.0,
    },
    Identifier {
        entity: Entity::CL_RUT,
        forms: &[
            "99999999-X",
            "9999999-X",
            "99999999X",
            "9999999X",
            "AA99999999-X",
            "AA99999999X",
            "99 999 999 X",
            "9 999 999 X",
        ],
        valid: |number| rut(&behind(number, b"CL")),
        context: RUT_WORDS,
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::CO_NIT,
        forms: &[
            "999.999.999-9",
            "999.999.999.9",
            "9.999.999.999-9",
            "999999999-9",
            "9999999999-9",
            "999 999 999 9",
            "9999999999",
            "99.999.999-9",
            "99999999-9",
        ],
        valid: nit,
        context: NIT_WORDS,
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["9.999.999.999", "99.999.999", "9999999999", "99999999", "9.999.999", "9999999", "9-9999-999999"],
        valid: |number| !is_uniform(number),
        context: &[
            "cédula de ciudadanía",
            "cedula de ciudadania",
            "cédula de extranjería",
            "c.c.",
            "cédula colombiana",
        ],
        alone: 0.0,
        near: 0.65,
    },
    Identifier {
        entity: Entity::PE_CUI,
        forms: &["99999999-X", "99999999X"],
        valid: cui,
        context: PERU_WORDS,
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::PE_CUI,
        forms: &["99999999"],
        valid: |number| !is_uniform(number),
        context: PERU_WORDS,
        alone: 0.0,
        near: 0.7,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["#11"],
        valid: peru_ruc,
        context: &["ruc", "r.u.c", "registro único", "registro unico", "sunat", "perú", "peruvian", "pérou"],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::EC_CI,
        forms: &["999999999-9", "9999999999"],
        valid: ecuador_ci,
        context: CEDULA_WORDS,
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["9999999999999", "9999999999 999", "999999999-9-999", "99 99999999 999"],
        valid: ecuador_ruc,
        context: &["ruc", "r.u.c", "registro único", "registro unico", "contribuyente", "ecuador", "équateur"],
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::UY_CI,
        forms: &["9.999.999-9", "9999999-9", "99999999", "999.999-9", "9 999 999 9"],
        valid: uruguay_ci,
        context: URUGUAY_WORDS,
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["#12", "AA999999999999"],
        valid: |number| uruguay_rut(&behind(number, b"UY")),
        context: &["rut", "registro único", "registro unico", "tributario", "urugua", "tax number"],
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["99999999-9", "9999999-9", "999999-9", "99999999 9", "999999999", "99999999", "9999999"],
        valid: paraguay_ruc,
        context: RUC_WORDS,
        alone: 0.0,
        near: 0.8,
    },
    Identifier {
        entity: Entity::TAX_ID,
        forms: &["A-99999999-9", "A999999999", "A-999999999", "A 99999999 9"],
        valid: venezuela_rif,
        context: &[
            "rif",
            "r.i.f",
            "registro de identificación fiscal",
            "información fiscal",
            "seniat",
            "venez",
            "vénéz",
        ],
        alone: 0.5,
        near: 0.9,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["A-99999999", "A-9999999", "A-99.999.999", "A-9.999.999", "A99999999"],
        valid: |number| matches!(number.compact.first(), Some(b'V' | b'E')),
        context: &["cédula", "cedula", "venez", "vénéz"],
        alone: 0.0,
        near: 0.7,
    },
];

/// What stands behind the country's letters, when they are in front of more than `letters` alone would say.
fn behind<'t>(number: &Number<'t>, country: &[u8]) -> Number<'t> {
    Number { compact: number.compact.strip_prefix(country).unwrap_or(number.compact), raw: number.raw }
}

/// AFIP, resolución general 10/1997: weights 5, 4, 3, 2, 7 to 2 modulo 11; a ten is written 9. The prefix says person or company.
fn cuit(number: &Number<'_>) -> bool {
    let sum = number.weighted(&[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]);
    let check = match (11 - sum % 11) % 11 {
        10 => 9,
        check => check,
    };
    matches!(number.value(0, 2), 20 | 23 | 24 | 25 | 26 | 27 | 30 | 33 | 34 | 50 | 51 | 55) && check == number.digit(10)
}

/// Banco Central de la República Argentina, SNP: bank and branch, then the account, each with a digit by weights 3, 1, 7, 9 from the right.
fn cbu(number: &Number<'_>) -> bool {
    let sum = |from: usize, to: usize| -> u32 {
        (from..to).rev().zip([3, 1, 7, 9].into_iter().cycle()).map(|(place, weight)| number.digit(place) * weight).sum()
    };
    completes(number, 7, sum(0, 7), 10) && completes(number, 21, sum(8, 21), 10) && number.value(0, 3) != 0
}

/// Servicio de Impuestos Internos: weights 2 to 7 from the right, modulo 11; a ten is K.
fn rut(number: &Number<'_>) -> bool {
    let Some((check, digits)) = number.compact.split_last() else { return false };
    let values = digits.iter().rev().map(|byte| u32::from(byte.wrapping_sub(b'0')));
    let sum: u32 = values.zip((2..=7).cycle()).map(|(digit, weight)| digit * weight).sum();
    let expected = match (11 - sum % 11) % 11 {
        10 => b'K',
        // Below ten, it fits.
        digit => b'0' + u8::try_from(digit).unwrap_or_default(),
    };
    digits.iter().all(u8::is_ascii_digit) && *check == expected && !is_uniform(number)
}

/// DIAN, orden administrativa 4/1989: the primes from 3 on as weights from the right, modulo 11.
fn nit(number: &Number<'_>) -> bool {
    const PRIMES: [u32; 15] = [3, 7, 13, 17, 19, 23, 29, 37, 41, 43, 47, 53, 59, 67, 71];
    let last = number.compact.len().saturating_sub(1);
    let sum: u32 = (0..last).rev().zip(PRIMES).map(|(place, weight)| number.digit(place) * weight).sum();
    let check = match sum % 11 {
        rest @ (0 | 1) => rest,
        rest => 11 - rest,
    };
    check == number.digit(last) && !is_uniform(number)
}

/// RENIEC: weights 3, 2, 7 to 2 modulo 11; the check is a digit, or a letter on older cards.
fn cui(number: &Number<'_>) -> bool {
    let rest = number.weighted(&[3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    let one_of = |checks: &[u8; 11]| checks.get(rest as usize) == number.compact.get(8);
    one_of(b"65432110987") || one_of(b"KJIHGFEDCBA")
}

/// SUNAT: 10, 15, 16, 17 for people, 20 for companies; weights 5, 4, 3, 2, 7 to 2 modulo 11.
fn peru_ruc(number: &Number<'_>) -> bool {
    let sum = number.weighted(&[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]);
    matches!(number.value(0, 2), 10 | 15 | 16 | 17 | 20) && (11 - sum % 11) % 10 == number.digit(10)
}

/// Registro Civil: a province (01 to 24, 30 abroad), a third digit up to 6, Luhn's check.
fn ecuador_ci(number: &Number<'_>) -> bool {
    matches!(number.value(0, 2), 1..=24 | 30 | 50)
        && number.digit(2) <= 6
        && luhn(number.compact.get(..10).unwrap_or_default())
}

/// SRI: a person's is the cédula with 001 and up; third digit 6 the state's (weights 3, 2, 7 to 2), 9 a company's (4 to 2, 7 to 2), modulo 11.
fn ecuador_ruc(number: &Number<'_>) -> bool {
    let province = matches!(number.value(0, 2), 1..=24 | 30 | 50);
    let state = || number.weighted(&[3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11) && number.value(9, 4) != 0;
    let company = || number.weighted(&[4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11) && number.value(10, 3) != 0;
    let person = || ecuador_ci(number) && number.value(10, 3) != 0;
    province && (person() || (number.digit(2) == 6 && state()) || (number.digit(2) == 9 && company()))
}

/// Dirección Nacional de Identificación Civil: weights 2, 9, 8, 7, 6, 3, 4 modulo 10; older numbers have six digits and a check.
fn uruguay_ci(number: &Number<'_>) -> bool {
    let last = number.compact.len().saturating_sub(1);
    let weights: &[u32] = if last == 6 { &[9, 8, 7, 6, 3, 4] } else { &[2, 9, 8, 7, 6, 3, 4] };
    completes(number, last, number.weighted(weights), 10) && !is_uniform(number)
}

/// DGI: a registry (01 to 22), a number, 001, and a digit by weights 4, 3, 2, 9 to 2 modulo 11.
fn uruguay_rut(number: &Number<'_>) -> bool {
    let sum = number.weighted(&[4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]);
    let check = (11 - sum % 11) % 11;
    matches!(number.value(0, 2), 1..=22)
        && number.value(2, 6) != 0
        && number.value(8, 3) == 1
        && check == number.digit(11)
}

/// SET: weights 2 and up from the right, modulo 11, a ten is 0.
fn paraguay_ruc(number: &Number<'_>) -> bool {
    let last = number.compact.len().saturating_sub(1);
    let sum: u32 = (0..last).rev().zip(2..).map(|(place, weight)| number.digit(place) * weight).sum();
    completes(number, last, sum, 11) && !is_uniform(number)
}

/// SENIAT: V, E, J, P, G stand for 4 to 20; weights 3, 2, 7 to 2 modulo 11.
fn venezuela_rif(number: &Number<'_>) -> bool {
    let kind = match number.compact.first() {
        Some(b'V') => 4,
        Some(b'E') => 8,
        Some(b'J' | b'C') => 12,
        Some(b'P') => 16,
        Some(b'G') => 20,
        _ => return false,
    };
    completes(number, 9, kind + number.weighted(&[0, 3, 2, 7, 6, 5, 4, 3, 2]), 11)
}

#[cfg(test)]
mod tests;
