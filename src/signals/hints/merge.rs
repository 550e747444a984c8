//! Headers and body together: the header wins, except where one of the two is tighter.
//!
//! What a reader could get wrong: a proxy may set headers to hold its clients to something, and a client may ask for more than its
//! proxy does; whichever forbids more holds, so neither can loosen the other.

use super::{CacheHint, Hints, MAX_TAGS, PrivacyHint, bad};
use crate::error::Result;

impl Hints {
    /// These hints, from the headers, over those of the body. `InvalidRequest` where the two contradict each other (`only-edge`
    /// and `only-cloud`) or have more than [`MAX_TAGS`] tags together.
    pub fn merge(self, body: Hints) -> Result<Hints> {
        let placement = match (self.placement, body.placement) {
            (Some(header), Some(body)) if header.is_strict() && body.is_strict() && header != body => {
                let message = format!(
                    "x-tidegate-placement is {} and tidegate.placement is {}: nothing can serve both",
                    header.name(),
                    body.name()
                );
                return Err(bad("tidegate.placement", message));
            }
            (Some(header), Some(body)) if body.is_strict() && !header.is_strict() => Some(body),
            (header, body) => header.or(body),
        };
        let mut tags = self.tags;
        for (key, value) in body.tags {
            if tags.iter().all(|(known, _)| *known != key) {
                tags.push((key, value));
            }
        }
        if tags.len() > MAX_TAGS {
            let message = format!("x-tidegate-tags and tidegate.tags hold more than {MAX_TAGS} tags together");
            return Err(bad("tidegate.tags", message));
        }
        Ok(Hints {
            placement,
            privacy: tightest(&PrivacyHint::ALL, self.privacy, body.privacy),
            cache: tightest(&CacheHint::ALL, self.cache, body.cache),
            mode: self.mode.or(body.mode),
            deadline_ms: self.deadline_ms.or(body.deadline_ms),
            app: self.app.or(body.app),
            user: self.user.or(body.user),
            tags,
        })
    }
}

/// The first of `order` that either asks for. `PlacementHint` has no such order: it is no scale.
fn tightest<T: Copy + PartialEq>(order: &[T], a: Option<T>, b: Option<T>) -> Option<T> {
    order.iter().copied().find(|hint| a == Some(*hint) || b == Some(*hint))
}
