//! Tests of the table: numbers made up for them, with check digits that fit and that do not.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn a_number_next_to_its_word_is_found() {
    assert_found(&[
        (Entity::CN_RESIDENT_ID, "my 身份证 322846201507263361, thanks", "322846201507263361"),
        (Entity::TAX_ID, "my 统一社会信用 13655034009K13AXQ0, thanks", "13655034009K13AXQ0"),
        (Entity::HK_ID, "my hkid H511942(3), thanks", "H511942(3"),
        (Entity::HK_ID, "my hkid E3536916, thanks", "E3536916"),
        (Entity::TW_ID, "my 身分證 Q112348126, thanks", "Q112348126"),
        (Entity::TAX_ID, "my 統一編號 21939359, thanks", "21939359"),
        (Entity::JP_MY_NUMBER, "my マイナンバー 009839543503, thanks", "009839543503"),
        (Entity::TAX_ID, "my 法人番号 4-4753-7274-8593, thanks", "4-4753-7274-8593"),
        (Entity::PASSPORT, "my 旅券 ML8179485, thanks", "ML8179485"),
        (Entity::KR_RRN, "my 주민등록 371211-4790264, thanks", "371211-4790264"),
        (Entity::KR_RRN, "my 주민등록 7005057477725, thanks", "7005057477725"),
        (Entity::KR_RRN, "my 주민등록 560608-7609293, thanks", "560608-7609293"),
        (Entity::KR_PASSPORT, "my 여권 G325C8478, thanks", "G325C8478"),
        (Entity::KR_DRIVER_LICENSE, "my 운전면허 21-66-615060-53, thanks", "21-66-615060-53"),
        (Entity::TAX_ID, "my 사업자 121-01-91990, thanks", "121-01-91990"),
        (Entity::TAX_ID, "my 사업자 959-44-62925, thanks", "959-44-62925"),
    ]);
}

#[test]
fn a_number_that_cannot_be_is_not() {
    assert_not_found(&[
        (Entity::CN_RESIDENT_ID, "my 身份证 322846201507263360, thanks"),
        (Entity::TAX_ID, "my 统一社会信用 13655034009K13AXQ1, thanks"),
        (Entity::HK_ID, "my hkid H511942(0), thanks"),
        (Entity::HK_ID, "my hkid E3536910, thanks"),
        (Entity::TW_ID, "my 身分證 Q112348120, thanks"),
        (Entity::TAX_ID, "my 統一編號 21939350, thanks"),
        (Entity::JP_MY_NUMBER, "my マイナンバー 009839543500, thanks"),
        (Entity::TAX_ID, "my 法人番号 4-4753-7274-8590, thanks"),
        (Entity::KR_RRN, "my 주민등록 371211-0790264, thanks"),
        (Entity::KR_RRN, "my 주민등록 7005057477720, thanks"),
        (Entity::KR_RRN, "my 주민등록 560608-0609293, thanks"),
        (Entity::KR_DRIVER_LICENSE, "my 운전면허 27-66-615060-53, thanks"),
        (Entity::TAX_ID, "my 사업자 121-00-91990, thanks"),
        (Entity::TAX_ID, "my 사업자 059-44-62925, thanks"),
    ]);
}

#[test]
fn without_a_word_it_is_any_number() {
    assert_not_found(&[
        (Entity::TAX_ID, "the total of 13655034009K13AXQ0 pieces"),
        (Entity::HK_ID, "the total of E3536916 pieces"),
        (Entity::JP_MY_NUMBER, "the total of 009839543503 pieces"),
        (Entity::PASSPORT, "the total of ML8179485 pieces"),
        (Entity::KR_RRN, "the total of 7005057477725 pieces"),
        (Entity::KR_PASSPORT, "the total of G325C8478 pieces"),
        (Entity::KR_DRIVER_LICENSE, "the total of 21-66-615060-53 pieces"),
    ]);
}
