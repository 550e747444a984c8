//! What is looked for: the built-in types, those of the configuration, and names if they are wanted.
//!
//! What a reader could get wrong: one catalog holds for all tenants; what becomes of a find is the tenant's [`super::Profile`].

use regex::{Regex, RegexBuilder};

use super::entity::{Entity, Severity};
use super::span::{self, Span};
use super::{scan, tagger};
use crate::config::file::Pii;

/// Largest compiled pattern of the configuration, in bytes.
const LARGEST_PATTERN: usize = 1 << 20;

/// Everything that is looked for.
#[derive(Debug)]
pub struct Catalog {
    custom: Vec<Custom>,
    /// Names of persons, places and organisations too.
    names: bool,
}

#[derive(Debug)]
struct Custom {
    name: String,
    severity: Severity,
    score: f32,
    pattern: Regex,
}

/// What kind of text it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wording {
    /// Somebody's words: names are looked for.
    Prose,
    /// Identifiers and values: a word that looks like a name is none.
    Values,
}

impl Catalog {
    /// As configured; without a section, the built-in types and names.
    ///
    /// # Errors
    /// A pattern that cannot be compiled, which `check` has told before.
    pub fn build(section: Option<&Pii>) -> Result<Catalog, String> {
        let compile = |custom: &crate::config::file::CustomPii| {
            let pattern = RegexBuilder::new(&custom.pattern).size_limit(LARGEST_PATTERN).build();
            let severity = match custom.severity {
                3 => Severity::Secret,
                2 => Severity::Sensitive,
                _ => Severity::Personal,
            };
            let pattern = pattern.map_err(|e| format!("pii.custom `{}`: {e}", custom.name))?;
            Ok::<_, String>(Custom { name: custom.name.clone(), severity, score: custom.score, pattern })
        };
        let custom = section.into_iter().flat_map(|pii| &pii.custom).map(compile).collect::<Result<_, _>>()?;
        Ok(Catalog { custom, names: section.is_none_or(|pii| pii.names) })
    }

    /// Looks through a text; what it finds overlaps nowhere and is in order.
    pub fn find(&self, text: &str, wording: Wording, found: &mut Vec<Span>) {
        self.find_besides(text, wording, &[], found);
    }

    /// The same with what others have found in it.
    pub fn find_besides(&self, text: &str, wording: Wording, others: &[Span], found: &mut Vec<Span>) {
        found.clear();
        found.extend_from_slice(others);
        scan::scan(text, found);
        for (place, custom) in (Entity::BUILT_IN..).zip(&self.custom) {
            let matches = custom.pattern.find_iter(text).filter(|found| !found.is_empty());
            found.extend(matches.map(|found| Span {
                start: found.start(),
                end: found.end(),
                entity: Entity(place),
                score: custom.score,
                public: false,
            }));
        }
        if self.names && wording == Wording::Prose {
            tagger::tag(text, found);
        }
        span::settle(found);
    }

    /// As in headers, metrics and labels.
    pub fn name(&self, entity: Entity) -> &str {
        match entity.about() {
            Some(about) => about.name,
            None => self.custom(entity).map_or("", |custom| custom.name.as_str()),
        }
    }

    pub fn severity(&self, entity: Entity) -> Severity {
        match entity.about() {
            Some(about) => about.severity,
            None => self.custom(entity).map_or(Severity::None, |custom| custom.severity),
        }
    }

    /// Every type, built-in and configured.
    pub fn entities(&self) -> impl Iterator<Item = Entity> {
        let own = u16::try_from(self.custom.len()).unwrap_or(0);
        (0..Entity::BUILT_IN + own).map(Entity)
    }

    fn custom(&self, entity: Entity) -> Option<&Custom> {
        self.custom.get(usize::from(entity.0.checked_sub(Entity::BUILT_IN)?))
    }
}
