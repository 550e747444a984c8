//! Number plates of vehicles: known by the words that stand near.
//!
//! What a reader could get wrong: nearly every word of letters and digits looks like a plate somewhere; there is no form that tells by itself.

use super::Identifier;
use crate::pii::entity::Entity;

pub(super) static ROWS: &[Identifier] = &[Identifier {
    entity: Entity::LICENSE_PLATE,
    forms: &[
        "AAA9999",
        "AAA 9999",
        "AAA999",
        "AAA 999",
        "9AAA999",
        "AA99AAA",
        "AA99 AAA",
        "A999AAA",
        "A999 AAA",
        "AA999AA",
        "AA 999 AA",
        "9999AAA",
        "9999 AAA",
        "AAA9A99",
        "AA9999",
        "AA 9999",
        "A AA 9999",
        "A AA 999",
        "AA AA 9999",
        "AA AA 999",
        "AA A 999",
        "AA A 9999",
        "AAA A 999",
        "AAA AA 999",
        "AA99AA9999",
        "AA 99 AA 9999",
        "AA9AA9999",
        "AAA-999AA",
        "AAA 999AA",
        "AAA999AA",
        "99AA999",
        "99 AA 999",
        "99 A 9999",
        "99 AAA 99",
        "99 AAA 999",
        "A999AA",
        "9 AAA 999",
        "99 AA AA",
        "AA 99 AA",
        "99 AA 99",
        "999 AAA",
        "A9999AA",
    ],
    valid: |_| true,
    context: &[
        "license plate",
        "licence plate",
        "number plate",
        "numberplate",
        "plate number",
        "plate no",
        "plates:",
        "registration plate",
        "vehicle registration",
        "car registration",
        "registration number",
        "reg number",
        "kennzeichen",
        "nummernschild",
        "plaque d'immatriculation",
        "immatriculation",
        "immatriculée",
        "matrícula",
        "matricula",
        "placa",
        "targa",
        "kenteken",
        "plaka",
    ],
    alone: 0.0,
    near: 0.6,
}];

#[cfg(test)]
mod tests {
    use super::super::{assert_found, assert_not_found};
    use crate::pii::entity::Entity;

    #[test]
    fn a_plate_needs_a_word() {
        assert_found(&[
            (Entity::LICENSE_PLATE, "the license plate was 7ABC123", "7ABC123"),
            (Entity::LICENSE_PLATE, "Kennzeichen B-AB 1234", "B-AB 1234"),
            (Entity::LICENSE_PLATE, "immatriculée AB-123-CD", "AB-123-CD"),
        ]);
        assert_not_found(&[(Entity::LICENSE_PLATE, "see AB-123-CD in the list")]);
    }
}
