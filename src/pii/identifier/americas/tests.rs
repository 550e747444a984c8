//! Tests of the table: numbers made up for them, with check digits that fit and that do not.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn a_number_next_to_its_word_is_found() {
    assert_found(&[
        (Entity::US_SSN, "my ssn 448-68-3650, thanks", "448-68-3650"),
        (Entity::US_SSN, "my ssn 674 33 7700, thanks", "674 33 7700"),
        (Entity::US_ITIN, "my itin 930-50-9554, thanks", "930-50-9554"),
        (Entity::US_ITIN, "my itin 909848129, thanks", "909848129"),
        (Entity::TAX_ID, "my atin 998 73 3433, thanks", "998 73 3433"),
        (Entity::US_EIN, "my ein 84-2584526, thanks", "84-2584526"),
        (Entity::TAX_ID, "my ptin P84754881, thanks", "P84754881"),
        (Entity::ABA_ROUTING_NUMBER, "my aba 012321557, thanks", "012321557"),
        (Entity::US_NPI, "my npi 2154284766, thanks", "2154284766"),
        (Entity::US_MBI, "my medicare 3JV1-X74-MT22, thanks", "3JV1-X74-MT22"),
        (Entity::US_MBI, "my medicare 8NT0VH0HP54, thanks", "8NT0VH0HP54"),
        (Entity::MEDICAL_LICENSE, "my dea M48768054, thanks", "M48768054"),
        (Entity::US_PASSPORT, "my us passport 360692198, thanks", "360692198"),
        (Entity::US_DRIVER_LICENSE, "my driver license J13410, thanks", "J13410"),
    ]);
}

#[test]
fn a_number_that_cannot_be_is_not() {
    assert_not_found(&[
        (Entity::US_SSN, "my ssn 948-68-3650, thanks"),
        (Entity::US_SSN, "my ssn 974 33 7700, thanks"),
        (Entity::US_ITIN, "my itin 930-00-9554, thanks"),
        (Entity::US_ITIN, "my itin 909898129, thanks"),
        (Entity::TAX_ID, "my atin 098 73 3433, thanks"),
        (Entity::US_EIN, "my ein 89-2584526, thanks"),
        (Entity::ABA_ROUTING_NUMBER, "my aba 012321550, thanks"),
        (Entity::US_NPI, "my npi 2154284760, thanks"),
        (Entity::US_MBI, "my medicare 0JV1-X74-MT22, thanks"),
        (Entity::US_MBI, "my medicare 0NT0VH0HP54, thanks"),
        (Entity::MEDICAL_LICENSE, "my dea M48768050, thanks"),
    ]);
}

#[test]
fn without_a_word_it_is_any_number() {
    assert_not_found(&[
        (Entity::US_SSN, "the total of 674 33 7700 pieces"),
        (Entity::US_ITIN, "the total of 909848129 pieces"),
        (Entity::TAX_ID, "the total of 998 73 3433 pieces"),
        (Entity::US_EIN, "the total of 84-2584526 pieces"),
        (Entity::ABA_ROUTING_NUMBER, "the total of 012321557 pieces"),
        (Entity::US_NPI, "the total of 2154284766 pieces"),
        (Entity::MEDICAL_LICENSE, "the total of M48768054 pieces"),
        (Entity::US_PASSPORT, "the total of 360692198 pieces"),
        (Entity::US_DRIVER_LICENSE, "the total of J13410 pieces"),
    ]);
}
