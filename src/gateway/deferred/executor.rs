//! The executor: a thread of its own that claims jobs, has them executed, stores what they come to, and keeps the queue tidy.
//!
//! What a reader could get wrong: of all processes on a data directory one executes (a lock on a file, which the kernel lets go of when
//! the process dies, however it does). Only then is what was running queued again: in an upgrade the old process may still be at it.

use std::fs::File;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::now_us;
use super::one::{AFTER_FAULT, Hands, one};
use crate::config::file::Placement;
use crate::deferred::{Back, Claimed, Fault, Kind, Lease, State, Store};
use crate::gateway::Gateway;
use crate::state::{Deferring, Shared, Snapshot};
use crate::task;

/// The queue is tidied, and looked through for what has become ready.
const TICK: Duration = Duration::from_secs(1);
/// Steps of tidying in a tick.
const STEPS: usize = 8;
/// A provider that pushes back more than this is left to those who wait.
const PRESSED: f64 = 0.5;
/// What waited for the cloud goes on in such portions when it is back.
const HASTENED: usize = 256;

/// What the thread is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Work,
    /// Begin nothing more; what runs has until then.
    Finish(Instant),
    Stop,
}

/// Keeps a drain waiting until it is dropped.
pub type Hold = dyn Fn() -> Box<dyn Send> + Send;

/// The thread.
#[derive(Debug)]
pub struct Executor {
    orders: watch::Sender<Order>,
    thread: JoinHandle<()>,
}

impl Executor {
    /// Starts it. `worker`: the number under which it has connections and a lane of the journal of its own. `hold`: whatever this gives is kept
    /// as long as a job runs.
    ///
    /// # Errors
    /// A thread or a runtime could not be had.
    pub fn start(shared: Arc<Shared>, worker: usize, hold: Box<Hold>) -> std::io::Result<Executor> {
        let (orders, heard) = watch::channel(Order::Work);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let gateway = Gateway { shared, worker };
        let body = move || {
            runtime.block_on(Work::new(gateway, heard, hold).run());
            // Writes under way are the queue's own thread's; nothing here is waited for.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("executor".into()).spawn(body)?;
        Ok(Executor { orders, thread })
    }

    /// Nothing more is begun from the moment that the answer is called with: until when what runs may finish.
    pub fn drain(&self) -> impl FnOnce(Instant) + Send + 'static {
        let orders = self.orders.clone();
        move |by| {
            orders.send_if_modified(|order| {
                let first = *order == Order::Work;
                if first {
                    *order = Order::Finish(by);
                }
                first
            });
        }
    }

    /// What still runs is given back: at once, or when its time in the drain is over. Blocks until the queue knows it.
    pub fn stop(self, at_once: bool) {
        self.orders.send_if_modified(|order| {
            let stops = at_once || *order == Order::Work;
            if stops {
                *order = Order::Stop;
            }
            stops
        });
        if self.thread.join().is_err() {
            tracing::error!("the executor of deferred work had panicked");
        }
    }
}

/// A job that runs.
struct Running {
    lease: Lease,
    store: Store,
    task: tokio::task::JoinHandle<()>,
    _hold: Box<dyn Send>,
}

/// The thread's work.
struct Work {
    gateway: Gateway,
    orders: watch::Receiver<Order>,
    hands: Arc<Hands>,
    hold: Box<Hold>,
    running: Vec<Running>,
    /// Held as long as this process executes.
    lock: Option<File>,
    tidied: Instant,
    had_cloud: bool,
    /// The configuration that was in force at the last look.
    generation: u64,
    /// Jobs that waited when another one came into force, and may look again.
    to_look: usize,
}

impl Work {
    fn new(gateway: Gateway, orders: watch::Receiver<Order>, hold: Box<Hold>) -> Work {
        let (hands, tidied) = (Arc::default(), Instant::now());
        let generation = gateway.shared.snapshot().generation;
        Work {
            gateway,
            orders,
            hands,
            hold,
            running: vec![],
            lock: None,
            tidied,
            had_cloud: false,
            generation,
            to_look: 0,
        }
    }

    async fn run(mut self) {
        while !self.has_ended().await {
            let snapshot = self.gateway.shared.snapshot();
            match &snapshot.deferred {
                Some(deferring) if self.is_ours(deferring).await => {
                    if let Err(fault) = self.turn(deferring, &snapshot).await {
                        tracing::error!("the queue of deferred work cannot be used: {fault}");
                        self.pause(TICK).await;
                    }
                }
                // A reload may bring it back.
                _ => self.pause(TICK).await,
            }
        }
        self.give_back().await;
    }

    async fn has_ended(&mut self) -> bool {
        self.reap().await;
        match *self.orders.borrow_and_update() {
            Order::Work => false,
            Order::Finish(by) => self.running.is_empty() || Instant::now() >= by,
            Order::Stop => true,
        }
    }

    async fn pause(&mut self, at_most: Duration) {
        tokio::select! {
            () = self.hands.done.notified() => {}
            () = tokio::time::sleep(at_most) => {}
            _ = self.orders.changed() => {}
        }
    }

    /// Whether this process executes; the first time, what the one before left is queued again.
    async fn is_ours(&mut self, deferring: &Deferring) -> bool {
        if self.lock.is_some() {
            return true;
        }
        let Some(data_dir) = &self.gateway.shared.durable.data_dir else { return false };
        let path = data_dir.join(crate::deferred::store::FOLDER).join("lock");
        let file = File::options().append(true).create(true).open(&path);
        let locked = file.and_then(|file| file.try_lock().map(|()| file).map_err(std::io::Error::from));
        let Ok(file) = locked else { return false };
        match deferring.store.recover().await {
            Ok(recovered) => {
                if recovered > 0 {
                    tracing::info!(recovered, "deferred work that was under way is queued again");
                }
                self.lock = Some(file);
                super::batches::drive(&self.gateway.shared, deferring);
                true
            }
            Err(fault) => {
                tracing::error!("the queue of deferred work cannot be used: {fault}");
                false
            }
        }
    }

    /// Begins what can begin, then waits for something to happen.
    async fn turn(&mut self, deferring: &Deferring, snapshot: &Snapshot) -> Result<(), Fault> {
        let store = &deferring.store;
        // Before the claim: what becomes ready after it is not missed.
        let mut ready = store.when_ready();
        let all = deferring.section.concurrency as usize;
        let places = all.saturating_sub(self.running.len());
        let may_begin = *self.orders.borrow() == Order::Work && places > 0 && !is_busy(snapshot);
        if may_begin {
            // One place is kept for tenants that have none, where there are several.
            let spare = usize::from(snapshot.tenants.tenants().len() > 1);
            for claimed in store.claim_fairly(now_us(), places, all.saturating_sub(spare).max(1)).await? {
                self.begin(deferring, claimed);
            }
        }
        if self.tidied.elapsed() >= TICK {
            self.tidied = Instant::now();
            self.tidy(deferring, snapshot).await?;
        }
        let mut until = self.tidied + TICK;
        if let Order::Finish(by) = *self.orders.borrow() {
            until = until.min(by);
        }
        if may_begin
            && self.running.len() < all
            && let Some(next) = store.next_at(now_us()).await?
        {
            // What is ready by now and was not claimed waits for the tick.
            let wait = u64::try_from(next - now_us()).ok().filter(|wait| *wait > 0);
            until = wait.map_or(until, |wait| until.min(Instant::now() + Duration::from_micros(wait)));
        }
        tokio::select! {
            () = ready.changed(), if may_begin => {}
            () = self.hands.done.notified() => {}
            _ = self.orders.changed() => {}
            () = tokio::time::sleep_until(until) => {}
        }
        Ok(())
    }

    fn begin(&mut self, deferring: &Deferring, claimed: Claimed) {
        let (gateway, deferring, hands) = (self.gateway.clone(), deferring.clone(), Arc::clone(&self.hands));
        let (lease, store) = (claimed.lease.clone(), deferring.store.clone());
        let work = async move {
            one(&gateway, &deferring, &hands, claimed).await;
            hands.done.notify_one();
        };
        let task = task::spawn("deferred work", Box::pin(work));
        self.running.push(Running { lease, store, task, _hold: (self.hold)() });
    }

    /// Lets go of what has ended. A panic is told by the task; its job is tried again, and not for ever.
    async fn reap(&mut self) {
        let mut at = 0;
        while at < self.running.len() {
            if !self.running[at].task.is_finished() {
                at += 1;
                continue;
            }
            let Running { lease, store, task, .. } = self.running.swap_remove(at);
            if task.await.is_err() {
                let again = now_us() + AFTER_FAULT.as_micros() as i64;
                if let Err(fault) = store.give_back(&lease, again, Back::Failed).await {
                    tracing::error!("a deferred request could not be put back: {fault}");
                }
            }
        }
    }

    async fn tidy(&mut self, deferring: &Deferring, snapshot: &Snapshot) -> Result<(), Fault> {
        let store = &deferring.store;
        let metrics = &self.gateway.shared.durable.metrics.deferred;
        let keep = i64::try_from(deferring.section.keep.0.as_micros()).unwrap_or(i64::MAX);
        for _ in 0..STEPS {
            let swept = store.sweep(now_us(), keep).await?;
            for (_, kind) in &swept.expired {
                metrics.finished.with_label_values(&[kind.label(), State::Expired.label()]).inc();
            }
            if !swept.is_full() {
                break;
            }
        }
        for kind in Kind::ALL {
            metrics
                .finished
                .with_label_values(&[kind.label(), State::Cancelled.label()])
                .inc_by(store.take_cancelled(kind));
        }
        let has_cloud = snapshot.available(Placement::Cloud);
        if has_cloud && !std::mem::replace(&mut self.had_cloud, has_cloud) {
            store.hasten(now_us(), HASTENED).await?;
        }
        self.had_cloud = has_cloud;
        self.look_again(store, snapshot.generation).await?;
        self.gateway.shared.measure_deferred(store).await;
        Ok(())
    }

    /// A budget may have been raised, a key mended: what waits looks at once, in portions.
    async fn look_again(&mut self, store: &Store, generation: u64) -> Result<(), Fault> {
        let is_new = std::mem::replace(&mut self.generation, generation) != generation;
        if is_new {
            self.to_look = store.paused(now_us()).await?;
        }
        if is_new || self.to_look > 0 {
            let looking = store.look_again(now_us(), HASTENED).await?;
            self.to_look = if looking < HASTENED { 0 } else { self.to_look.saturating_sub(looking) };
        }
        Ok(())
    }

    /// The gateway stops: what runs is done by the next one.
    async fn give_back(&mut self) {
        for Running { lease, store, task, .. } in self.running.drain(..) {
            task.abort();
            // `false`: it had just been finished.
            if let Err(fault) = store.give_back(&lease, now_us(), Back::Stopped).await {
                tracing::error!("a deferred request could not be put back, the next start does it: {fault}");
            }
        }
    }
}

/// Everything that could answer has enough to do with those who wait.
fn is_busy(snapshot: &Snapshot) -> bool {
    let mut available = snapshot.upstreams.iter().filter(|upstream| upstream.pool.is_available()).peekable();
    if available.peek().is_none() {
        return false;
    }
    let edge_is_full = snapshot.edge_load() >= 1.0;
    available.all(|upstream| match upstream.placement() {
        Placement::Edge => edge_is_full,
        Placement::Cloud => upstream.pressure.now() > PRESSED,
    })
}
