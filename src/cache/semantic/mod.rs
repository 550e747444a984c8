//! Questions asked in other words: an embedder and an index propose, a verifier decides.
//!
//! What a reader could get wrong: likeness is no reason to answer; only the verifier's probability is, and what has been seen of its
//! mistakes since (`Doubt`). A question is compared within its scope only: there everything but its wording is the same.

pub mod agree;
pub mod doubt;
pub mod embedder;
pub mod index;
pub mod verify;

use std::sync::{Arc, OnceLock};

use doubt::Doubts;
use embedder::Embedder;
use index::{Index, Scope};
use moka::sync::Cache;
use verify::{Question, Verifier};

use super::key::Key;

/// Neighbours that the verifier is asked about: the right one is seldom further down.
const PROPOSED: usize = 4;
/// What an entry of the index takes, vector, id and place.
const INDEXED: u64 = 400;
/// What a question takes beside its own bytes: its place in the table.
const OVERHEAD: usize = 256;
/// What a question is taken to need, for planning memory.
const PLANNED: u64 = INDEXED + 2300;
/// The most of the capacity that questions may take: one part in so many.
const SHARE: u64 = 3;

/// A question to be looked for, or to be remembered.
#[derive(Debug, Clone)]
pub struct Asked {
    pub scope: Scope,
    pub question: Arc<Question>,
    /// Of length one.
    pub vector: Arc<[f32]>,
}

/// A question that was asked before.
#[derive(Debug)]
struct Known {
    key: Key,
    scope: Scope,
    question: Arc<Question>,
}

/// A question found that means the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alike {
    /// Of its answer.
    pub key: Key,
    /// The cosine of the two, as the embedder sees them.
    pub similarity: f32,
    /// That its answer is right here, too.
    pub probability: f32,
}

/// Questions and where their answers are.
#[derive(Debug)]
pub struct Semantic {
    /// Made with the first vector, which tells the number of its dimensions.
    index: Arc<OnceLock<Index>>,
    entries: usize,
    known: Cache<u64, Arc<Known>, foldhash::fast::RandomState>,
    pub doubts: Doubts,
}

/// Bytes of the capacity that questions get.
pub fn reserved(capacity: u64, entries: u32) -> u64 {
    (u64::from(entries) * PLANNED).min(capacity / SHARE)
}

impl Semantic {
    /// For at most so many questions, and as many bytes as `reserved` says.
    pub fn new(entries: u32, reserved: u64) -> Semantic {
        let entries = u64::from(entries).min(reserved / PLANNED).max(1);
        let index: Arc<OnceLock<Index>> = Arc::default();
        let of_index = Arc::clone(&index);
        let put_out = move |id: Arc<u64>, known: Arc<Known>, cause: moka::notification::RemovalCause| {
            if cause != moka::notification::RemovalCause::Replaced {
                of_index.get().into_iter().for_each(|index| index.remove(known.scope, *id));
            }
        };
        let known = Cache::builder()
            .max_capacity(reserved.max(PLANNED))
            // Its place in the index included: what goes from here goes from there.
            .weigher(|_: &u64, known: &Arc<Known>| {
                u32::try_from(known.question.bytes() + OVERHEAD).unwrap_or(u32::MAX).saturating_add(INDEXED as u32)
            })
            .eviction_policy(moka::policy::EvictionPolicy::lru())
            .eviction_listener(put_out)
            .build_with_hasher(foldhash::fast::RandomState::default());
        let entries = usize::try_from(entries).unwrap_or(usize::MAX);
        Semantic { index, entries, known, doubts: Doubts::default() }
    }

    /// A question with its vector; without one, the built-in embedder makes it. `None`: too long to be compared, or no words.
    pub fn prepare(scope: Scope, text: &str, vector: Option<Vec<f32>>) -> Option<Asked> {
        if text.len() > verify::MAX_BYTES {
            return None;
        }
        let vector = vector.unwrap_or_else(|| Embedder::builtin().embed(text));
        vector.iter().any(|x| *x != 0.0).then(|| Asked {
            scope,
            question: Arc::new(Question::prepare(text)),
            vector: vector.into(),
        })
    }

    /// The question that most probably means the same; whether that is enough is for `Doubts` to say.
    pub fn nearest(&self, asked: &Asked) -> Option<Alike> {
        let verifier = Verifier::builtin();
        let near = self.index.get()?.nearest(asked.scope, &asked.vector, PROPOSED);
        let alike = near.into_iter().filter_map(|neighbour| {
            let known = self.known.get(&neighbour.id)?;
            let probability = verifier.probability(&known.question, &asked.question) as f32;
            Some(Alike { key: known.key, similarity: neighbour.cosine, probability })
        });
        alike.max_by(|a, b| a.probability.total_cmp(&b.probability))
    }

    /// The answer with this key is one to this question.
    pub fn remember(&self, asked: &Asked, key: Key) {
        let id = id(key);
        let index = self.index.get_or_init(|| Index::new(asked.vector.len(), self.entries));
        if index.insert(asked.scope, id, &asked.vector) {
            let known = Known { key, scope: asked.scope, question: Arc::clone(&asked.question) };
            self.known.insert(id, Arc::new(known));
        }
    }

    /// There is no longer an answer with this key.
    pub fn forget(&self, key: Key) {
        self.known.invalidate(&id(key));
    }

    /// Bytes and questions, as of now.
    pub fn size(&self) -> (u64, u64) {
        self.known.run_pending_tasks();
        let entries = self.known.entry_count();
        let questions = self.known.weighted_size().saturating_sub(entries * INDEXED);
        (questions + self.index.get().map_or(0, |index| index.bytes() as u64), entries)
    }
}

fn id(key: Key) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(key.0.get(..8).unwrap_or(&[0; 8]));
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(scope: u128, text: &str) -> Asked {
        Semantic::prepare(Scope(scope), text, None).unwrap()
    }

    #[test]
    fn a_question_is_found_within_its_scope() {
        let semantic = Semantic::new(100, 1 << 20);
        let key = Key([1; 32]);
        semantic.remember(&asked(1, "How do I reset my password?"), key);
        let found = semantic.nearest(&asked(1, "how do i reset my password")).unwrap();
        assert!(found.key == key && found.similarity > 0.95 && found.probability > 0.9, "{found:?}");
        assert!(semantic.nearest(&asked(2, "How do I reset my password?")).is_none());
        semantic.forget(key);
        assert!(semantic.nearest(&asked(1, "How do I reset my password?")).is_none());
        assert!(Semantic::prepare(Scope(1), &"a b ".repeat(5000), None).is_none());
    }

    #[test]
    fn questions_stay_within_what_they_were_given() {
        let reserved = 8 << 20;
        let semantic = Semantic::new(1_000_000, reserved);
        for n in 0u32..10_000 {
            let mut key = [0; 32];
            key[..4].copy_from_slice(&n.to_le_bytes());
            semantic.remember(&asked(u128::from(n % 3), &format!("what is the height of tower number {n}?")), Key(key));
        }
        let (bytes, entries) = semantic.size();
        assert!(bytes <= reserved && entries > 100, "{bytes} bytes, {entries} questions");
    }
}
