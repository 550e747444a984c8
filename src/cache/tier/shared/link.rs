//! The connection to the shared Redis, and the breaker in front of it: while it is down nobody asks it, and a task of its own tries to get
//! through to it again.
//!
//! What a reader could get wrong: "up" means that it answered the very question that lookups ask, within their deadline. A server that
//! accepts connections and is silent, slow, loading, or does not let us read, is down.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Cmd, ErrorKind, RedisError, Value};
use tokio::sync::{Notify, watch};

use crate::cache::tier::figures::Outcome;

/// How long connecting may take, TLS and password included.
const CONNECT: Duration = Duration::from_secs(2);

/// How long a write may take: nobody waits for it but the next one, and a server silent for as long is down.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Link {
    current: Mutex<Current>,
    failures: AtomicU32,
    /// Tells the driver that the connection was given up.
    lost: Notify,
    state: watch::Sender<bool>,
    limit: u32,
}

#[derive(Debug, Default)]
struct Current {
    connection: Option<MultiplexedConnection>,
    /// Counts the connections there were: what one of them did is not held against the next.
    number: u64,
}

/// A connection that may be asked.
#[derive(Debug)]
pub struct Up {
    pub connection: MultiplexedConnection,
    number: u64,
}

impl Link {
    /// `limit`: failures in a row after which the server counts as down.
    pub fn new(limit: u32) -> Arc<Link> {
        let (state, _) = watch::channel(false);
        let (current, failures, lost) = (Mutex::default(), AtomicU32::new(0), Notify::new());
        Arc::new(Link { current, failures, lost, state, limit })
    }

    /// `None`: it is down.
    pub fn up(&self) -> Option<Up> {
        let current = self.current.lock();
        Some(Up { connection: current.connection.clone()?, number: current.number })
    }

    /// Asks on behalf of a request, and waits for `deadline` at most; the error says what the failure is counted as.
    pub async fn ask(&self, up: &mut Up, command: &Cmd, deadline: Duration) -> Result<Value, Outcome> {
        let answer = judged(tokio::time::timeout(deadline, up.connection.req_packed_command(command)).await);
        match answer {
            Ok(_) => self.failures.store(0, Ordering::Relaxed),
            Err(outcome) => {
                let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
                if outcome == Outcome::Broken || failures >= self.limit {
                    self.give_up(up, outcome);
                }
            }
        }
        answer
    }

    /// Asks where nobody waits. A refusal (no memory left, read-only) is no sign that lookups fail, an answer none that they are in time.
    pub async fn ask_patiently(&self, up: &mut Up, command: &Cmd) -> Result<Value, Outcome> {
        let answer = judged(tokio::time::timeout(PATIENCE, up.connection.req_packed_command(command)).await);
        answer.inspect_err(|outcome| self.note(up, *outcome))
    }

    /// Has several things done where nobody waits; see [`Link::ask_patiently`].
    pub async fn order(&self, up: &mut Up, pipeline: &redis::Pipeline) -> Result<(), Outcome> {
        let done = tokio::time::timeout(PATIENCE, pipeline.exec_async(&mut up.connection)).await;
        let done = done.map_or(Err(Outcome::Timeout), |done| done.map_err(|error| kind(&error)));
        done.inspect_err(|outcome| self.note(up, *outcome))
    }

    fn note(&self, up: &Up, outcome: Outcome) {
        if outcome != Outcome::Refused {
            self.give_up(up, outcome);
        }
    }

    fn give_up(&self, up: &Up, why: Outcome) {
        let mut current = self.current.lock();
        if current.number == up.number && current.connection.take().is_some() {
            drop(current);
            // Only the one that took it down says so.
            tracing::warn!(why = why.label(), "the shared cache is down; answers are remembered without it");
            self.state.send_replace(false);
            self.lost.notify_one();
        }
    }

    /// Keeps a connection, for as long as the runtime or whoever aborts this lets it. `pause` lies between attempts, `probe` is what must be
    /// answered within `deadline`.
    pub async fn drive(self: Arc<Link>, client: redis::Client, probe: Cmd, deadline: Duration, pause: Duration) {
        let mut told = None;
        loop {
            match connect(&client, &probe, deadline).await {
                Ok(connection) => {
                    self.failures.store(0, Ordering::Relaxed);
                    {
                        let mut current = self.current.lock();
                        current.number += 1;
                        current.connection = Some(connection);
                    }
                    self.state.send_replace(true);
                    tracing::info!("the shared cache is up");
                    told = None;
                    self.lost.notified().await;
                }
                Err(reason) => {
                    // Once per reason, not once per attempt.
                    if told.as_ref() != Some(&reason) {
                        tracing::warn!("the shared cache cannot be reached ({reason}); it is tried again all the time");
                        told = Some(reason);
                    }
                }
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Whether it is up, and when that changes.
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.state.subscribe()
    }
}

pub(super) async fn connect(
    client: &redis::Client,
    probe: &Cmd,
    deadline: Duration,
) -> Result<MultiplexedConnection, String> {
    // Deadlines are kept here: the driver's own would only be a second timer.
    let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    let connecting = client.get_multiplexed_async_connection_with_config(&config);
    let connected = tokio::time::timeout(CONNECT, connecting).await;
    let mut connection = connected.map_err(|_| "no answer".to_owned())?.map_err(|error| reason(&error))?;
    let answer = tokio::time::timeout(deadline, connection.req_packed_command(probe)).await;
    let answer = answer.map_err(|_| format!("no answer within {} ms", deadline.as_secs_f64() * 1e3))?;
    answer.and_then(Value::extract_error).map_err(|error| reason(&error))?;
    Ok(connection)
}

fn judged(answer: Result<redis::RedisResult<Value>, tokio::time::error::Elapsed>) -> Result<Value, Outcome> {
    let answer = answer.map_err(|_| Outcome::Timeout)?;
    answer.and_then(Value::extract_error).map_err(|error| kind(&error))
}

/// What a failure is counted as.
fn kind(error: &RedisError) -> Outcome {
    if error.is_unrecoverable_error() || error.is_io_error() || error.is_connection_dropped() {
        Outcome::Broken
    } else {
        Outcome::Refused
    }
}

/// What may be told of a failure: its category and the server's own code, nothing that could hold an address or a name.
fn reason(error: &RedisError) -> String {
    if error.kind() == ErrorKind::AuthenticationFailed {
        return "the server did not take user and password of the URL".to_owned();
    }
    match error.code() {
        Some(code) => format!("the server said {code}"),
        None if error.is_connection_refusal() => "connection refused".to_owned(),
        None => error.category().to_owned(),
    }
}
