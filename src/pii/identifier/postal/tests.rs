//! Tests of the table: numbers made up for them, with check digits that fit and that do not.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn a_number_next_to_its_word_is_found() {
    assert_found(&[
        (Entity::ZIP_CODE, "my zip code 38823, thanks", "38823"),
        (Entity::ZIP_CODE, "my zip code E5 8TY, thanks", "E5 8TY"),
        (Entity::ZIP_CODE, "my zip code M4 7SQ, thanks", "M4 7SQ"),
        (Entity::ZIP_CODE, "my zip code T0T 8V5, thanks", "T0T 8V5"),
        (Entity::ZIP_CODE, "my zip code B7T 5C2, thanks", "B7T 5C2"),
    ]);
}

#[test]
fn without_a_word_it_is_any_number() {
    assert_not_found(&[(Entity::ZIP_CODE, "the total of 38823 pieces")]);
}
