//! Copies of requests to a shadow model: drawn when the decision is made, sent when the answer is on its way, compared when both are there.
//!
//! What a reader could get wrong: nothing here can delay or fail a request. A copy that cannot be made at once (too many, too large,
//! no node free) is not made, and counted as skipped.

mod booking;
mod copy;
mod heard;

use tokio::sync::oneshot;

use self::booking::Booking;
use self::copy::Copying;
use self::heard::Heard;
use super::read::Read;
use super::record::Record;
use super::{Gateway, admit, exchange, headers};
use crate::error::Kind;
use crate::policy::{Rule, TargetId};
use crate::signals::Signals;
use crate::task;
use crate::upstream::send::Locality;

/// Bodies beyond this are not copied: they are held until the copy is sent.
const LARGEST_BODY: usize = 1 << 20;

/// Where a request stands with its copy.
#[derive(Debug, Default)]
pub enum Shadowing {
    #[default]
    None,
    /// Drawn, and may be copied to this target.
    Drawn(TargetId),
    /// The copy is under way; what the client gets is listened to.
    Listening(Box<Listening>),
}

/// What the client gets, for the comparison.
#[derive(Debug)]
pub struct Listening {
    heard: Heard,
    tell: oneshot::Sender<Original>,
}

/// The answer that the client got to its end.
#[derive(Debug)]
struct Original(Heard);

/// What came of a copy, as a metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Both answers have the same words (for embeddings: both are there).
    Same,
    Different,
    /// The shadow gave no good answer.
    Failed,
    /// No copy was made, or there was nothing to compare it with.
    Skipped,
}

impl Outcome {
    fn label(self) -> &'static str {
        match self {
            Outcome::Same => "same",
            Outcome::Different => "different",
            Outcome::Failed => "failed",
            Outcome::Skipped => "skipped",
        }
    }
}

/// Draws whether the request is copied, when it is decided by which rule it runs.
pub fn draw(record: &mut Record, rule: Option<&Rule>, signals: &Signals<'_>) {
    let Some(shadow) = rule.and_then(|rule| rule.shadow.as_ref()) else { return };
    if !record.shared().durable.shadows.draws(shadow.sample) {
        return;
    }
    let is_spent = record.admission.budgets().any(|budget| budget.is_used_up(record.arrived_us()));
    let is_listed = admit::may_ask(&shadow.candidate.model, record).is_ok();
    record.shadow = Shadowing::Drawn(shadow.candidate.id);
    if is_spent || !is_listed || !shadow.may_have(signals) {
        skip(record);
    }
}

/// Sends the copy off, now that the answer is on its way.
pub fn begin(gateway: &Gateway, read: &Read, locality: Locality, record: &mut Record) {
    let Shadowing::Drawn(id) = record.shadow else { return };
    let Some(copying) = prepare(gateway, read, locality, id, record) else { return skip(record) };
    let (tell, told) = oneshot::channel();
    record.shadow = Shadowing::Listening(Box::new(Listening { heard: Heard::default(), tell }));
    // Ends by itself within the upstream's `total` and the wait for the original.
    drop(task::spawn("shadow", Box::pin(copying.run(told))));
}

fn prepare(gateway: &Gateway, read: &Read, locality: Locality, id: TargetId, record: &Record) -> Option<Copying> {
    let target = record.snapshot.target(id)?;
    let answers_itself = record.target.as_ref().is_some_and(|(answering, _)| *answering == id);
    if answers_itself || read.body.len() > LARGEST_BODY {
        return None;
    }
    let permit = gateway.shared.durable.shadows.place()?;
    let place = target.upstream.pool.pick(&read.ask(target), &[])?;
    let mut headers = headers::upwards(&read.headers, true);
    // The same key for another body would be refused, or answered with the original.
    headers.remove("idempotency-key");
    if let Some((name, value)) = &target.upstream.credentials {
        headers.insert(name.clone(), value.clone());
    }
    let body = exchange::body(read, &exchange::shared_edits(read), target, None);
    let booking = Booking::open(gateway, read, target, &place, record);
    let redacted = record.private.is_some();
    Some(Copying { endpoint: read.endpoint, headers, body, locality, redacted, place, booking, permit })
}

/// The copy is not made.
fn skip(record: &mut Record) {
    if let Shadowing::Drawn(id) = std::mem::take(&mut record.shadow) {
        let (route, rule) = record.names();
        let model = record.snapshot.target(id).map_or("", |target| target.name.as_str());
        let labels = [route, rule, model, Outcome::Skipped.label()];
        record.shared().durable.metrics.shadow.results.with_label_values(&labels).inc();
    }
}

impl Shadowing {
    /// Bytes on their way to the client.
    pub fn saw_answer(&mut self, bytes: &bytes::Bytes) {
        if let Shadowing::Listening(listening) = self {
            listening.heard.take_in(bytes);
        }
    }
}

/// The request has ended; `None`: well.
pub fn ended(record: &mut Record, outcome: Option<Kind>) {
    match &record.shadow {
        Shadowing::None => {}
        // Nobody could answer it.
        Shadowing::Drawn(_) => skip(record),
        Shadowing::Listening(_) => {
            if let Shadowing::Listening(listening) = std::mem::take(&mut record.shadow)
                && outcome.is_none()
            {
                // The copy has ended before: nobody listens.
                drop(listening.tell.send(Original(listening.heard)));
            }
        }
    }
}
