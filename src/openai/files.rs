//! File objects of `/v1/files`, and the answer to a deletion.
//!
//! What a reader could get wrong: all times are seconds (Unix), as everywhere in OpenAI's objects.

use bytes::Bytes;
use serde::Serialize;

use super::list::{Listed, json};

/// Ids of files that are kept here begin with it; others are a provider's.
pub const PREFIX: &str = "file-tg";

/// A file as clients see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileObject {
    pub id: String,
    object: &'static str,
    pub bytes: u64,
    pub created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    pub filename: String,
    pub purpose: String,
    status: &'static str,
    status_details: Option<&'static str>,
}

impl FileObject {
    pub fn new(id: String, bytes: u64, created_at: i64, filename: String, purpose: String) -> FileObject {
        let (object, status) = ("file", "processed");
        FileObject { id, object, bytes, created_at, expires_at: None, filename, purpose, status, status_details: None }
    }

    pub fn expires_at(self, expires_at: Option<i64>) -> FileObject {
        FileObject { expires_at, ..self }
    }

    /// The object alone.
    pub fn body(&self) -> Bytes {
        json(self)
    }
}

impl Listed for FileObject {
    fn id(&self) -> &str {
        &self.id
    }
}

/// Whether a file of this purpose is kept here.
pub fn is_ours(purpose: &str) -> bool {
    matches!(purpose, "batch" | "batch_output")
}

/// The answer to `DELETE /v1/files/{id}`.
pub fn deleted(id: &str) -> Bytes {
    #[derive(Serialize)]
    struct Deleted<'a> {
        id: &'a str,
        object: &'static str,
        deleted: bool,
    }
    json(&Deleted { id, object: "file", deleted: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_objects_are_as_openai_writes_them() {
        let file = FileObject::new("file-tg1".into(), 12, 1_700_000_000, "x.jsonl".into(), "batch".into());
        assert_eq!(
            file.body(),
            r#"{"id":"file-tg1","object":"file","bytes":12,"created_at":1700000000,"filename":"x.jsonl","purpose":"batch","status":"processed","status_details":null}"#
        );
        let expiring = file.expires_at(Some(1_700_003_600)).body();
        assert!(String::from_utf8_lossy(&expiring).contains(r#""expires_at":1700003600,"#));
        assert_eq!(deleted("file-tg1"), r#"{"id":"file-tg1","object":"file","deleted":true}"#);
    }
}
