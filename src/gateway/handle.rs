//! The request's story, top to bottom. Read this page first.
//!
//! What a reader could get wrong: every way out passes through `Record`: dropped unfinished, it counts the client as gone.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use hyper::body::Incoming;

use super::deferred::upgrade;
use super::read::Read;
use super::recall::Recalled;
use super::record::Record;
use super::{
    Body, Gateway, admit, answer, attempt, decide, deferred, inspect, models, passthrough, progressive, read, recall,
    share,
};
use crate::error::{Error, Kind};
use crate::openai::{Endpoint, batch, files};

impl Gateway {
    /// Answers one request. Never fails: an error is an answer too.
    pub async fn handle(&self, request: Request<Incoming>) -> Response<Body> {
        // The one snapshot load of the request.
        let snapshot = self.shared.snapshot();
        let mut record = Record::open(self, snapshot, &request);
        match self.enter(request, &mut record).await {
            Ok(Entered::Answered(answered)) => answer::succeeded(record, answered),
            // Apart, because they are large: an answer from memory does not pay for moving them.
            Ok(Entered::Alone(read)) => Box::pin(self.ask_alone(*read, record)).await,
            Ok(Entered::Progressive(read)) => Box::pin(progressive::ask(self, *read, record)).await,
            Ok(Entered::Wanted(read, wanted)) => Box::pin(share::ask(self, *read, *wanted, record)).await,
            Err(error) => answer::failed(record, &error),
        }
    }

    /// Nobody gets further than this without a key, where keys are asked for.
    async fn enter(&self, request: Request<Incoming>, record: &mut Record) -> Result<Entered, Error> {
        let destination = destination(&request)?;
        if let Err(error) = admit::enter(request.headers(), destination.is_metered(), record) {
            record.waiting(read::discard(request)).await;
            return Err(error);
        }
        match destination {
            Destination::Model(endpoint) => remembered(endpoint, request, record).await,
            Destination::Deferred(named) => deferred::retrieve(&named, &request, record).await.map(Entered::Answered),
            Destination::Files(what) => {
                Box::pin(deferred::run_files(self, what, request, record)).await.map(Entered::Answered)
            }
            Destination::Batches(what) => {
                Box::pin(deferred::run_batches(self, what, request, record)).await.map(Entered::Answered)
            }
            Destination::Models => models::answer(&request, record).map(Entered::Answered),
            Destination::Elsewhere => Box::pin(passthrough::run(self, request, record)).await.map(Entered::Answered),
        }
    }

    /// For one client, with nothing kept.
    pub async fn ask_alone(&self, read: Read, mut record: Box<Record>) -> Response<Body> {
        match self.ask(read, &mut record).await {
            Ok(answered) => answer::succeeded(record, answered),
            Err(error) => answer::failed(record, &error),
        }
    }

    /// inspect → decide → attempt; where the cloud's answer is to follow the edge's, that is queued.
    pub async fn ask(&self, read: Read, record: &mut Record) -> Result<answer::Answered, Error> {
        deferred::may_name(&read, record).await?;
        let (read, inspected) = inspect::inspect(read, record).await?;
        let plan = decide::decide(&read, &inspected, record)?;
        let answered = attempt::run(self, &read, &plan, &inspected, record).await?;
        match upgrade::is_due(&read, &answered, record) {
            true => Ok(Box::pin(upgrade::queue(&read, answered, record)).await),
            false => Ok(answered),
        }
    }
}

/// How far a request has come when it has been let in and read.
#[allow(clippy::large_enum_variant, reason = "the large one is the quick one: an allocation costs more than the move")]
enum Entered {
    Answered(answer::Answered),
    /// To be asked by itself.
    Alone(Box<Read>),
    /// To be asked twice, for a draft and for the answer.
    Progressive(Box<Read>),
    /// To be asked together with others, and kept.
    Wanted(Box<Read>, Box<recall::Wanted>),
}

/// read → recall: what is remembered is answered at once.
async fn remembered(endpoint: Endpoint, request: Request<Incoming>, record: &mut Record) -> Result<Entered, Error> {
    let (headers, body) = read::take(request, record).await?;
    if let Some(answered) = recall::at_once(endpoint, &headers, &body, record) {
        return Ok(Entered::Answered(answered));
    }
    record.saw_prompt(&body);
    // Apart, because it is large: what was answered above does not pay for moving it.
    Box::pin(read_and_recalled(endpoint, headers, body, record)).await
}

async fn read_and_recalled(
    endpoint: Endpoint,
    headers: HeaderMap,
    body: Bytes,
    record: &mut Record,
) -> Result<Entered, Error> {
    let read = read::read(endpoint, headers, body, record).await?;
    deferred::may_name(&read, record).await?;
    let is_progressive = progressive::is_asked(&read)?;
    if read.view.background.is_some() && record.snapshot.deferred.is_some() {
        return deferred::accept(&read, record).await.map(Entered::Answered);
    }
    if is_progressive {
        record.mode = progressive::Mode::Off;
    }
    let recalled = recall::recall(&read, record).await?;
    if is_progressive && progressive::may_be_asked(&recalled) && progressive::may_have_draft(&read).await {
        // Nothing is kept of it.
        record.cache_key = None;
        return Ok(Entered::Progressive(Box::new(read)));
    }
    Ok(match recalled {
        Recalled::Answered(answered) => Entered::Answered(answered),
        Recalled::Alone => Entered::Alone(Box::new(read)),
        Recalled::Wanted(wanted) => Entered::Wanted(Box::new(read), Box::new(wanted)),
    })
}

/// Who answers a path.
enum Destination {
    /// A model, by policy.
    Model(Endpoint),
    /// The gateway itself: `GET /v1/models` and `/v1/models/{id}`.
    Models,
    /// The gateway's queue: its own background responses.
    Deferred(deferred::Named),
    /// The gateway's queue, or the upstream: whose files and batches they are is found out.
    Files(deferred::Files),
    Batches(deferred::Batches),
    /// The upstream that takes everything else.
    Elsewhere,
}

impl Destination {
    /// What only looks after deferred work that is here has no part in limits: the work itself has.
    fn is_metered(&self) -> bool {
        match self {
            Destination::Deferred(_) => false,
            Destination::Batches(what) => !what.is_own(),
            Destination::Files(what) => !what.is_own(),
            Destination::Model(_) | Destination::Models | Destination::Elsewhere => true,
        }
    }
}

fn destination<B>(request: &Request<B>) -> Result<Destination, Error> {
    let path = request.uri().path();
    if climbs(path) {
        return Err(Error::client(Kind::InvalidRequest, "the path must not contain `..`"));
    }
    let method = request.method();
    if let Some(endpoint) = Endpoint::of_path(path) {
        return match *method {
            Method::POST => Ok(Destination::Model(endpoint)),
            // Lists what the provider has stored; the Realtime API is a WebSocket elsewhere.
            Method::GET if matches!(endpoint, Endpoint::Chat | Endpoint::Responses) => Ok(Destination::Elsewhere),
            _ if matches!(endpoint, Endpoint::Chat | Endpoint::Responses) => {
                Err(Error::method_not_allowed("POST, GET"))
            }
            _ => Err(Error::method_not_allowed("POST")),
        };
    }
    if let Some(named) = deferred::named(method, path) {
        return named.map(Destination::Deferred);
    }
    if let Some(named) = deferred::Files::named(method, path) {
        return named.map(Destination::Files);
    }
    if let Some(named) = deferred::Batches::named(method, path) {
        return named.map(Destination::Batches);
    }
    if path == "/v1/models" || path.starts_with("/v1/models/") {
        return match *method {
            Method::GET | Method::HEAD => Ok(Destination::Models),
            // Deletes a fine-tuned model at the provider.
            Method::DELETE if path.len() > "/v1/models/".len() => Ok(Destination::Elsewhere),
            _ => Err(Error::method_not_allowed("GET, HEAD")),
        };
    }
    if path.starts_with("/v1/") {
        // A server behind may read it as the path of a model: then it would get past the rules.
        if let Some(meant) = spelled_oddly(path) {
            let message = format!("no such path; write it as {meant}");
            return Err(Error::client(Kind::NotFound, message));
        }
        if names_ours(path) {
            let message = "no such path: it names something that is kept by this gateway, which no provider knows";
            return Err(Error::client(Kind::NotFound, message));
        }
        return Ok(Destination::Elsewhere);
    }
    Err(Error::client(Kind::NotFound, "no such path; the OpenAI protocol is served below /v1"))
}

/// The path of an endpoint that is routed by model, if this is another spelling of it: encoded, with empty segments, in capitals.
fn spelled_oddly(path: &str) -> Option<String> {
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy().to_ascii_lowercase();
    let segments: Vec<&str> = decoded.split(['/', '\\']).map(str::trim).filter(|part| !part.is_empty()).collect();
    let plain = format!("/{}", segments.join("/"));
    Endpoint::of_path(&plain).map(|_| plain)
}

/// A segment is a name of the gateway's own, however it is written: it would be a stranger at the upstream.
fn names_ours(path: &str) -> bool {
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    let own = [deferred::RESPONSE, deferred::CHAT, files::PREFIX, batch::PREFIX];
    // A provider's may begin alike; ours are 128 bits in hex.
    let is_ours = |part: &str| {
        let rest = own.iter().find_map(|prefix| part.strip_prefix(prefix));
        rest.is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    decoded.split(['/', '\\']).map(str::trim).any(is_ours)
}

/// A segment `..`, however it is written, would leave `/v1` at the upstream, with the gateway's key.
fn climbs(path: &str) -> bool {
    if !path.contains("..") && !path.contains('%') {
        return false;
    }
    let plain =
        path.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/").replace('\\', "/");
    plain.split('/').any(|segment| segment == "..")
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
        assert!(matches!(of(Method::POST, "/v1/files"), Ok(Destination::Files(deferred::Files::Upload))));
        assert!(matches!(of(Method::GET, "/v1/batches/batch_1"), Ok(Destination::Elsewhere)));
        let is_metered = |method, path| of(method, path).map(|to| to.is_metered()).unwrap_or(true);
        for (method, path) in [(Method::GET, "/v1/responses/resp_tg1"), (Method::GET, "/v1/batches/batch_tg1")] {
            assert!(!is_metered(method, path), "{path}");
        }
        for (method, path) in
            [(Method::POST, "/v1/responses"), (Method::POST, "/v1/batches"), (Method::GET, "/v1/files")]
        {
            assert!(is_metered(method, path), "{path}");
        }
        assert!(matches!(of(Method::GET, "/v1/responses"), Ok(Destination::Elsewhere)));
        assert!(matches!(of(Method::GET, "/v1/responses/resp_1"), Ok(Destination::Elsewhere)));
        assert_eq!(of(Method::GET, "/v1/embeddings").err().map(|e| e.kind), Some(Kind::MethodNotAllowed));
        for path in ["/v1/../admin", "/v1/%2E%2e/x", "/v1/..%2fx", "/v1/a/.%2e"] {
            assert_eq!(of(Method::GET, path).err().map(|e| e.kind), Some(Kind::InvalidRequest), "{path}");
        }
        for path in [
            "/v1/chat%2Fcompletions",
            "/v1//chat/completions",
            "/v1/chat/completions//",
            "/v1/chat/Completions",
            "/v1/embedding%73",
        ] {
            assert_eq!(of(Method::POST, path).err().map(|e| e.kind), Some(Kind::NotFound), "{path}");
        }
        for path in [
            "/v1/responses/%72esp_tg",
            "/v1//responses/resp_tg",
            "/v1/./responses/resp_tg",
            "/v1/vector_stores/vs_1/files/file-tg",
            "/v1/batches//batch_tg",
        ] {
            assert!(of(Method::GET, &format!("{path}1")).is_ok(), "{path}: a provider's");
            let path = &format!("{path}c9c13338d42746d690ccd7bce676fd52");
            assert_eq!(of(Method::GET, path).err().map(|e| e.kind), Some(Kind::NotFound), "{path}");
        }
        assert!(of(Method::GET, "/v1/files/a..b").is_ok());
        assert_eq!(of(Method::GET, "/metrics").err().map(|e| e.kind), Some(Kind::NotFound));
    }
}
