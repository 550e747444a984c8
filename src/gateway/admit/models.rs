//! Which models a key may ask for, which paths, and what it may see of what its tenant keeps here.
//!
//! What a reader could get wrong: a key may have a list of its own besides its tenant's; both must have the model.

use super::Admission;
use crate::config::file::Privacy;
use crate::error::{Error, Kind, Result};
use crate::gateway::decide;
use crate::gateway::record::Record;
use crate::signals::Hints;
use crate::signals::hints::PrivacyHint;
use crate::state::Snapshot;

/// Whether the key may ask for this model. Answers 403, not 404: it exists, and the operator can allow it.
pub fn may_ask(model: &str, record: &Record) -> Result<()> {
    let Some(known) = &record.admission.known else { return Ok(()) };
    let lists = [&known.tenant.models, &known.models];
    if lists.into_iter().flatten().all(|list| list.contains(model)) {
        return Ok(());
    }
    Err(may_not_ask(model))
}

fn may_not_ask(model: &str) -> Error {
    let shown: String = model.chars().take(100).collect();
    let message = format!("this key may not ask for the model `{shown}`; GET /v1/models lists what it may ask for");
    Error::client(Kind::ModelNotAllowed, message).with_param("model")
}

/// Why a tenant cannot ask for this model later, in whose name and with which list of a key's; `None`: he can.
pub fn refuses(snapshot: &Snapshot, tenant: &str, key: Option<&[String]>, model: &str) -> Option<Error> {
    if let Err(unknown) = decide::route(snapshot, model) {
        return Some(unknown);
    }
    let found = snapshot.tenants.named(tenant);
    let own = found.as_ref().and_then(|tenant| tenant.models.as_ref());
    let allowed = own.is_none_or(|list| list.contains(model)) && key.is_none_or(|list| list.iter().any(|m| m == model));
    (!allowed).then(|| may_not_ask(model))
}

/// The tier of what a tenant asks for later, with these hints. `app`: in whose name, where the hints name nobody.
pub fn tier(snapshot: &Snapshot, tenant: &str, app: Option<&str>, hints: &Hints) -> Privacy {
    let found = snapshot.tenants.named(tenant);
    let app = hints.app.as_deref().or(app);
    let app = found.as_ref().zip(app).and_then(|(tenant, app)| tenant.apps.get(app)).and_then(|app| app.privacy);
    let own = found.as_ref().map_or(Privacy::default(), |tenant| tenant.privacy);
    own.max(app.unwrap_or_default()).max(hints.privacy.map_or(Privacy::default(), PrivacyHint::tier))
}

/// Whether the key may use a passed-through endpoint that may cost. Nothing is read of what is passed through, so a list of models cannot be
/// held against it: whoever has one must have the path in it (`/v1/images`).
pub fn may_pass(path: &str, record: &Record) -> Result<()> {
    let Some(known) = &record.admission.known else { return Ok(()) };
    let lists = [&known.tenant.models, &known.models];
    let allows = |list: &std::collections::HashSet<String>| {
        list.iter().any(|entry| entry.starts_with("/v1/") && path.starts_with(entry.as_str()))
    };
    if lists.into_iter().flatten().all(allows) {
        return Ok(());
    }
    let shown: String = path.chars().take(100).collect();
    let message = format!("this key may ask for some models only, and `{shown}` is passed through unread");
    Err(Error::client(Kind::ModelNotAllowed, message))
}

/// What a key may see of what its tenant keeps here: everything, or what was asked for in the name of the app that it is bound to.
#[derive(Debug, Clone)]
pub struct Sight(Option<String>);

impl Sight {
    /// Whether it may see what was asked for in the name of this app.
    pub fn sees(&self, app: Option<&str>) -> bool {
        self.0.is_none() || self.0.as_deref() == app
    }
}

impl Admission {
    /// What the key may ask for, where that is less than its tenant may.
    pub fn key_models(&self) -> Option<Vec<String>> {
        let models = self.known.as_ref()?.models.as_ref()?;
        Some(models.iter().cloned().collect())
    }

    /// What of its tenant's the key may see.
    pub fn sight(&self) -> Sight {
        Sight(self.known.as_ref().and_then(|known| known.app.clone()))
    }
}
