//! Payment cards and bank accounts: Luhn with issuer ranges (ISO/IEC 7812), IBAN (ISO 13616).
//!
//! What a reader could get wrong: one number in ten passes Luhn's check by accident; the issuer's range is what makes a card.

use super::{Identifier, Number, luhn};
use crate::pii::entity::Entity;

pub(super) static ROWS: &[Identifier] = &[Identifier {
    entity: Entity::CREDIT_CARD,
    forms: &["9999 9999 9999 9999", "9999999999999999", "9999 999999 99999"],
    valid: card,
    context: &["card", "visa", "mastercard", "kreditkarte", "carte", "tarjeta"],
    alone: 0.6,
    near: 1.0,
}];

fn card(number: &Number<'_>) -> bool {
    luhn(number.compact)
}
