//! Numbers made up for these tests, with the check digits of their kind, and specimens that offices publish.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn each_is_found_beside_a_word() {
    assert_found(&[
        (Entity::NL_BSN, "BSN: 129384756", "129384756"),
        (Entity::NL_BSN, "mijn burgerservicenummer is 2938.47.563", "2938.47.563"),
        (Entity::NATIONAL_ID, "onderwijsnummer 102938472", "102938472"),
        (Entity::NATIONAL_ID, "paspoortnummer NP3R7K2L5", "NP3R7K2L5"),
        (Entity::BE_NATIONAL_ID, "rijksregisternummer 79.03.14-217.05", "79.03.14-217.05"),
        (Entity::BE_NATIONAL_ID, "numéro national 020917 103 06", "020917 103 06"),
        (Entity::BE_NATIONAL_ID, "BIS: 91482320424", "91482320424"),
        (Entity::NATIONAL_ID, "eID 592-1837465-75", "592-1837465-75"),
        (Entity::LU_NATIONAL_ID, "matricule 1979051428695", "1979051428695"),
    ]);
}

#[test]
fn a_wrong_check_digit_or_date_is_none() {
    assert_not_found(&[
        (Entity::NL_BSN, "BSN: 129384750"),
        (Entity::NL_BSN, "mijn burgerservicenummer is 2938.47.560"),
        (Entity::NATIONAL_ID, "onderwijsnummer 102938470"),
        (Entity::BE_NATIONAL_ID, "rijksregisternummer 79.03.14-217.00"),
        (Entity::BE_NATIONAL_ID, "numéro national 020917 103 00"),
        (Entity::BE_NATIONAL_ID, "BIS: 91482320400"),
        (Entity::NATIONAL_ID, "eID 592-1837465-00"),
        (Entity::LU_NATIONAL_ID, "matricule 1979051428005"),
        (Entity::BE_NATIONAL_ID, "rijksregisternummer 79.13.14-217.56"),
    ]);
}
