//! Tests of the table: numbers made up for them, with check digits that fit and that do not.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn a_number_next_to_its_word_is_found() {
    assert_found(&[
        (Entity::MX_CURP, "my curp EETE091204HQRBLJI8, thanks", "EETE091204HQRBLJI8"),
        (Entity::MX_RFC, "my rfc FCII080819L53, thanks", "FCII080819L53"),
        (Entity::MX_RFC, "my rfc NYFK820328W79, thanks", "NYFK820328W79"),
        (Entity::MX_RFC, "my rfc PAU321021308, thanks", "PAU321021308"),
        (Entity::ACCOUNT_NUMBER, "my clabe 890942239487720686, thanks", "890942239487720686"),
        (Entity::NATIONAL_ID, "my nss 33065219561, thanks", "33065219561"),
    ]);
}

#[test]
fn a_number_that_cannot_be_is_not() {
    assert_not_found(&[
        (Entity::MX_CURP, "my curp EETE091204HQRBLJI0, thanks"),
        (Entity::MX_RFC, "my rfc FCII080839L53, thanks"),
        (Entity::MX_RFC, "my rfc NYFK820338W79, thanks"),
        (Entity::MX_RFC, "my rfc PAU321041308, thanks"),
        (Entity::ACCOUNT_NUMBER, "my clabe 890942239487720680, thanks"),
        (Entity::NATIONAL_ID, "my nss 33065219560, thanks"),
    ]);
}

#[test]
fn without_a_word_it_is_any_number() {
    assert_not_found(&[
        (Entity::MX_RFC, "the total of NYFK820328W79 pieces"),
        (Entity::ACCOUNT_NUMBER, "the total of 890942239487720686 pieces"),
        (Entity::NATIONAL_ID, "the total of 33065219561 pieces"),
    ]);
}
