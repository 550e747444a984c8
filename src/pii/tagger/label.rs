//! The labels that a word can carry, and the spans that a row of labels makes.
//!
//! What a reader could get wrong: the order of the labels is that of the lanes in the weights file; a label of the inside of something (`I…`) is
//! only allowed behind its own kind.

use crate::pii::entity::Entity;

/// How many labels there are: the width of a lane.
pub const LABELS: usize = 16;

/// What a word is: nothing, or the begin or inside of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Label {
    Nothing = 0,
    Person = 1,
    InPerson = 2,
    Place = 3,
    InPlace = 4,
    Organization = 5,
    InOrganization = 6,
    Address = 7,
    InAddress = 8,
    Title = 9,
    InTitle = 10,
    Date = 11,
    InDate = 12,
    Age = 13,
    Group = 14,
    Zip = 15,
}

impl Label {
    /// All, in the order of the lanes.
    pub const ALL: [Label; LABELS] = [
        Label::Nothing,
        Label::Person,
        Label::InPerson,
        Label::Place,
        Label::InPlace,
        Label::Organization,
        Label::InOrganization,
        Label::Address,
        Label::InAddress,
        Label::Title,
        Label::InTitle,
        Label::Date,
        Label::InDate,
        Label::Age,
        Label::Group,
        Label::Zip,
    ];

    /// The label of that lane; lanes beyond the last are nothing.
    pub fn of(lane: u8) -> Label {
        Label::ALL.get(usize::from(lane)).copied().unwrap_or(Label::Nothing)
    }

    /// What a word of that label is a part of.
    pub fn entity(self) -> Option<Entity> {
        match self {
            Label::Nothing => None,
            Label::Person | Label::InPerson => Some(Entity::PERSON),
            Label::Place | Label::InPlace => Some(Entity::LOCATION),
            Label::Organization | Label::InOrganization => Some(Entity::ORGANIZATION),
            Label::Address | Label::InAddress => Some(Entity::STREET_ADDRESS),
            Label::Title | Label::InTitle => Some(Entity::TITLE),
            Label::Date | Label::InDate => Some(Entity::DATE_TIME),
            Label::Age => Some(Entity::AGE),
            Label::Group => Some(Entity::NRP),
            Label::Zip => Some(Entity::ZIP_CODE),
        }
    }

    /// The label inside of what this one begins.
    pub fn inside(self) -> Option<Label> {
        match self {
            Label::Person | Label::InPerson => Some(Label::InPerson),
            Label::Place | Label::InPlace => Some(Label::InPlace),
            Label::Organization | Label::InOrganization => Some(Label::InOrganization),
            Label::Address | Label::InAddress => Some(Label::InAddress),
            Label::Title | Label::InTitle => Some(Label::InTitle),
            Label::Date | Label::InDate => Some(Label::InDate),
            Label::Nothing | Label::Age | Label::Group | Label::Zip => None,
        }
    }

    /// Whether this is the inside of something, which must have begun.
    pub fn is_inside(self) -> bool {
        self.inside() == Some(self)
    }

    /// Whether `next` may follow.
    pub fn allows(self, next: Label) -> bool {
        !next.is_inside() || self.inside() == Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside_must_have_begun() {
        assert!(Label::Person.allows(Label::InPerson) && Label::InPerson.allows(Label::InPerson));
        assert!(!Label::Nothing.allows(Label::InPerson) && !Label::Place.allows(Label::InPerson));
        assert!(Label::InDate.allows(Label::Date) && Label::Zip.allows(Label::Nothing));
        for (lane, label) in (0..).zip(Label::ALL) {
            assert_eq!(Label::of(lane), label);
            assert_eq!(label as u8, lane);
        }
    }
}
