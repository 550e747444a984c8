//! Tests of the table: numbers made up for them, with check digits that fit and that do not.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn a_number_next_to_its_word_is_found() {
    assert_found(&[
        (Entity::PASSPORT, "my passport F104685, thanks", "F104685"),
        (Entity::DRIVER_LICENSE, "my driving licence S28618630, thanks", "S28618630"),
        (Entity::NATIONAL_ID, "my national id RI981691, thanks", "RI981691"),
        (Entity::MEDICAL_RECORD_NUMBER, "my mrn 906977, thanks", "906977"),
        (Entity::ACCOUNT_NUMBER, "my account number 189032, thanks", "189032"),
        (Entity::US_BANK_NUMBER, "my bank account 57755684, thanks", "57755684"),
    ]);
}

#[test]
fn without_a_word_it_is_any_number() {
    assert_not_found(&[
        (Entity::PASSPORT, "the total of F104685 pieces"),
        (Entity::DRIVER_LICENSE, "the total of S28618630 pieces"),
        (Entity::NATIONAL_ID, "the total of RI981691 pieces"),
        (Entity::MEDICAL_RECORD_NUMBER, "the total of 906977 pieces"),
        (Entity::ACCOUNT_NUMBER, "the total of 189032 pieces"),
        (Entity::US_BANK_NUMBER, "the total of 57755684 pieces"),
    ]);
}
