//! Tests of the table: numbers made up for them, with check digits that fit and that do not.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn a_number_next_to_its_word_is_found() {
    assert_found(&[
        (Entity::NATIONAL_ID, "my número de identidad 06111919312, thanks", "06111919312"),
        (Entity::NATIONAL_ID, "my cédula 2-6312-3004, thanks", "2-6312-3004"),
        (Entity::NATIONAL_ID, "my costa ric 297860273, thanks", "297860273"),
        (Entity::NATIONAL_ID, "my cédula 072-2764405-6, thanks", "072-2764405-6"),
        (Entity::TAX_ID, "my rnc 6-61-55286-6, thanks", "6-61-55286-6"),
        (Entity::TAX_ID, "my nit 30119703-2, thanks", "30119703-2"),
        (Entity::TAX_ID, "my nit 1311-996091-603-0, thanks", "1311-996091-603-0"),
        (Entity::NATIONAL_ID, "my dui 71060360-3, thanks", "71060360-3"),
        (Entity::NATIONAL_ID, "my cui 3921 24173 0872, thanks", "3921 24173 0872"),
    ]);
}

#[test]
fn a_number_that_cannot_be_is_not() {
    assert_not_found(&[
        (Entity::NATIONAL_ID, "my número de identidad 06113919312, thanks"),
        (Entity::NATIONAL_ID, "my cédula 0-6312-3004, thanks"),
        (Entity::NATIONAL_ID, "my costa ric 097860273, thanks"),
        (Entity::NATIONAL_ID, "my cédula 072-2764405-0, thanks"),
        (Entity::TAX_ID, "my rnc 6-61-55286-0, thanks"),
        (Entity::TAX_ID, "my nit 30119703-0, thanks"),
        (Entity::TAX_ID, "my nit 1311-996091-603-1, thanks"),
        (Entity::NATIONAL_ID, "my dui 71060360-0, thanks"),
        (Entity::NATIONAL_ID, "my cui 3921 24173 0072, thanks"),
    ]);
}

#[test]
fn without_a_word_it_is_any_number() {
    assert_not_found(&[
        (Entity::NATIONAL_ID, "the total of 06111919312 pieces"),
        (Entity::TAX_ID, "the total of 6-61-55286-6 pieces"),
    ]);
}
