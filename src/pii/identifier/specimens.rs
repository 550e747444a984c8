//! Numbers that offices publish as examples: what holds a table's own rules against the world's.

use super::{assert_found, assert_not_found};
use crate::pii::entity::Entity;

#[test]
fn specimens_of_offices_are_found() {
    assert_found(&[
        // The Centers for Medicare & Medicaid Services' card and provider's number.
        (Entity::US_MBI, "Medicare number 1EG4-TE5-MK73", "1EG4-TE5-MK73"),
        (Entity::US_NPI, "NPI: 1234567893", "1234567893"),
        // 49 CFR 565.15; the GSM Association; the Australian Business Register and Taxation Office.
        (Entity::VIN, "the VIN reads 1M8GDM9AXKP042788", "1M8GDM9AXKP042788"),
        (Entity::IMEI, "IMEI 49-015420-323751-8", "49-015420-323751-8"),
        (Entity::AU_ABN, "ABN 51 824 753 556", "51 824 753 556"),
        (Entity::AU_TFN, "her tax file number, 123 456 782", "123 456 782"),
        (Entity::NZ_IRD, "IRD number 49-091-850", "49-091-850"),
        (Entity::NZ_IRD, "IRD number 136-410-132", "136-410-132"),
        // GB 11643-1999, annex; the immigration departments of Hong Kong and Taiwan.
        (Entity::CN_RESIDENT_ID, "身份证号码是 11010519491231002X", "11010519491231002X"),
        (Entity::HK_ID, "HKID A123456(3)", "A123456(3"),
        (Entity::TW_ID, "身分證 A123456789", "A123456789"),
        (Entity::SG_NRIC_FIN, "NRIC S1234567D", "S1234567D"),
        (Entity::ZA_ID_NUMBER, "South African ID 8001015009087", "8001015009087"),
        (Entity::MX_CURP, "mi CURP es HEGG560427MVZRRL04", "HEGG560427MVZRRL04"),
        (Entity::CL_RUT, "RUT 12.345.678-5", "12.345.678-5"),
        (Entity::IN_GSTIN, "GSTIN 27AAPFU0939F1ZV", "27AAPFU0939F1ZV"),
        (Entity::US_SSN, "my ssn is 123-45-6789", "123-45-6789"),
        (Entity::ABA_ROUTING_NUMBER, "routing number 121000358", "121000358"),
    ]);
}

#[test]
fn numbers_in_groups_of_any_kind_belong_together() {
    assert_found(&[
        (Entity::TH_TNIN, "Thai ID 1 23 45 4567 8 7 81", "1 23 45 4567 8 7 81"),
        (Entity::AU_ABN, "ABN 51 - 824 - 753 - 556", "51 - 824 - 753 - 556"),
        (
            Entity::AR_CBU,
            "CBU 2 8 5 0 5 9 0 9 4 0 0 9 0 4 1 8 1 3 5 2 0 1",
            "2 8 5 0 5 9 0 9 4 0 0 9 0 4 1 8 1 3 5 2 0 1",
        ),
        (Entity::IN_AADHAAR, "aadhaar 2345:6789:0124", "2345:6789:0124"),
    ]);
}

#[test]
fn parts_of_something_longer_are_none() {
    assert_not_found(&[
        (Entity::US_SSN, "see ssn 123-45-6789-12 in the list"),
        (Entity::US_SSN, "ssn 078-05-1120 was printed on a card"),
        (Entity::CA_SIN, "sin of $130692544"),
        (Entity::US_SSN, "id=550e8400-078-05-1123"),
    ]);
}
