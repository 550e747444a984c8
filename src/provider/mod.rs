//! What an upstream speaks: pure translation, bytes in and bytes out, no socket and no clock. A file per dialect; the folder's
//! listing is the support matrix.
//!
//! What a reader could get wrong: a dialect that is OpenAI's own passes bodies through and changes path, key and model only.

mod azure;
mod compatible;
mod fault;
pub mod midway;

use std::sync::Arc;

use http::{HeaderName, HeaderValue, StatusCode};

use crate::config::file::{Upstream, UpstreamKind};
use crate::error::Error;
use crate::openai::Endpoint;
use azure::Azure;
use compatible::Compatible;
pub use fault::{Private, retry_after};

/// One dialect of one upstream.
pub trait Provider: std::fmt::Debug + Send + Sync {
    /// Path and query of an endpoint for the model that the upstream knows as `id`, below the node's address.
    fn path(&self, endpoint: Endpoint, id: &str) -> String;

    /// Path and query of any other `/v1` request (`/v1/files?limit=1`), below the node's address.
    fn other(&self, path_and_query: &str) -> String;

    /// The header that carries the key.
    fn credentials(&self) -> Option<(HeaderName, HeaderValue)>;

    /// What a health check asks where the configuration names nothing.
    fn health_path(&self) -> &'static str;

    /// An answer that is no success: who is at fault, whether another target may be tried, and the body in the OpenAI shape.
    fn fault(&self, status: StatusCode, headers: &http::HeaderMap, body: &[u8]) -> Error {
        fault::classify(status, headers, body, self.private())
    }

    /// What is wrong with the body of an answer that is said to be good, if it is no answer of this endpoint.
    fn unsound(&self, endpoint: Endpoint, body: &[u8]) -> Option<Error> {
        fault::unsound(endpoint, body, self.private())
    }

    /// What must not come down in this upstream's words.
    fn private(&self) -> &Arc<Private>;
}

/// The dialect of a configured upstream; `base_path` is the path of its address (`/v1`, or empty).
///
/// Errors say what is wrong with the configuration (a key that is no header value, a kind that is not available yet).
pub fn of(upstream: &Upstream, base_path: &str) -> Result<Box<dyn Provider>, String> {
    let key = upstream.api_key.as_ref().map(super::config::scalar::Secret::expose).filter(|key| !key.is_empty());
    let private = Arc::new(Private::of(upstream));
    match upstream.kind {
        UpstreamKind::LlamaServer | UpstreamKind::Vllm | UpstreamKind::Openai => {
            Ok(Box::new(Compatible::new(base_path, key, "/health")?.hiding(private)))
        }
        UpstreamKind::Ollama => Ok(Box::new(Compatible::new(base_path, key, "/api/version")?.hiding(private))),
        UpstreamKind::Azure => {
            Ok(Box::new(Azure::new(base_path, key, upstream.api_version.as_deref())?.hiding(private)))
        }
        UpstreamKind::Anthropic | UpstreamKind::Gemini | UpstreamKind::Bedrock => {
            Err("this kind is not available yet; use `openai` with a compatible base_url".into())
        }
    }
}

/// A key as a header value that no log shows.
fn secret_header(text: String) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| "api_key holds characters that no header may carry (a line break?)".to_string())?;
    value.set_sensitive(true);
    Ok(value)
}
