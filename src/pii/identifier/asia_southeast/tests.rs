//! Tests of the table: numbers made up for them, with check digits that fit and that do not.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn a_number_next_to_its_word_is_found() {
    assert_found(&[
        (Entity::SG_NRIC_FIN, "my nric T6674822C, thanks", "T6674822C"),
        (Entity::SG_NRIC_FIN, "my nric T2357545G, thanks", "T2357545G"),
        (Entity::TAX_ID, "my uen 24046251C, thanks", "24046251C"),
        (Entity::MY_NRIC, "my nric 731227-22-3461, thanks", "731227-22-3461"),
        (Entity::MY_NRIC, "my nric 690603332952, thanks", "690603332952"),
        (Entity::TH_TNIN, "my tnin 8-8958-33368-20-9, thanks", "8-8958-33368-20-9"),
        (Entity::TH_TNIN, "my tnin 3594116041050, thanks", "3594116041050"),
        (Entity::TAX_ID, "my moa 0672070023201, thanks", "0672070023201"),
        (Entity::ID_NIK, "my nik 7488115310559551, thanks", "7488115310559551"),
        (Entity::TAX_ID, "my npwp 45.938.562.1-198.504, thanks", "45.938.562.1-198.504"),
        (Entity::PH_TIN, "my tin 646 157 011 824, thanks", "646 157 011 824"),
        (Entity::PH_TIN, "my tin 464812452, thanks", "464812452"),
        (Entity::NATIONAL_ID, "my philsys 4634-2305-6121-8996, thanks", "4634-2305-6121-8996"),
        (Entity::VN_CCCD, "my cccd 003103891960, thanks", "003103891960"),
        (Entity::NATIONAL_ID, "my cmnd 932472002, thanks", "932472002"),
        (Entity::TAX_ID, "my mst 0317065937, thanks", "0317065937"),
    ]);
}

#[test]
fn a_number_that_cannot_be_is_not() {
    assert_not_found(&[
        (Entity::SG_NRIC_FIN, "my nric T6674820C, thanks"),
        (Entity::SG_NRIC_FIN, "my nric T2357540G, thanks"),
        (Entity::TAX_ID, "my uen 24046250C, thanks"),
        (Entity::MY_NRIC, "my nric 731227-20-3461, thanks"),
        (Entity::MY_NRIC, "my nric 690603732952, thanks"),
        (Entity::TH_TNIN, "my tnin 8-8958-33368-20-0, thanks"),
        (Entity::TH_TNIN, "my tnin 3594116041051, thanks"),
        (Entity::TAX_ID, "my moa 0672070023200, thanks"),
        (Entity::ID_NIK, "my nik 7488115313559551, thanks"),
        (Entity::TAX_ID, "my npwp 45.938.562.0-198.504, thanks"),
        (Entity::PH_TIN, "my tin 646 157 010 824, thanks"),
        (Entity::PH_TIN, "my tin 464812450, thanks"),
        (Entity::VN_CCCD, "my cccd 003403891960, thanks"),
        (Entity::TAX_ID, "my mst 0317065930, thanks"),
    ]);
}

#[test]
fn without_a_word_it_is_any_number() {
    assert_not_found(&[
        (Entity::TAX_ID, "the total of 24046251C pieces"),
        (Entity::MY_NRIC, "the total of 690603332952 pieces"),
        (Entity::TH_TNIN, "the total of 3594116041050 pieces"),
        (Entity::ID_NIK, "the total of 7488115310559551 pieces"),
        (Entity::PH_TIN, "the total of 646 157 011 824 pieces"),
        (Entity::NATIONAL_ID, "the total of 4634-2305-6121-8996 pieces"),
        (Entity::VN_CCCD, "the total of 003103891960 pieces"),
    ]);
}
