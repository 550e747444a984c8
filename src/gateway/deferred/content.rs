//! The content of a file on its way to a client, chunk by chunk as the client takes it.
//!
//! What a reader could get wrong: a file that is deleted meanwhile breaks the answer off, so that half of it does not pass for all of it.

use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;

use crate::deferred::{File, Store};
use crate::error::Kind;
use crate::gateway::body::BrokenOff;
use crate::gateway::record::Record;
use crate::task;

/// Chunks that are opened ahead of the client.
const AHEAD: usize = 1;

/// A content under way. With its record it is an answer's body.
#[derive(Debug)]
pub struct Content {
    pieces: mpsc::Receiver<Bytes>,
    left: u64,
    record: Option<Box<Record>>,
}

impl Content {
    /// Begins to read.
    pub fn of(store: &Store, file: &File) -> Content {
        let (given, pieces) = mpsc::channel(AHEAD);
        let (store, file) = (store.clone(), file.clone());
        let left = file.length;
        // Ends with the file, or with the client.
        drop(task::spawn("file content", async move {
            for chunk in 0..file.chunks {
                let piece = match store.chunk(&file.id, &file.tenant, chunk).await {
                    Ok(Some(piece)) => piece,
                    Ok(None) => return,
                    Err(fault) => return tracing::error!("the content of a file broke off: {fault}"),
                };
                if given.send(piece).await.is_err() {
                    return;
                }
            }
        }));
        Content { pieces, left, record: None }
    }

    /// The record ends with the content.
    pub fn recorded(mut self, record: Box<Record>) -> Content {
        self.record = Some(record);
        self
    }

    /// Bytes that are to come.
    pub fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }

    /// The next bytes for the client.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if self.left == 0 {
            self.close(None);
            return Poll::Ready(None);
        }
        self.pieces.poll_recv(cx).map(|piece| match piece {
            Some(piece) => {
                self.left = self.left.saturating_sub(piece.len() as u64);
                if self.left == 0 {
                    // Whoever knows the length may not ask again.
                    self.close(None);
                }
                Some(Ok(Frame::data(piece)))
            }
            None => {
                self.close(Some(Kind::Internal));
                Some(Err(BrokenOff))
            }
        })
    }

    fn close(&mut self, why: Option<Kind>) {
        if let Some(record) = self.record.take() {
            record.close(why);
        }
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        self.close(Some(Kind::ClientGone));
    }
}
