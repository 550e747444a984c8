//! What a node has to do, what it can do and what it remembers: all that choosing among nodes goes by.
//!
//! What a reader could get wrong: part of it is ours and exact (what we sent), part is the node's own word, at most one check old, and part
//! is a guess (its KV cache). Everything is kept with the node, so it survives a reload; a restart of the node forgets its cache.

pub mod recent;
pub mod report;

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};

use super::health::survey::Asked;
use super::prefix::tree::USUAL_TOKENS;
use super::prefix::{self, Tree};
use super::select::rank::WHOLE;
use recent::Recent;
use report::{Models, Report};

/// A node that starts slowly gets this part of its share at once: with nothing to do it would never warm up.
const FIRST_PART: u32 = 10;

/// A node's load.
#[derive(Debug)]
pub struct Load {
    born: Instant,
    /// Thousandths.
    weight: AtomicU32,
    tier: AtomicU16,
    drained_by_plan: AtomicBool,
    drained_by_hand: AtomicBool,
    /// Milliseconds since `born` at which it joined the pool, or came back.
    joined_ms: AtomicU64,
    /// Prompt tokens of our requests that it has not read yet, as far as we know.
    pending: AtomicU64,
    recent: Mutex<Recent>,
    /// Requests there that are not ours.
    others: AtomicU32,
    /// Requests that it works on at once; 0: it has not told.
    slots: AtomicU32,
    /// Requests of ours that it is answering now: they have their first token.
    answering: AtomicU32,
    /// The most that it has been seen to work on at once.
    seen: AtomicU32,
    report: Mutex<Report>,
    models: RwLock<Option<Models>>,
    tree: Mutex<Tree>,
    /// What its checks have asked it for.
    pub(super) asked: Mutex<Asked>,
}

/// A prompt as a node's tree sees it.
#[derive(Debug, Clone, Copy)]
pub struct Prompt<'a> {
    pub hashes: &'a [u64],
    pub bytes: u64,
    pub tokens: u64,
}

impl Prompt<'_> {
    /// Tokens of its first `blocks`.
    fn tokens_of(&self, blocks: usize) -> u64 {
        self.tokens * prefix::bytes_of(blocks) as u64 / self.bytes.max(1)
    }
}

impl Default for Load {
    fn default() -> Self {
        Load {
            born: Instant::now(),
            weight: AtomicU32::new(WHOLE),
            tier: AtomicU16::new(0),
            drained_by_plan: AtomicBool::new(false),
            drained_by_hand: AtomicBool::new(false),
            joined_ms: AtomicU64::new(0),
            pending: AtomicU64::new(0),
            recent: Mutex::default(),
            others: AtomicU32::new(0),
            slots: AtomicU32::new(0),
            answering: AtomicU32::new(0),
            seen: AtomicU32::new(0),
            report: Mutex::default(),
            models: RwLock::new(None),
            tree: Mutex::new(Tree::new(USUAL_TOKENS)),
            asked: Mutex::default(),
        }
    }
}

impl Load {
    /// What configuration or discovery say of the node now. `weight` in thousandths.
    pub fn plan(&self, weight: u32, tier: u16, drain: bool) {
        self.weight.store(weight.max(1), Relaxed);
        self.tier.store(tier, Relaxed);
        self.drained_by_plan.store(drain, Relaxed);
    }

    /// Takes it out by hand, or back in.
    pub fn drain(&self, drain: bool) {
        self.drained_by_hand.store(drain, Relaxed);
    }

    /// It finishes what it has and gets nothing new.
    pub fn is_draining(&self) -> bool {
        self.drained_by_plan.load(Relaxed) || self.drained_by_hand.load(Relaxed)
    }

    /// In thousandths, as configured.
    pub fn weight(&self) -> u32 {
        self.weight.load(Relaxed)
    }

    pub fn tier(&self) -> u16 {
        self.tier.load(Relaxed)
    }

    /// Its share now, in thousandths: grows with time while it starts slowly.
    pub fn share(&self, slow_start: Duration) -> u32 {
        let weight = self.weight();
        if slow_start.is_zero() {
            return weight;
        }
        let age = self.age_ms().saturating_sub(self.joined_ms.load(Relaxed));
        share(weight, age, slow_start)
    }

    /// It has come back: it starts slowly again, and what it listed may be different.
    pub fn came_back(&self) {
        self.joined_ms.store(self.age_ms(), Relaxed);
        self.asked.lock().forget();
    }

    /// It is gone, or has been restarted: its cache is empty, and it may have been given fewer places.
    pub fn forget(&self) {
        self.tree.lock().clear();
        *self.recent.lock() = Recent::default();
        self.seen.store(self.answering.load(Relaxed), Relaxed);
    }

    fn age_ms(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Prompt tokens that it still has to read for us.
    pub fn pending(&self) -> u64 {
        self.pending.load(Relaxed)
    }

    pub(super) fn add_pending(&self, tokens: u64) {
        self.pending.fetch_add(tokens, Relaxed);
        self.recent.lock().add(tokens, self.age_ms());
    }

    /// Prompt tokens that it was given to read lately, those of longer ago counting less.
    pub fn recent(&self) -> u64 {
        self.recent.lock().at(self.age_ms())
    }

    pub(super) fn take_pending(&self, tokens: u64) {
        self.pending.fetch_sub(tokens, Relaxed);
    }

    /// Requests there that others have sent.
    pub fn others(&self) -> u32 {
        self.others.load(Relaxed)
    }

    /// Requests that it works on at once, if it has told.
    pub fn slots(&self) -> Option<u32> {
        Some(self.slots.load(Relaxed)).filter(|slots| *slots > 0)
    }

    /// It writes an answer of ours, besides those that it writes already: so many places it has at least.
    pub(super) fn begins_answer(&self) {
        let now = self.answering.fetch_add(1, Relaxed) + 1;
        self.seen.fetch_max(now, Relaxed);
    }

    pub(super) fn ends_answer(&self) {
        self.answering.fetch_sub(1, Relaxed);
    }

    /// The most that it has been seen to work on at once.
    pub fn seen(&self) -> u32 {
        self.seen.load(Relaxed)
    }

    /// The node's own word. `ours`: what it was working on for us while it was asked, at the most.
    pub fn told(&self, told: Report, ours: u32) {
        self.others.store(told.requests().saturating_sub(ours), Relaxed);
        if let Some(slots) = told.slots {
            self.slots.store(slots, Relaxed);
        }
        let running = told.running.unwrap_or(0);
        let mut report = self.report.lock();
        let restarted = report.started.is_some() && told.started.is_some() && report.started != told.started;
        let grown = told.cache_tokens.filter(|tokens| report.cache_tokens != Some(*tokens));
        *report = told;
        drop(report);
        if restarted {
            self.forget();
        }
        self.seen.fetch_max(running, Relaxed);
        if let Some(tokens) = grown {
            self.tree.lock().resize(tokens);
        }
    }

    /// It has said nothing this time: nobody knows what others have sent there.
    pub fn silent(&self) {
        self.others.store(0, Relaxed);
        let mut report = self.report.lock();
        *report = Report { started: report.started, cache_tokens: report.cache_tokens, ..Report::default() };
    }

    /// What it has told last.
    pub fn report(&self) -> Report {
        self.report.lock().clone()
    }

    /// What it lists under `/v1/models`; `None`: it serves any name, or nobody knows.
    pub fn list(&self, models: Option<Models>) {
        *self.models.write() = models;
    }

    /// It is not known to lack this model. An empty name is any.
    pub fn serves(&self, model: &str) -> bool {
        model.is_empty() || self.models.read().as_ref().is_none_or(|models| models.has(model))
    }

    /// The names that it lists, if it does.
    pub fn models(&self) -> Option<Vec<String>> {
        self.models.read().as_ref().map(|models| models.names().to_vec())
    }

    /// Tokens of the prompt that it is taken to have.
    pub fn matched(&self, prompt: Prompt<'_>) -> u64 {
        let blocks = self.tree.lock().matched(prompt.hashes);
        prompt.tokens_of(blocks).min(prompt.tokens)
    }

    /// It gets this prompt, and has it from now on: the tokens of it that it had before.
    pub fn serve(&self, prompt: Prompt<'_>) -> u64 {
        let mut tree = self.tree.lock();
        let blocks = tree.matched(prompt.hashes);
        let tokens = |index| prompt.tokens * prefix::size(index) as u64 / prompt.bytes.max(1);
        tree.serve(prompt.hashes, |index| u32::try_from(tokens(index)).unwrap_or(u32::MAX));
        drop(tree);
        prompt.tokens_of(blocks).min(prompt.tokens)
    }

    /// Tokens that its cache is taken to hold now.
    pub fn cached_tokens(&self) -> u64 {
        self.tree.lock().tokens()
    }
}

/// A weight grown for so long: from a tenth to the whole, in a straight line.
fn share(weight: u32, age_ms: u64, slow_start: Duration) -> u32 {
    let whole = u64::try_from(slow_start.as_millis()).unwrap_or(u64::MAX).max(1);
    let grown = u64::from(weight) * age_ms.min(whole) / whole;
    u32::try_from(grown).unwrap_or(weight).clamp((weight / FIRST_PART).max(1), weight.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASHES: [u64; 4] = [11, 22, 33, 44];

    fn prompt(hashes: &[u64]) -> Prompt<'_> {
        Prompt { hashes, bytes: 1024, tokens: 256 }
    }

    #[test]
    fn a_share_grows_in_a_straight_line_from_a_tenth() {
        let ten = Duration::from_secs(10);
        let shares: Vec<u32> = [0, 500, 1000, 5000, 10_000, 60_000].map(|age| share(2000, age, ten)).to_vec();
        assert_eq!(shares, [200, 200, 200, 1000, 2000, 2000]);
        let load = Load::default();
        assert_eq!(load.share(Duration::ZERO), WHOLE);
        load.plan(3000, 1, false);
        load.came_back();
        assert!(load.share(Duration::from_secs(3600)) < 400);
    }

    #[test]
    fn what_a_node_is_sent_it_has_until_it_restarts() {
        let load = Load::default();
        assert_eq!((load.matched(prompt(&HASHES)), load.serve(prompt(&HASHES[..2]))), (0, 0));
        assert_eq!(load.matched(prompt(&HASHES)), 128);
        assert_eq!(load.serve(prompt(&HASHES)), 128);
        let told = |started| Report { started: Some(started), ..Report::default() };
        load.told(told(7), 0);
        load.told(told(7), 0);
        assert_eq!(load.matched(prompt(&HASHES)), 256);
        load.told(told(8), 0);
        assert_eq!(load.matched(prompt(&HASHES)), 0);
    }

    #[test]
    fn what_others_sent_counts_until_the_node_is_silent() {
        let load = Load::default();
        load.told(Report { running: Some(5), waiting: Some(2), slots: Some(6), ..Report::default() }, 3);
        assert_eq!((load.others(), load.slots()), (4, Some(6)));
        load.silent();
        assert_eq!((load.others(), load.slots()), (0, Some(6)));
    }

    #[test]
    fn what_a_node_was_seen_to_work_on_at_once_is_known_until_it_restarts() {
        let load = Load::default();
        (0..5).for_each(|_| load.begins_answer());
        (0..4).for_each(|_| load.ends_answer());
        load.begins_answer();
        assert_eq!(load.seen(), 5);
        load.told(Report { running: Some(7), ..Report::default() }, 7);
        assert_eq!(load.seen(), 7);
        load.forget();
        assert_eq!(load.seen(), 2, "it may have been given fewer places");
    }

    #[test]
    fn a_node_drains_for_whoever_asked() {
        let load = Load::default();
        load.plan(WHOLE, 0, true);
        load.drain(true);
        load.plan(WHOLE, 0, false);
        assert!(load.is_draining());
        load.drain(false);
        assert!(!load.is_draining());
    }
}
