//! Numbers made up for these tests, with the check digits of their kind, and specimens that offices publish.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn each_is_found_beside_a_word() {
    assert_found(&[
        (Entity::VAT_ID, "ATU73829100", "ATU73829100"),
        (Entity::VAT_ID, "BE0738291051", "BE0738291051"),
        (Entity::VAT_ID, "ДДС BG738291047", "BG738291047"),
        (Entity::VAT_ID, "DE738291047", "DE738291047"),
        (Entity::VAT_ID, "DK73829100", "DK73829100"),
        (Entity::VAT_ID, "EE103829104", "EE103829104"),
        (Entity::VAT_ID, "EL738291048", "EL738291048"),
        (Entity::VAT_ID, "ESB73829103", "ESB73829103"),
        (Entity::VAT_ID, "FI73829100", "FI73829100"),
        (Entity::VAT_ID, "TVA FR 96 552 100 554", "FR 96 552 100 554"),
        (Entity::VAT_ID, "VAT GB 738 2910 20", "GB 738 2910 20"),
        (Entity::VAT_ID, "VAT GBGD123", "GBGD123"),
        (Entity::VAT_ID, "HR73829104653", "HR73829104653"),
        (Entity::VAT_ID, "HU73829102", "HU73829102"),
        (Entity::VAT_ID, "VAT IE7382910M", "IE7382910M"),
        (Entity::VAT_ID, "partita IT07382910151", "IT07382910151"),
        (Entity::VAT_ID, "LT738291015", "LT738291015"),
        (Entity::VAT_ID, "LU73829136", "LU73829136"),
        (Entity::VAT_ID, "LV47382910468", "LV47382910468"),
        (Entity::VAT_ID, "MT73829109", "MT73829109"),
        (Entity::VAT_ID, "btw NL738291043B01", "NL738291043B01"),
        (Entity::VAT_ID, "PL7382910465", "PL7382910465"),
        (Entity::VAT_ID, "PT738291048", "PT738291048"),
        (Entity::VAT_ID, "TVA RO7382919", "RO7382919"),
        (Entity::VAT_ID, "SE738291046601", "SE738291046601"),
        (Entity::VAT_ID, "SI73829102", "SI73829102"),
        (Entity::VAT_ID, "SK7328291047", "SK7328291047"),
        (Entity::VAT_ID, "CHE-738.291.045", "CHE-738.291.045"),
        (Entity::VAT_ID, "MVA NO 938 291 004 MVA", "NO 938 291 004 MVA"),
        (Entity::VAT_ID, "VAT CY10738291L", "CY10738291L"),
        (Entity::VAT_ID, "DIČ CZ73829102", "CZ73829102"),
    ]);
}

#[test]
fn a_wrong_check_digit_or_date_is_none() {
    assert_not_found(&[
        (Entity::VAT_ID, "ATU73829101"),
        (Entity::VAT_ID, "BE0738291000"),
        (Entity::VAT_ID, "ДДС BG738291040"),
        (Entity::VAT_ID, "DE738291040"),
        (Entity::VAT_ID, "DK73829101"),
        (Entity::VAT_ID, "EE103829100"),
        (Entity::VAT_ID, "EL738291040"),
        (Entity::VAT_ID, "ESB73829100"),
        (Entity::VAT_ID, "FI73829101"),
        (Entity::VAT_ID, "TVA FR 00 552 100 554"),
        (Entity::VAT_ID, "VAT GB 738 2910 00"),
        (Entity::VAT_ID, "VAT GBGD523"),
        (Entity::VAT_ID, "HR73829104650"),
        (Entity::VAT_ID, "HU73829100"),
        (Entity::VAT_ID, "VAT IE7382910A"),
        (Entity::VAT_ID, "partita IT07382910150"),
        (Entity::VAT_ID, "LT738291010"),
        (Entity::VAT_ID, "LU73829100"),
        (Entity::VAT_ID, "LV47382910460"),
        (Entity::VAT_ID, "MT73829100"),
        (Entity::VAT_ID, "btw NL738291040B01"),
        (Entity::VAT_ID, "PL7382910460"),
        (Entity::VAT_ID, "PT738291040"),
        (Entity::VAT_ID, "TVA RO7382910"),
        (Entity::VAT_ID, "SE738291046001"),
        (Entity::VAT_ID, "SI73829100"),
        (Entity::VAT_ID, "SK7328291040"),
        (Entity::VAT_ID, "CHE-738.291.040"),
        (Entity::VAT_ID, "MVA NO 938 291 000 MVA"),
        (Entity::VAT_ID, "VAT CY10738291A"),
        (Entity::VAT_ID, "DIČ CZ73829100"),
    ]);
}
