//! Numbers made up for these tests, with the check digits of their kind, and specimens that offices publish.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn each_is_found_beside_a_word() {
    assert_found(&[
        (Entity::CH_AHV, "AHV-Nr. 756.1234.5678.97", "756.1234.5678.97"),
        (Entity::CH_AHV, "my Swiss social security number is 7561029384753", "7561029384753"),
        (Entity::LI_PEID, "PEID: 1042735", "1042735"),
        (Entity::AT_SVNR, "SV-Nr.: 4823 150374", "4823 150374"),
        (Entity::AT_SVNR, "meine SVNR ist 7315240895", "7315240895"),
        (Entity::AT_TAX_ID, "Abgabenkonto 46-123/7893", "46-123/7893"),
    ]);
}

#[test]
fn a_wrong_check_digit_or_date_is_none() {
    assert_not_found(&[
        (Entity::CH_AHV, "AHV-Nr. 756.1234.5678.90"),
        (Entity::CH_AHV, "my Swiss social security number is 7561029384750"),
        (Entity::AT_SVNR, "SV-Nr.: 4820 150374"),
        (Entity::AT_SVNR, "meine SVNR ist 7310240895"),
        (Entity::AT_TAX_ID, "Abgabenkonto 46-123/7890"),
        (Entity::LI_PEID, "PEID: 0001"),
        (Entity::AT_SVNR, "4821 320374 is an Austrian date that is none"),
    ]);
}
