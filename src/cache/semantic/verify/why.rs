//! What tells two questions apart, in a word for a person.
//!
//! What a reader could get wrong: this explains, it does not decide; the trees may have seen several small things instead.

use super::features::{at, features};
use super::kinds::KINDS;
use super::question::Question;

/// What differs most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Nothing that counts.
    Same,
    /// Too long, empty, or another language in other words.
    Refused,
    Code,
    Number,
    Name,
    Unit,
    Date,
    Quotation,
    Negation,
    Opposite,
    Order,
    QuestionType,
    Words,
}

impl Why {
    /// For logs and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Why::Same => "same",
            Why::Refused => "refused",
            Why::Code => "code",
            Why::Number => "number",
            Why::Name => "name",
            Why::Unit => "unit",
            Why::Date => "date",
            Why::Quotation => "quotation",
            Why::Negation => "negation",
            Why::Opposite => "opposite",
            Why::Order => "order",
            Why::QuestionType => "question type",
            Why::Words => "words",
        }
    }
}

pub fn why(stored: &Question, asked: &Question) -> Why {
    if stored.is_refused || asked.is_refused {
        return Why::Refused;
    }
    if stored.fenced != asked.fenced {
        return Why::Code;
    }
    if stored.sequence == asked.sequence {
        return Why::Same;
    }
    if stored.is_foreign || asked.is_foreign {
        return Why::Refused;
    }
    let found = features(stored, asked);
    let has = |feature: usize| found.get(feature).is_some_and(|value| *value > 0.0);
    let kind =
        |name: &str| KINDS.iter().position(|(kind, _)| *kind == name).is_some_and(|kind| has(at::KINDS + 2 * kind + 1));
    let told = [
        (has(at::NUMBER_CLASH) || has(at::NUMBER_ALONE), Why::Number),
        (has(at::NEGATION), Why::Negation),
        (has(at::OPPOSED), Why::Opposite),
        (kind("name"), Why::Name),
        (kind("unit"), Why::Unit),
        (kind("date"), Why::Date),
        (kind("code"), Why::Code),
        (kind("quoted"), Why::Quotation),
        (has(at::EXCHANGED) || has(at::NUMBER_ORDER) || has(at::NUMBER_NOUN), Why::Order),
        (found.get(at::ASKS).is_some_and(|distance| *distance >= 2.0), Why::QuestionType),
        (found.get(at::LOST_MORE).is_some_and(|lost| *lost >= 0.3), Why::Words),
        (has(at::INVERSIONS) || has(at::REVERSED), Why::Order),
    ];
    told.iter().find(|(holds, _)| *holds).map_or(Why::Same, |(_, why)| *why)
}
