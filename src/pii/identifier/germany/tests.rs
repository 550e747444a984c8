//! Numbers made up for these tests, with the check digits of their kind, and specimens that offices publish.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn each_is_found_beside_a_word() {
    assert_found(&[
        (Entity::DE_TAX_ID, "Steuer-ID: 86 095 742 719", "86 095 742 719"),
        (Entity::DE_TAX_ID, "my German tax id is 35281709638", "35281709638"),
        (Entity::DE_ID_CARD, "Personalausweis L3FK92TX13", "L3FK92TX13"),
        (Entity::DE_PASSPORT, "Reisepass C3FK92TX1", "C3FK92TX1"),
        (Entity::DE_SOCIAL_SECURITY, "Sozialversicherungsnummer 12 140379 M 022", "12 140379 M 022"),
        (Entity::DE_HEALTH_INSURANCE, "Versichertennummer K738291047", "K738291047"),
        (Entity::DE_TAX_NUMBER, "Steuernummer 143/281/50397", "143/281/50397"),
        (Entity::DE_TAX_NUMBER, "Steuernummer: 2843028150397", "2843028150397"),
        (Entity::MEDICAL_LICENSE, "LANR 738291001", "738291001"),
    ]);
}

#[test]
fn a_wrong_check_digit_or_date_is_none() {
    assert_not_found(&[
        (Entity::DE_TAX_ID, "Steuer-ID: 86 095 742 710"),
        (Entity::DE_TAX_ID, "my German tax id is 35281709630"),
        (Entity::DE_ID_CARD, "Personalausweis L3FK92TX10"),
        (Entity::DE_SOCIAL_SECURITY, "Sozialversicherungsnummer 12 140379 M 020"),
        (Entity::DE_HEALTH_INSURANCE, "Versichertennummer K738291040"),
        (Entity::DE_TAX_NUMBER, "Steuernummer: 2843128150397"),
        (Entity::MEDICAL_LICENSE, "LANR 738291101"),
        (Entity::DE_PASSPORT, "item C3FK92TX1"),
        (Entity::DE_TAX_NUMBER, "Steuernummer 2843128150397"),
    ]);
}
