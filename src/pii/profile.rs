//! What becomes of each type for one tenant: the modes, where they hold, whether values are put back.
//!
//! What a reader could get wrong: without a `pii` section a profile hides nothing on its own account, but a `no-retention` request goes by its modes all the
//! same: personal data is hidden before the cloud.

use super::catalog::Catalog;
use super::entity::{Entity, Severity};
use crate::config::file::{Pii, PiiMode, Placement, TenantPii};

/// One tenant's (or nobody's) rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// By the entity's place; the second: names that everyone knows are treated like the others.
    modes: Vec<(PiiMode, bool)>,
    edge: bool,
    cloud: bool,
    pub restore: bool,
    /// There is a `pii` section: every request that may go to one of its placements is looked through.
    pub is_on: bool,
}

impl Profile {
    /// `section`: the configuration's; `own`: the tenant's.
    pub fn build(catalog: &Catalog, section: Option<&Pii>, own: Option<&TenantPii>) -> Profile {
        let listed = own.and_then(|own| own.redact.as_ref()).or(section.and_then(|pii| pii.redact.as_ref()));
        let mode = |entity: Entity| {
            let name = catalog.name(entity);
            let said = own.and_then(|own| own.modes.get(name)).or(section.and_then(|pii| pii.modes.get(name)));
            let is_listed = listed.is_some_and(|listed| listed.iter().any(|listed| listed == name));
            let mode = match (said, listed) {
                (Some(mode), _) => *mode,
                (None, _) if is_listed => PiiMode::Redact,
                (None, _) if catalog.severity(entity) == Severity::Secret => PiiMode::Block,
                (None, None) if !entity.about().is_some_and(|about| about.if_listed) => PiiMode::Redact,
                _ => PiiMode::Allow,
            };
            (mode, said.is_some() || is_listed)
        };
        let placements = section.map_or(&[Placement::Cloud][..], |pii| &pii.placements);
        Profile {
            modes: catalog.entities().map(mode).collect(),
            edge: placements.contains(&Placement::Edge),
            cloud: placements.contains(&Placement::Cloud),
            restore: own.and_then(|own| own.restore).unwrap_or_else(|| section.is_none_or(|pii| pii.restore)),
            is_on: section.is_some(),
        }
    }

    /// What becomes of a find. `public`: a name that everyone knows, treated like the others only where its type is named.
    pub fn mode(&self, entity: Entity, public: bool) -> PiiMode {
        match self.modes.get(usize::from(entity.0)) {
            Some((_, false)) if public => PiiMode::Allow,
            Some((mode, _)) => *mode,
            None => PiiMode::Allow,
        }
    }

    /// Whether a request bound for there is redacted. `no_retention`: the tier asks for it before the cloud, whatever is configured.
    pub fn holds_for(&self, placement: Placement, no_retention: bool) -> bool {
        match placement {
            Placement::Edge => self.is_on && self.edge,
            Placement::Cloud => self.is_on && self.cloud || no_retention,
        }
    }
}
