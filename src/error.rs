//! The one error of the request's path. It knows at birth what went wrong (`kind`), whose fault it is (`side`) and whether
//! another target may be tried (`retry`); `openai/error.rs` turns the kind into HTTP in one table, and the kind is the metric label.
//!
//! What a reader could get wrong: `message` goes to the client. It never holds prompt text, keys or node addresses;
//! those may stand in `source`, which is for code, and is not shown to the client or logged either.

use std::borrow::Cow;
use std::time::Duration;

/// What went wrong, in the words of the contract; also the value of the `outcome` label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request cannot be understood: malformed JSON, a missing field, a bad hint (400).
    InvalidRequest,
    /// No such `/v1` path, or nowhere configured to send it (404).
    NotFound,
    /// The path exists, the method does not (405).
    MethodNotAllowed,
    /// No key, an unknown or an expired one (401).
    InvalidKey,
    /// The key may not ask for this model (403).
    ModelNotAllowed,
    /// The key may not speak for this app (403).
    AppNotAllowed,
    /// No route, alias or model of that name (404).
    ModelNotFound,
    /// The client was too slow to send its request (408).
    RequestTimeout,
    /// The body is over the limit (413).
    RequestTooLarge,
    /// The headers are over the limit (431).
    HeadersTooLarge,
    /// Every target was dropped by a constraint (503).
    NoEligibleTarget,
    /// The gateway or every node is at its limit (503).
    Overloaded,
    /// No target answered in time (504).
    Timeout,
    /// The upstream could not be reached (502 after the last target).
    Connect,
    /// The upstream closed, reset or garbled its answer (502).
    Broken,
    /// A limit of the tenant, app or user is reached (429).
    LimitReached,
    /// A budget is used up (429).
    QuotaExceeded,
    /// The upstream answered 429.
    RateLimited,
    /// The upstream answered 5xx.
    UpstreamFailed,
    /// The upstream answered another 4xx: the request's own fault, passed through.
    UpstreamRefused,
    /// The answer was not certain enough: the next target is asked (only inside the gateway).
    LowConfidence,
    /// The client went away before the end.
    ClientGone,
    /// A fault of ours (500).
    Internal,
}

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Client,
    Gateway,
    Upstream,
}

/// Whether and where the same request may be tried again, as long as nothing has reached the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// No other target would answer differently.
    Never,
    /// The next node or target may well answer.
    NextTarget,
    /// This upstream asked for a pause (`retry-after`); another one may be tried at once.
    SameAfter(Duration),
}

/// An error on the request's path.
#[derive(Debug)]
pub struct Error {
    pub kind: Kind,
    pub side: Side,
    pub retry: Retry,
    /// For the client: what is wrong, where, and the remedy; lower case, no full stop, nothing private.
    pub message: Cow<'static, str>,
    /// The request field at fault, for `error.param`.
    pub param: Option<Cow<'static, str>>,
    /// The methods that the path takes, for `Allow` (RFC 9110 15.5.6).
    pub allow: Option<&'static str>,
    /// An upstream's own answer, already in the OpenAI shape, to be passed through.
    pub upstream: Option<Box<UpstreamAnswer>>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What an upstream said when it refused or failed.
#[derive(Debug)]
pub struct UpstreamAnswer {
    pub status: http::StatusCode,
    /// The body in the OpenAI error shape, scrubbed of addresses.
    pub body: bytes::Bytes,
    pub retry_after: Option<Duration>,
}

/// What stages return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    fn new(kind: Kind, side: Side, retry: Retry, message: impl Into<Cow<'static, str>>) -> Self {
        Error { kind, side, retry, message: message.into(), param: None, allow: None, upstream: None, source: None }
    }

    /// The client's fault: no target would answer it.
    pub fn client(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(kind, Side::Client, Retry::Never, message)
    }

    /// The gateway's own decision or fault.
    pub fn gateway(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(kind, Side::Gateway, Retry::Never, message)
    }

    /// The upstream's fault: another target may be tried.
    pub fn upstream(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(kind, Side::Upstream, Retry::NextTarget, message)
    }

    pub fn with_param(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// A method that the path does not take; `allow` lists those that it takes.
    pub fn method_not_allowed(allow: &'static str) -> Self {
        let error = Self::client(Kind::MethodNotAllowed, format!("this path takes {allow}"));
        Error { allow: Some(allow), ..error }
    }

    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    pub fn with_upstream(mut self, answer: UpstreamAnswer) -> Self {
        self.upstream = Some(Box::new(answer));
        self
    }

    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl Kind {
    /// Every kind, for metric handles resolved beforehand.
    pub const ALL: [Kind; 23] = [
        Kind::InvalidRequest,
        Kind::NotFound,
        Kind::MethodNotAllowed,
        Kind::InvalidKey,
        Kind::ModelNotAllowed,
        Kind::AppNotAllowed,
        Kind::ModelNotFound,
        Kind::RequestTimeout,
        Kind::RequestTooLarge,
        Kind::HeadersTooLarge,
        Kind::NoEligibleTarget,
        Kind::Overloaded,
        Kind::Timeout,
        Kind::Connect,
        Kind::Broken,
        Kind::LimitReached,
        Kind::QuotaExceeded,
        Kind::RateLimited,
        Kind::UpstreamFailed,
        Kind::UpstreamRefused,
        Kind::LowConfidence,
        Kind::ClientGone,
        Kind::Internal,
    ];

    /// The metric label and the word in logs and in `x-tidegate-attempts`.
    pub fn label(self) -> &'static str {
        match self {
            Kind::InvalidRequest => "invalid-request",
            Kind::NotFound => "not-found",
            Kind::MethodNotAllowed => "method-not-allowed",
            Kind::InvalidKey => "invalid-key",
            Kind::ModelNotAllowed => "model-not-allowed",
            Kind::AppNotAllowed => "app-not-allowed",
            Kind::ModelNotFound => "model-not-found",
            Kind::RequestTimeout => "request-timeout",
            Kind::RequestTooLarge => "request-too-large",
            Kind::HeadersTooLarge => "headers-too-large",
            Kind::NoEligibleTarget => "no-eligible-target",
            Kind::Overloaded => "overloaded",
            Kind::Timeout => "timeout",
            Kind::Connect => "connect",
            Kind::Broken => "broken",
            Kind::LimitReached => "limit-reached",
            Kind::QuotaExceeded => "quota-exceeded",
            Kind::RateLimited => "rate-limited",
            Kind::UpstreamFailed => "upstream-failed",
            Kind::UpstreamRefused => "upstream-refused",
            Kind::LowConfidence => "low-confidence",
            Kind::ClientGone => "client-gone",
            Kind::Internal => "internal",
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|s| s as _)
    }
}
