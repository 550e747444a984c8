//! How forms, words and each other's neighbourhood decide what is found.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn an_unusual_grouping_needs_a_word() {
    assert_found(&[(Entity::PL_NIP, "NIP 583 1029434", "583 1029434")]);
    assert_not_found(&[(Entity::PL_NIP, "part 583 1029434")]);
}

#[test]
fn what_goes_on_is_not_taken_in_parts() {
    assert_found(&[(Entity::VAT_ID, "CUI 738.291.9", "738.291.9")]);
    assert_not_found(&[
        (Entity::VAT_ID, "CUI 738 2919 44"),
        (Entity::CREDIT_CARD, "4539 7382 9104 6529 70"),
        (Entity::CREDIT_CARD, "RS35 4539 7382 9104 6529 70"),
    ]);
    assert_found(&[(Entity::CREDIT_CARD, "card 4539 7382 9104 6529 701", "4539 7382 9104 6529")]);
}

#[test]
fn a_word_of_many_countries_counts_where_no_word_names_one() {
    assert_found(&[(Entity::PL_PESEL, "national identity number 84021739565", "84021739565")]);
    assert_not_found(&[(Entity::PL_PESEL, "Norwegian national identity number 84021739565")]);
}

#[test]
fn kinds_without_a_check_give_way_to_a_named_one_that_fails_its_own() {
    assert_found(&[(Entity::ACCOUNT_NUMBER, "account number 84021739560", "84021739560")]);
    assert_not_found(&[(Entity::ACCOUNT_NUMBER, "account number or PESEL 84021739560")]);
    assert_found(&[(Entity::ACCOUNT_NUMBER, "PESEL or account number 84021739560", "84021739560")]);
}
