//! The request's story, top to bottom. Read this page first.
//!
//! What a reader could get wrong: every way out passes through `Record`: dropped unfinished, it counts the client as gone.

use http::{Method, Request, Response};
use hyper::body::Incoming;

use super::record::Record;
use super::{Body, Gateway, answer, attempt, decide, models, passthrough, read};
use crate::error::{Error, Kind};
use crate::openai::Endpoint;

impl Gateway {
    /// Answers one request. Never fails: an error is an answer too.
    pub async fn handle(&self, request: Request<Incoming>) -> Response<Body> {
        // The one snapshot load of the request.
        let snapshot = self.shared.snapshot();
        let mut record = Record::open(self, snapshot, &request);
        let answered = match destination(&request) {
            Ok(Destination::Model(endpoint)) => self.ask_model(endpoint, request, &mut record).await,
            Ok(Destination::Models) => models::answer(&request, &record),
            Ok(Destination::Elsewhere) => passthrough::run(self, request, &mut record).await,
            Err(error) => Err(error),
        };
        match answered {
            Ok(answered) => answer::succeeded(record, answered),
            Err(error) => answer::failed(record, &error),
        }
    }

    /// admit → read → decide → look up → attempt → relay → record. (Admission and cache come with tenants and cache.)
    async fn ask_model(
        &self,
        endpoint: Endpoint,
        request: Request<Incoming>,
        record: &mut Record,
    ) -> Result<answer::Answered, Error> {
        let read = read::read(endpoint, request, record).await?;
        let plan = decide::decide(&read, record)?;
        attempt::run(self, &read, &plan, record).await
    }
}

/// Who answers a path.
enum Destination {
    /// A model, by policy.
    Model(Endpoint),
    /// The gateway itself: `GET /v1/models` and `/v1/models/{id}`.
    Models,
    /// The upstream that takes everything else.
    Elsewhere,
}

fn destination<B>(request: &Request<B>) -> Result<Destination, Error> {
    let path = request.uri().path();
    if let Some(endpoint) = Endpoint::of_path(path) {
        return match *request.method() {
            Method::POST => Ok(Destination::Model(endpoint)),
            // `GET /v1/chat/completions` and `/v1/responses` list what the provider has stored.
            _ if matches!(endpoint, Endpoint::Chat | Endpoint::Responses) && *request.method() == Method::GET => {
                Ok(Destination::Elsewhere)
            }
            _ => Err(Error::client(Kind::MethodNotAllowed, format!("{path} takes POST"))),
        };
    }
    if path == "/v1/models" || path.starts_with("/v1/models/") {
        return match *request.method() {
            Method::GET | Method::HEAD => Ok(Destination::Models),
            // Deletes a fine-tuned model at the provider.
            Method::DELETE => Ok(Destination::Elsewhere),
            _ => Err(Error::client(Kind::MethodNotAllowed, "/v1/models takes GET")),
        };
    }
    if path.starts_with("/v1/") {
        return Ok(Destination::Elsewhere);
    }
    Err(Error::client(Kind::NotFound, "no such path; the OpenAI protocol is served below /v1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: Method, path: &str) -> Result<Destination, Error> {
        destination(&Request::builder().method(method).uri(path).body(()).unwrap())
    }

    #[test]
    fn paths_find_their_way() {
        assert!(matches!(of(Method::POST, "/v1/chat/completions"), Ok(Destination::Model(Endpoint::Chat))));
        assert!(matches!(of(Method::GET, "/v1/models/a%2Fb"), Ok(Destination::Models)));
        assert!(matches!(of(Method::POST, "/v1/files"), Ok(Destination::Elsewhere)));
        assert!(matches!(of(Method::GET, "/v1/responses"), Ok(Destination::Elsewhere)));
        assert!(matches!(of(Method::GET, "/v1/responses/resp_1"), Ok(Destination::Elsewhere)));
        assert_eq!(of(Method::GET, "/v1/embeddings").err().map(|e| e.kind), Some(Kind::MethodNotAllowed));
        assert_eq!(of(Method::GET, "/metrics").err().map(|e| e.kind), Some(Kind::NotFound));
    }
}
