//! Tests of the table: numbers made up for them, with check digits that fit and that do not.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn a_number_next_to_its_word_is_found() {
    assert_found(&[
        (Entity::IL_ID, "my mispar zehut 970269692, thanks", "970269692"),
        (Entity::TAX_ID, "my israeli company 586630212, thanks", "586630212"),
        (Entity::AE_EMIRATES_ID, "my emirates id 784-2047-2478524-1, thanks", "784-2047-2478524-1"),
        (Entity::AE_EMIRATES_ID, "my emirates id 784193729115837, thanks", "784193729115837"),
        (Entity::SA_NATIONAL_ID, "my iqama 2275769814, thanks", "2275769814"),
        (Entity::NATIONAL_ID, "my civil id 267071300839, thanks", "267071300839"),
        (Entity::NATIONAL_ID, "my qid 69845500066, thanks", "69845500066"),
        (Entity::NATIONAL_ID, "my کد ملی 4792381673, thanks", "4792381673"),
    ]);
}

#[test]
fn a_number_that_cannot_be_is_not() {
    assert_not_found(&[
        (Entity::IL_ID, "my mispar zehut 970269690, thanks"),
        (Entity::TAX_ID, "my israeli company 586630210, thanks"),
        (Entity::AE_EMIRATES_ID, "my emirates id 784-2047-2478524-0, thanks"),
        (Entity::AE_EMIRATES_ID, "my emirates id 784193729115830, thanks"),
        (Entity::SA_NATIONAL_ID, "my iqama 2275769810, thanks"),
        (Entity::NATIONAL_ID, "my civil id 267071300830, thanks"),
        (Entity::NATIONAL_ID, "my کد ملی 4792381670, thanks"),
    ]);
}

#[test]
fn without_a_word_it_is_any_number() {
    assert_not_found(&[
        (Entity::IL_ID, "the total of 970269692 pieces"),
        (Entity::TAX_ID, "the total of 586630212 pieces"),
        (Entity::AE_EMIRATES_ID, "the total of 784193729115837 pieces"),
        (Entity::SA_NATIONAL_ID, "the total of 2275769814 pieces"),
        (Entity::NATIONAL_ID, "the total of 267071300839 pieces"),
    ]);
}
