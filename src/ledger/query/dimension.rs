//! What the ledger can be grouped and filtered by.
//!
//! What a reader could get wrong: days and hours are UTC's; users and tags are known of single requests only, not of hourly sums.

use std::fmt;
use std::str::FromStr;

use crate::ledger::store::{Kind, NO_ATTEMPT, Word};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dimension {
    Tenant,
    App,
    User,
    /// All tags of a request, as they were given.
    Tags,
    /// The value of one tag: `tag.team`.
    Tag(String),
    Endpoint,
    Route,
    Rule,
    Model,
    Upstream,
    Node,
    /// `edge`, `cloud`, `cache`; empty: nothing was sent.
    Placement,
    Region,
    Outcome,
    Privacy,
    Cache,
    /// Why an attempt was made.
    Role,
    /// What went wrong with the attempt before the one that answered.
    Fallback,
    Day,
    Hour,
}

/// All but `tag.NAME`, as they are written.
const NAMES: [(&str, Dimension); 19] = [
    ("tenant", Dimension::Tenant),
    ("app", Dimension::App),
    ("user", Dimension::User),
    ("tags", Dimension::Tags),
    ("endpoint", Dimension::Endpoint),
    ("route", Dimension::Route),
    ("rule", Dimension::Rule),
    ("model", Dimension::Model),
    ("upstream", Dimension::Upstream),
    ("node", Dimension::Node),
    ("placement", Dimension::Placement),
    ("region", Dimension::Region),
    ("outcome", Dimension::Outcome),
    ("privacy", Dimension::Privacy),
    ("cache", Dimension::Cache),
    ("role", Dimension::Role),
    ("fallback", Dimension::Fallback),
    ("day", Dimension::Day),
    ("hour", Dimension::Hour),
];

impl FromStr for Dimension {
    type Err = String;

    fn from_str(text: &str) -> Result<Dimension, String> {
        if let Some(name) = text.strip_prefix("tag.").filter(|name| !name.is_empty()) {
            return Ok(Dimension::Tag(name.to_owned()));
        }
        let found = NAMES.iter().find(|(name, _)| *name == text).map(|(_, dimension)| dimension.clone());
        found.ok_or_else(|| {
            let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
            format!("`{text}` is nothing to group or filter by; there are {} and tag.NAME", names.join(", "))
        })
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Dimension::Tag(name) = self {
            return write!(f, "tag.{name}");
        }
        let name = NAMES.iter().find(|(_, dimension)| dimension == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

impl Dimension {
    /// Users and tags.
    pub(super) fn is_of_single_requests(&self) -> bool {
        matches!(self, Dimension::User | Dimension::Tags | Dimension::Tag(_))
    }

    pub(super) fn is_time(&self) -> bool {
        matches!(self, Dimension::Day | Dimension::Hour)
    }

    /// The value in a kind, for all but users, tags and times.
    pub(super) fn of_kind<'k, W: AsRef<str>>(&self, kind: &'k Kind<W>) -> &'k str {
        let word = match self {
            Dimension::Tenant => Word::Tenant,
            Dimension::App => Word::App,
            Dimension::Endpoint => Word::Endpoint,
            Dimension::Route => Word::Route,
            Dimension::Rule => Word::Rule,
            Dimension::Model => Word::Model,
            Dimension::Upstream => Word::Upstream,
            Dimension::Node => Word::Node,
            Dimension::Placement if kind.attempt == NO_ATTEMPT && is_hit(kind) => return "cache",
            Dimension::Placement => Word::Placement,
            Dimension::Region => Word::Region,
            Dimension::Outcome => Word::Outcome,
            Dimension::Privacy => Word::Privacy,
            Dimension::Cache => Word::Cache,
            Dimension::Role => Word::Role,
            Dimension::Fallback => Word::Fallback,
            Dimension::User | Dimension::Tags | Dimension::Tag(_) | Dimension::Day | Dimension::Hour => return "",
        };
        kind.word(word)
    }

    /// The value in a request's user and tags, for those dimensions.
    pub(super) fn of_single<'s>(&self, user: &'s str, tags: &'s str) -> &'s str {
        match self {
            Dimension::User => user,
            Dimension::Tags => tags,
            Dimension::Tag(name) => {
                let pair = |tag: &'s str| tag.split_once('=').filter(|(key, _)| key == name);
                tags.split(',').find_map(pair).map_or("", |(_, value)| value)
            }
            _ => "",
        }
    }
}

/// Answered without asking an upstream.
pub(super) fn is_hit<W: AsRef<str>>(kind: &Kind<W>) -> bool {
    matches!(kind.word(Word::Cache), "hit" | "semantic" | "coalesced")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for (name, dimension) in &NAMES {
            assert_eq!(name.parse().as_ref(), Ok(dimension));
            assert_eq!(dimension.to_string(), *name);
        }
        assert_eq!("tag.team".parse::<Dimension>().unwrap().to_string(), "tag.team");
        assert!("tag.".parse::<Dimension>().is_err());
        insta::assert_snapshot!("team".parse::<Dimension>().unwrap_err(), @"`team` is nothing to group or filter by; there are tenant, app, user, tags, endpoint, route, rule, model, upstream, node, placement, region, outcome, privacy, cache, role, fallback, day, hour and tag.NAME");
    }

    #[test]
    fn one_tag_is_found_among_several() {
        let team = Dimension::Tag("team".into());
        assert_eq!(team.of_single("", "a=1,team=search,teams=x"), "search");
        assert_eq!(team.of_single("", "teams=x"), "");
        assert_eq!(team.of_single("", ""), "");
    }
}
