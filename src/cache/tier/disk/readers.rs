//! Connections for reading the file, a few and kept open.
//!
//! What a reader could get wrong: there are never more than [`READERS`] reads at a time; one more is told so and is a miss, so that a slow
//! disk does not gather threads.

use std::path::PathBuf;

use parking_lot::Mutex;
use rusqlite::Connection;

use super::store;

/// Reads at a time: a read takes some ten microseconds.
const READERS: usize = 8;

#[derive(Debug)]
pub struct Readers {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Connection>,
    busy: usize,
    /// Counts the files that there were: a connection to one moved aside is not used again.
    file: u64,
}

/// The right to read, until dropped.
#[derive(Debug)]
pub struct Turn<'r> {
    readers: &'r Readers,
    connection: Option<Connection>,
    file: u64,
}

impl Readers {
    pub fn new(path: PathBuf) -> Readers {
        Readers { path, state: Mutex::default() }
    }

    /// `None`: too many are reading.
    pub fn turn(&self) -> Option<Turn<'_>> {
        let mut state = self.state.lock();
        if state.busy >= READERS {
            return None;
        }
        state.busy += 1;
        Some(Turn { readers: self, connection: state.idle.pop(), file: state.file })
    }

    /// Another file has taken the place of the one that was.
    pub fn renew(&self) {
        let mut state = self.state.lock();
        state.file += 1;
        state.idle.clear();
    }
}

impl Turn<'_> {
    /// The sealed entry of this number.
    pub fn read(&mut self, id: i64) -> rusqlite::Result<Option<Vec<u8>>> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(store::reader(&self.readers.path)?),
        };
        store::read(connection, id)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.readers.state.lock();
        state.busy -= 1;
        if state.file == self.file {
            state.idle.extend(self.connection.take());
        }
    }
}
