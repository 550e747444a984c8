//! Deferred work is let in as the tenant who asked for it, without his key.
//!
//! What a reader could get wrong: limits and budgets are his own as for any request, but it is of low priority, whatever his is.

use std::sync::Arc;

use super::meter_in;
use crate::config::file::Priority;
use crate::error::{Error, Kind, Result};
use crate::gateway::record::Record;
use crate::signals::hints::PlacementHint;
use crate::state::Snapshot;
use crate::tenant::Known;

/// What deferred work adds to who asks.
#[derive(Debug)]
pub struct Work {
    /// The job, for the records' tags.
    pub job: String,
    /// Where it has to run.
    pub placement: Option<PlacementHint>,
}

/// Whether deferred work of a tenant may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Free,
    /// More than half of a limit is used up: the rest is for requests that somebody waits for.
    Busy,
    /// He is not configured (any more).
    NoTenant,
}

/// Looks, and takes nothing.
pub fn way(snapshot: &Snapshot, tenant: &str, app: Option<&str>, user: Option<&str>) -> Way {
    if snapshot.tenants.is_empty() && tenant.is_empty() {
        return Way::Free;
    }
    let Some(tenant) = snapshot.tenants.named(tenant) else { return Way::NoTenant };
    let user = tenant.users.as_ref().zip(user).map(|(users, user)| users.meter(user));
    let app = app.and_then(|app| tenant.apps.get(app)).and_then(|app| app.meter.clone());
    let has_room = user.into_iter().chain(app).chain(tenant.meter.clone()).all(|meter| meter.is_half_free());
    if has_room { Way::Free } else { Way::Busy }
}

/// The head of deferred work: whoever asked for it showed his key then. It is of low priority, and tenants, limits and budgets are
/// those of now.
pub fn enter_as(tenant: &str, app: Option<&str>, user: Option<&str>, work: Work, record: &mut Record) -> Result<()> {
    if let Some(books) = &record.shared().durable.books {
        books.has_room()?;
    }
    record.admission.work = Some(Box::new(work));
    record.admission.user = user.map(str::to_owned);
    let snapshot = Arc::clone(&record.snapshot);
    if snapshot.tenants.is_empty() && tenant.is_empty() {
        record.admission.app = app.map(str::to_owned);
        return Ok(());
    }
    let found = snapshot.tenants.named(tenant);
    let tenant =
        found.ok_or_else(|| Error::client(Kind::InvalidKey, "the tenant who asked is not configured any more"))?;
    record.admission.known = Some(Arc::new(Known::of(&tenant)));
    let crowd = &record.shared().durable.accounts.crowd;
    let own = tenant.own.load(std::sync::atomic::Ordering::Relaxed);
    if !crowd.admits(own, Priority::Low, snapshot.server.max_in_flight) {
        return Err(Error::gateway(Kind::Overloaded, "the gateway is working on as much as it can"));
    }
    let member = crowd.join(&tenant.own);
    record.admission._member = Some(member);
    record.admission.name_app(app.map(str::to_owned))?;
    meter_in(record)
}
