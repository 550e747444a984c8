//! Where a request is to run, as tenant, app and request say, in that order.
//!
//! What a reader could get wrong: what one of them forbids (`only-edge`, `only-cloud`) no later one allows again; of two that exclude
//! each other nothing is left, and the error names who forbids what. A preference is replaced by a later one.

use super::Hints;
use super::hints::PlacementHint;
use crate::config::file::{Placement, PlacementWish};

/// What they come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wish {
    /// Who said `only-edge` first.
    pub only_edge: Option<Who>,
    /// Who said `only-cloud` first.
    pub only_cloud: Option<Who>,
    /// Targets of this placement come first.
    pub prefers: Option<Placement>,
}

/// Who says where a request runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The tenant's section.
    Tenant,
    /// The app's section.
    App,
    /// The request's own hint.
    Request,
}

impl Wish {
    /// What the request alone says.
    pub fn of_request(hints: &Hints) -> Wish {
        Wish::default().then(Who::Request, hints.placement)
    }

    /// With what the next one says. Tenant, app, request: in this order.
    pub fn then(mut self, who: Who, said: Option<PlacementHint>) -> Wish {
        match said {
            None => {}
            Some(PlacementHint::OnlyEdge) => self.only_edge = self.only_edge.or(Some(who)),
            Some(PlacementHint::OnlyCloud) => self.only_cloud = self.only_cloud.or(Some(who)),
            Some(PlacementHint::PreferEdge) => self.prefers = Some(Placement::Edge),
            Some(PlacementHint::PreferCloud) => self.prefers = Some(Placement::Cloud),
        }
        self
    }

    /// Who forbids to run there, if somebody does.
    pub fn forbids(self, placement: Placement) -> Option<Who> {
        match placement {
            Placement::Edge => self.only_cloud,
            Placement::Cloud => self.only_edge,
        }
    }

    /// It forbids a placement, not only prefers one.
    pub fn is_strict(self) -> bool {
        self.only_edge.is_some() || self.only_cloud.is_some()
    }
}

impl From<PlacementWish> for PlacementHint {
    fn from(wish: PlacementWish) -> PlacementHint {
        match wish {
            PlacementWish::OnlyEdge => PlacementHint::OnlyEdge,
            PlacementWish::PreferEdge => PlacementHint::PreferEdge,
            PlacementWish::PreferCloud => PlacementHint::PreferCloud,
            PlacementWish::OnlyCloud => PlacementHint::OnlyCloud,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(list: [Option<PlacementHint>; 3]) -> Wish {
        let [tenant, app, request] = list;
        Wish::default().then(Who::Tenant, tenant).then(Who::App, app).then(Who::Request, request)
    }

    #[test]
    fn what_is_forbidden_stays_so_and_the_last_preference_counts() {
        use PlacementHint::*;
        let wish = said([Some(OnlyEdge), Some(PreferCloud), None]);
        assert_eq!((wish.forbids(Placement::Cloud), wish.forbids(Placement::Edge)), (Some(Who::Tenant), None));
        let wish = said([Some(OnlyEdge), Some(OnlyCloud), Some(OnlyEdge)]);
        assert_eq!((wish.only_edge, wish.only_cloud), (Some(Who::Tenant), Some(Who::App)));
        assert_eq!(said([Some(PreferEdge), Some(PreferCloud), None]).prefers, Some(Placement::Cloud));
        assert_eq!(said([Some(PreferEdge), None, None]).prefers, Some(Placement::Edge));
        assert!(!said([Some(PreferEdge), None, None]).is_strict());
        assert_eq!(said([None; 3]), Wish::default());
    }
}
