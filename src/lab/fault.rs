//! What can go wrong with a simulated server, and what that does to its answers.
//!
//! What a reader could get wrong: a fault that belongs to the connection (`Killed`, `Refusing`, `Stalled`, `HalfOpen`) strikes requests that are
//! under way as well; one that belongs to the answer strikes the next ones.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use super::wire::{Act, Answer, Flow, Framing, Point};

/// One way to be unwell. Of a black-holed network (packets dropped before the handshake) there is no simulation: loopback accepts or refuses;
/// `HalfOpen` is the nearest.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Fault {
    #[default]
    None,
    /// The port is closed and every connection reset.
    Killed,
    /// The port is closed; what stands goes on.
    Refusing,
    /// Accepts and reads, writes nothing more: also in the middle of an answer, and to health checks.
    Stalled,
    /// Accepts and reads nothing: half-open TCP.
    HalfOpen,
    /// Everything but its health check takes that many times as long.
    Slow(f64),
    /// 503 on every path, as llama-server while it loads its model.
    Loading,
    /// Answers with this status and an error page that is no JSON.
    Failing(u16),
    /// Answers with what is no HTTP.
    Garbage,
    /// Answers with the first half of its JSON, and says that this is all; a stream ends in the middle of an event.
    Truncated,
    /// Closes the connection after that many events (or in the middle of a plain answer).
    BreaksOff(usize),
    /// Goes quiet after that many events (or in the middle of a plain answer).
    HangsAfter(usize),
    /// 429 to everything, asking for that pause.
    Limited(Pause),
}

/// The pause that a 429 asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pause {
    /// It says nothing at all of its limits.
    Untold,
    /// `retry-after: N`.
    Seconds(u64),
    /// `retry-after-ms: N`.
    Millis(u64),
    /// `retry-after` as a date that many seconds from the server's own time, which may be wrong: see `Node::set_clock`. Negative is past.
    Date(i64),
    /// A value that nobody understands.
    Nonsense,
}

impl Fault {
    /// One or two words for the timeline.
    pub fn words(&self) -> String {
        match self {
            Fault::None => "well again".into(),
            Fault::Killed => "killed".into(),
            Fault::Refusing => "refuses connections".into(),
            Fault::Stalled => "stalled: accepts, never answers".into(),
            Fault::HalfOpen => "half-open: accepts, never reads".into(),
            Fault::Slow(factor) => format!("{factor} × slower"),
            Fault::Loading => "loading its model (503)".into(),
            Fault::Failing(status) => format!("answers {status}"),
            Fault::Garbage => "answers garbage".into(),
            Fault::Truncated => "cuts its answers short".into(),
            Fault::BreaksOff(after) => format!("closes after {after} events"),
            Fault::HangsAfter(after) => format!("goes quiet after {after} events"),
            Fault::Limited(_) => "429 storm".into(),
        }
    }

    /// What passes between the server and its peers.
    pub(super) fn flow(&self) -> Flow {
        match self {
            Fault::Stalled => Flow::Mute,
            Fault::HalfOpen => Flow::Deaf,
            _ => Flow::Open,
        }
    }

    /// How many times as long everything takes.
    pub(super) fn slowness(&self) -> f64 {
        if let Fault::Slow(factor) = self { factor.max(0.0) } else { 1.0 }
    }

    /// An answer that is given without looking at the request.
    pub(super) fn instead(&self, skew: i64) -> Option<Answer> {
        match self {
            Fault::Loading => Some(Answer::loading()),
            Fault::Failing(status) => {
                let page = "<html><body>simulated failure</body></html>";
                Some(Answer::new(*status, "text/html", Framing::Length, vec![page.into()]))
            }
            Fault::Garbage => Some(Answer::garbage()),
            Fault::Limited(pause) => Some(limited(*pause, skew)),
            _ => None,
        }
    }

    /// The answer as this fault leaves it.
    pub(super) fn bend(&self, mut answer: Answer) -> Answer {
        let pieces = answer.pieces.len();
        let midway =
            |after: usize| if pieces > 1 { Point::AfterPiece(after.clamp(1, pieces)) } else { Point::InsidePiece(1) };
        match self {
            Fault::Truncated => {
                let half = answer.pieces.len().div_ceil(2);
                answer.pieces.truncate(half);
                if let Some(last) = answer.pieces.last_mut() {
                    *last = Bytes::copy_from_slice(last.get(..last.len() / 2).unwrap_or_default());
                }
                answer
            }
            Fault::BreaksOff(after) => answer.at(midway(*after), Act::Close),
            Fault::HangsAfter(after) => answer.stalled(midway(*after)),
            _ => answer,
        }
    }
}

fn limited(pause: Pause, skew: i64) -> Answer {
    let answer = Answer::error(429, "rate_limit_exceeded", "simulated rate limit");
    let reset = match pause {
        Pause::Untold => return answer,
        Pause::Seconds(seconds) => format!("{seconds}s"),
        Pause::Millis(millis) => format!("{millis}ms"),
        Pause::Date(_) | Pause::Nonsense => "1s".into(),
    };
    let answer = answer
        .header("x-ratelimit-limit-requests", "600")
        .header("x-ratelimit-remaining-requests", "0")
        .header("x-ratelimit-reset-requests", &reset);
    match pause {
        Pause::Untold => answer,
        Pause::Seconds(seconds) => answer.header("retry-after", &seconds.to_string()),
        Pause::Millis(millis) => answer.header("retry-after-ms", &millis.to_string()),
        Pause::Date(seconds) => answer.header("retry-after", &http_date(skew.saturating_add(seconds))),
        Pause::Nonsense => answer.header("retry-after", "soon"),
    }
}

/// The time that many seconds from now as HTTP writes it (RFC 9110 5.6.7).
pub(super) fn http_date(from_now: i64) -> String {
    let then = Timestamp::now().checked_add(jiff::SignedDuration::from_secs(from_now)).unwrap_or(Timestamp::MAX);
    let printed = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&then);
    // A year that the format has no room for: the epoch is a wrong time as good as any.
    printed.unwrap_or_else(|_| "Thu, 01 Jan 1970 00:00:00 GMT".into())
}

/// A time as it takes at that rate; nothing for an infinite one.
pub(super) fn lasting(amount: usize, per_second: f64, slowness: f64) -> Duration {
    Duration::try_from_secs_f64(amount as f64 / per_second * slowness).unwrap_or(Duration::ZERO)
}
