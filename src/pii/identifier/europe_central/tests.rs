//! Numbers made up for these tests, with the check digits of their kind, and specimens that offices publish.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn each_is_found_beside_a_word() {
    assert_found(&[
        (Entity::PL_PESEL, "PESEL: 84021739565", "84021739565"),
        (Entity::PL_NIP, "NIP 583-102-94-34", "583-102-94-34"),
        (Entity::PL_NIP, "NIP: PL 7293846501", "PL 7293846501"),
        (Entity::PL_ID_CARD, "dowód osobisty CBT228394", "CBT228394"),
        (Entity::PASSPORT, "paszport EK8738291", "EK8738291"),
        (Entity::CZ_SK_RC, "rodné číslo 845317/2035", "845317/2035"),
        (Entity::CZ_SK_RC, "rodné číslo: 475812/093", "475812/093"),
        (Entity::HU_TAX_ID, "adóazonosító jel: 8392017463", "8392017463"),
        (Entity::NATIONAL_ID, "TAJ: 038 291 742", "038 291 742"),
        (Entity::NATIONAL_ID, "személyi azonosító 2-790314-5281", "2-790314-5281"),
    ]);
}

#[test]
fn a_wrong_check_digit_or_date_is_none() {
    assert_not_found(&[
        (Entity::PL_PESEL, "PESEL: 84021739560"),
        (Entity::PL_NIP, "NIP 583-102-94-30"),
        (Entity::PL_NIP, "NIP: PL 7293846500"),
        (Entity::PL_ID_CARD, "dowód osobisty CBT028394"),
        (Entity::PASSPORT, "paszport EK0738291"),
        (Entity::CZ_SK_RC, "rodné číslo 845317/2030"),
        (Entity::CZ_SK_RC, "rodné číslo: 475832/093"),
        (Entity::HU_TAX_ID, "adóazonosító jel: 8392017460"),
        (Entity::NATIONAL_ID, "TAJ: 038 291 740"),
        (Entity::NATIONAL_ID, "személyi azonosító 2-790314-5280"),
    ]);
}
