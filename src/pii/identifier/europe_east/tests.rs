//! Numbers made up for these tests, with the check digits of their kind, and specimens that offices publish.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn each_is_found_beside_a_word() {
    assert_found(&[
        (Entity::RO_CNP, "CNP: 2780314125042", "2780314125042"),
        (Entity::MD_IDNP, "IDNP 2009027384151", "2009027384151"),
        (Entity::BG_EGN, "ЕГН: 7903145282", "7903145282"),
        (Entity::NATIONAL_ID, "ЛНЧ 7028394155", "7028394155"),
        (Entity::UA_RNTRC, "РНОКПП 2891037467", "2891037467"),
        (Entity::NATIONAL_ID, "УНЗР 19790314-05285", "19790314-05285"),
        (Entity::NATIONAL_ID, "идентификационный номер 3140379A028PB7", "3140379A028PB7"),
        (Entity::TAX_ID, "УНП 192837468", "192837468"),
        (Entity::RU_INN, "ИНН 730192837479", "730192837479"),
        (Entity::RU_INN, "ИНН: 7301928370", "7301928370"),
        (Entity::RU_SNILS, "СНИЛС 138-204-957 60", "138-204-957 60"),
        (Entity::PASSPORT, "паспорт 4509 738291", "4509 738291"),
        (Entity::TR_NATIONAL_ID, "TC Kimlik No: 38291057410", "38291057410"),
        (Entity::TR_VKN, "vergi no 7382910467", "7382910467"),
    ]);
}

#[test]
fn a_wrong_check_digit_or_date_is_none() {
    assert_not_found(&[
        (Entity::RO_CNP, "CNP: 2780314125040"),
        (Entity::MD_IDNP, "IDNP 2009027384150"),
        (Entity::BG_EGN, "ЕГН: 7903145280"),
        (Entity::NATIONAL_ID, "ЛНЧ 7028394150"),
        (Entity::UA_RNTRC, "РНОКПП 2891037460"),
        (Entity::NATIONAL_ID, "УНЗР 19790314-05280"),
        (Entity::NATIONAL_ID, "идентификационный номер 3140379A028PB0"),
        (Entity::TAX_ID, "УНП 192837460"),
        (Entity::RU_INN, "ИНН 730192837400"),
        (Entity::RU_INN, "ИНН: 7301928371"),
        (Entity::RU_SNILS, "СНИЛС 138-204-957 00"),
        (Entity::TR_NATIONAL_ID, "TC Kimlik No: 38291057400"),
        (Entity::TR_VKN, "vergi no 7382910460"),
        (Entity::PASSPORT, "item 4509 738291"),
    ]);
}
