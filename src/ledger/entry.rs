//! The entry of one request, its attempts included: what the journal holds, and all that ledger and audit chain are made from.
//!
//! What a reader could get wrong: an entry borrows its words from whoever writes or reads it, so that neither a worker nor the
//! writer of the database allocates for them. It never holds text of a prompt or answer, a key, or a node's address.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::upstream::price::NanoUsd;

/// Where an entry stands in the journals of a data directory: orders the entries of one process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The process that wrote it: the microsecond (Unix) of its start.
    pub boot: u64,
    /// The journal's file, counted from 1.
    pub segment: u32,
    /// The byte behind the entry.
    pub offset: u64,
}

/// One request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry<'a> {
    /// With `number` unique in a data directory: see [`Position::boot`].
    pub boot: u64,
    /// Given to each request of a process once.
    pub number: u64,
    /// Arrival, microseconds (Unix).
    pub at: i64,
    /// `x-request-id`.
    pub request_id: &'a str,
    /// Empty where nobody is asked for a key.
    pub tenant: &'a str,
    pub app: &'a str,
    pub user: &'a str,
    /// `k=v,k=v`, sorted.
    pub tags: &'a str,
    /// `chat`, `completions`, `embeddings`, `responses`, or the path of what is passed through without its identifiers.
    pub endpoint: &'a str,
    pub route: &'a str,
    pub rule: &'a str,
    /// `ok` or the label of an error's kind; `interrupted`: the process died while it ran.
    pub outcome: &'a str,
    /// The HTTP status; 0: none was sent.
    pub status: u16,
    pub stream: bool,
    /// The tier in force: `retained`, `no-retention` or `local-only`.
    pub privacy: &'a str,
    /// `hit`, `semantic`, `coalesced`, `miss` or `off`.
    pub cache: &'a str,
    /// Counts by type (`EMAIL_ADDRESS=1,PERSON=2`); never values.
    pub pii: &'a str,
    /// 0 to 1, if it was looked at.
    pub difficulty: Option<f32>,
    pub threshold: Option<f32>,
    /// What the dearest allowed target would have cost beyond what was paid.
    pub saving: NanoUsd,
    /// In the gateway's own queue.
    pub wait_us: u64,
    /// The gateway's own work until the answer's head.
    pub overhead_us: u64,
    /// From arrival to the first token (stream) or the head of the answer.
    pub first_token_us: u64,
    /// From arrival to the answer's end.
    pub total_us: u64,
    /// BLAKE3 of the configuration in force, in hex.
    pub policy: &'a str,
    pub seen: Seen<'a>,
    /// The matched rule's targets in the order to try.
    #[serde(borrow)]
    pub considered: SmallVec<[Considered<'a>; 2]>,
    /// BLAKE3 of the request's body and of the answer's, keyed with the data directory's key; `None`: the audit chain is off.
    pub prompt_hash: Option<[u8; 32]>,
    pub answer_hash: Option<[u8; 32]>,
    /// In the order in which they were made; the one that answered is the last, if any did.
    #[serde(borrow)]
    pub attempts: SmallVec<[Attempt<'a>; 1]>,
    pub decided: Decided<'a>,
}

/// How it was decided, for the decision record.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Decided<'a> {
    /// `NAME=VERDICT,…` of the route's rules in their order, as far as one was reached.
    pub rules: &'a str,
    /// Where the threshold came from, in one word: `fixed`, `share`, `tenant`, …; empty: nobody looked.
    pub threshold_from: &'a str,
    /// The identity of the difficulty model.
    pub scored_by: &'a str,
    /// 0 to 1.
    pub needs_fresh_knowledge: Option<f32>,
    pub edge_load: f32,
    pub cloud_pressure: f32,
    /// From the read body to the plan.
    pub decide_us: u64,
    /// Matters of the order: `split`, `resumed`, `prefers-edge`, `prefers-cloud`, separated by commas.
    pub notes: &'a str,
}

/// The signals that the decision was made from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Seen<'a> {
    pub input_tokens: u64,
    pub max_output_tokens: Option<u64>,
    /// `text,image`
    pub modalities: &'a str,
    pub has_tools: bool,
    pub turns: u32,
    /// `x-tidegate-placement`, empty if none.
    pub hint_placement: &'a str,
    /// `x-tidegate-privacy`, empty if none.
    pub hint_privacy: &'a str,
}

/// A target that the rule named.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Considered<'a> {
    pub model: &'a str,
    /// The constraint that dropped it; empty: kept.
    pub dropped: &'a str,
}

/// One attempt at one node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Attempt<'a> {
    /// Why it was made: `first`, `retry` (the same target), `fallback` (the next one), `passthrough`, [`SHADOW`]; to come: `hedge`, `escalation`.
    pub role: &'a str,
    /// The `models` key; empty for what is passed through.
    pub model: &'a str,
    pub upstream: &'a str,
    /// The node's place in the pool, not its address; empty: none was connected to.
    pub node: &'a str,
    /// `edge` or `cloud`.
    pub placement: &'a str,
    /// The upstream's `region`, empty if none.
    pub region: &'a str,
    /// `ok` or the label of an error's kind.
    pub outcome: &'a str,
    /// The upstream's status; 0: none came.
    pub status: u16,
    pub tokens: Tokens,
    /// The tokens were counted here, not by the upstream.
    pub estimated: bool,
    /// `None`: the price is not known.
    pub cost: Option<NanoUsd>,
    /// Millionths of a gram of CO2 (equivalent).
    pub co2_ug: u64,
    /// From sending to the end of the answer.
    pub upstream_us: u64,
    /// Of that, computing, where the upstream tells; else 0.
    pub compute_us: u64,
    /// From the first to the last byte of the answer.
    pub transfer_us: u64,
    /// Bytes of the request's body that were handed to the connection.
    pub bytes_out: u64,
}

/// Tokens by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// The prompt, cached ones included.
    pub prompt: u64,
    /// Of the prompt, what the upstream had cached.
    pub cached: u64,
    /// The answer, reasoning included.
    pub completion: u64,
    /// Of the answer, what was reasoning.
    pub reasoning: u64,
    /// Of the prompt and of the answer, what was audio.
    pub audio_in: u64,
    pub audio_out: u64,
}

/// The role of a copy that a shadow model got: its cost is the operator's, in no budget and on no invoice.
pub const SHADOW: &str = "shadow";

impl<'a> Entry<'a> {
    /// It is a copy of a request, and no request.
    pub fn is_shadow(&self) -> bool {
        self.attempts.last().is_some_and(|attempt| attempt.role == SHADOW)
    }

    /// The attempt that answered.
    pub fn answered(&self) -> Option<&Attempt<'a>> {
        self.attempts.last().filter(|attempt| attempt.outcome == "ok" || attempt.status / 100 == 2)
    }

    /// Why the answering attempt was not the first; empty if it was.
    pub fn fallback_reason(&self) -> &'a str {
        match self.attempts.as_slice() {
            [.., failed, _last] => failed.outcome,
            _ => "",
        }
    }

    /// What all attempts cost; `None` if the price of one that produced something is unknown.
    pub fn cost(&self) -> Option<NanoUsd> {
        self.attempts.iter().map(|attempt| attempt.cost).sum()
    }

    /// As the journal holds it (postcard). Fails only on a sequence longer than memory.
    pub fn encode(&self, into: Vec<u8>) -> postcard::Result<Vec<u8>> {
        postcard::to_extend(self, into)
    }

    /// From the journal's bytes.
    pub fn decode(bytes: &'a [u8]) -> postcard::Result<Entry<'a>> {
        postcard::from_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_survives_the_journal() {
        let mut entry = Entry { boot: 7, number: 9, request_id: "r", tenant: "acme", ..Entry::default() };
        entry.considered.push(Considered { model: "small", dropped: "" });
        entry.prompt_hash = Some([3; 32]);
        entry.attempts.push(Attempt { role: "first", outcome: "connect", ..Attempt::default() });
        entry.attempts.push(Attempt { role: "fallback", outcome: "ok", cost: Some(5), ..Attempt::default() });
        let bytes = entry.encode(Vec::new()).unwrap();
        assert_eq!(format!("{:?}", Entry::decode(&bytes).unwrap()), format!("{entry:?}"));
        assert_eq!(entry.fallback_reason(), "connect");
        assert_eq!(entry.cost(), None, "an attempt of unknown price makes the sum unknown");
    }
}
