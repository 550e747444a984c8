//! A batch as clients see it.
//!
//! What a reader could get wrong: all times are seconds (Unix), and every field is there from the start, with `null` for what has not
//! happened.

use bytes::Bytes;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::openai::list::{Listed, json};

/// How far a batch has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Validating,
    Failed,
    InProgress,
    Finalizing,
    Completed,
    Expired,
    Cancelling,
    Cancelled,
}

/// What is wrong with a line, or (without one) with the whole file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineFault {
    pub code: String,
    pub message: String,
    pub param: Option<String>,
    /// Counts from one.
    pub line: Option<usize>,
}

/// How many requests there are, and what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    pub total: u64,
    pub completed: u64,
    pub failed: u64,
}

/// A batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Object {
    pub id: String,
    pub object: &'static str,
    pub endpoint: String,
    pub errors: Option<Faults>,
    pub input_file_id: String,
    pub completion_window: String,
    pub status: Status,
    pub output_file_id: Option<String>,
    pub error_file_id: Option<String>,
    pub created_at: i64,
    pub in_progress_at: Option<i64>,
    pub expires_at: Option<i64>,
    pub finalizing_at: Option<i64>,
    pub completed_at: Option<i64>,
    pub failed_at: Option<i64>,
    pub expired_at: Option<i64>,
    pub cancelling_at: Option<i64>,
    pub cancelled_at: Option<i64>,
    pub request_counts: Counts,
    pub usage: Option<Usage>,
    pub metadata: Option<IndexMap<String, String>>,
}

/// Tokens that all lines took together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Usage {
    input_tokens: u64,
    input_tokens_details: InputDetails,
    output_tokens: u64,
    output_tokens_details: OutputDetails,
    total_tokens: u64,
}

/// What of it is not counted here, but has to be there for SDKs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default)]
struct InputDetails {
    cached_tokens: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Default)]
struct OutputDetails {
    reasoning_tokens: u64,
}

/// The `errors` of a batch that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Faults {
    object: &'static str,
    pub data: Vec<LineFault>,
}

impl LineFault {
    /// A fault of one line.
    pub fn at(line: usize, code: &str, param: Option<&str>, message: String) -> LineFault {
        LineFault { code: code.into(), message, param: param.map(Into::into), line: Some(line) }
    }

    /// A fault of the whole file.
    pub fn of_file(code: &str, message: String) -> LineFault {
        LineFault { code: code.into(), message, param: Some("input_file_id".into()), line: None }
    }
}

impl Usage {
    pub fn of(input_tokens: u64, output_tokens: u64) -> Usage {
        Usage {
            input_tokens,
            input_tokens_details: InputDetails::default(),
            output_tokens,
            output_tokens_details: OutputDetails::default(),
            total_tokens: input_tokens.saturating_add(output_tokens),
        }
    }
}

impl Faults {
    /// `None`: there are none.
    pub fn of(data: Vec<LineFault>) -> Option<Faults> {
        (!data.is_empty()).then_some(Faults { object: "list", data })
    }
}

impl Object {
    /// The object alone.
    pub fn body(&self) -> Bytes {
        json(self)
    }
}

impl Listed for Object {
    fn id(&self) -> &str {
        &self.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_every_field_that_openais_has() {
        let fault = LineFault::at(3, "invalid_json_line", None, "no JSON".into());
        let object = Object {
            id: "batch_tg1".into(),
            object: "batch",
            endpoint: "/v1/chat/completions".into(),
            errors: Faults::of(vec![fault]),
            input_file_id: "file-tg1".into(),
            completion_window: "24h".into(),
            status: Status::InProgress,
            output_file_id: None,
            error_file_id: None,
            created_at: 1,
            in_progress_at: Some(2),
            expires_at: Some(3),
            finalizing_at: None,
            completed_at: None,
            failed_at: None,
            expired_at: None,
            cancelling_at: None,
            cancelled_at: None,
            request_counts: Counts { total: 3, completed: 1, failed: 0 },
            usage: Some(Usage::of(2, 3)),
            metadata: None,
        };
        let expected = r#"{"id":"batch_tg1","object":"batch","endpoint":"/v1/chat/completions","errors":{"object":"list","data":[{"code":"invalid_json_line","message":"no JSON","param":null,"line":3}]},"input_file_id":"file-tg1","completion_window":"24h","status":"in_progress","output_file_id":null,"error_file_id":null,"created_at":1,"in_progress_at":2,"expires_at":3,"finalizing_at":null,"completed_at":null,"failed_at":null,"expired_at":null,"cancelling_at":null,"cancelled_at":null,"request_counts":{"total":3,"completed":1,"failed":0},"usage":{"input_tokens":2,"input_tokens_details":{"cached_tokens":0},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":5},"metadata":null}"#;
        assert_eq!(object.body(), expected);
        assert_eq!(Faults::of(vec![]), None);
    }
}
