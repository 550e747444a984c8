//! Numbers made up for these tests, with the check digits of their kind, and specimens that offices publish.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn each_is_found_beside_a_word() {
    assert_found(&[
        (Entity::VAT_ID, "partita IVA 07382910151", "07382910151"),
        (Entity::VAT_ID, "Umsatzsteuer-Identifikationsnummer 738291047", "738291047"),
        (Entity::VAT_ID, "numéro de TVA: 96 552100554", "96 552100554"),
        (Entity::VAT_ID, "UK VAT 738 2910 20", "738 2910 20"),
        (Entity::VAT_ID, "CVR-nr. 73829100", "73829100"),
        (Entity::VAT_ID, "adószám: 73829102-2-41", "73829102-2-41"),
        (Entity::VAT_ID, "Y-tunnus 7382910-0", "7382910-0"),
        (Entity::VAT_ID, "orgnr. 938 291 004", "938 291 004"),
        (Entity::VAT_ID, "CUI 7382919", "7382919"),
        (Entity::VAT_ID, "davčna številka 73829102", "73829102"),
        (Entity::VAT_ID, "ondernemingsnummer 0738.291.051", "0738.291.051"),
        (Entity::VAT_ID, "KMKR 103829104", "103829104"),
    ]);
}

#[test]
fn a_wrong_check_digit_or_date_is_none() {
    assert_not_found(&[
        (Entity::VAT_ID, "partita IVA 07382910150"),
        (Entity::VAT_ID, "Umsatzsteuer-Identifikationsnummer 738291040"),
        (Entity::VAT_ID, "numéro de TVA: 00 552100554"),
        (Entity::VAT_ID, "UK VAT 738 2910 00"),
        (Entity::VAT_ID, "CVR-nr. 73829101"),
        (Entity::VAT_ID, "adószám: 73829100-2-41"),
        (Entity::VAT_ID, "Y-tunnus 7382910-1"),
        (Entity::VAT_ID, "orgnr. 938 291 000"),
        (Entity::VAT_ID, "CUI 7382910"),
        (Entity::VAT_ID, "davčna številka 73829100"),
        (Entity::VAT_ID, "ondernemingsnummer 0738.291.000"),
        (Entity::VAT_ID, "KMKR 103829100"),
    ]);
}
