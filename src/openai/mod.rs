//! The OpenAI protocol as bytes: the view of a request, splices into it, server-sent events, usage, errors, the models list.
//! Nothing here knows a socket, a clock or the configuration.

pub mod batch;
pub mod canon;
pub mod duet;
pub mod edits;
pub mod error;
pub mod files;
pub mod form;
pub mod json;
pub mod list;
pub mod logprobs;
pub mod models;
pub mod produced;
pub mod renamed;
pub mod said;
pub mod splice;
pub mod sse;
pub mod stream;
pub mod texts;
pub mod upload;
pub mod usage;
pub mod view;
pub mod weigh;

/// The endpoints that are routed by model; every other `/v1` path is passed through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    Chat,
    Completions,
    Embeddings,
    Responses,
}

impl Endpoint {
    /// The endpoint of a request path, exactly as the SDKs write it (a trailing slash is tolerated).
    pub fn of_path(path: &str) -> Option<Endpoint> {
        match path.strip_suffix('/').unwrap_or(path) {
            "/v1/chat/completions" => Some(Endpoint::Chat),
            "/v1/completions" => Some(Endpoint::Completions),
            "/v1/embeddings" => Some(Endpoint::Embeddings),
            "/v1/responses" => Some(Endpoint::Responses),
            _ => None,
        }
    }

    /// The word in records.
    pub fn name(self) -> &'static str {
        match self {
            Endpoint::Chat => "chat",
            Endpoint::Completions => "completions",
            Endpoint::Embeddings => "embeddings",
            Endpoint::Responses => "responses",
        }
    }

    /// The path below the version, as providers append it to their base URL.
    pub fn path(self) -> &'static str {
        match self {
            Endpoint::Chat => "/chat/completions",
            Endpoint::Completions => "/completions",
            Endpoint::Embeddings => "/embeddings",
            Endpoint::Responses => "/responses",
        }
    }
}

/// What a prompt contains or a model takes in, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Modalities(u8);

impl Modalities {
    pub const TEXT: Modalities = Modalities(1);
    pub const IMAGE: Modalities = Modalities(2);
    pub const AUDIO: Modalities = Modalities(4);
    pub const FILE: Modalities = Modalities(8);

    pub fn with(self, other: Modalities) -> Modalities {
        Modalities(self.0 | other.0)
    }

    /// Whether everything in `other` is in this set.
    pub fn contains(self, other: Modalities) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names in the contract's order, joined by commas.
    pub fn label(self) -> &'static str {
        const LABELS: [&str; 16] = [
            "",
            "text",
            "image",
            "text,image",
            "audio",
            "text,audio",
            "image,audio",
            "text,image,audio",
            "file",
            "text,file",
            "image,file",
            "text,image,file",
            "audio,file",
            "text,audio,file",
            "image,audio,file",
            "text,image,audio,file",
        ];
        LABELS.get(usize::from(self.0)).copied().unwrap_or("")
    }

    /// The names in the contract's order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        [(Self::TEXT, "text"), (Self::IMAGE, "image"), (Self::AUDIO, "audio"), (Self::FILE, "file")]
            .into_iter()
            .filter(move |(m, _)| self.contains(*m))
            .map(|(_, name)| name)
    }
}
