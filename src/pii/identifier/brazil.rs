//! National, tax and health identifiers of Brazil.
//!
//! What a reader could get wrong: since July 2026 the first twelve places of a CNPJ may be letters; its check digits then count a letter as its
//! ASCII code less 48, which for digits is the digit.

use super::algorithm::{completes, is_uniform};
use super::{Identifier, Number};
use crate::pii::entity::Entity;

const CPF_WORDS: &[&str] = &[
    "cpf",
    "c.p.f",
    "pessoa física",
    "pessoa fisica",
    "pessoas físicas",
    "pessoas fisicas",
    "contribuinte",
    "brazil",
    "brasil",
    "brésil",
];
const CNPJ_WORDS: &[&str] = &[
    "cnpj",
    "pessoa jurídica",
    "pessoa juridica",
    "empresa",
    "company",
    "unternehmen",
    "entreprise",
    "brazil",
    "brasil",
    "brésil",
];

pub(super) static ROWS: &[Identifier] = &[
    Identifier {
        entity: Entity::BR_CPF,
        forms: &["999.999.999-99"],
        valid: cpf,
        context: CPF_WORDS,
        alone: 0.85,
        near: 1.0,
    },
    Identifier {
        entity: Entity::BR_CPF,
        forms: &["99999999999", "999 999 999 99", "999999999-99"],
        valid: cpf,
        context: CPF_WORDS,
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::BR_CNPJ,
        forms: &["XX.XXX.XXX/XXXX-99", "XX.XXX.XXX XXXX-99"],
        valid: cnpj,
        context: CNPJ_WORDS,
        alone: 0.85,
        near: 1.0,
    },
    Identifier {
        entity: Entity::BR_CNPJ,
        forms: &["XXXXXXXXXXXX99", "XX XXX XXX XXXX 99", "XXXXXXXX/XXXX-99", "AA99999999999999", "XXXXXXXXXXXX-99"],
        valid: |number| cnpj(&without_country(number)),
        context: CNPJ_WORDS,
        alone: 0.0,
        near: 0.9,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["999.99999.99-9", "99999999999"],
        valid: pis,
        context: &["pis", "pasep", "pis/pasep", "nis", "nit", "integração social", "integracao social"],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["99.999.999-X", "9.999.999-X", "99999999X", "9.999.999", "99.999.999", "99999999-X"],
        valid: |number| !is_uniform(number),
        context: &["rg", "registro geral", "carteira de identidade", "cédula de identidade", "órgão expedidor"],
        alone: 0.0,
        near: 0.65,
    },
    Identifier {
        entity: Entity::NATIONAL_ID,
        forms: &["9999 9999 9999", "999999999999"],
        valid: voter,
        context: &["título de eleitor", "titulo de eleitor", "título eleitoral", "eleitor", "voter"],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::MEDICAL_RECORD_NUMBER,
        forms: &["999 9999 9999 9999", "999999999999999"],
        valid: health_card,
        context: &[
            "sus",
            "cns",
            "cartão nacional de saúde",
            "cartao nacional de saude",
            "cartão de saúde",
            "health card",
        ],
        alone: 0.0,
        near: 0.85,
    },
    Identifier {
        entity: Entity::DRIVER_LICENSE,
        forms: &["99999999999"],
        valid: driver,
        context: &["cnh", "carteira de motorista", "habilitação", "habilitacao", "carteira nacional", "driver"],
        alone: 0.0,
        near: 0.85,
    },
];

/// Receita Federal, instrução normativa RFB 1.548/2015: weights 10 to 2 and 11 to 2 modulo 11, a ten is written 0.
fn cpf(number: &Number<'_>) -> bool {
    let first = number.weighted(&[10, 9, 8, 7, 6, 5, 4, 3, 2]);
    let second = number.weighted(&[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    completes(number, 9, first, 11) && completes(number, 10, second, 11) && !is_uniform(number)
}

/// Instrução normativa RFB 2.229/2024 (letters) and 2.119/2022: weights 5 to 2 and 9 to 2, then 6 to 2 and 9 to 2, modulo 11.
fn cnpj(number: &Number<'_>) -> bool {
    const WEIGHTS: [u32; 13] = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];
    let sum = |weights: &[u32]| -> u32 {
        let values = number.compact.iter().map(|byte| u32::from(byte.wrapping_sub(b'0')));
        values.zip(weights).map(|(value, weight)| value * weight).sum()
    };
    let (_, first) = WEIGHTS.split_at(1);
    number.compact.len() == 14
        && completes(number, 12, sum(first), 11)
        && completes(number, 13, sum(&WEIGHTS), 11)
        && !is_uniform(number)
}

/// What stands behind a `BR` in front of digits only.
fn without_country<'t>(number: &Number<'t>) -> Number<'t> {
    let rest = number.compact.strip_prefix(b"BR").filter(|rest| rest.len() == 14);
    Number { compact: rest.unwrap_or(number.compact), raw: number.raw }
}

/// Caixa Econômica Federal: weights 3, 2, 9 to 2 modulo 11.
fn pis(number: &Number<'_>) -> bool {
    completes(number, 10, number.weighted(&[3, 2, 9, 8, 7, 6, 5, 4, 3, 2]), 11) && !is_uniform(number)
}

/// Tribunal Superior Eleitoral, resolução 23.659/2021: weights 2 to 9 over the sequence, 7 to 9 over the state (01 to 28) and the first digit.
fn voter(number: &Number<'_>) -> bool {
    let ten_is_zero = |sum: u32| sum % 11 % 10;
    let first = ten_is_zero(number.weighted(&[2, 3, 4, 5, 6, 7, 8, 9]));
    let second = ten_is_zero(number.weighted(&[0, 0, 0, 0, 0, 0, 0, 0, 7, 8, 9]));
    matches!(number.value(8, 2), 1..=28) && first == number.digit(10) && second == number.digit(11)
}

/// Cartão Nacional de Saúde (DATASUS): weights 15 to 1, a multiple of 11; 1, 2 (made from a PIS) and 7 to 9 begin one.
fn health_card(number: &Number<'_>) -> bool {
    let sum = number.weighted(&[15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    matches!(number.digit(0), 1 | 2 | 7 | 8 | 9) && sum.is_multiple_of(11)
}

/// Denatran, registro da CNH: weights 9 to 1 and 1 to 9; a ten in the first is 0 and takes two from the second.
fn driver(number: &Number<'_>) -> bool {
    let first = number.weighted(&[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 11;
    let second = number.weighted(&[1, 2, 3, 4, 5, 6, 7, 8, 9]) % 11;
    let (one, less) = if first >= 10 { (0, 2) } else { (first, 0) };
    let two = if second >= 10 { 0 } else { (second + 11 - less) % 11 % 10 };
    one == number.digit(9) && two == number.digit(10) && !is_uniform(number)
}

#[cfg(test)]
mod tests;
