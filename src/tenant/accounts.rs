//! What has been used, by the names of tenant and app: survives reloads, and what is money survives restarts.
//!
//! What a reader could get wrong: a limit that a reload changes begins anew (its meter cannot be rescaled), what is in flight does
//! not; a budget whose sum changes keeps what was spent. A user's meter may be forgotten when there are very many users; the
//! tenant's own limits hold all the same.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use moka::sync::Cache;
use parking_lot::Mutex;

use super::calendar;
use super::meter::Meter;
use super::purse::{Budget, Purse};
use super::shed::Crowd;
use crate::config::file::{self, Limits, Period};
use crate::upstream::price::{NANOS_PER_USD, NanoUsd};

/// Users of one tenant whose meters are kept.
const MAX_USERS: u64 = 100_000;
/// A user who was not seen for so long has nothing left to count: every limit is one of a minute.
const USER_IDLE: Duration = Duration::from_secs(120);

/// Everything that has been used.
#[derive(Debug, Default)]
pub struct Accounts {
    pub crowd: Arc<Crowd>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// By tenant and app; the app is empty for the tenant as a whole.
    meters: HashMap<(String, String), Arc<Meter>>,
    purses: HashMap<PurseKey, Arc<Purse>>,
    users: HashMap<String, Users>,
    own: HashMap<String, Arc<AtomicU32>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct PurseKey {
    tenant: String,
    app: String,
    period: Period,
    zone: Option<String>,
}

/// Asks the ledger what a tenant (and app, unless empty) has spent since a microsecond (Unix).
pub type SpentSince<'a> = dyn Fn(&str, &str, i64) -> Result<NanoUsd, String> + 'a;

/// The meters of a tenant's users.
#[derive(Clone)]
pub struct Users {
    limits: Limits,
    meters: Cache<String, Arc<Meter>>,
}

impl Accounts {
    /// The meter of a tenant or app; `None` where nothing is limited.
    pub fn meter(&self, tenant: &str, app: &str, limits: Limits) -> Option<Arc<Meter>> {
        let key = (tenant.to_owned(), app.to_owned());
        let mut kept = self.kept.lock();
        if limits == Limits::default() {
            kept.meters.remove(&key);
            return None;
        }
        let before = kept.meters.get(&key);
        if let Some(same) = before.filter(|meter| *meter.limits() == limits) {
            return Some(Arc::clone(same));
        }
        let meter = Arc::new(Meter::new(limits, before.map(|before| &**before)));
        kept.meters.insert(key, Arc::clone(&meter));
        Some(meter)
    }

    /// The meters of a tenant's users; `None` where they have no limits.
    pub fn users(&self, tenant: &str, limits: Limits) -> Option<Users> {
        let mut kept = self.kept.lock();
        if limits == Limits::default() {
            kept.users.remove(tenant);
            return None;
        }
        if let Some(same) = kept.users.get(tenant).filter(|users| users.limits == limits) {
            return Some(same.clone());
        }
        let meters = Cache::builder().max_capacity(MAX_USERS).time_to_idle(USER_IDLE).build();
        let users = Users { limits, meters };
        kept.users.insert(tenant.to_owned(), users.clone());
        Some(users)
    }

    /// A tenant's own count of requests at work.
    pub fn own(&self, tenant: &str) -> Arc<AtomicU32> {
        Arc::clone(self.kept.lock().own.entry(tenant.to_owned()).or_default())
    }

    /// The budget of a tenant or app. `now`: microseconds (Unix).
    ///
    /// # Errors
    /// The time zone is unknown, or the ledger cannot say what was spent before.
    pub fn budget(
        &self,
        tenant: &str,
        app: &str,
        budget: &file::Budget,
        now: i64,
        spent_since: &SpentSince<'_>,
    ) -> Result<Budget, String> {
        let zone = calendar::zone(budget.time_zone.as_deref())?;
        let key = PurseKey {
            tenant: tenant.to_owned(),
            app: app.to_owned(),
            period: budget.per,
            zone: budget.time_zone.clone(),
        };
        let kept = self.kept.lock().purses.get(&key).cloned();
        let purse = match kept {
            Some(purse) => purse,
            None => {
                let window = calendar::window(budget.per, &zone, now);
                let spent = spent_since(tenant, app, window.start)?;
                let purse = Arc::new(Purse::new(tenant, app, budget.per, zone, now, spent));
                Arc::clone(self.kept.lock().purses.entry(key).or_insert(purse))
            }
        };
        Ok(Budget { purse, limit: (budget.usd * NANOS_PER_USD).round() as NanoUsd, then: budget.then })
    }
}

impl Users {
    /// The meter of a user.
    pub fn meter(&self, user: &str) -> Arc<Meter> {
        if let Some(meter) = self.meters.get(user) {
            return meter;
        }
        self.meters.get_with(user.to_owned(), || Arc::new(Meter::new(self.limits, None)))
    }
}

impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Users").field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::Then;

    fn budget(usd: f64) -> file::Budget {
        file::Budget { usd, per: Period::Month, then: Then::Reject, time_zone: None }
    }

    #[test]
    fn a_reload_keeps_what_was_used() {
        let accounts = Accounts::default();
        let limits = Limits { requests_per_minute: Some(5), ..Limits::default() };
        let first = accounts.meter("acme", "", limits).unwrap();
        assert!(Arc::ptr_eq(&first, &accounts.meter("acme", "", limits).unwrap()));
        let more = Limits { requests_per_minute: Some(6), ..Limits::default() };
        assert!(!Arc::ptr_eq(&first, &accounts.meter("acme", "", more).unwrap()));
        assert!(accounts.meter("acme", "", Limits::default()).is_none());

        let asked = std::cell::Cell::new(0);
        let spent = |_: &str, _: &str, _: i64| {
            asked.set(asked.get() + 1);
            Ok(7)
        };
        let small = accounts.budget("acme", "", &budget(1.0), 0, &spent).unwrap();
        let large = accounts.budget("acme", "", &budget(2.5), 0, &spent).unwrap();
        assert!(Arc::ptr_eq(&small.purse, &large.purse), "a larger budget is the same purse");
        assert_eq!((large.limit, large.purse.balance(0).spent, asked.get()), (2_500_000_000, 7, 1));
    }

    #[test]
    fn a_ledger_that_cannot_say_what_was_spent_is_an_error() {
        let refused = Accounts::default().budget("acme", "", &budget(1.0), 0, &|_, _, _| Err("no database".into()));
        assert_eq!(refused.unwrap_err(), "no database");
    }

    #[test]
    fn each_user_has_a_meter_of_his_own() {
        let limits = Limits { in_flight: Some(1), ..Limits::default() };
        let users = Accounts::default().users("acme", limits).unwrap();
        assert!(Arc::ptr_eq(&users.meter("a"), &users.meter("a")));
        assert!(!Arc::ptr_eq(&users.meter("a"), &users.meter("b")));
    }
}
