//! Numbers made up for these tests, with the check digits of their kind, and specimens that offices publish.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn each_is_found_beside_a_word() {
    assert_found(&[
        (Entity::SE_PERSONNUMMER, "personnummer 790314-5287", "790314-5287"),
        (Entity::SE_PERSONNUMMER, "personnummer 19090314+5282", "19090314+5282"),
        (Entity::SE_PERSONNUMMER, "samordningsnummer: 197903745284", "197903745284"),
        (Entity::NO_FODSELSNUMMER, "fødselsnummer 140379 28527", "140379 28527"),
        (Entity::NO_FODSELSNUMMER, "D-nummer: 54037928359", "54037928359"),
        (Entity::DK_CPR, "CPR-nr. 140379-2850", "140379-2850"),
        (Entity::FI_PERSONAL_IDENTITY_CODE, "henkilötunnus: 140379-2851", "140379-2851"),
        (Entity::FI_PERSONAL_IDENTITY_CODE, "hetu 140305A283V", "140305A283V"),
        (Entity::FI_PERSONAL_IDENTITY_CODE, "hetu 140385Y281E", "140385Y281E"),
        (Entity::TAX_ID, "veronumero 738291046528", "738291046528"),
        (Entity::IS_KENNITALA, "kennitala: 140379-2719", "140379-2719"),
    ]);
}

#[test]
fn a_wrong_check_digit_or_date_is_none() {
    assert_not_found(&[
        (Entity::SE_PERSONNUMMER, "personnummer 790314-5280"),
        (Entity::SE_PERSONNUMMER, "personnummer 19090314+5280"),
        (Entity::SE_PERSONNUMMER, "samordningsnummer: 197903745280"),
        (Entity::NO_FODSELSNUMMER, "fødselsnummer 140379 28500"),
        (Entity::NO_FODSELSNUMMER, "D-nummer: 54037928300"),
        (Entity::DK_CPR, "CPR-nr. 140079-2850"),
        (Entity::FI_PERSONAL_IDENTITY_CODE, "henkilötunnus: 140379-2850"),
        (Entity::FI_PERSONAL_IDENTITY_CODE, "hetu 140305A283A"),
        (Entity::FI_PERSONAL_IDENTITY_CODE, "hetu 140385Y281A"),
        (Entity::IS_KENNITALA, "kennitala: 140379-2709"),
        (Entity::NO_FODSELSNUMMER, "fødselsnummer 310279 28540"),
        (Entity::TAX_ID, "build 738291046528"),
    ]);
}
