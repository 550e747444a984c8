//! A client of files and batches, as the SDKs are ones: uploads, makes batches, polls, fetches results.
//!
//! What a reader could get wrong: every prompt holds [`SECRET`], so that a look below the data directory tells whether one can be read there.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use super::{Call, Config, Gateway, Response, Upstream, eventually};

pub const MULTIPART: &str = "multipart/form-data; boundary=----formdata-undici-069670771140";
/// Stands in every prompt; on disk it must not.
pub const SECRET: &str = "the colour of the harbour at dusk";

pub fn deferring(edge: &Upstream, cloud: &Upstream) -> Config {
    Config::hybrid(edge, cloud).top("deferred: {concurrency: 8}")
}

/// A form as openai-python writes it, purpose first, or as openai-node does, file first.
pub fn form(purpose: &str, content: &str, file_first: bool) -> Bytes {
    let delimiter = "------formdata-undici-069670771140";
    let purpose = format!("{delimiter}\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\n{purpose}\r\n");
    let file = format!(
        "{delimiter}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x.jsonl\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n{content}\r\n"
    );
    let parts = if file_first { file + &purpose } else { purpose + &file };
    format!("{parts}{delimiter}--\r\n").into()
}

pub fn line(name: &str, model: &str) -> String {
    let messages = json!([{"role": "user", "content": format!("{SECRET}, {name}")}]);
    let body = json!({"model": model, "messages": messages});
    json!({"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body}).to_string() + "\n"
}

pub fn lines(count: usize, model: &str) -> String {
    (0..count).map(|n| line(&format!("line-{n}"), model)).collect()
}

/// A client, perhaps one with a key.
pub struct Client<'g> {
    pub gateway: &'g Gateway,
    tenant: Option<&'g str>,
}

impl<'g> Client<'g> {
    pub fn of(gateway: &'g Gateway) -> Client<'g> {
        Client { gateway, tenant: None }
    }

    pub fn by(gateway: &'g Gateway, tenant: &'g str) -> Client<'g> {
        Client { gateway, tenant: Some(tenant) }
    }

    pub fn call(&self, method: Method, target: &str) -> Call {
        let call = self.gateway.call(method, target);
        match self.tenant {
            Some(tenant) => call.by(tenant),
            None => call,
        }
    }

    pub async fn upload(&self, content: &str) -> String {
        let answer = self.post("/v1/files").body(MULTIPART, form("batch", content, false)).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    pub fn post(&self, target: &str) -> Call {
        self.call(Method::POST, target)
    }

    pub async fn get(&self, target: &str) -> Response {
        self.call(Method::GET, target).send().await
    }

    /// Makes a batch over a file.
    pub async fn make(&self, file: &str, window: &str) -> Response {
        let body = json!({
            "input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": window, "metadata": {"for": "tests"},
        });
        self.post("/v1/batches").json(&body).send().await
    }

    pub async fn made(&self, content: &str) -> String {
        let file = self.upload(content).await;
        let answer = self.make(&file, "24h").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!((&answer.json()["status"], &answer.json()["object"]), (&json!("validating"), &json!("batch")));
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    pub async fn batch(&self, id: &str) -> Value {
        self.get(&format!("/v1/batches/{id}")).await.json()
    }

    /// The batch when it has this status; a status that nothing follows fails it at once.
    pub async fn when(&self, id: &str, status: &str) -> Value {
        eventually(&format!("the batch is {status}"), async || {
            let batch = self.batch(id).await;
            let now = batch["status"].as_str().unwrap_or_default();
            let ended = ["completed", "failed", "expired", "cancelled"].contains(&now);
            assert!(now == status || !ended, "the batch has ended otherwise: {batch}");
            (now == status).then_some(batch)
        })
        .await
    }

    /// Lines of a result by their `custom_id`; each is there once.
    pub async fn results(&self, file: &Value) -> BTreeMap<String, Value> {
        let Some(file) = file.as_str() else { return BTreeMap::new() };
        let answer = self.get(&format!("/v1/files/{file}/content")).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/octet-stream"));
        let mut found = BTreeMap::new();
        for line in answer.text().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let name = line["custom_id"].as_str().unwrap().to_owned();
            assert!(found.insert(name.clone(), line).is_none(), "{name} stands twice in {file}");
        }
        found
    }
}

/// Nothing of what was asked can be read anywhere below the data directory.
pub fn assert_nothing_readable(gateway: &Gateway) {
    let mut folders = vec![gateway.dir().join("data")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
                continue;
            }
            files += 1;
            let content = std::fs::read(entry.path()).unwrap_or_default();
            let found = memchr::memmem::find(&content, SECRET.as_bytes());
            assert!(found.is_none(), "a prompt can be read in {}", entry.path().display());
        }
    }
    assert!(files > 0, "the data directory is somewhere else");
}
