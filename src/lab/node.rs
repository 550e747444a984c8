//! A simulated server and the handle that makes it well or unwell.
//!
//! What a reader could get wrong: it runs on the runtime that started it; whoever blocks that runtime stalls the server as well.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;

use super::fault::Fault;
use super::model::{Character, Counts, Model};
use super::wire::Server;

/// A simulated model server on a loopback port; killed when dropped.
pub struct Node {
    server: Server<Model>,
}

impl Node {
    /// Starts one.
    ///
    /// # Errors
    /// There is no free port on loopback.
    pub async fn start(character: Character) -> io::Result<Node> {
        let node = Node { server: Server::down(Model::new(character))? };
        node.server.start().await?;
        Ok(node)
    }

    /// Makes it unwell, or well with `Fault::None`. One fault at a time: the last one counts. Returns when it is in force.
    ///
    /// # Errors
    /// It is to listen again, and somebody else has its port.
    pub async fn set(&self, fault: Fault) -> io::Result<()> {
        *self.model().fault.lock() = fault;
        self.server.set_flow(fault.flow());
        match fault {
            Fault::Killed => {
                self.server.kill().await;
                self.model().forget();
                Ok(())
            }
            Fault::Refusing => {
                self.server.refuse();
                Ok(())
            }
            _ => self.server.start().await,
        }
    }

    /// Its clock is that many seconds ahead (or behind): the `date` of its answers and the dates in its `retry-after`.
    pub fn set_clock(&self, ahead: i64) {
        self.model().skew.store(ahead, Relaxed);
    }

    pub fn fault(&self) -> Fault {
        *self.model().fault.lock()
    }

    pub fn name(&self) -> &str {
        &self.model().character.name
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// What it was asked so far.
    pub fn counts(&self) -> Counts {
        self.model().counts()
    }

    /// Requests that it is working on.
    pub fn in_flight(&self) -> usize {
        self.server.in_flight()
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    fn model(&self) -> &Model {
        self.server.behaviour()
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests spawn freely")]
mod tests;
