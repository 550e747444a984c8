//! OpenAI's own dialect: OpenAI, vLLM, llama-server, Ollama and everything that calls itself compatible.
//!
//! Paths: an SDK's base URL ends in the version (`https://api.openai.com/v1`), so endpoints are appended to it; an address without
//! any path gets `/v1`.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};

use super::{Private, Provider, secret_header};
use crate::openai::Endpoint;

#[derive(Debug)]
pub(super) struct Compatible {
    base: String,
    authorization: Option<HeaderValue>,
    health_path: &'static str,
    private: Arc<Private>,
}

impl Compatible {
    pub(super) fn new(base_path: &str, key: Option<&str>, health_path: &'static str) -> Result<Self, String> {
        let base = base_path.trim_end_matches('/');
        let base = if base.is_empty() { "/v1" } else { base };
        let authorization = key.map(|key| secret_header(format!("Bearer {key}"))).transpose()?;
        Ok(Compatible { base: base.to_owned(), authorization, health_path, private: Arc::default() })
    }

    /// Has its own key and hosts kept out of what clients are told.
    pub(super) fn hiding(self, private: Arc<Private>) -> Self {
        Compatible { private, ..self }
    }
}

impl Provider for Compatible {
    fn path(&self, endpoint: Endpoint, _id: &str) -> String {
        format!("{}{}", self.base, endpoint.path())
    }

    fn other(&self, path_and_query: &str) -> String {
        format!("{}{}", self.base, path_and_query.strip_prefix("/v1").unwrap_or(path_and_query))
    }

    fn credentials(&self) -> Option<(HeaderName, HeaderValue)> {
        self.authorization.clone().map(|value| (AUTHORIZATION, value))
    }

    fn health_path(&self) -> &'static str {
        self.health_path
    }

    fn private(&self) -> &Arc<Private> {
        &self.private
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_follow_the_base_url_as_an_sdk_would() {
        let plain = Compatible::new("", None, "/health").unwrap();
        assert_eq!(plain.path(Endpoint::Chat, "m"), "/v1/chat/completions");
        let nested = Compatible::new("/openai/v1/", None, "/health").unwrap();
        assert_eq!(nested.path(Endpoint::Responses, "m"), "/openai/v1/responses");
        assert_eq!(nested.other("/v1/files?limit=2"), "/openai/v1/files?limit=2");
    }

    #[test]
    fn the_key_is_a_bearer_token_that_does_not_print() {
        let provider = Compatible::new("", Some("sk-secret"), "/health").unwrap();
        let (name, value) = provider.credentials().unwrap();
        assert_eq!((name, value.to_str().unwrap()), (AUTHORIZATION, "Bearer sk-secret"));
        assert!(!format!("{provider:?}").contains("sk-secret"));
        assert!(Compatible::new("", Some("a\nb"), "/health").is_err());
    }
}
