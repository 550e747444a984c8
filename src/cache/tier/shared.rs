//! Entries in a Redis or Valkey that replicas share: asked within a deadline of a few milliseconds, written in the background.
//!
//! What a reader could get wrong: nothing here fails or holds up a request. Down, slow, full, wrong password, wrong data: each is a miss
//! with a name of its own in the figures. What Redis holds is sealed, and its keys are hashes under the secret, so replicas that are to
//! share answers must have the same secret file.

mod address;
mod link;
mod marks;
mod writer;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use redis::Value;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::figures::{Figures, Outcome, Write};
use super::room::Room;
use super::seal::{Marks, OVERHEAD, Place, Seal};
use super::{Kept, Key, Purge, now_us};
use crate::task;
use link::{Link, Up};
use marks::{Known, Names};
use writer::Job;

/// Jobs and bytes that may wait to be written.
const QUEUE: usize = 1_024;
const QUEUE_BYTES: u64 = 32 << 20;
/// All lookups share one connection: what one brings, the next waits for.
const LARGEST: usize = 1 << 20;

/// How the shared tier is asked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a lookup may take.
    pub deadline: Duration,
    /// What names in Redis begin with.
    pub prefix: String,
    /// Failures in a row after which the server counts as down.
    pub failures: u32,
    /// How long a server that is down is left alone.
    pub pause: Duration,
}

impl Default for Settings {
    /// 5 ms: a tenth of what the fastest upstream takes, a hundred times a loopback's round trip.
    fn default() -> Settings {
        let (deadline, pause) = (Duration::from_millis(5), Duration::from_secs(1));
        Settings { deadline, prefix: "tg1:".to_owned(), failures: 5, pause }
    }
}

/// The tier that replicas share.
pub struct Shared {
    inner: Arc<Inner>,
    jobs: mpsc::Sender<Job>,
    room: Arc<Room>,
    driver: JoinHandle<()>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

struct Inner {
    seal: Arc<Seal>,
    link: Arc<Link>,
    names: Names,
    known: Known,
    figures: Figures,
    epoch: String,
    settings: Settings,
}

impl Shared {
    /// Begins to connect, and to connect again whenever the connection is lost; everything runs on `runtime`. The URL as Redis clients
    /// take it: `redis://`, `rediss://` (TLS), `unix://`, with user, password and database number.
    ///
    /// # Errors
    /// The URL cannot be read; as a text for people, without the URL. A server that cannot be reached is none.
    pub fn connect(url: &str, seal: Arc<Seal>, settings: Settings, runtime: &Handle) -> Result<Shared, String> {
        let client = address::parse(url)?;
        let names = Names::new(&settings.prefix, Arc::clone(&seal));
        let (link, known, figures) = (Link::new(settings.failures), Known::default(), Figures::default());
        let inner = Arc::new(Inner { seal, link, epoch: names.epoch(), names, known, figures, settings });
        let (jobs, queue) = mpsc::channel(QUEUE);
        let _on = runtime.enter();
        let settings = &inner.settings;
        let drive = Arc::clone(&inner.link).drive(client, inner.names.probe(), settings.deadline, settings.pause);
        let driver = task::spawn("cache-shared-link", drive);
        let writer = Mutex::new(Some(task::spawn("cache-shared-writer", writer::write(Arc::clone(&inner), queue))));
        Ok(Shared { inner, jobs, room: Room::new(QUEUE_BYTES), driver, writer })
    }

    /// What was put under this key by this or another replica, if it is there, holds, was not purged, and comes in time.
    pub async fn get(&self, key: &Key) -> Option<Kept> {
        let (found, outcome) = match self.inner.get(key).await {
            Ok(kept) => (Some(kept), Outcome::Hit),
            Err(outcome) => (None, outcome),
        };
        self.inner.figures.looked(outcome);
        found
    }

    /// Has an entry written. Returns at once.
    pub fn put(&self, key: &Key, kept: &Kept) {
        let figures = &self.inner.figures;
        let size = kept.bytes.len() + OVERHEAD;
        if size > LARGEST || kept.until_us <= now_us() {
            return figures.wrote(Write::Unfit, 1);
        }
        let queued = self.room.take(size).map(|taken| self.jobs.try_send(Job::Put(*key, kept.clone(), taken)).is_ok());
        if queued != Some(true) {
            figures.wrote(Write::Full, 1);
        }
    }

    /// Forgets what was put before this call; the number of entries, where that is known. Holds for all replicas at once.
    ///
    /// # Errors
    /// The server is down or refuses: nothing was forgotten, and it is to be tried again; as a text for people.
    pub async fn purge(&self, by: Purge) -> Result<Option<u64>, String> {
        let ended = || "the shared cache has ended".to_owned();
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Job::Purge(by, reply)).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }

    /// Writes what is queued, as far as the server takes it.
    pub async fn finish(&self) {
        let Some(writer) = self.writer.lock().take() else { return };
        let (reply, done) = oneshot::channel();
        if self.jobs.send(Job::Finish(reply)).await.is_ok() {
            // An error says that it has ended, too.
            let _ = done.await;
        }
        writer.abort();
    }

    /// Whether it is up.
    pub fn is_up(&self) -> bool {
        *self.inner.link.watch().borrow()
    }

    /// Waits until it is up, or down.
    pub async fn until(&self, up: bool) {
        // The sender lives as long as this.
        let _ = self.inner.link.watch().wait_for(|state| *state == up).await;
    }

    /// What lookups and writes came to.
    pub fn figures(&self) -> &Figures {
        &self.inner.figures
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("is_up", &self.is_up()).finish_non_exhaustive()
    }
}

impl Inner {
    /// What an entry is called in Redis.
    fn name(&self, key: &Key) -> Vec<u8> {
        let prefix = self.settings.prefix.as_bytes();
        let mut name = Vec::with_capacity(prefix.len() + 32);
        name.extend_from_slice(prefix);
        let mut digits = [0; 32];
        // Sixteen bytes have thirty-two digits: it cannot fail.
        let _ = hex::encode_to_slice(self.seal.name(Place::Shared, key), &mut digits);
        name.extend_from_slice(&digits);
        name
    }

    async fn get(&self, key: &Key) -> Result<Kept, Outcome> {
        let mut up = self.link.up().ok_or(Outcome::Skipped)?;
        let mut ask = redis::cmd("MGET");
        ask.arg(self.name(key)).arg(&self.epoch);
        let asked = tokio::time::Instant::now();
        let answer = writer::answered(self.link.ask(&mut up, &ask, self.settings.deadline).await?)?;
        let Ok([sealed, epoch]) = <[Value; 2]>::try_from(answer) else { return Err(Outcome::Refused) };
        let sealed = match sealed {
            Value::Nil => return Err(Outcome::Miss),
            Value::BulkString(sealed) => sealed,
            _ => return Err(Outcome::Refused),
        };
        // Without an epoch nothing is known of purges.
        let epoch = marks::number(&epoch).ok_or(Outcome::Stale)?;
        let (kept, marks) = self.seal.open(Place::Shared, key, sealed).ok_or(Outcome::Unsealed)?;
        let in_force = match self.known.of(epoch, &kept.labels) {
            Some(known) => Some(known),
            None => self.learn(&mut up, &kept, self.settings.deadline.saturating_sub(asked.elapsed())).await?,
        };
        match in_force == Some(marks) && kept.until_us > now_us() {
            true => Ok(kept),
            false => Err(Outcome::Stale),
        }
    }

    /// Reads an entry's marks, once per label and purge.
    async fn learn(&self, up: &mut Up, kept: &Kept, deadline: Duration) -> Result<Option<Marks>, Outcome> {
        let subjects = marks::subjects(&kept.labels);
        let answer = writer::answered(self.link.ask(up, &self.names.ask(&subjects), deadline).await?)?;
        self.known.learn(&subjects, &answer);
        Ok(answer.first().and_then(marks::number).and_then(|epoch| self.known.of(epoch, &kept.labels)))
    }
}

#[cfg(test)]
mod tests;
