//! Tests of the table: numbers made up for them, with check digits that fit and that do not.

use crate::pii::entity::Entity;
use crate::pii::identifier::{assert_found, assert_not_found};

#[test]
fn a_number_next_to_its_word_is_found() {
    assert_found(&[
        (Entity::AR_CUIT, "my cuit 51-41656492-6, thanks", "51-41656492-6"),
        (Entity::AR_CUIT, "my cuit 26450168091, thanks", "26450168091"),
        (Entity::AR_DNI, "my dni 04.557.100, thanks", "04.557.100"),
        (Entity::AR_CBU, "my cbu 3911540978749660426238, thanks", "3911540978749660426238"),
        (Entity::CL_RUT, "my rut 11.787.841-4, thanks", "11.787.841-4"),
        (Entity::CL_RUT, "my rut 69518429-8, thanks", "69518429-8"),
        (Entity::CO_NIT, "my nit 005.149.608-7, thanks", "005.149.608-7"),
        (Entity::NATIONAL_ID, "my cédula de ciudadanía 1.885.870.832, thanks", "1.885.870.832"),
        (Entity::PE_CUI, "my dni 60154515-8, thanks", "60154515-8"),
        (Entity::PE_CUI, "my dni 49178504, thanks", "49178504"),
        (Entity::TAX_ID, "my ruc 20969076731, thanks", "20969076731"),
        (Entity::EC_CI, "my cédula 042189011-2, thanks", "042189011-2"),
        (Entity::TAX_ID, "my ruc 0814962387529, thanks", "0814962387529"),
        (Entity::UY_CI, "my cédula 2.416.699-1, thanks", "2.416.699-1"),
        (Entity::TAX_ID, "my rut 187584280019, thanks", "187584280019"),
        (Entity::TAX_ID, "my ruc 50834746-7, thanks", "50834746-7"),
        (Entity::TAX_ID, "my rif G-41251588-0, thanks", "G-41251588-0"),
        (Entity::NATIONAL_ID, "my cédula V-48850645, thanks", "V-48850645"),
    ]);
}

#[test]
fn a_number_that_cannot_be_is_not() {
    assert_not_found(&[
        (Entity::AR_CUIT, "my cuit 51-41656492-0, thanks"),
        (Entity::AR_CUIT, "my cuit 26450168090, thanks"),
        (Entity::AR_CBU, "my cbu 3911540978749660426230, thanks"),
        (Entity::CL_RUT, "my rut 11.787.841-0, thanks"),
        (Entity::CL_RUT, "my rut 69518429-0, thanks"),
        (Entity::CO_NIT, "my nit 005.149.608-0, thanks"),
        (Entity::PE_CUI, "my dni 60154515-0, thanks"),
        (Entity::TAX_ID, "my ruc 20969076730, thanks"),
        (Entity::EC_CI, "my cédula 042189011-0, thanks"),
        (Entity::TAX_ID, "my ruc 0814962380529, thanks"),
        (Entity::UY_CI, "my cédula 2.416.699-0, thanks"),
        (Entity::TAX_ID, "my rut 187584280010, thanks"),
        (Entity::TAX_ID, "my ruc 50834746-0, thanks"),
        (Entity::TAX_ID, "my rif G-41251588-1, thanks"),
    ]);
}

#[test]
fn without_a_word_it_is_any_number() {
    assert_not_found(&[
        (Entity::AR_CUIT, "the total of 26450168091 pieces"),
        (Entity::AR_DNI, "the total of 04.557.100 pieces"),
        (Entity::CL_RUT, "the total of 69518429-8 pieces"),
        (Entity::CO_NIT, "the total of 005.149.608-7 pieces"),
        (Entity::NATIONAL_ID, "the total of 1.885.870.832 pieces"),
        (Entity::PE_CUI, "the total of 60154515-8 pieces"),
        (Entity::TAX_ID, "the total of 20969076731 pieces"),
        (Entity::EC_CI, "the total of 042189011-2 pieces"),
        (Entity::UY_CI, "the total of 2.416.699-1 pieces"),
    ]);
}
