//! Tests of the table: numbers made up for them, with check digits that fit and that do not.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn a_number_next_to_its_word_is_found() {
    assert_found(&[
        (Entity::IMEI, "my imei 54-984822-646294-3, thanks", "54-984822-646294-3"),
        (Entity::IMEI, "my imei 901312233726222, thanks", "901312233726222"),
        (Entity::IMEI, "my imei 50629830111036, thanks", "50629830111036"),
        (Entity::IMEI, "my meid AC8843381A6729, thanks", "AC8843381A6729"),
        (Entity::IMEI, "my imsi 258598690225306, thanks", "258598690225306"),
        (Entity::IMEI, "my iccid 8913130501455257758, thanks", "8913130501455257758"),
        (Entity::VIN, "my vin GE6398758Z2118733, thanks", "GE6398758Z2118733"),
        (Entity::VIN, "my vin XZ1Y891HZZ1U62102, thanks", "XZ1Y891HZZ1U62102"),
        (Entity::VIN, "my vin 4X5 4086Y1 41H52634, thanks", "4X5 4086Y1 41H52634"),
    ]);
}

#[test]
fn a_number_that_cannot_be_is_not() {
    assert_not_found(&[
        (Entity::IMEI, "my imei 54-984822-646294-0, thanks"),
        (Entity::IMEI, "my imei 901312233726220, thanks"),
        (Entity::IMEI, "my imei 55629830111036, thanks"),
        (Entity::IMEI, "my imsi 058598690225306, thanks"),
        (Entity::IMEI, "my iccid 8013130501455257758, thanks"),
    ]);
}

#[test]
fn without_a_word_it_is_any_number() {
    assert_not_found(&[
        (Entity::IMEI, "the total of 901312233726222 pieces"),
        (Entity::VIN, "the total of XZ1Y891HZZ1U62102 pieces"),
    ]);
}
