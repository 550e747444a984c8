//! The audit chain: a tamper-evident record of what was decided and where each request ran.
//!
//! What a reader could get wrong: it proves that the record was not changed afterwards, not that the gateway told the truth when it wrote it.
