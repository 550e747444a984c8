//! Numbers made up for these tests, with the check digits of their kind, and specimens that offices publish.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn each_is_found_beside_a_word() {
    assert_found(&[
        (Entity::CREDIT_CARD, "4539 7382 9104 6529", "4539 7382 9104 6529"),
        (Entity::CREDIT_CARD, "paid with 5521738291046526", "5521738291046526"),
        (Entity::CREDIT_CARD, "3738-291046-52731", "3738-291046-52731"),
        (Entity::CREDIT_CARD, "2221007382910465", "2221007382910465"),
        (Entity::CREDIT_CARD, "card 6227382910465273838", "6227382910465273838"),
        (Entity::CREDIT_CARD, "carte 50187382910465", "50187382910465"),
        (Entity::CREDIT_CARD, "36738291046525", "36738291046525"),
        (Entity::CREDIT_CARD, "tarjeta 6352738291045", "6352738291045"),
        (Entity::SWIFT_CODE, "our BIC is DEUTDEFF500", "DEUTDEFF500"),
        (Entity::SWIFT_CODE, "SWIFT: NEDSZAJJ", "NEDSZAJJ"),
    ]);
}

#[test]
fn a_wrong_check_digit_or_date_is_none() {
    assert_not_found(&[
        (Entity::CREDIT_CARD, "4539 7382 9104 6520"),
        (Entity::CREDIT_CARD, "paid with 5521738291046520"),
        (Entity::CREDIT_CARD, "3738-291046-52730"),
        (Entity::CREDIT_CARD, "2221007382910460"),
        (Entity::CREDIT_CARD, "card 6227382910465273830"),
        (Entity::CREDIT_CARD, "carte 50187382910460"),
        (Entity::CREDIT_CARD, "36738291046520"),
        (Entity::CREDIT_CARD, "tarjeta 6352738291040"),
        (Entity::SWIFT_CODE, "our BIC is DEUTZZFF500"),
        (Entity::SWIFT_CODE, "a SWIFT MULTIPLE"),
        (Entity::SWIFT_CODE, "the acerbic NEDSZAJJ"),
        (Entity::CREDIT_CARD, "created 1700000000000005 and 1700000000005"),
    ]);
}
