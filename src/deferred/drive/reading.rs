//! The lines of an input file, read chunk by chunk and checked away from the workers.
//!
//! What a reader could get wrong: a file that is deleted while it is read ends early, and that is told apart from its end.

use bytes::Bytes;

use crate::deferred::{Fault, File, Store};
use crate::openai::Endpoint;
use crate::openai::batch::{Line, LineFault, Lines, Split};
use crate::task;

/// Lines as they come, right and wrong ones.
pub type Checked = Vec<Result<Line, LineFault>>;

/// A file being read.
#[derive(Debug)]
pub struct Reading {
    store: Store,
    file: File,
    next: u64,
    work: Option<Work>,
}

#[derive(Debug)]
struct Work {
    split: Split,
    lines: Lines,
    longest: usize,
}

/// What came of the next chunk.
#[derive(Debug)]
pub enum Next {
    Lines(Checked),
    End,
    /// The file was deleted.
    Gone,
}

impl Reading {
    pub fn new(store: Store, file: File, endpoint: Endpoint, longest: usize) -> Reading {
        let work = Work { split: Split::new(longest), lines: Lines::new(endpoint), longest };
        Reading { store, file, next: 0, work: Some(work) }
    }

    /// The lines that end in the next chunk.
    pub async fn next(&mut self) -> Result<Next, Fault> {
        let Some(work) = self.work.take() else { return Ok(Next::End) };
        if self.next == self.file.chunks {
            return Ok(Next::Lines(off_worker(move || work.end()).await?));
        }
        let chunk = self.store.chunk(&self.file.id, &self.file.tenant, self.next).await?;
        let Some(chunk) = chunk else { return Ok(Next::Gone) };
        self.next += 1;
        let (lines, work) = off_worker(move || work.chunk(&chunk)).await?;
        self.work = work;
        Ok(Next::Lines(lines))
    }
}

async fn off_worker<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
    task::blocking(work).await.map_err(|_| Fault::Broken("an input file could not be read".into()))
}

impl Work {
    /// `None` for the work: nothing after a line that is too long is read.
    fn chunk(mut self, chunk: &Bytes) -> (Checked, Option<Work>) {
        self.split.feed(chunk);
        let mut checked = vec![];
        while let Some((number, line)) = self.split.line() {
            let Some(line) = line else {
                checked.push(Err(too_long(number, self.longest)));
                return (checked, None);
            };
            checked.push(self.lines.check(number, &line));
        }
        (checked, Some(self))
    }

    fn end(mut self) -> Checked {
        let last = self.split.last().map(|(number, line)| match line {
            Some(line) => self.lines.check(number, &line),
            None => Err(too_long(number, self.longest)),
        });
        last.into_iter().collect()
    }
}

fn too_long(number: usize, longest: usize) -> LineFault {
    let message =
        format!("this line is longer than {longest} bytes, which is as long as a request may be (server.max_body)");
    LineFault::at(number, "line_too_long", None, message)
}
