//! Numbers made up for these tests, with the check digits of their kind, and specimens that offices publish.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn each_is_found_beside_a_word() {
    assert_found(&[
        (Entity::EE_IK, "isikukood 48906152732", "48906152732"),
        (Entity::LT_ASMENS, "asmens kodas: 37902281042", "37902281042"),
        (Entity::LV_PK, "personas kods 140583-10270", "140583-10270"),
        (Entity::LV_PK, "personas kods 328491-03751", "328491-03751"),
    ]);
}

#[test]
fn a_wrong_check_digit_or_date_is_none() {
    assert_not_found(&[
        (Entity::EE_IK, "isikukood 48906152730"),
        (Entity::LT_ASMENS, "asmens kodas: 37902281040"),
        (Entity::LV_PK, "personas kods 140583-10271"),
        (Entity::LV_PK, "personas kods 328491-03750"),
    ]);
}
