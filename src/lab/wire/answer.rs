//! What a simulated server answers: a status, headers and a body in pieces, with faults put at chosen points of it.
//!
//! An `Answer` is rendered into a list of `Act`s, which the connection plays one after the other. What a reader could get wrong: a
//! fault that ends the connection (`Stall`, `Reset`, `Close`) makes everything behind it unreachable, as on a real wire.

use std::any::Any;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

/// One thing done on the connection.
#[derive(Debug, Clone)]
pub enum Act {
    /// Written as it is, in one write.
    Write(Bytes),
    Wait(Duration),
    /// Goes on when somebody opens the gate.
    Gate(Gate),
    /// Nothing more until the peer goes away.
    Stall,
    /// RST, as a process leaves behind that was killed with data unread.
    Reset,
    /// FIN.
    Close,
    /// Everything the peer writes from now on is written back to it, until it closes.
    Echo,
}

/// Where in an answer a fault is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    BeforeHead,
    AfterHead,
    /// Behind that many pieces of the body, from 1.
    AfterPiece(usize),
    /// Inside piece N (from 1): its first half is written, its second never is.
    InsidePiece(usize),
}

/// How the body's end is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    Length,
    /// A lie: this many bytes are announced.
    ClaimedLength(usize),
    Chunked,
    /// HTTP/1.0: the connection's end.
    UntilClose,
    /// Nothing is announced at all: for 101 and 204.
    None,
}

/// An answer, built by the constructors in `answers.rs` and bent by the methods below.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub pieces: Vec<Bytes>,
    pub framing: Framing,
    faults: Vec<(Point, Act)>,
    /// Sent instead of all the above.
    raw: Option<Bytes>,
    drip: Option<Duration>,
    held: Option<Held>,
}

/// What an answer keeps as long as it is being played, such as a slot of the server: dropped at its end, whatever that is.
#[derive(Clone)]
struct Held(#[allow(dead_code, reason = "kept to be dropped")] Arc<dyn Any + Send + Sync>);

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

impl Answer {
    /// A body in `pieces`, each written by itself.
    pub fn new(status: u16, content_type: &str, framing: Framing, pieces: Vec<Bytes>) -> Answer {
        let headers = if content_type.is_empty() { vec![] } else { vec![("content-type".into(), content_type.into())] };
        Answer { status, headers, pieces, framing, faults: vec![], raw: None, drip: None, held: None }
    }

    /// These bytes and then the end of the connection, HTTP or not.
    pub fn raw(bytes: impl Into<Bytes>) -> Answer {
        Answer { raw: Some(bytes.into()), ..Answer::new(0, "", Framing::None, vec![]) }
    }

    pub fn header(mut self, name: &str, value: &str) -> Answer {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Keeps `what` until the answer has been played or has failed.
    pub fn holding(mut self, what: impl Any + Send + Sync) -> Answer {
        self.held = Some(Held(Arc::new(what)));
        self
    }

    /// Puts a fault (or a wait) at a point; several at one point happen in the order given.
    pub fn at(mut self, point: Point, act: Act) -> Answer {
        self.faults.push((point, act));
        self
    }

    pub fn delayed(self, wait: Duration) -> Answer {
        self.at(Point::BeforeHead, Act::Wait(wait))
    }

    /// A pause before each piece but the first.
    pub fn spaced(mut self, wait: Duration) -> Answer {
        for piece in 1..self.pieces.len() {
            self = self.at(Point::AfterPiece(piece), Act::Wait(wait));
        }
        self
    }

    pub fn gated(self, point: Point, gate: &Gate) -> Answer {
        self.at(point, Act::Gate(gate.clone()))
    }

    pub fn stalled(self, point: Point) -> Answer {
        self.at(point, Act::Stall)
    }

    pub fn reset(self, point: Point) -> Answer {
        self.at(point, Act::Reset)
    }

    pub fn closed(self, point: Point) -> Answer {
        self.at(point, Act::Close)
    }

    /// Announces `length` bytes, whatever follows. The connection ends behind the body.
    pub fn claiming(mut self, length: usize) -> Answer {
        self.framing = Framing::ClaimedLength(length);
        self
    }

    /// As an HTTP/1.0 server: no length, the connection's end is the body's.
    pub fn until_close(mut self) -> Answer {
        self.framing = Framing::UntilClose;
        self
    }

    /// Head and body byte by byte, `every` apart.
    pub fn dripped(mut self, every: Duration) -> Answer {
        self.drip = Some(every);
        self
    }

    /// The same body in two pieces, cut at byte `at`.
    pub fn split_at(mut self, at: usize) -> Answer {
        let mut whole = Bytes::from(self.pieces.concat());
        let tail = whole.split_off(at.min(whole.len()));
        self.pieces = [whole, tail].into_iter().filter(|piece| !piece.is_empty()).collect();
        self
    }

    /// The body's bytes, for comparison.
    pub fn body(&self) -> Bytes {
        Bytes::from(self.pieces.concat())
    }

    /// What is to be done on the wire, and whether the connection may serve another request behind it.
    pub fn acts(&self) -> (Vec<Act>, bool) {
        if let Some(raw) = &self.raw {
            return (vec![Act::Write(raw.clone()), Act::Close], false);
        }
        let mut acts = self.faults_at(Point::BeforeHead);
        acts.push(Act::Write(self.head()));
        acts.extend(self.faults_at(Point::AfterHead));
        for (index, piece) in self.pieces.iter().enumerate() {
            let framed = self.frame(piece);
            let inside = self.faults_at(Point::InsidePiece(index + 1));
            if inside.is_empty() {
                acts.push(Act::Write(framed));
            } else {
                acts.push(Act::Write(framed.slice(..framed.len() / 2)));
                acts.extend(inside);
                acts.push(Act::Write(framed.slice(framed.len() / 2..)));
            }
            acts.extend(self.faults_at(Point::AfterPiece(index + 1)));
        }
        if self.framing == Framing::Chunked {
            acts.push(Act::Write(Bytes::from_static(b"0\r\n\r\n")));
        }
        let keeps_alive = !matches!(self.framing, Framing::UntilClose | Framing::ClaimedLength(_));
        (self.drip.map_or(acts.clone(), |every| drip(acts, every)), keeps_alive)
    }

    fn faults_at(&self, point: Point) -> Vec<Act> {
        self.faults.iter().filter(|(at, _)| *at == point).map(|(_, act)| act.clone()).collect()
    }

    fn head(&self) -> Bytes {
        let version = if self.framing == Framing::UntilClose { "1.0" } else { "1.1" };
        let reason =
            http::StatusCode::from_u16(self.status).ok().and_then(|s| s.canonical_reason()).unwrap_or("Unknown");
        let mut head = format!("HTTP/{version} {} {reason}\r\n", self.status);
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        match self.framing {
            Framing::Length => {
                let _ = write!(head, "content-length: {}\r\n", self.body().len());
            }
            Framing::ClaimedLength(length) => {
                let _ = write!(head, "content-length: {length}\r\n");
            }
            Framing::Chunked => head.push_str("transfer-encoding: chunked\r\n"),
            Framing::UntilClose | Framing::None => {}
        }
        head.push_str("\r\n");
        head.into()
    }

    fn frame(&self, piece: &Bytes) -> Bytes {
        if self.framing != Framing::Chunked {
            return piece.clone();
        }
        let mut framed = format!("{:x}\r\n", piece.len()).into_bytes();
        framed.extend_from_slice(piece);
        framed.extend_from_slice(b"\r\n");
        framed.into()
    }
}

fn drip(acts: Vec<Act>, every: Duration) -> Vec<Act> {
    let mut dripped = vec![];
    for act in acts {
        let Act::Write(bytes) = act else {
            dripped.push(act);
            continue;
        };
        for at in 0..bytes.len() {
            dripped.push(Act::Write(bytes.slice(at..=at)));
            dripped.push(Act::Wait(every));
        }
    }
    dripped
}

/// A point where an answer waits until it is let go on; what replaces sleeping.
#[derive(Debug, Clone)]
pub struct Gate(watch::Sender<bool>);

impl Default for Gate {
    fn default() -> Gate {
        Gate(watch::Sender::new(false))
    }
}

impl Gate {
    pub fn new() -> Gate {
        Gate::default()
    }

    pub fn open(&self) {
        self.0.send_replace(true);
    }

    pub async fn passed(&self) {
        // Cannot fail: `self` holds the sender.
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}
