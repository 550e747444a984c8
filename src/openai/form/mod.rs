//! Multipart forms (RFC 7578) as they come in: bytes are fed as they arrive, parts and their content come out.
//!
//! What a reader could get wrong: a delimiter may be cut anywhere by the network, so the last bytes of what was fed are held back until it
//! is known that they begin none.

mod disposition;

use bytes::{Buf as _, Bytes, BytesMut};
use memchr::memmem::{self, Finder};

use crate::error::{Error, Kind};

/// RFC 2046 5.1.1 allows 70; nobody sends more.
const LONGEST_BOUNDARY: usize = 70;
/// The headers of one part; real ones take some 200 bytes.
const LONGEST_HEADERS: usize = 16 << 10;

/// A form being read.
#[derive(Debug)]
pub struct Form {
    /// The line end before the boundary belongs to it, not to the content.
    delimiter: Finder<'static>,
    buffer: BytesMut,
    state: State,
}

/// What comes next in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Text before the first delimiter, which nobody reads.
    Preamble,
    /// What follows a delimiter: the line's end, or the end of the form.
    Delimiter,
    Headers,
    Content,
    Done,
}

/// What a form is made of, in order: each part, its content in pieces, its end; at last the form's end.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    Part(Part),
    Data(Bytes),
    PartEnd,
    End,
}

/// The head of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub name: String,
    /// Only files have one.
    pub filename: Option<String>,
}

/// The boundary of a form, if this content type is one's.
pub fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = disposition::parameters(parameters).find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?.1;
    let fits = (1..=LONGEST_BOUNDARY).contains(&boundary.len()) && boundary.bytes().all(|b| (32..127).contains(&b));
    fits.then_some(boundary)
}

impl Form {
    pub fn new(boundary: &str) -> Form {
        // The first delimiter has no line end before it where there is no preamble: it is given one.
        let buffer = BytesMut::from(&b"\r\n"[..]);
        let delimiter = Finder::new(format!("\r\n--{boundary}").as_bytes()).into_owned();
        Form { delimiter, buffer, state: State::Preamble }
    }

    /// Takes in what has arrived; `event` tells what it means.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.state != State::Done {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The form has come to its end.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// What comes next; `None`: more must be fed first.
    ///
    /// # Errors
    /// It is no form: what follows a delimiter, or a part's head, cannot be read.
    pub fn event(&mut self) -> Result<Option<Event>, Error> {
        loop {
            match self.state {
                State::Preamble => match self.delimiter.find(&self.buffer) {
                    Some(at) => self.pass(at + self.delimiter.needle().len(), State::Delimiter),
                    None => {
                        let safe = self.safe();
                        self.buffer.advance(safe);
                        return Ok(None);
                    }
                },
                State::Delimiter => match self.after_delimiter()? {
                    None => return Ok(None),
                    Some(State::Done) => {
                        self.buffer = BytesMut::new();
                        self.state = State::Done;
                        return Ok(Some(Event::End));
                    }
                    Some(state) => self.state = state,
                },
                State::Headers => return self.headers(),
                State::Content => return Ok(self.content()),
                State::Done => return Ok(None),
            }
        }
    }

    fn pass(&mut self, bytes: usize, state: State) {
        self.buffer.advance(bytes);
        self.state = state;
    }

    /// How much of the buffer can be no beginning of a delimiter.
    fn safe(&self) -> usize {
        self.buffer.len().saturating_sub(self.delimiter.needle().len() - 1)
    }

    fn after_delimiter(&mut self) -> Result<Option<State>, Error> {
        let line = &self.buffer[..];
        if line.starts_with(b"--") {
            return Ok(Some(State::Done));
        }
        // RFC 2046 lets white space follow a boundary.
        let padding = line.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        let rest = &line[padding..];
        if rest.starts_with(b"\r\n") {
            // The line end stays: a part without headers has an empty line right here.
            self.buffer.advance(padding);
            return Ok(Some(State::Headers));
        }
        let may_become = b"\r\n".starts_with(rest) || (padding == 0 && b"--".starts_with(rest));
        if may_become && padding <= LONGEST_HEADERS {
            return Ok(None);
        }
        Err(malformed("what follows a boundary is neither a line's end nor `--`"))
    }

    fn headers(&mut self) -> Result<Option<Event>, Error> {
        let end = memmem::find(&self.buffer, b"\r\n\r\n");
        if end.unwrap_or(self.buffer.len()) > LONGEST_HEADERS {
            return Err(malformed("the headers of a part are too long"));
        }
        let Some(end) = end else { return Ok(None) };
        let head = self.buffer.split_to(end);
        self.pass(b"\r\n\r\n".len(), State::Content);
        disposition::part(&head).map(|part| Some(Event::Part(part)))
    }

    fn content(&mut self) -> Option<Event> {
        match self.delimiter.find(&self.buffer) {
            Some(0) => {
                self.pass(self.delimiter.needle().len(), State::Delimiter);
                Some(Event::PartEnd)
            }
            Some(at) => Some(Event::Data(self.buffer.split_to(at).freeze())),
            None => {
                let safe = self.safe();
                (safe > 0).then(|| Event::Data(self.buffer.split_to(safe).freeze()))
            }
        }
    }
}

fn malformed(what: &str) -> Error {
    Error::client(Kind::InvalidRequest, format!("the multipart form cannot be read: {what}"))
}

#[cfg(test)]
mod tests;
