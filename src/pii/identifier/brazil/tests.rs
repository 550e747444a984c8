//! Tests of the table: numbers made up for them, with check digits that fit and that do not.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn a_number_next_to_its_word_is_found() {
    assert_found(&[
        (Entity::BR_CPF, "my cpf 898.611.028-84, thanks", "898.611.028-84"),
        (Entity::BR_CPF, "my cpf 09520799842, thanks", "09520799842"),
        (Entity::BR_CNPJ, "my cnpj 13.456.2H3/6L5C-53, thanks", "13.456.2H3/6L5C-53"),
        (Entity::BR_CNPJ, "my cnpj WR483BWE6J5P27, thanks", "WR483BWE6J5P27"),
        (Entity::NATIONAL_ID, "my pis 427.37878.51-2, thanks", "427.37878.51-2"),
        (Entity::NATIONAL_ID, "my rg 77.401.164-1, thanks", "77.401.164-1"),
        (Entity::NATIONAL_ID, "my título de eleitor 0740 7540 2330, thanks", "0740 7540 2330"),
        (Entity::MEDICAL_RECORD_NUMBER, "my sus 910 7914 1658 4518, thanks", "910 7914 1658 4518"),
        (Entity::DRIVER_LICENSE, "my cnh 44939177353, thanks", "44939177353"),
    ]);
}

#[test]
fn a_number_that_cannot_be_is_not() {
    assert_not_found(&[
        (Entity::BR_CPF, "my cpf 898.611.028-80, thanks"),
        (Entity::BR_CPF, "my cpf 09520799840, thanks"),
        (Entity::BR_CNPJ, "my cnpj 13.456.2H3/6L5C-50, thanks"),
        (Entity::BR_CNPJ, "my cnpj WR483BWE6J5P20, thanks"),
        (Entity::NATIONAL_ID, "my pis 427.37878.51-0, thanks"),
        (Entity::NATIONAL_ID, "my título de eleitor 0740 7540 2331, thanks"),
        (Entity::MEDICAL_RECORD_NUMBER, "my sus 910 7914 1658 4510, thanks"),
        (Entity::DRIVER_LICENSE, "my cnh 44939177350, thanks"),
    ]);
}

#[test]
fn without_a_word_it_is_any_number() {
    assert_not_found(&[
        (Entity::BR_CPF, "the total of 09520799842 pieces"),
        (Entity::BR_CNPJ, "the total of WR483BWE6J5P27 pieces"),
        (Entity::NATIONAL_ID, "the total of 427.37878.51-2 pieces"),
        (Entity::MEDICAL_RECORD_NUMBER, "the total of 910 7914 1658 4518 pieces"),
        (Entity::DRIVER_LICENSE, "the total of 44939177353 pieces"),
    ]);
}
