//! A light load: a few clients that chat without a pause until told to stop, and everything that went wrong.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http::Method;
use tokio::task::JoinHandle;

use super::client::{chat, chat_stream};
use super::{Call, eventually};

/// Every second client streams; all ask for the model `auto` and expect a usual answer.
pub struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    pub fn start(addr: SocketAddr, clients: usize) -> Load {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let clients = (0..clients).map(|client| {
            let (stop, done) = (stop.clone(), done.clone());
            tokio::spawn(async move {
                let mut failures = vec![];
                while !stop.load(Ordering::SeqCst) {
                    failures.extend(failure(addr, client % 2 == 1).await);
                    done.fetch_add(1, Ordering::SeqCst);
                }
                failures
            })
        });
        Load { clients: clients.collect(), stop, done }
    }

    /// Waits until that many more requests are done.
    pub async fn more(&self, requests: usize) {
        let until = self.done.load(Ordering::SeqCst) + requests;
        eventually("the load goes on", async || (self.done.load(Ordering::SeqCst) >= until).then_some(())).await;
    }

    /// Ends the load; returns one line per request that failed.
    pub async fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::SeqCst);
        let mut failures = vec![];
        for client in self.clients {
            failures.extend(client.await.expect("no panic"));
        }
        failures
    }
}

async fn failure(addr: SocketAddr, streamed: bool) -> Option<String> {
    let body = if streamed { chat_stream("auto", "hi") } else { chat("auto", "hi") };
    match Call::new(addr, Method::POST, "/v1/chat/completions").json(&body).try_send().await {
        Ok(answer)
            if answer.status == 200 && answer.text().contains("hello") && !answer.text().contains("\"error\"") =>
        {
            None
        }
        Ok(answer) => Some(format!("{} {}", answer.status, answer.text())),
        Err(error) => Some(error),
    }
}
