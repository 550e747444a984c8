//! One request, in reading order: `handle` is the table of contents, then `admit`, `read`, `recall`, `share`, `inspect`, `decide`, `attempt`, `exchange`, `relay`, `record`.
//!
//! What a reader could get wrong: stages hand typed values on; nothing is put into request extensions, and what must live until a stream
//! ends (the record, the lease of the connection) is moved into the answer's body.

pub mod admit;
pub mod analyzer;
pub mod answer;
pub mod attempt;
pub mod beyond;
pub mod body;
pub mod books;
pub mod conversation;
pub mod decide;
pub mod deferred;
pub mod desk;
pub mod exchange;
pub mod explain;
pub mod fee;
pub mod handle;
pub mod headers;
pub mod hedge;
pub mod hold;
pub mod inspect;
pub mod keep;
pub mod limits;
pub mod look;
pub mod models;
pub mod paced;
pub mod passthrough;
pub mod plain;
pub mod progressive;
pub mod read;
pub mod recall;
pub mod record;
pub mod relay;
pub mod seat;
pub mod seen;
pub mod shadow;
pub mod share;
pub mod tell;
pub mod trial;
pub mod tries;
pub mod tunnel;
pub mod watchdog;

use std::sync::Arc;

use crate::state::Shared;
pub use body::Body;

/// The gateway as one worker sees it.
#[derive(Debug, Clone)]
pub struct Gateway {
    pub shared: Arc<Shared>,
    /// Index of the worker, for what is kept per worker.
    pub worker: usize,
}
