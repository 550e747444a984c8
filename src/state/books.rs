//! The books: the journal of this process, and what is made from it (ledger, audit chain) by the bookkeeper.
//!
//! What a reader could get wrong: a request only ever touches the journal. The bookkeeper reads what has become durable from disk, so
//! that a slow database costs disk space and nothing else, and what was in its hands when the process died is read again.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bookkeeper::Bookkeeper;
use crate::audit::{self, HashKey};
use crate::config::file::{self, File};
use crate::error::{Error, Kind, Result};
use crate::ledger;
use crate::ledger::entry::SHADOW;
use crate::ledger::journal::{self, Full, Journal, Slot};
use crate::ledger::query::{self, Dimension, Query};
use crate::ledger::store;
use crate::ledger::store::records::{self, Feedback, Which};
use crate::tenant::Reservation;
use crate::upstream::price::{NANOS_PER_USD, NanoUsd};

/// What requests see of the books.
pub struct Books {
    journal: Arc<Journal<Reservation>>,
    /// Keyed for this data directory; `None`: the audit chain is off.
    texts: Option<HashKey>,
    dir: PathBuf,
    /// `None`: the ledger is off.
    ledger: Option<store::Settings>,
    bookkeeper: Bookkeeper,
}

impl Books {
    /// Opens what the configuration asks for; `None`: neither ledger nor audit chain is on. Journals that dead processes have left are
    /// taken over by the bookkeeper.
    ///
    /// # Errors
    /// The data directory cannot be used, for people.
    pub fn open(file: &File, data_dir: &Path, workers: usize) -> Result<Option<Books>, String> {
        let ledger = store::Settings::new(&file.ledger, data_dir)?;
        if ledger.is_none() && file.audit.is_none() {
            return Ok(None);
        }
        let audit = file.audit.as_ref().map(audit_settings);
        let opened = audit.as_ref().map(|_| HashKey::open(&data_dir.join(AUDIT))).transpose();
        let texts = opened.map_err(|e| format!("the audit chain: {e}"))?;
        let dir = data_dir.join("journal");
        let opened = Journal::open(journal::Settings::new(&dir, workers));
        let journal = Arc::new(opened.map_err(|e| format!("the journal in {} cannot be opened: {e}", dir.display()))?);
        let bookkeeper = Bookkeeper::start(Arc::clone(&journal), data_dir, ledger.clone(), audit)?;
        Ok(Some(Books { journal, texts, dir, ledger, bookkeeper }))
    }

    /// Whether another request can be recorded. If not it must not be let in.
    pub fn has_room(&self) -> Result<()> {
        self.journal.has_room().map_err(full)
    }

    pub fn boot(&self) -> u64 {
        self.journal.boot()
    }

    /// A request's number.
    pub fn next_number(&self, worker: usize) -> u64 {
        self.journal.next_number(worker)
    }

    /// Writes down what is to be recorded if the process dies now.
    pub fn begin(&self, worker: usize, entry: &ledger::Entry<'_>) -> Result<Slot> {
        self.journal.begin(worker, entry).map_err(full)
    }

    /// The same anew.
    pub fn amend(&self, slot: &Slot, entry: &ledger::Entry<'_>) {
        self.journal.amend(slot, entry);
    }

    /// The end of a request. The reservation is settled once the entry is durable.
    pub fn finish(&self, worker: usize, slot: Option<Slot>, entry: &ledger::Entry<'_>, reservation: Reservation) {
        let keep = Some(reservation).filter(|reservation| !reservation.is_empty());
        if let (Some(slot), true) = (&slot, keep.is_some()) {
            // Until the journal's thread has it, the slot stands for it: with the true cost where money counts.
            self.journal.amend(slot, entry);
        }
        self.journal.finish(worker, slot, entry, keep);
    }

    /// What texts are hashed with; `None`: the audit chain is off.
    pub fn texts(&self) -> Option<&HashKey> {
        self.texts.as_ref()
    }

    /// What tenants and apps have spent, as database and journals say. Remembers what it has asked.
    pub fn spending(&self) -> Spending<'_> {
        Spending { books: self, asked: RefCell::default() }
    }

    /// `GET /api/usage`: content type and body.
    ///
    /// # Errors
    /// The question cannot be read, or the books cannot.
    pub fn usage(&self, parameters: &str) -> Result<(&'static str, String), String> {
        let settings = self.ledger.as_ref().ok_or("the ledger is off")?;
        let now = jiff::Timestamp::now().as_microsecond();
        apart(|| {
            let tail = journal::pending_tail(&self.dir).map_err(|e| format!("the journal cannot be read: {e}"))?;
            query::usage_json(settings, parameters, now, |after, each| tail.read(after, each))
                .map_err(|e| e.to_string())
        })
    }

    /// Requests are recorded in a ledger.
    pub fn has_ledger(&self) -> bool {
        self.ledger.is_some()
    }

    /// Finished requests.
    ///
    /// # Errors
    /// The books cannot be read; the same below.
    pub fn latest(&self, which: &Which) -> Result<Vec<serde_json::Value>, String> {
        let Some(settings) = &self.ledger else { return Ok(vec![]) };
        apart(|| records::latest(settings, which).map_err(|e| e.to_string()))
    }

    /// One finished request, by its id.
    pub fn one(&self, request_id: &str) -> Result<Option<serde_json::Value>, String> {
        let Some(settings) = &self.ledger else { return Ok(None) };
        apart(|| records::one(settings, request_id).map_err(|e| e.to_string()))
    }

    /// Keeps what was said of an answer.
    pub fn keep(&self, feedback: &Feedback) -> Result<(), String> {
        let Some(settings) = &self.ledger else { return Ok(()) };
        apart(|| records::keep(settings, feedback).map_err(|e| e.to_string()))
    }

    /// What a route's cloud attempts have cost since a microsecond (Unix).
    ///
    /// # Errors
    /// The books cannot be read.
    pub fn spent_in_cloud(&self, route: &str, since: i64) -> Result<NanoUsd, String> {
        let Some(settings) = &self.ledger else { return Ok(0) };
        let by = vec![Dimension::Route, Dimension::Placement, Dimension::Role];
        let lines = apart(|| self.costs(settings, by, since))?;
        let is_its_own =
            |group: &[String]| matches!(group, [r, p, role] if r == route && p == "cloud" && role != SHADOW);
        let of = lines.iter().filter(|(group, _)| is_its_own(group));
        Ok(of.map(|(_, cost)| *cost).sum())
    }

    /// Bytes in memory, bytes on disk that are in no book yet, failed writes.
    pub fn condition(&self) -> (usize, u64, u64) {
        (self.journal.pending_bytes(), self.journal.backlog_bytes(), self.journal.write_failures())
    }

    /// Writes everything out and ends the bookkeeper. What comes after it is refused.
    pub fn close(&self) {
        if !self.journal.close() {
            tracing::error!("the journal could not be written to its end: look for a full or failed disk of data_dir");
        }
        self.bookkeeper.finish();
    }
}

/// Sums by tenant and app, per beginning of a period.
type Sums = HashMap<(String, String), NanoUsd>;

/// Asks the books once per beginning of a period.
pub struct Spending<'b> {
    books: &'b Books,
    asked: RefCell<HashMap<i64, Sums>>,
}

impl Spending<'_> {
    /// What a tenant (and app, unless empty) has spent since a microsecond (Unix).
    ///
    /// # Errors
    /// The books cannot be read.
    pub fn since(&self, tenant: &str, app: &str, since: i64) -> Result<NanoUsd, String> {
        let Some(settings) = &self.books.ledger else { return Ok(0) };
        let mut asked = self.asked.borrow_mut();
        let sums = match asked.entry(since) {
            Entry::Occupied(sums) => sums.into_mut(),
            Entry::Vacant(vacant) => vacant.insert(apart(|| self.books.sums(settings, since))?),
        };
        let of = sums.iter().filter(|((whose, of), _)| whose == tenant && (app.is_empty() || of == app));
        Ok(of.map(|(_, spent)| *spent).sum())
    }
}

impl Books {
    fn sums(&self, settings: &store::Settings, since: i64) -> Result<Sums, String> {
        let lines = self.costs(settings, vec![Dimension::Tenant, Dimension::App, Dimension::Role], since)?;
        let mut sums = Sums::new();
        for (group, cost) in lines {
            // Copies to a shadow are charged to nobody's budget.
            if let [tenant, app, role] = group.as_slice()
                && role != SHADOW
            {
                *sums.entry((tenant.clone(), app.clone())).or_default() += cost;
            }
        }
        Ok(sums)
    }

    /// The cost of each group since a microsecond (Unix).
    fn costs(
        &self,
        settings: &store::Settings,
        by: Vec<Dimension>,
        since: i64,
    ) -> Result<Vec<(Vec<String>, NanoUsd)>, String> {
        let query = Query { by, since: Some(since), ..Query::default() };
        let tail = journal::pending_tail(&self.dir).map_err(|e| format!("the journal cannot be read: {e}"))?;
        let asked = query::ask(settings, &query, |after, each| tail.read(after, each));
        let answer = asked.map_err(|e| format!("what was spent before cannot be told: {e}"))?.answer;
        let line = |line: query::Line| {
            let cost = line.totals.get(store::Figure::Cost);
            (line.group.into_iter().collect(), cost)
        };
        Ok(answer.lines.into_iter().map(line).collect())
    }
}

/// The audit chain's folder in `data_dir`.
pub const AUDIT: &str = "audit";

fn audit_settings(section: &file::Audit) -> audit::Settings {
    let default = audit::Settings::default();
    audit::Settings {
        checkpoint_every: section.checkpoint_every.unwrap_or(default.checkpoint_every),
        segment_records: section.segment_records.unwrap_or(default.segment_records),
        key: section.key.as_ref().and_then(|key| audit::key::parse(key.expose().trim())),
        keep: section.keep.map(|keep| keep.0),
    }
}

/// On a thread of its own: the database's driver has a runtime inside and must not run within another.
fn apart<T: Send>(work: impl FnOnce() -> Result<T, String> + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let done = scope.spawn(work).join();
        done.unwrap_or_else(|_| Err("the thread that asks the books has panicked; this is a bug".into()))
    })
}

fn full(full: Full) -> Error {
    let message = "the gateway cannot record requests fast enough; try again in a moment";
    Error::gateway(Kind::Overloaded, message).with_source(full)
}

/// US dollars as the admin API and logs show them.
pub fn usd(nanos: NanoUsd) -> f64 {
    nanos as f64 / NANOS_PER_USD
}

impl std::fmt::Debug for Books {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Books").field("boot", &self.boot()).finish_non_exhaustive()
    }
}
