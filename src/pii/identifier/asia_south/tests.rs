//! Tests of the table: numbers made up for them, with check digits that fit and that do not.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn a_number_next_to_its_word_is_found() {
    assert_found(&[
        (Entity::IN_AADHAAR, "my aadhaar 9760 6218 7068, thanks", "9760 6218 7068"),
        (Entity::IN_AADHAAR, "my aadhaar 330119287436, thanks", "330119287436"),
        (Entity::IN_VID, "my vid 9926 6790 4127 0323, thanks", "9926 6790 4127 0323"),
        (Entity::IN_PAN, "my pan QTOBX3333M, thanks", "QTOBX3333M"),
        (Entity::IN_PAN, "my pan YAXBC4783U, thanks", "YAXBC4783U"),
        (Entity::IN_GSTIN, "my gst 09YLQHC6668E5ZF, thanks", "09YLQHC6668E5ZF"),
        (Entity::IN_VOTER, "my voter GIZ9025883, thanks", "GIZ9025883"),
        (Entity::IN_PASSPORT, "my indian passport J6471679, thanks", "J6471679"),
        (Entity::PK_CNIC, "my cnic 65550-8444300-1, thanks", "65550-8444300-1"),
        (Entity::PK_CNIC, "my cnic 3231903367354, thanks", "3231903367354"),
        (Entity::NATIONAL_ID, "my nic 792459268V, thanks", "792459268V"),
        (Entity::NATIONAL_ID, "my bangladesh 2440502507, thanks", "2440502507"),
    ]);
}

#[test]
fn a_number_that_cannot_be_is_not() {
    assert_not_found(&[
        (Entity::IN_AADHAAR, "my aadhaar 9760 6218 7060, thanks"),
        (Entity::IN_AADHAAR, "my aadhaar 330119287430, thanks"),
        (Entity::IN_VID, "my vid 9926 6790 4127 0320, thanks"),
        (Entity::IN_GSTIN, "my gst 09YLQHC6668E0ZF, thanks"),
        (Entity::IN_VOTER, "my voter GIZ9025880, thanks"),
        (Entity::IN_PASSPORT, "my indian passport J6471670, thanks"),
        (Entity::PK_CNIC, "my cnic 05550-8444300-1, thanks"),
        (Entity::PK_CNIC, "my cnic 0231903367354, thanks"),
        (Entity::NATIONAL_ID, "my nic 794459268V, thanks"),
    ]);
}

#[test]
fn without_a_word_it_is_any_number() {
    assert_not_found(&[
        (Entity::IN_AADHAAR, "the total of 330119287436 pieces"),
        (Entity::IN_VID, "the total of 9926 6790 4127 0323 pieces"),
        (Entity::IN_VOTER, "the total of GIZ9025883 pieces"),
        (Entity::IN_PASSPORT, "the total of J6471679 pieces"),
        (Entity::PK_CNIC, "the total of 3231903367354 pieces"),
        (Entity::NATIONAL_ID, "the total of 792459268V pieces"),
    ]);
}
