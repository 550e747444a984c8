//! Numbers made up for these tests, with the check digits of their kind, and specimens that offices publish.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn each_is_found_beside_a_word() {
    assert_found(&[
        (Entity::ES_NIF, "DNI 73829104R", "73829104R"),
        (Entity::ES_NIF, "su NIF: B-73829103", "B-73829103"),
        (Entity::ES_NIE, "NIE Y-7382910-Q", "Y-7382910-Q"),
        (Entity::ES_PASSPORT, "pasaporte XDB738291", "XDB738291"),
        (Entity::NATIONAL_ID, "número de la Seguridad Social 28 73829104 16", "28 73829104 16"),
        (Entity::PT_NIF, "NIF do contribuinte: 273829106", "273829106"),
        (Entity::PT_CC, "cartão de cidadão 17382910 4 ZX2", "17382910 4 ZX2"),
        (Entity::NATIONAL_ID, "NISS 11738291041", "11738291041"),
        (Entity::TAX_ID, "NRT: F-382910-K", "F-382910-K"),
    ]);
}

#[test]
fn a_wrong_check_digit_or_date_is_none() {
    assert_not_found(&[
        (Entity::ES_NIF, "DNI 73829104A"),
        (Entity::ES_NIF, "su NIF: B-73829100"),
        (Entity::ES_NIE, "NIE Y-7382910-A"),
        (Entity::NATIONAL_ID, "número de la Seguridad Social 28 73829104 00"),
        (Entity::PT_NIF, "NIF do contribuinte: 273829100"),
        (Entity::PT_CC, "cartão de cidadão 17382910 4 ZX0"),
        (Entity::NATIONAL_ID, "NISS 11738291040"),
        (Entity::TAX_ID, "NRT: F-782910-K"),
        (Entity::ES_PASSPORT, "part XDB738291"),
        (Entity::TAX_ID, "NRT: A-382910-K"),
    ]);
}
