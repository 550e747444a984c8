//! What has come of a shared stream, for those who come later or are slower.
//!
//! What a reader could get wrong: past `window` bytes what everybody has been told goes, and then what only the slowest has not: memory is
//! bounded, a slow client is not waited for.

use std::collections::VecDeque;

use bytes::Bytes;
use smallvec::SmallVec;

/// A piece of a stream: whole frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub bytes: Bytes,
    /// Among them is the one with the usage, for those who asked for it.
    pub has_usage: bool,
}

/// What a seat is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    Piece(Piece),
    End,
    /// It was too slow: what it was to be told next is gone.
    LeftBehind,
}

#[derive(Debug)]
pub(super) struct Log {
    window: usize,
    pieces: VecDeque<Piece>,
    /// The number of the first piece that is still here.
    first: usize,
    bytes: usize,
    ended: bool,
    /// What each seat reads next; `None`: it is empty.
    positions: SmallVec<[Option<usize>; 2]>,
}

impl Log {
    pub(super) fn new(window: usize) -> Log {
        Log { window, pieces: VecDeque::new(), first: 0, bytes: 0, ended: false, positions: SmallVec::new() }
    }

    pub(super) fn arrives(&mut self, number: usize) {
        if self.positions.len() <= number {
            self.positions.resize(number + 1, None);
        }
        if let Some(position) = self.positions.get_mut(number) {
            *position = Some(0);
        }
    }

    pub(super) fn leaves(&mut self, number: usize) {
        if let Some(position) = self.positions.get_mut(number) {
            *position = None;
        }
    }

    pub(super) fn has_beginning(&self) -> bool {
        self.first == 0
    }

    pub(super) fn push(&mut self, piece: Piece) {
        self.bytes += piece.bytes.len();
        self.pieces.push_back(piece);
        if self.bytes <= self.window {
            return;
        }
        let last = self.first + self.pieces.len() - 1;
        // What all have been told goes at once; beyond the window what is left of the beginning, too. The newest stays.
        let slowest = self.positions.iter().flatten().copied().min().unwrap_or(last).min(last);
        while self.first < last && (self.first < slowest || self.bytes > self.window) {
            let Some(gone) = self.pieces.pop_front() else { return };
            self.bytes -= gone.bytes.len();
            self.first += 1;
        }
    }

    /// Bytes that are kept.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.bytes
    }

    /// The stream has ended: all of it, if its beginning is still here.
    pub(super) fn end(&mut self) -> Option<Vec<Bytes>> {
        self.ended = true;
        self.has_beginning().then(|| self.pieces.iter().map(|piece| piece.bytes.clone()).collect())
    }

    /// The piece with this number, for a seat; `None`: it has not come yet.
    pub(super) fn read(&mut self, number: usize, at: usize) -> Option<Next> {
        if at < self.first {
            return Some(Next::LeftBehind);
        }
        match self.pieces.get(at - self.first) {
            Some(piece) => {
                if let Some(position) = self.positions.get_mut(number) {
                    *position = Some(at + 1);
                }
                Some(Next::Piece(piece.clone()))
            }
            None => self.ended.then_some(Next::End),
        }
    }
}
