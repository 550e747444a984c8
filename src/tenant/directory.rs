//! The tenants of a configuration, found by the hash of a key.
//!
//! What a reader could get wrong: a key that has expired or belongs to nobody gets the same status; only the message differs, and it says
//! nothing that somebody without a key could use.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use jiff::civil::Date;

use super::accounts::{Accounts, SpentSince, Users};
use super::key::{self, Form, KeyHash};
use super::meter::Meter;
use super::purse::Budget;
use crate::config::file::{self, PlacementWish, Priority, Privacy};

/// Who may ask. Empty: nobody is asked for a key.
#[derive(Debug, Default)]
pub struct Directory {
    tenants: Vec<Arc<Tenant>>,
    by_key: HashMap<KeyHash, Arc<Known>>,
}

/// A tenant as the configuration has him, with what he has used.
#[derive(Debug)]
pub struct Tenant {
    pub name: String,
    /// Its place in the configuration, from 1: for metric handles. 0 is nobody.
    pub index: usize,
    pub privacy: Privacy,
    pub regions: Option<Vec<String>>,
    /// Routes, aliases and models that may be asked for.
    pub models: Option<HashSet<String>>,
    pub meter: Option<Arc<Meter>>,
    pub users: Option<Users>,
    pub budget: Option<Budget>,
    /// By name; if there are any, others are refused.
    pub apps: HashMap<String, App>,
    pub priority: Priority,
    /// Where its requests are to run.
    pub placement: Option<PlacementWish>,
    /// In place of the routes' thresholds, 0 to 1.
    pub threshold: Option<f64>,
    /// Requests at work.
    pub own: Arc<AtomicU32>,
}

/// An app of a tenant.
#[derive(Debug)]
pub struct App {
    pub meter: Option<Arc<Meter>>,
    pub budget: Option<Budget>,
    /// Beside the tenant's: the stricter counts.
    pub privacy: Option<Privacy>,
    /// Among what the tenant's leaves.
    pub placement: Option<PlacementWish>,
    /// In place of the tenant's.
    pub threshold: Option<f64>,
}

/// A key that is known.
#[derive(Debug)]
pub struct Known {
    hash: KeyHash,
    pub tenant: Arc<Tenant>,
    /// The last day (UTC).
    until: Option<Date>,
    /// The app that the key belongs to.
    pub app: Option<String>,
    /// Routes, aliases and models that the key may ask for.
    pub models: Option<HashSet<String>>,
}

/// Why a key is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// It is in no tenant's list.
    Key(Form),
    /// Its last day is over.
    Expired(Date),
}

impl Directory {
    /// Builds it from the configuration. `now`: microseconds (Unix).
    ///
    /// # Errors
    /// A tenant's section cannot be used: a hash is malformed, the ledger cannot be asked.
    pub fn build(
        file: &file::File,
        accounts: &Accounts,
        now: i64,
        spent_since: &SpentSince<'_>,
    ) -> Result<Directory, String> {
        let mut directory = Directory::default();
        for (index, (name, section)) in file.tenants.iter().enumerate() {
            let tenant = tenant(name, index + 1, section, accounts, now, spent_since);
            let tenant = Arc::new(tenant.map_err(|e| format!("tenants.{name}: {e}"))?);
            for key in &section.keys {
                let hash =
                    KeyHash::parse(key.hash()).ok_or_else(|| format!("tenants.{name}: a key's hash is malformed"))?;
                directory.by_key.insert(hash, Arc::new(known(hash, key, &tenant)));
            }
            directory.tenants.push(tenant);
        }
        Ok(directory)
    }

    /// Nobody is asked for a key.
    pub fn is_empty(&self) -> bool {
        self.tenants.is_empty()
    }

    pub fn tenants(&self) -> &[Arc<Tenant>] {
        &self.tenants
    }

    /// The tenant of that name.
    pub fn named(&self, name: &str) -> Option<Arc<Tenant>> {
        self.tenants.iter().find(|tenant| tenant.name == name).cloned()
    }

    /// Whose key it is. `today` in UTC is asked for only where the key expires.
    ///
    /// # Errors
    /// It is nobody's, or no longer valid.
    pub fn find(&self, key: &[u8], today: impl FnOnce() -> Date) -> Result<&Arc<Known>, Unknown> {
        let hash = KeyHash::of(key);
        // The table compares hashes only, which tell nothing of a key; the last word has a comparison of constant time.
        let known = self.by_key.get(&hash).filter(|known| known.hash.matches(&hash));
        let Some(known) = known else {
            return Err(Unknown::Key(std::str::from_utf8(key).map_or(Form::Foreign, key::form)));
        };
        match known.until {
            Some(until) if today() > until => Err(Unknown::Expired(until)),
            _ => Ok(known),
        }
    }
}

impl Known {
    /// A tenant without a key of his: for work that he asked for earlier. What his key forbade was refused then.
    pub fn of(tenant: &Arc<Tenant>) -> Known {
        let hash = KeyHash::of(b"");
        Known { hash, tenant: Arc::clone(tenant), until: None, app: None, models: None }
    }
}

fn tenant(
    name: &str,
    index: usize,
    section: &file::Tenant,
    accounts: &Accounts,
    now: i64,
    spent_since: &SpentSince<'_>,
) -> Result<Tenant, String> {
    let budget = |app: &str, budget: &Option<file::Budget>| {
        let made = budget.as_ref().map(|budget| accounts.budget(name, app, budget, now, spent_since));
        made.transpose().map_err(|e| format!("budget: {e}"))
    };
    let mut apps = HashMap::with_capacity(section.apps.len());
    for (app, raw) in &section.apps {
        let built = App {
            meter: accounts.meter(name, app, raw.limits),
            budget: budget(app, &raw.budget)?,
            privacy: raw.privacy,
            placement: raw.placement,
            threshold: raw.threshold,
        };
        apps.insert(app.clone(), built);
    }
    Ok(Tenant {
        name: name.to_owned(),
        index,
        privacy: section.privacy,
        regions: section.regions.clone(),
        models: section.models.as_ref().map(|models| models.iter().cloned().collect()),
        meter: accounts.meter(name, "", section.limits),
        users: accounts.users(name, section.user_limits),
        budget: budget("", &section.budget)?,
        apps,
        priority: section.priority,
        placement: section.placement,
        threshold: section.threshold,
        own: accounts.own(name),
    })
}

fn known(hash: KeyHash, key: &file::Key, tenant: &Arc<Tenant>) -> Known {
    let (until, app, models) = match key {
        file::Key::Hash(_) => (None, None, None),
        file::Key::With(with) => (with.until, with.app.clone(), with.models.clone()),
    };
    Known { hash, tenant: Arc::clone(tenant), until, app, models: models.map(|models| models.into_iter().collect()) }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn directory(keys: &[(&str, Option<Date>)]) -> Directory {
        let key = |(text, until): &(&str, Option<Date>)| {
            let hash = KeyHash::of(text.as_bytes()).to_string();
            file::Key::With(file::KeyWith { hash, until: *until, app: None, models: None })
        };
        let section = file::Tenant { keys: keys.iter().map(key).collect(), ..file::Tenant::default() };
        let tenant = Arc::new(tenant("acme", 1, &section, &Accounts::default(), 0, &|_, _, _| Ok(0)).unwrap());
        let by_key = section.keys.iter().map(|key| {
            let hash = KeyHash::parse(key.hash()).unwrap();
            (hash, Arc::new(known(hash, key, &tenant)))
        });
        Directory { by_key: by_key.collect(), tenants: vec![tenant] }
    }

    #[test]
    fn two_keys_are_one_tenant_and_an_old_one_ends_with_its_day() {
        let directory = directory(&[("new", None), ("old", Some(date(2026, 6, 30)))]);
        let find = |key: &str, today| directory.find(key.as_bytes(), || today).map(|known| known.tenant.name.as_str());
        assert_eq!(find("new", date(2030, 1, 1)), Ok("acme"));
        assert_eq!(find("old", date(2026, 6, 30)), Ok("acme"));
        assert_eq!(find("old", date(2026, 7, 1)), Err(Unknown::Expired(date(2026, 6, 30))));
        assert_eq!(find("other", date(2026, 1, 1)), Err(Unknown::Key(Form::Foreign)));
        assert_eq!(find("sk-tg-12", date(2026, 1, 1)), Err(Unknown::Key(Form::Damaged)));
    }
}
