//! Numbers made up for these tests, with the check digits of their kind, and specimens that offices publish.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn each_is_found_beside_a_word() {
    assert_found(&[
        (Entity::FR_NIR, "numéro de sécu : 2 79 03 75 116 042 36", "2 79 03 75 116 042 36"),
        (Entity::FR_NIR, "NIR 184072A00401749", "184072A00401749"),
        (Entity::FR_NIR, "NIR: 1 84 07 2B 004 017", "1 84 07 2B 004 017"),
        (Entity::FR_NIF, "numéro fiscal : 14 28 390 157 033", "14 28 390 157 033"),
        (Entity::FR_CNI, "carte nationale d'identité 110375283910", "110375283910"),
        (Entity::PASSPORT, "passeport 14CF38291", "14CF38291"),
    ]);
}

#[test]
fn a_wrong_check_digit_or_date_is_none() {
    assert_not_found(&[
        (Entity::FR_NIR, "numéro de sécu : 2 79 03 75 116 042 00"),
        (Entity::FR_NIR, "NIR 184072A00401700"),
        (Entity::FR_NIR, "NIR: 1 84 07 2B 000 017"),
        (Entity::FR_NIF, "numéro fiscal : 14 28 390 157 000"),
        (Entity::FR_CNI, "carte nationale d'identité 110075283910"),
        (Entity::PASSPORT, "item 14CF38291"),
    ]);
}
