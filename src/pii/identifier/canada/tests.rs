//! Tests of the table: numbers made up for them, with check digits that fit and that do not.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn a_number_next_to_its_word_is_found() {
    assert_found(&[
        (Entity::CA_SIN, "my sin 764 659 314, thanks", "764 659 314"),
        (Entity::CA_PHN, "my phn 9798 169 351, thanks", "9798 169 351"),
        (Entity::CA_PHN, "my ohip 5813 233 870, thanks", "5813 233 870"),
        (Entity::CA_PHN, "my ramq ORBY 0351 1704, thanks", "ORBY 0351 1704"),
        (Entity::TAX_ID, "my business number 330081001RP6878, thanks", "330081001RP6878"),
    ]);
}

#[test]
fn a_number_that_cannot_be_is_not() {
    assert_not_found(&[
        (Entity::CA_SIN, "my sin 764 659 310, thanks"),
        (Entity::CA_PHN, "my phn 9798 169 350, thanks"),
        (Entity::CA_PHN, "my ohip 5813 233 871, thanks"),
        (Entity::CA_PHN, "my ramq ORBY 0351 3704, thanks"),
        (Entity::TAX_ID, "my business number 330081000RP6878, thanks"),
    ]);
}

#[test]
fn without_a_word_it_is_any_number() {
    assert_not_found(&[
        (Entity::CA_SIN, "the total of 764 659 314 pieces"),
        (Entity::CA_PHN, "the total of 9798 169 351 pieces"),
        (Entity::TAX_ID, "the total of 330081001RP6878 pieces"),
    ]);
}
