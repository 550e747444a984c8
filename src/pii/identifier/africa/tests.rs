//! Tests of the table: numbers made up for them, with check digits that fit and that do not.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn a_number_next_to_its_word_is_found() {
    assert_found(&[
        (Entity::ZA_ID_NUMBER, "my south african 9504195543089, thanks", "9504195543089"),
        (Entity::TAX_ID, "my income tax 1502612110, thanks", "1502612110"),
        (Entity::NG_NIN, "my nin 92155416580, thanks", "92155416580"),
        (Entity::NATIONAL_ID, "my bvn 22064531388, thanks", "22064531388"),
        (Entity::EG_NATIONAL_ID, "my الرقم القومي 37505152241661, thanks", "37505152241661"),
        (Entity::TAX_ID, "my tax registration 178 763 170, thanks", "178 763 170"),
        (Entity::TAX_ID, "my kra P920521911W, thanks", "P920521911W"),
        (Entity::TAX_ID, "my tin P0045727848, thanks", "P0045727848"),
        (Entity::TAX_ID, "my ice 112724273918348, thanks", "112724273918348"),
        (Entity::TAX_ID, "my matricule fiscal 5321113K, thanks", "5321113K"),
        (Entity::TAX_ID, "my nif 402986828176500, thanks", "402986828176500"),
        (Entity::TAX_ID, "my nifp 505 257 675, thanks", "505 257 675"),
        (Entity::TAX_ID, "my ninea 013 1102, thanks", "013 1102"),
        (Entity::TAX_ID, "my nuit 964504008, thanks", "964504008"),
        (Entity::NATIONAL_ID, "my mauriti C040430217098W, thanks", "C040430217098W"),
        (Entity::NATIONAL_ID, "my huduma 57160476, thanks", "57160476"),
    ]);
}

#[test]
fn a_number_that_cannot_be_is_not() {
    assert_not_found(&[
        (Entity::ZA_ID_NUMBER, "my south african 9504195543080, thanks"),
        (Entity::TAX_ID, "my income tax 1502612111, thanks"),
        (Entity::NG_NIN, "my nin 92155416581, thanks"),
        (Entity::NATIONAL_ID, "my bvn 20064531388, thanks"),
        (Entity::EG_NATIONAL_ID, "my الرقم القومي 37505152241660, thanks"),
        (Entity::TAX_ID, "my tin P0045727840, thanks"),
        (Entity::TAX_ID, "my ice 112724273918340, thanks"),
        (Entity::TAX_ID, "my nif 502986828176500, thanks"),
        (Entity::TAX_ID, "my nifp 505 257 670, thanks"),
        (Entity::TAX_ID, "my ninea 013 1100, thanks"),
        (Entity::TAX_ID, "my nuit 964504000, thanks"),
        (Entity::NATIONAL_ID, "my mauriti C040030217098W, thanks"),
    ]);
}

#[test]
fn without_a_word_it_is_any_number() {
    assert_not_found(&[
        (Entity::TAX_ID, "the total of 1502612110 pieces"),
        (Entity::NG_NIN, "the total of 92155416580 pieces"),
        (Entity::NATIONAL_ID, "the total of 22064531388 pieces"),
    ]);
}
