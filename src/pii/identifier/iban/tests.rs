//! Numbers made up for these tests, with the check digits of their kind, and specimens that offices publish.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn each_is_found_beside_a_word() {
    assert_found(&[
        (Entity::IBAN_CODE, "bitte auf DE06 5001 0517 0738 2910 46 überweisen", "DE06 5001 0517 0738 2910 46"),
        (Entity::IBAN_CODE, "IBAN: gb65nwbk60161373829104", "gb65nwbk60161373829104"),
        (Entity::IBAN_CODE, "FR39 3000 6000 0173 8291 0465 273", "FR39 3000 6000 0173 8291 0465 273"),
        (Entity::IBAN_CODE, "NL64ABNA0738291046", "NL64ABNA0738291046"),
        (Entity::IBAN_CODE, "MT11MALT011000073829MTLCAST001S", "MT11MALT011000073829MTLCAST001S"),
        (Entity::IBAN_CODE, "BE32 7382 9104 6502", "BE32 7382 9104 6502"),
        (Entity::ACCOUNT_NUMBER, "cuenta corriente 2100 0418 46 0738291046", "2100 0418 46 0738291046"),
        (Entity::ACCOUNT_NUMBER, "kontonr. 8601.11.73820", "8601.11.73820"),
    ]);
}

#[test]
fn a_wrong_check_digit_or_date_is_none() {
    assert_not_found(&[
        (Entity::IBAN_CODE, "bitte auf DE00 5001 0517 0738 2910 46 überweisen"),
        (Entity::IBAN_CODE, "IBAN: gb00nwbk60161373829104"),
        (Entity::IBAN_CODE, "FR00 3000 6000 0173 8291 0465 273"),
        (Entity::IBAN_CODE, "NL00ABNA0738291046"),
        (Entity::IBAN_CODE, "MT00MALT011000073829MTLCAST001S"),
        (Entity::IBAN_CODE, "BE00 7382 9104 6500"),
        (Entity::ACCOUNT_NUMBER, "cuenta corriente 2100 0418 00 0738291046"),
        (Entity::ACCOUNT_NUMBER, "kontonr. 8601.11.73821"),
        (Entity::IBAN_CODE, "DE89 3704 0044 0532 0130 0"),
    ]);
}
