//! A job: what is asked, how far it has come, what it came to.
//!
//! What a reader could get wrong: all times are microseconds since 1970 in UTC, and `expires_us` is about waiting: a job that runs at
//! that moment may finish.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The name of a job, as its client knows it: a prefix that says whose it is (`resp_tg`, `chatcmpl-tg`, …), and 128 random bits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(Box<str>);

impl JobId {
    /// A new one.
    pub fn new(prefix: &str) -> JobId {
        JobId(format!("{prefix}{}", uuid::Uuid::new_v4().simple()).into())
    }

    /// One that somebody names; whether there is such a job is for the store to say.
    pub fn named(name: &str) -> JobId {
        JobId(name.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a job is for; also the order in which a tenant's jobs are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Somebody polls for it.
    Background = 0,
    /// The edge has answered; the cloud's answer follows.
    Upgrade = 1,
    /// A line of a batch.
    Batch = 2,
}

impl Kind {
    /// Each, in order.
    pub const ALL: [Kind; 3] = [Kind::Background, Kind::Upgrade, Kind::Batch];

    /// As metrics name it.
    pub fn label(self) -> &'static str {
        match self {
            Kind::Background => "background",
            Kind::Upgrade => "upgrade",
            Kind::Batch => "batch",
        }
    }

    pub(super) fn of(number: i64) -> Kind {
        match number {
            0 => Kind::Background,
            1 => Kind::Upgrade,
            _ => Kind::Batch,
        }
    }
}

/// How far a job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    Queued = 0,
    Running = 1,
    /// Belongs to a batch that has not begun.
    Held = 2,
    Completed = 3,
    Failed = 4,
    Cancelled = 5,
    /// Its time ran out before it could be done.
    Expired = 6,
    /// The model stopped at its limit.
    Incomplete = 7,
}

impl State {
    /// Each, in order.
    pub const ALL: [State; 8] = [
        State::Queued,
        State::Running,
        State::Held,
        State::Completed,
        State::Failed,
        State::Cancelled,
        State::Expired,
        State::Incomplete,
    ];

    /// As metrics name it.
    pub fn label(self) -> &'static str {
        match self {
            State::Queued => "queued",
            State::Running => "running",
            State::Held => "held",
            State::Completed => "completed",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
            State::Expired => "expired",
            State::Incomplete => "incomplete",
        }
    }

    /// Nothing more becomes of it.
    pub fn is_final(self) -> bool {
        !matches!(self, State::Queued | State::Running | State::Held)
    }

    pub(super) fn of(number: i64) -> State {
        usize::try_from(number).ok().and_then(|number| State::ALL.get(number)).copied().unwrap_or(State::Failed)
    }
}

/// How a request was asked, besides its body. Sealed on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The path: `/v1/responses`, `/v1/chat/completions`, …
    pub endpoint: String,
    pub app: Option<String>,
    pub user: Option<String>,
    /// Headers that matter to the answer: hints, and what goes up to providers. Never a key.
    pub headers: Vec<(String, String)>,
    /// The line's name in its batch.
    pub custom_id: Option<String>,
    /// The answer is asked as a stream, and its events are kept.
    pub stream: bool,
    /// Whatever else the one who asked wants to find again (JSON).
    pub about: Vec<u8>,
}

/// A job to be done.
#[derive(Debug, Clone)]
pub struct NewJob {
    pub id: JobId,
    pub kind: Kind,
    /// Empty where nobody is asked for a key.
    pub tenant: String,
    /// The batch whose line it is: it is held until the batch begins.
    pub batch: Option<String>,
    pub asked: Asked,
    pub body: Bytes,
    /// What was answered at once ([`Kind::Upgrade`]).
    pub edge: Option<Bytes>,
    pub created_us: i64,
    /// Not begun before; at once where that is not after `created_us`.
    pub not_before_us: i64,
    /// Not begun after.
    pub expires_us: i64,
}

/// The right to store the result of one execution.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lease {
    pub job: JobId,
    pub(super) n: i64,
    pub(super) lease: i64,
    pub(super) lane: i64,
}

/// A job that is to be executed now.
#[derive(Debug, Clone)]
pub struct Claimed {
    pub lease: Lease,
    pub kind: Kind,
    pub tenant: String,
    pub batch: Option<String>,
    pub asked: Asked,
    pub body: Bytes,
    /// Executions that count, this one included.
    pub attempts: u32,
    /// All executions that are in the books, this one included.
    pub executions: u32,
    /// How often it was given back to be tried later.
    pub postponed: u32,
    pub created_us: i64,
    pub expires_us: i64,
    /// Events kept so far have lower numbers: those of this execution go on from here.
    pub next_event: i64,
}

/// Why a job is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Back {
    /// An upstream that was reached failed: the execution counts.
    Failed,
    /// Nobody could be reached: it does not count, and can be hastened when somebody is there again.
    Unreachable,
    /// It is to wait (a limit, a budget, the hours): it does not count.
    Paused,
    /// An upstream has too much to do for it (429): it does not count, unless others of its lane pass meanwhile.
    PushedBack,
    /// The gateway stops.
    Stopped,
}

/// What a job came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// A final one.
    pub state: State,
    /// The HTTP status of the answer; 0: there was none.
    pub status: u16,
    /// The answer, or an error object.
    pub body: Bytes,
    /// The `models` key that answered.
    pub model: String,
    pub placement: String,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub at_us: i64,
}

/// A job as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub id: JobId,
    pub kind: Kind,
    pub tenant: String,
    pub batch: Option<String>,
    pub state: State,
    /// Executions begun that count.
    pub attempts: u32,
    pub created_us: i64,
    pub started_us: Option<i64>,
    pub completed_us: Option<i64>,
    pub not_before_us: i64,
    pub expires_us: i64,
    pub asked: Asked,
    pub status: u16,
    pub model: String,
    pub placement: String,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    /// The number that the next event will have.
    pub next_event: i64,
}

/// The texts of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    Request = 0,
    Result = 1,
    /// What was answered at once.
    Edge = 2,
}
