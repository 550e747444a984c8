//! Tests of the table: numbers made up for them, with check digits that fit and that do not.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn a_number_next_to_its_word_is_found() {
    assert_found(&[
        (Entity::AU_ABN, "my abn 51 157 934 248, thanks", "51 157 934 248"),
        (Entity::AU_ABN, "my abn 33845764686, thanks", "33845764686"),
        (Entity::AU_ACN, "my acn 144359544, thanks", "144359544"),
        (Entity::AU_TFN, "my tfn 164591343, thanks", "164591343"),
        (Entity::AU_MEDICARE, "my medicare 4235 92436 3, thanks", "4235 92436 3"),
        (Entity::NZ_IRD, "my ird 057 020 873, thanks", "057 020 873"),
        (Entity::NZ_NHI, "my nhi MQL8194, thanks", "MQL8194"),
        (Entity::NZ_BANK_NUMBER, "my bank account 38-9087-5832130-36, thanks", "38-9087-5832130-36"),
        (Entity::NZ_BANK_NUMBER, "my bank account 11842231090140, thanks", "11842231090140"),
        (Entity::NZ_BANK_NUMBER, "my bank account 06 261 7856829 25, thanks", "06 261 7856829 25"),
        (Entity::DRIVER_LICENSE, "my driver licence TR451345, thanks", "TR451345"),
        (Entity::PASSPORT, "my australian passport M6636062, thanks", "M6636062"),
    ]);
}

#[test]
fn a_number_that_cannot_be_is_not() {
    assert_not_found(&[
        (Entity::AU_ABN, "my abn 51 157 934 240, thanks"),
        (Entity::AU_ABN, "my abn 33845764680, thanks"),
        (Entity::AU_ACN, "my acn 144359540, thanks"),
        (Entity::AU_TFN, "my tfn 164591340, thanks"),
        (Entity::AU_MEDICARE, "my medicare 4235 92436 0, thanks"),
        (Entity::NZ_IRD, "my ird 057 020 870, thanks"),
        (Entity::NZ_NHI, "my nhi MQL8190, thanks"),
        (Entity::NZ_BANK_NUMBER, "my bank account 38-9087-5832131-36, thanks"),
        (Entity::NZ_BANK_NUMBER, "my bank account 11842231090100, thanks"),
        (Entity::NZ_BANK_NUMBER, "my bank account 06 261 7856820 25, thanks"),
    ]);
}

#[test]
fn without_a_word_it_is_any_number() {
    assert_not_found(&[
        (Entity::AU_ABN, "the total of 33845764686 pieces"),
        (Entity::AU_ACN, "the total of 144359544 pieces"),
        (Entity::AU_TFN, "the total of 164591343 pieces"),
        (Entity::AU_MEDICARE, "the total of 4235 92436 3 pieces"),
        (Entity::NZ_IRD, "the total of 057 020 873 pieces"),
        (Entity::NZ_NHI, "the total of MQL8194 pieces"),
        (Entity::NZ_BANK_NUMBER, "the total of 11842231090140 pieces"),
        (Entity::DRIVER_LICENSE, "the total of TR451345 pieces"),
        (Entity::PASSPORT, "the total of M6636062 pieces"),
    ]);
}
