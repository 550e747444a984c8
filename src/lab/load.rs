//! A load on the gateway: clients that ask one after the other, or at a rate, and what came of each request.
//!
//! What a reader could get wrong: what is asked is drawn from the seed and the request's number, so two runs ask the same in the same order; when it is
//! answered is the machine's. At a rate, times are counted from when a request was due, not from when a client had time for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::client::{self, Headers, Reply};

/// One kind of request in the mix.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    pub name: &'static str,
    /// The model or route that is asked for.
    pub model: &'static str,
    pub headers: Headers,
    /// How often, against the others.
    pub weight: u32,
    /// May be answered in the cloud only: when every cloud is away, it fails, and that is right.
    pub only_cloud: bool,
}

/// How fast is asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// Each client asks as soon as it has its answer.
    Closed,
    /// So many requests a second, whatever becomes of them; `clients` bounds those under way.
    PerSecond(f64),
}

/// A load to be put on a gateway.
#[derive(Debug, Clone)]
pub struct Plan {
    pub gateway: SocketAddr,
    pub clients: usize,
    pub pace: Pace,
    pub seed: u64,
    pub kinds: Vec<Kind>,
    /// Share of requests that are streamed, 0 to 1.
    pub streams: f64,
}

/// What came of one request.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    pub number: usize,
    /// Index into the plan's kinds.
    pub kind: usize,
    /// The phase in which it was asked, and that in which it was answered.
    pub phases: (usize, usize),
    /// When it was asked, and when it was answered, since the load began.
    pub asked: Duration,
    pub answered: Duration,
    /// Until the first bytes of the answer.
    pub first: Duration,
    pub streamed: bool,
    pub status: u16,
    /// The error's code, or how the connection broke; nothing where all is well.
    pub error: Option<String>,
    pub placement: String,
    pub upstream: String,
    pub degraded: String,
    /// Attempts upstream.
    pub attempts: usize,
}

impl Outcome {
    pub fn latency(&self) -> Duration {
        self.answered.saturating_sub(self.asked)
    }

    /// A stream that had begun and could not be finished: what had reached the client could not be taken back.
    pub fn is_cut_stream(&self) -> bool {
        self.streamed && self.status == 200 && self.error.is_some()
    }
}

/// A load that is on.
pub struct Load {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
}

struct Shared {
    plan: Plan,
    began: Instant,
    next: AtomicUsize,
    phase: AtomicUsize,
    /// When each phase began.
    phases: Mutex<Vec<Duration>>,
    stop: AtomicBool,
    outcomes: Mutex<Vec<Outcome>>,
    done: watch::Sender<usize>,
}

impl Load {
    /// Begins.
    pub fn start(plan: Plan) -> Load {
        let shared = Arc::new(Shared {
            began: Instant::now(),
            next: AtomicUsize::new(0),
            phase: AtomicUsize::new(0),
            phases: Mutex::default(),
            stop: AtomicBool::new(false),
            outcomes: Mutex::default(),
            done: watch::Sender::new(0),
            plan,
        });
        let mut clients = JoinSet::new();
        match shared.plan.pace {
            Pace::Closed => {
                for _ in 0..shared.plan.clients {
                    clients.spawn(one_after_the_other(Arc::clone(&shared)));
                }
            }
            Pace::PerSecond(rate) => {
                clients.spawn(at_a_rate(Arc::clone(&shared), rate));
            }
        }
        Load { shared, clients }
    }

    /// Since it began.
    pub fn elapsed(&self) -> Duration {
        self.shared.began.elapsed()
    }

    /// Requests asked from now on belong to that phase.
    pub fn enter(&self, phase: usize) {
        let mut phases = self.shared.phases.lock();
        let now = self.elapsed();
        let known = phases.len().max(phase + 1);
        phases.resize(known, now);
        self.shared.phase.store(phase, SeqCst);
    }

    /// When each phase was entered first, since the load began.
    pub fn phases(&self) -> Vec<Duration> {
        self.shared.phases.lock().clone()
    }

    /// Requests that have come to an end.
    pub fn done(&self) -> usize {
        *self.shared.done.borrow()
    }

    /// Waits until that many more have come to an end.
    pub async fn more(&self, requests: usize) {
        let until = self.done() + requests;
        // Cannot fail: `self` holds the sender.
        let _ = self.shared.done.subscribe().wait_for(|done| *done >= until).await;
    }

    /// What came of the requests so far, from the `from`th that ended on.
    pub fn outcomes(&self, from: usize) -> Vec<Outcome> {
        self.shared.outcomes.lock().get(from..).unwrap_or_default().to_vec()
    }

    /// Asks nothing further, waits for the answers under way, and tells all.
    pub async fn stop(mut self) -> Vec<Outcome> {
        self.shared.stop.store(true, SeqCst);
        while self.clients.join_next().await.is_some() {}
        std::mem::take(&mut *self.shared.outcomes.lock())
    }
}

async fn one_after_the_other(shared: Arc<Shared>) {
    while !shared.stop.load(SeqCst) {
        let number = shared.next.fetch_add(1, SeqCst);
        shared.ask(number, shared.began.elapsed()).await;
    }
}

async fn at_a_rate(shared: Arc<Shared>, rate: f64) {
    let free = Arc::new(Semaphore::new(shared.plan.clients));
    let mut under_way = JoinSet::new();
    while !shared.stop.load(SeqCst) {
        let number = shared.next.fetch_add(1, SeqCst);
        let due = Duration::from_secs_f64(number as f64 / rate);
        tokio::time::sleep_until(shared.began + due).await;
        let permit = Arc::clone(&free).acquire_owned().await;
        let shared = Arc::clone(&shared);
        under_way.spawn(async move {
            shared.ask(number, due).await;
            drop(permit);
        });
        while under_way.try_join_next().is_some() {}
    }
    while under_way.join_next().await.is_some() {}
}

impl Shared {
    async fn ask(&self, number: usize, due: Duration) {
        let mut dice = Dice::new(self.plan.seed, number);
        let kind = self.draw(&mut dice);
        let Some(asked) = self.plan.kinds.get(kind) else { return };
        let streamed = dice.share() < self.plan.streams;
        let body = body(asked.model, streamed, &mut dice);
        let phase = self.phase.load(SeqCst);
        let sent = self.began.elapsed();
        let answer = client::ask(self.plan.gateway, "/v1/chat/completions", asked.headers, body).await;
        let phases = (phase, self.phase.load(SeqCst));
        let answered = self.began.elapsed();
        let mut outcome = Outcome { number, kind, phases, asked: due, answered, streamed, ..Outcome::default() };
        match answer {
            Ok(reply) => outcome.take(&reply, sent.saturating_sub(due)),
            Err(broken) => outcome.error = Some(broken),
        }
        self.outcomes.lock().push(outcome);
        self.done.send_modify(|done| *done += 1);
    }

    fn draw(&self, dice: &mut Dice) -> usize {
        let all: u32 = self.plan.kinds.iter().map(|kind| kind.weight).sum();
        let mut drawn = dice.below(u64::from(all.max(1)));
        let place = self.plan.kinds.iter().position(|kind| {
            let is_it = drawn < u64::from(kind.weight);
            drawn = drawn.saturating_sub(u64::from(kind.weight));
            is_it
        });
        place.unwrap_or(0)
    }
}

impl Outcome {
    fn take(&mut self, reply: &Reply, late: Duration) {
        self.first = reply.first + late;
        self.status = reply.status;
        self.error = match &reply.complaint {
            Some(complaint) if complaint.code.is_empty() => Some(complaint.message.clone()),
            Some(complaint) => Some(complaint.code.clone()),
            None if !reply.is_whole => Some("broke off".into()),
            None => None,
        };
        let text = |name: &str| reply.header(name).to_owned();
        (self.placement, self.upstream) = (text("x-tidegate-placement"), text("x-tidegate-upstream"));
        self.degraded = text("x-tidegate-degraded");
        self.attempts = reply.header("x-tidegate-attempts").split(',').filter(|part| !part.is_empty()).count();
    }
}

/// A conversation that begins like others: one of a few system prompts.
fn body(model: &str, stream: bool, dice: &mut Dice) -> Value {
    let role = ["gardener", "librarian", "ferryman", "clockmaker"];
    let who = role.get(dice.below(4) as usize).copied().unwrap_or("gardener");
    let system = format!("You are a kind {who}. ").repeat(20);
    let user = format!("Question {}: what is the tide doing?", dice.below(1_000_000));
    let messages = json!([{"role": "system", "content": system}, {"role": "user", "content": user}]);
    json!({"model": model, "stream": stream, "messages": messages})
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same on every machine.
struct Dice(u64);

impl Dice {
    fn new(seed: u64, number: usize) -> Dice {
        let mut dice = Dice(seed ^ (number as u64).wrapping_mul(0xa076_1d64_78bd_642f));
        dice.next();
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// 0 to 1, without 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
