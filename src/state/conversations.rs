//! What is remembered of conversations on routes with `sticky: conversation`, so that one does not change its model in the middle.
//!
//! What a reader could get wrong: numbers only, and names as hashes; no text of anybody, so tenants of every privacy tier may be in
//! here. It is the memory of one process: after a restart, or on another replica, a conversation is decided anew.

use std::time::Duration;

use foldhash::fast::RandomState;
use moka::sync::Cache;

/// Conversations held at once: some 200 bytes each. The ones unused for longest are forgotten first.
const MOST: u64 = 100_000;

/// A conversation that pauses for longer has lost its place in any node's KV cache, and may as well be decided anew.
const IDLE: Duration = Duration::from_secs(3600);

/// What was decided for a conversation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Remembered {
    /// As it was first decided with, 0 to 1.
    pub difficulty: f64,
    pub threshold: f64,
    /// The names of the rule that matched and of the model that answered, by `signals::conversation::name_hash`.
    pub rule: u64,
    pub model: u64,
}

/// Conversations by route and key (`signals::conversation::within`).
#[derive(Debug)]
pub struct Conversations(Cache<u64, Remembered, RandomState>);

impl Default for Conversations {
    fn default() -> Conversations {
        let builder = Cache::builder().max_capacity(MOST).time_to_idle(IDLE);
        Conversations(builder.build_with_hasher(RandomState::default()))
    }
}

impl Conversations {
    /// What was decided for the conversation before.
    pub fn recall(&self, key: u64) -> Option<Remembered> {
        self.0.get(&key)
    }

    pub fn remember(&self, key: u64, what: Remembered) {
        self.0.insert(key, what);
    }
}
