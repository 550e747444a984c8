//! Signals: SIGTERM and SIGINT drain, a second one ends at once, SIGQUIT hands the sockets to a new process and then
//! drains.
//!
//! What a reader could get wrong: SIGHUP is not here; reloading is the state's business.

use std::io;

use tokio::runtime::{self, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Drained, Running, upgrade};

/// The signals of a server's life, caught from the moment this is made: before the pid file is written, for SIGQUIT
/// kills a process that does not catch it.
pub struct Signals {
    runtime: Runtime,
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
}

impl Signals {
    /// Catches them.
    ///
    /// # Errors
    /// The system refuses a handler, or descriptors are short.
    pub fn catch() -> io::Result<Signals> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let (terminate, interrupt, quit) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::quit())?);
        drop(entered);
        Ok(Signals { runtime, terminate, interrupt, quit })
    }

    /// Obeys signals until one has ended the server: SIGTERM and SIGINT drain, a second one ends at once, SIGQUIT hands
    /// the sockets to a `serve --upgrade` and drains. Blocks.
    pub fn wait(self, running: Running) -> Drained {
        let Signals { runtime, terminate, interrupt, quit } = self;
        runtime.block_on(steer(&running, terminate, interrupt, quit));
        runtime.shutdown_background();
        running.join()
    }
}

/// Steers `running` until its workers are done.
async fn steer(running: &Running, mut terminate: Signal, mut interrupt: Signal, mut quit: Signal) {
    let mut handing_over = None;
    loop {
        tokio::select! {
            () = either(&mut terminate, &mut interrupt) => {
                if running.lifecycle.is_draining() {
                    tracing::warn!(in_flight = running.lifecycle.in_flight(), "told to stop again, ending at once");
                    running.end_now();
                    return;
                }
                tracing::info!(
                    in_flight = running.lifecycle.in_flight(),
                    deadline_s = running.config.drain_timeout.as_secs(),
                    "draining, a second signal ends at once"
                );
                running.begin_drain();
            }
            _ = quit.recv(), if handing_over.is_none() && !running.lifecycle.is_draining() => handing_over = hand_over(running),
            handed = joined(&mut handing_over) => {
                handing_over = None;
                match handed {
                    Ok(()) => {
                        tracing::info!("a new process serves, draining");
                        running.begin_drain_upgraded();
                    }
                    Err(error) => tracing::error!(%error, "not upgraded, serving on"),
                }
            }
            // Ends with the last connection, or at the deadline.
            () = running.workers_done() => return,
        }
    }
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}

type HandingOver = tokio::task::JoinHandle<Result<(), upgrade::UpgradeError>>;

/// Off this thread: signals must be heard meanwhile.
fn hand_over(running: &Running) -> Option<HandingOver> {
    let Some(data_dir) = running.config.data_dir.clone() else {
        tracing::error!("asked for an upgrade, but this server has no data directory to do it in");
        return None;
    };
    let sockets = match running.sockets() {
        Ok(sockets) => sockets,
        Err(error) => {
            tracing::error!(%error, "asked for an upgrade, but the sockets cannot be copied, serving on");
            return None;
        }
    };
    Some(tokio::task::spawn_blocking(move || upgrade::send(&data_dir, &sockets)))
}

async fn joined(handing_over: &mut Option<HandingOver>) -> Result<(), String> {
    match handing_over {
        Some(task) => match task.await {
            Ok(sent) => sent.map_err(|error| error.to_string()),
            Err(_) => Err("the handover panicked".into()),
        },
        None => std::future::pending().await,
    }
}
