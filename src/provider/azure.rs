//! Azure OpenAI: deployments in the path, `api-version` in the query, the key in `api-key`.
//!
//! Only completions, chat, embeddings, audio and images live below `/deployments/{name}`; everything else (responses, files, batches)
//! is asked at the resource itself (openai-python, `lib/azure.py`).

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::{Private, Provider, secret_header};
use crate::openai::Endpoint;

/// The last GA version of the data plane with dated versions.
const API_VERSION: &str = "2024-10-21";
const API_KEY: HeaderName = HeaderName::from_static("api-key");

#[derive(Debug)]
pub(super) struct Azure {
    base: String,
    version: String,
    key: Option<HeaderValue>,
    private: Arc<Private>,
}

impl Azure {
    pub(super) fn new(base_path: &str, key: Option<&str>, version: Option<&str>) -> Result<Self, String> {
        let base = base_path.trim_end_matches('/').trim_end_matches("/openai");
        Ok(Azure {
            base: base.to_owned(),
            version: version.unwrap_or(API_VERSION).to_owned(),
            key: key.map(|key| secret_header(key.to_owned())).transpose()?,
            private: Arc::default(),
        })
    }

    /// Has its own key and hosts kept out of what clients are told.
    pub(super) fn hiding(self, private: Arc<Private>) -> Self {
        Azure { private, ..self }
    }
}

impl Provider for Azure {
    fn path(&self, endpoint: Endpoint, id: &str) -> String {
        let (base, version, path) = (&self.base, &self.version, endpoint.path());
        match endpoint {
            Endpoint::Responses => format!("{base}/openai{path}?api-version={version}"),
            _ => format!("{base}/openai/deployments/{id}{path}?api-version={version}"),
        }
    }

    fn other(&self, path_and_query: &str) -> String {
        let rest = path_and_query.strip_prefix("/v1").unwrap_or(path_and_query);
        let separator = if rest.contains('?') { '&' } else { '?' };
        format!("{}/openai{rest}{separator}api-version={}", self.base, self.version)
    }

    fn credentials(&self) -> Option<(HeaderName, HeaderValue)> {
        self.key.clone().map(|value| (API_KEY, value))
    }

    fn health_path(&self) -> &'static str {
        "/"
    }

    fn private(&self) -> &Arc<Private> {
        &self.private
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_azure_sdk() {
        let azure = Azure::new("/", Some("k"), None).unwrap();
        assert_eq!(
            azure.path(Endpoint::Chat, "gpt-4o-eu"),
            "/openai/deployments/gpt-4o-eu/chat/completions?api-version=2024-10-21"
        );
        assert_eq!(azure.path(Endpoint::Responses, "x"), "/openai/responses?api-version=2024-10-21");
        assert_eq!(azure.other("/v1/files?limit=1"), "/openai/files?limit=1&api-version=2024-10-21");
    }
}
