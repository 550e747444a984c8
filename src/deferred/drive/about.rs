//! What a batch says of itself, as it is sealed beside it, and the batch as its client sees it.
//!
//! What a reader could get wrong: a batch that is on its way to `Failed` may pass through `Cancelling`, where what was queued of it is taken
//! out again; its client sees `validating` until it has failed.

use bytes::Bytes;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::deferred::{Batch, BatchState};
use crate::openai::batch::object::{Faults, Usage};
use crate::openai::batch::{Counts, LineFault, Object, Status};

/// Times are microseconds (Unix).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    pub input_file: String,
    /// `/v1/chat/completions`, …
    pub endpoint: String,
    pub completion_window: String,
    pub metadata: Option<IndexMap<String, String>>,
    /// Seconds.
    pub output_expires_after: Option<u64>,
    pub app: Option<String>,
    pub user: Option<String>,
    /// What the key that made it may ask for, where that is less than its tenant may.
    pub models: Option<Vec<String>>,
    /// Headers that every line is asked with. Never a key.
    pub headers: Vec<(String, String)>,
    /// Lines, once all of them are found right.
    pub total: Option<u64>,
    pub errors: Vec<LineFault>,
    pub in_progress_us: Option<i64>,
    pub finalizing_us: Option<i64>,
    pub cancelling_us: Option<i64>,
    pub output_file: Option<String>,
    pub error_file: Option<String>,
    /// Tokens, once it has ended.
    pub usage: Option<(u64, u64)>,
}

impl About {
    /// `None`: it was not written by this program.
    pub fn read(bytes: &[u8]) -> Option<About> {
        serde_json::from_slice(bytes).ok()
    }

    /// As it is kept.
    pub fn bytes(&self) -> Bytes {
        // Strings and numbers always serialise.
        serde_json::to_vec(self).map(Bytes::from).unwrap_or_default()
    }
}

/// The batch as its client sees it.
pub fn object(batch: &Batch) -> Object {
    let about = About::read(&batch.about).unwrap_or_default();
    let seconds = |us: i64| us.div_euclid(1_000_000);
    let ended = |state| batch.ended_us.filter(|_| batch.state == state).map(seconds);
    let began = about.total.is_some();
    Object {
        id: batch.id.clone(),
        object: "batch",
        endpoint: about.endpoint,
        input_file_id: about.input_file,
        completion_window: about.completion_window,
        status: status(batch.state, !about.errors.is_empty()),
        output_file_id: about.output_file.filter(|_| batch.state.is_final()),
        error_file_id: about.error_file.filter(|_| batch.state.is_final()),
        created_at: seconds(batch.created_us),
        in_progress_at: about.in_progress_us.map(seconds),
        expires_at: Some(seconds(batch.expires_us)),
        finalizing_at: about.finalizing_us.map(seconds),
        completed_at: ended(BatchState::Completed),
        failed_at: ended(BatchState::Failed),
        expired_at: ended(BatchState::Expired),
        cancelling_at: about.cancelling_us.map(seconds),
        cancelled_at: ended(BatchState::Cancelled),
        request_counts: Counts {
            total: about.total.unwrap_or(0),
            completed: if began { batch.completed } else { 0 },
            failed: if began { batch.failed } else { 0 },
        },
        errors: Faults::of(about.errors).filter(|_| batch.state.is_final()),
        usage: about.usage.map(|(input, output)| Usage::of(input, output)),
        metadata: about.metadata,
    }
}

fn status(state: BatchState, fails: bool) -> Status {
    match state {
        BatchState::Validating => Status::Validating,
        BatchState::Cancelling if fails => Status::Validating,
        BatchState::InProgress => Status::InProgress,
        BatchState::Finalizing => Status::Finalizing,
        BatchState::Completed => Status::Completed,
        BatchState::Failed => Status::Failed,
        BatchState::Cancelling => Status::Cancelling,
        BatchState::Cancelled => Status::Cancelled,
        BatchState::Expired => Status::Expired,
    }
}
