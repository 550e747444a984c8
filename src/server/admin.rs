//! The admin listener: health, metrics and a small API, on a thread of its own so that a busy worker does not starve a
//! health check.
//!
//! What a reader could get wrong: `/livez` says that the process turns, `/readyz` that it should be sent requests. A
//! drain or a lack of targets makes it unready, never dead: an orchestrator restarts the dead.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::drain::Lifecycle;
use super::{Handle, Peer};

/// Largest body that the admin API takes.
const MAX_BODY: usize = 8 << 20;

/// What stands before a request's id.
const REQUEST: &str = "/api/requests/";

/// What stands before an upstream's name.
const UPSTREAMS: &str = "/api/upstreams/";

/// What the admin listener shows and does. Implemented by the program's state.
pub trait AdminState: Send + Sync + 'static {
    /// All metrics in the Prometheus text format.
    fn metrics(&self) -> String;
    /// Whether requests can be served; if not, why.
    ///
    /// # Errors
    /// The reason, for people: no target is available, …
    fn ready(&self) -> Result<(), String>;
    /// Each upstream with its nodes, health and load.
    fn upstreams(&self) -> Value;
    /// Takes a node of an upstream out of its pool (`drain`), or back in; the upstream as it is then.
    ///
    /// # Errors
    /// The status to answer with, and why.
    fn drain(&self, upstream: &str, node: &str, drain: bool) -> Result<Value, (u16, String)>;
    /// The configuration in use, secrets masked.
    fn config(&self) -> Value;
    /// Loads the configuration again; blocks, and is called where that may be. Returns the new generation.
    ///
    /// # Errors
    /// Everything that is wrong with the file, as `tidegate check` prints it; nothing has changed.
    fn reload(&self) -> Result<u64, String>;
    /// The usage ledger's answer to `by=…&since=…`: content type and body. Blocks, and is called where that may be.
    ///
    /// # Errors
    /// The question cannot be read, or the ledger cannot.
    fn usage(&self, parameters: &str) -> Result<(&'static str, String), String>;
    /// Finished requests, newest first, as the query asks for them. Blocks; so do the next two.
    ///
    /// # Errors
    /// The status to answer with, and why.
    fn requests(&self, query: &str) -> Result<Value, (u16, String)>;
    /// The decision record of a finished request.
    ///
    /// # Errors
    /// As above.
    fn request(&self, id: &str) -> Result<Value, (u16, String)>;
    /// Keeps `{request_id, score, comment?}`.
    ///
    /// # Errors
    /// As above.
    fn feedback(&self, body: &[u8]) -> Result<Value, (u16, String)>;
    /// What is waiting to be done later, and what was done.
    ///
    /// # Errors
    /// As above.
    fn deferred(&self) -> Result<Value, (u16, String)>;
    /// Forgets answers: `{"route": NAME}` and the like.
    ///
    /// # Errors
    /// As above.
    fn purge(&self, body: &[u8]) -> Result<Value, (u16, String)>;
    /// The decision for the request in `body`, without sending it: a chat request as it is, or
    /// `{request, endpoint?, headers?, tenant?, app?}`.
    ///
    /// # Errors
    /// The body is no request that can be decided.
    fn explain(&self, body: &[u8]) -> Result<Value, String>;
}

/// The admin listener's handler.
#[derive(Clone)]
pub(super) struct Admin {
    pub(super) state: Arc<dyn AdminState>,
    /// The public server's: `/readyz` says when it drains.
    pub(super) public: Arc<Lifecycle>,
}

type Answer = Response<Full<Bytes>>;

impl Handle for Admin {
    type Body = Full<Bytes>;

    async fn call(&self, request: Request<Incoming>, _: Peer) -> Answer {
        let get = matches!(*request.method(), Method::GET | Method::HEAD);
        let post = request.method() == Method::POST;
        match request.uri().path() {
            "/" if get => self.index(),
            "/livez" if get => text(StatusCode::OK, "ok\n"),
            "/readyz" if get => self.readyz(),
            "/metrics" if get => self.metrics(),
            "/api/config" if get => json(StatusCode::OK, &self.state.config()),
            "/api/upstreams" if get => json(StatusCode::OK, &self.state.upstreams()),
            "/api/usage" if get => self.usage(request.uri().query().unwrap_or("")).await,
            "/api/deferred" if get => self.blocking(AdminState::deferred).await,
            "/api/reload" if post => self.reload().await,
            "/api/explain" if post => self.explain(request.into_body()).await,
            "/api/cache/purge" if post => self.purge(request.into_body()).await,
            "/api/feedback" if post => self.feedback(request.into_body()).await,
            "/api/requests" if get => {
                let query = request.uri().query().unwrap_or("").to_owned();
                self.blocking(move |state| state.requests(&query)).await
            }
            path if get && path.starts_with(REQUEST) => {
                let id = path.strip_prefix(REQUEST).unwrap_or_default().to_owned();
                self.blocking(move |state| state.request(&id)).await
            }
            path if post && path.starts_with(UPSTREAMS) => self.drain(path),
            "/" | "/livez" | "/readyz" | "/metrics" | "/api/config" | "/api/upstreams" | "/api/usage"
            | "/api/requests" | "/api/deferred" => not_allowed("GET, HEAD"),
            "/api/reload" | "/api/explain" | "/api/feedback" | "/api/cache/purge" => not_allowed("POST"),
            _ => error(StatusCode::NOT_FOUND, "no such page on the admin listener, GET / lists them all"),
        }
    }
}

impl Admin {
    fn index(&self) -> Answer {
        let page = format!(
            "tidegate {}\n\n\
             GET  /livez          200 while the process turns\n\
             GET  /readyz         200 when requests can be served, 503 with the reason when not\n\
             GET  /metrics        Prometheus metrics\n\
             GET  /api/config     the configuration in use, secrets masked\n\
             GET  /api/usage      the usage ledger: ?by=tenant,model&since=24h&format=json|csv\n\
             GET  /api/upstreams  upstreams, their nodes, health and load\n\
             GET  /api/deferred   what is waiting to be done later\n\
             POST /api/upstreams/NAME/nodes/NODE/drain  give the node nothing new; /undrain takes it back in\n\
             GET  /api/requests   finished requests: ?tenant=…&route=…&since=24h&limit=50\n\
             GET  /api/requests/ID  one with its decision and attempts\n\
             POST /api/reload     load the configuration file again\n\
             POST /api/explain    the decision for the request in the body, without sending it\n\
             POST /api/cache/purge  forget answers: {{\"route\": …}}, tenant, model, key, or {{\"all\": true}}\n\
             POST /api/feedback   {{\"request_id\": …, \"score\": -1 to 1, \"comment\": …}}\n",
            env!("CARGO_PKG_VERSION")
        );
        text(StatusCode::OK, page)
    }

    fn readyz(&self) -> Answer {
        if self.public.is_draining() {
            return text(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
        }
        match self.state.ready() {
            Ok(()) => text(StatusCode::OK, "ok\n"),
            Err(reason) => text(StatusCode::SERVICE_UNAVAILABLE, reason + "\n"),
        }
    }

    fn metrics(&self) -> Answer {
        let mut answer = text(StatusCode::OK, self.state.metrics());
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
        answer
    }

    /// `/api/upstreams/NAME/nodes/NODE/drain` and `…/undrain`.
    fn drain(&self, path: &str) -> Answer {
        let parts: Vec<&str> = path.strip_prefix(UPSTREAMS).unwrap_or_default().split('/').collect();
        let drained = match parts[..] {
            [upstream, "nodes", node, "drain"] => self.state.drain(upstream, node, true),
            [upstream, "nodes", node, "undrain"] => self.state.drain(upstream, node, false),
            _ => Err((404, "no such page; POST /api/upstreams/NAME/nodes/NODE/drain or /undrain".into())),
        };
        match drained {
            Ok(upstream) => json(StatusCode::OK, &upstream),
            Err((status, reason)) => {
                error(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &reason)
            }
        }
    }

    async fn reload(&self) -> Answer {
        let state = self.state.clone();
        match tokio::task::spawn_blocking(move || state.reload()).await {
            Ok(Ok(generation)) => json(StatusCode::OK, &json!({ "generation": generation })),
            Ok(Err(problems)) => error(StatusCode::BAD_REQUEST, &problems),
            Err(_) => {
                error(StatusCode::INTERNAL_SERVER_ERROR, "the reload failed inside the gateway, nothing has changed")
            }
        }
    }

    async fn usage(&self, parameters: &str) -> Answer {
        let (state, parameters) = (self.state.clone(), parameters.to_owned());
        match tokio::task::spawn_blocking(move || state.usage(&parameters)).await {
            Ok(Ok((content_type, body))) => answer(StatusCode::OK, content_type, body.into()),
            Ok(Err(reason)) => error(StatusCode::BAD_REQUEST, &reason),
            Err(_) => error(StatusCode::INTERNAL_SERVER_ERROR, "the ledger could not be asked; this is a bug"),
        }
    }

    async fn purge(&self, body: Incoming) -> Answer {
        match read(body).await {
            Ok(body) => self.blocking(move |state| state.purge(&body)).await,
            Err(answer) => answer,
        }
    }

    async fn feedback(&self, body: Incoming) -> Answer {
        match read(body).await {
            Ok(body) => self.blocking(move |state| state.feedback(&body)).await,
            Err(answer) => answer,
        }
    }

    /// Does what blocks where that may be.
    async fn blocking(
        &self,
        ask: impl FnOnce(&dyn AdminState) -> Result<Value, (u16, String)> + Send + 'static,
    ) -> Answer {
        let state = self.state.clone();
        match tokio::task::spawn_blocking(move || ask(state.as_ref())).await {
            Ok(Ok(value)) => json(StatusCode::OK, &value),
            Ok(Err((status, reason))) => {
                error(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &reason)
            }
            Err(_) => error(StatusCode::INTERNAL_SERVER_ERROR, "the ledger could not be asked; this is a bug"),
        }
    }

    async fn explain(&self, body: Incoming) -> Answer {
        let body = match read(body).await {
            Ok(body) => body,
            Err(answer) => return answer,
        };
        match self.state.explain(&body) {
            Ok(decision) => json(StatusCode::OK, &decision),
            Err(reason) => error(StatusCode::BAD_REQUEST, &reason),
        }
    }
}

/// The whole body, or the answer that refuses it.
async fn read(mut body: Incoming) -> Result<Vec<u8>, Answer> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Err(error(StatusCode::BAD_REQUEST, "the body ended early"));
        };
        if let Ok(data) = frame.into_data() {
            if bytes.len() + data.len() > MAX_BODY {
                return Err(error(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 8 MiB"));
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    answer(status, "text/plain; charset=utf-8", body.into())
}

fn json(status: StatusCode, value: &Value) -> Answer {
    answer(status, "application/json", value.to_string().into())
}

fn error(status: StatusCode, message: &str) -> Answer {
    json(status, &json!({ "error": { "message": message, "code": status.as_u16() } }))
}

fn not_allowed(methods: &'static str) -> Answer {
    let mut answer = error(StatusCode::METHOD_NOT_ALLOWED, &format!("this page takes {methods}"));
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    answer
}

fn answer(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
