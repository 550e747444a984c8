//! Numbers made up for these tests, with the check digits of their kind, and specimens that offices publish.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn each_is_found_beside_a_word() {
    assert_found(&[
        (Entity::UK_NINO, "NI number AB 12 34 56 C", "AB 12 34 56 C"),
        (Entity::UK_NHS, "NHS number: 731 904 2851", "731 904 2851"),
        (Entity::UK_UTR, "UTR 8837465019", "8837465019"),
        (Entity::UK_PASSPORT, "his British passport, 837465019, expired", "837465019"),
        (Entity::UK_DRIVING_LICENCE, "driving licence TESTE703145JM9AB", "TESTE703145JM9AB"),
        (Entity::UK_DRIVING_LICENCE, "driving licence FOX99 853221 Q99ZZ", "FOX99 853221 Q99ZZ"),
        (Entity::IE_PPS, "PPS number: 8374650B", "8374650B"),
        (Entity::IE_PPS, "PPSN 1029384CA", "1029384CA"),
    ]);
}

#[test]
fn a_wrong_check_digit_or_date_is_none() {
    assert_not_found(&[
        (Entity::UK_NHS, "NHS number: 731 904 2850"),
        (Entity::UK_UTR, "UTR 0837465019"),
        (Entity::UK_DRIVING_LICENCE, "driving licence TESTE703345JM9AB"),
        (Entity::UK_DRIVING_LICENCE, "driving licence FOX99 853221 Q09ZZ"),
        (Entity::IE_PPS, "PPS number: 8374650A"),
        (Entity::IE_PPS, "PPSN 1029384AA"),
        (Entity::UK_NINO, "NI number BG 12 34 56 C"),
        (Entity::UK_NINO, "NI number AB 12 34 56 E"),
        (Entity::UK_PASSPORT, "item 837465019"),
    ]);
}
