//! Numbers made up for these tests, with the check digits of their kind, and specimens that offices publish.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn each_is_found_beside_a_word() {
    assert_found(&[
        (Entity::IT_FISCAL_CODE, "codice fiscale: VRDNNA79C54L219U", "VRDNNA79C54L219U"),
        (Entity::IT_FISCAL_CODE, "codice fiscale vrdnna79c54l21vJ", "vrdnna79c54l21vJ"),
        (Entity::IT_DRIVER_LICENSE, "patente U1K73L291M", "U1K73L291M"),
        (Entity::IT_IDENTITY_CARD, "carta d'identità CA38291FK", "CA38291FK"),
        (Entity::IT_PASSPORT, "passaporto YB7382910", "YB7382910"),
        (Entity::MT_ID, "Maltese ID card 382979M", "382979M"),
    ]);
}

#[test]
fn a_wrong_check_digit_or_date_is_none() {
    assert_not_found(&[
        (Entity::IT_FISCAL_CODE, "codice fiscale: VRDNNA79C54L219A"),
        (Entity::IT_FISCAL_CODE, "codice fiscale vrdnna79c54l21vA"),
        (Entity::IT_DRIVER_LICENSE, "part U1K73L291"),
        (Entity::IT_IDENTITY_CARD, "part CA38291FK"),
        (Entity::IT_PASSPORT, "part YB7382910"),
        (Entity::MT_ID, "part 382979M"),
    ]);
}
