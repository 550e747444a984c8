//! A worker: a thread with its own runtime, its own listening sockets, its own connections. Nothing is shared between
//! workers on a request's way but the count of requests in flight.
//!
//! What a reader could get wrong: closing a listening socket resets the connections that the kernel has already
//! accepted into its queue. So a worker that stops first takes those over and serves them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::connection::Site;
use super::drain::Lifecycle;
use super::roster::Roster;
use super::{Config, Handle};

/// Pause after an accept that failed for want of descriptors or memory (nginx: `accept_mutex_delay`, 500 ms).
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);
/// Time that blocking work of a handler has to end after its worker is done.
const BLOCKING_GRACE: Duration = Duration::from_secs(1);

/// What a worker is made of.
pub(super) struct Worker {
    /// The thread's name.
    pub(super) name: String,
    pub(super) config: Arc<Config>,
    pub(super) lifecycle: Arc<Lifecycle>,
    pub(super) listeners: Vec<std::net::TcpListener>,
    /// One permit per connection, shared by all workers.
    pub(super) places: Arc<Semaphore>,
    /// Dropped when the thread ends, however it ends.
    pub(super) alive: Option<watch::Receiver<()>>,
}

impl Worker {
    /// Starts the thread. It accepts from its first moment on, ends when the lifecycle's drain does, and returns how
    /// many requests it cut.
    ///
    /// # Errors
    /// The runtime, the registration of a socket or the thread could not be had: descriptors or memory are short.
    pub(super) fn start<H: Handle>(
        self,
        make_handler: impl FnOnce() -> H + Send + 'static,
    ) -> io::Result<JoinHandle<usize>> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let listeners = {
            let _entered = runtime.enter();
            self.listeners.into_iter().map(TcpListener::from_std).collect::<io::Result<Vec<_>>>()?
        };
        let roster = Roster::new(self.lifecycle, self.config.client_timeout);
        let (config, places, alive) = (self.config, self.places, self.alive);
        std::thread::Builder::new().name(self.name).spawn(move || {
            let _alive = alive;
            let cut = runtime.block_on(async {
                let site = Site::new(&config, make_handler(), roster);
                work(site, listeners, places, config.drain_grace).await
            });
            runtime.shutdown_timeout(BLOCKING_GRACE);
            cut
        })
    }
}

async fn work<H: Handle>(
    site: Arc<Site<H>>,
    listeners: Vec<TcpListener>,
    places: Arc<Semaphore>,
    grace: Duration,
) -> usize {
    let roster = site.roster.clone();
    let sweeper = crate::task::spawn("sweep", {
        let roster = roster.clone();
        async move { roster.sweep_on().await }
    });
    let accepting: Vec<_> = listeners
        .into_iter()
        .map(|listener| crate::task::spawn("accept", accept(listener, site.clone(), places.clone())))
        .collect();
    for task in accepting {
        // A panic in it has been reported by `task::spawn`; the other sockets go on.
        let _ = task.await;
    }
    roster.lifecycle.left_running().await;

    // HTTP/2 clients are told where to stop and lose nothing. HTTP/1 ones learn it from their next answer (`stack.rs`);
    // only after the grace are idle ones closed, when a request is less likely to be on its way.
    roster.finish(true);
    let over = async {
        let in_grace = tokio::time::timeout(grace, roster.emptied()).await;
        if in_grace.is_err() {
            roster.finish(false);
            roster.emptied().await;
        }
        // What a client elsewhere waits for may come over a connection of this worker's: it ends when all have ended.
        roster.lifecycle.drained().await;
    };
    tokio::select! {
        () = over => {}
        () = roster.lifecycle.ended() => {}
    }
    sweeper.abort();
    roster.busy()
}

/// Accepts until the drain begins.
async fn accept<H: Handle>(listener: TcpListener, site: Arc<Site<H>>, places: Arc<Semaphore>) {
    let lifecycle = site.roster.lifecycle.clone();
    let stopped = lifecycle.left_running();
    tokio::pin!(stopped);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stopped => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Accepted first, then made to wait for its place, at most one per socket: waiting before accepting
                // would let an idle worker hold a place that a busy one needs.
                let place = tokio::select! {
                    // The semaphore is never closed.
                    place = places.clone().acquire_owned() => place.ok(),
                    _ = &mut stopped => {
                        take(&site, stream, peer, None);
                        break;
                    }
                };
                take(&site, stream, peer, place);
            }
            Err(error) if is_shortage(&error) => {
                tracing::warn!(%error, "cannot accept connections, raise the limit of open files");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            // The client was gone before it was accepted: accept(2) asks to treat network errors as a try-again.
            Err(_) => {}
        }
    }
    take_queue(listener, &site);
}

/// Serves the connections that wait in the kernel's queue, then closes the socket.
fn take_queue<H: Handle>(listener: TcpListener, site: &Arc<Site<H>>) {
    let Ok(listener) = listener.into_std() else { return };
    while let Ok((stream, peer)) = listener.accept() {
        if stream.set_nonblocking(true).is_ok()
            && let Ok(stream) = TcpStream::from_std(stream)
        {
            take(site, stream, peer, None);
        }
    }
}

fn take<H: Handle>(site: &Arc<Site<H>>, stream: TcpStream, peer: SocketAddr, place: Option<OwnedSemaphorePermit>) {
    let connection = site.roster.enter(peer, place);
    let serving = site.clone().serve(stream, connection);
    // Boxed: a spawned future is moved and kept twice, and this one is kept for as long as the connection.
    crate::task::spawn("connection", Box::pin(serving));
}

fn is_shortage(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}
