//! Numbers made up for these tests, with the check digits of their kind, and specimens that offices publish.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn each_is_found_beside_a_word() {
    assert_found(&[
        (Entity::HR_OIB, "OIB: 48372615093", "48372615093"),
        (Entity::SI_EMSO, "EMŠO: 1205978500344", "1205978500344"),
        (Entity::RS_JMBG, "ЈМБГ 2103988710076", "2103988710076"),
        (Entity::TAX_ID, "PIB je 102938477", "102938477"),
        (Entity::TAX_ID, "ЕДБ: 4030009123459", "4030009123459"),
        (Entity::TAX_ID, "crnogorski PIB 02849178", "02849178"),
        (Entity::TAX_ID, "NIPT: K71524038M", "K71524038M"),
        (Entity::GR_AFM, "ΑΦΜ: 073645187", "073645187"),
        (Entity::GR_AFM, "the Greek tax number is EL 128374650", "EL 128374650"),
        (Entity::GR_AMKA, "ΑΜΚΑ 14087901238", "14087901238"),
        (Entity::NATIONAL_ID, "ΑΔΤ: AK 583920", "AK 583920"),
        (Entity::CY_TIC, "Cypriot tax number 10293847T", "10293847T"),
    ]);
}

#[test]
fn a_wrong_check_digit_or_date_is_none() {
    assert_not_found(&[
        (Entity::HR_OIB, "OIB: 48372615090"),
        (Entity::SI_EMSO, "EMŠO: 1205978500340"),
        (Entity::RS_JMBG, "ЈМБГ 2103988710070"),
        (Entity::TAX_ID, "PIB je 102938470"),
        (Entity::TAX_ID, "ЕДБ: 4030009123450"),
        (Entity::TAX_ID, "crnogorski PIB 02849170"),
        (Entity::GR_AFM, "ΑΦΜ: 073645180"),
        (Entity::GR_AFM, "the Greek tax number is EL 128374651"),
        (Entity::GR_AMKA, "ΑΜΚΑ 14087901230"),
        (Entity::CY_TIC, "Cypriot tax number 10293847A"),
        (Entity::TAX_ID, "NIPT: N71524038M"),
        (Entity::NATIONAL_ID, "part AK 583920"),
    ]);
}
