//! Server-sent events (WHATWG HTML, 9.2): frames found in a byte stream that may be split anywhere.
//!
//! Lines end in LF, CR or CRLF; a blank line ends a frame. What a reader could get wrong: bytes are never changed, only grouped: what is handed
//! out, joined, is what came in, but for the frames that the visitor took out. A chunk that ends where a frame ends is handed out as it is,
//! without a copy.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use memchr::memchr2;
use smallvec::SmallVec;

/// Longest frame that is held; an image in base64 fits.
const LONGEST_FRAME: usize = 8 << 20;

/// Whether a frame goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    Yes,
    No,
    /// These whole frames go on in its place.
    Instead(Bytes),
}

/// A whole frame.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'f> {
    /// As it came, blank line included.
    pub bytes: &'f [u8],
    /// The value of its `data` fields.
    pub data: &'f [u8],
}

impl Frame<'_> {
    /// The same frame with other data; its other fields stay.
    pub fn with_data(&self, data: &[u8], out: &mut Vec<u8>) {
        let (mut at, mut written) = (0, false);
        while let Some((end, next)) = line_end(self.bytes, at) {
            let line = self.bytes.get(at..end).unwrap_or_default();
            let whole = self.bytes.get(at..next).unwrap_or_default();
            at = next;
            let is_data = line.strip_prefix(b"data").is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b':'));
            if !is_data {
                out.extend_from_slice(whole);
            } else if !std::mem::replace(&mut written, true) {
                for line in data.split(|byte| *byte == b'\n') {
                    out.extend_from_slice(b"data: ");
                    out.extend_from_slice(line);
                    out.extend_from_slice(whole.get(whole.len() - (next - end)..).unwrap_or(b"\n"));
                }
            }
        }
    }
}

/// A frame exceeded the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// Groups a byte stream into whole frames.
#[derive(Debug, Default)]
pub struct Frames {
    /// The beginning of a frame whose end has not come.
    held: BytesMut,
    /// Where in `held` the last, unfinished line begins.
    line_at: usize,
    /// The last byte handed out was a CR that ended a frame; an LF that follows belongs to it.
    after_cr: bool,
    /// Something has come before: no byte order mark any more.
    begun: bool,
    /// What frames without data say is not handed out.
    mute: bool,
}

/// A frame that says nothing, which keeps a connection alive all the same.
const KEEP_ALIVE: Bytes = Bytes::from_static(b":\n\n");

impl Frames {
    pub fn new() -> Frames {
        Frames::default()
    }

    /// Whatever frames without data say (comments, unknown fields) is taken out; the frames are kept, since they keep connections alive.
    pub fn mute(&mut self) {
        self.mute = true;
    }

    /// Takes a chunk in; appends to `out` what can be handed out. `visit` sees the data of each frame that has any.
    pub fn push(
        &mut self,
        chunk: Bytes,
        mut visit: impl FnMut(&[u8]) -> Keep,
        out: &mut SmallVec<[Bytes; 2]>,
    ) -> Result<(), TooLong> {
        self.push_frames(chunk, |frame| visit(frame.data), out)
    }

    /// The same for a visitor who may put other frames in the place of one.
    pub fn push_frames(
        &mut self,
        chunk: Bytes,
        mut visit: impl FnMut(Frame<'_>) -> Keep,
        out: &mut SmallVec<[Bytes; 2]>,
    ) -> Result<(), TooLong> {
        let chunk = self.finish_crlf(chunk, out);
        if chunk.is_empty() {
            return Ok(());
        }
        let (buffer, resume) = if self.held.is_empty() {
            (chunk, 0)
        } else {
            self.held.extend_from_slice(&chunk);
            (std::mem::take(&mut self.held).freeze(), self.line_at)
        };
        let mut cut = Cut { buffer: &buffer, kept_from: 0, out };
        let mut frame_at = 0;
        let mut line_at = resume;
        while let Some((line_end, next)) = line_end(&buffer, line_at) {
            let blank = line_end == line_at;
            line_at = next;
            if blank {
                let frame = buffer.get(frame_at..next).unwrap_or_default();
                let bytes = self.without_bom(frame);
                let says = |byte: &u8| !matches!(byte, b'\n' | b'\r' | b':');
                let kept = match data(bytes) {
                    Some(data) => visit(Frame { bytes, data: &data }),
                    None if self.mute && bytes.iter().any(says) => Keep::Instead(KEEP_ALIVE),
                    None => Keep::Yes,
                };
                match kept {
                    Keep::Yes => {}
                    Keep::No => cut.drop_frame(frame_at, next),
                    Keep::Instead(other) => {
                        cut.drop_frame(frame_at, next);
                        cut.out.push(other);
                    }
                }
                self.begun = true;
                frame_at = next;
            }
        }
        cut.keep_until(frame_at);
        self.after_cr = frame_at == buffer.len() && buffer.last() == Some(&b'\r');
        self.hold(&buffer, frame_at, line_at)
    }

    /// A frame has begun whose end has not come.
    pub fn is_within(&self) -> bool {
        !self.held.is_empty()
    }

    /// The stream ended: what is left is a frame without its end.
    pub fn finish(&mut self) -> Option<Bytes> {
        let rest = std::mem::take(&mut self.held).freeze();
        (!rest.is_empty()).then_some(rest)
    }

    fn finish_crlf(&mut self, mut chunk: Bytes, out: &mut SmallVec<[Bytes; 2]>) -> Bytes {
        if self.after_cr && chunk.first() == Some(&b'\n') {
            out.push(chunk.split_to(1));
        }
        if !chunk.is_empty() {
            self.after_cr = false;
        }
        chunk
    }

    fn without_bom<'f>(&self, frame: &'f [u8]) -> &'f [u8] {
        if self.begun { frame } else { frame.strip_prefix(b"\xef\xbb\xbf").unwrap_or(frame) }
    }

    fn hold(&mut self, buffer: &Bytes, frame_at: usize, line_at: usize) -> Result<(), TooLong> {
        let rest = buffer.get(frame_at..).unwrap_or_default();
        if rest.len() > LONGEST_FRAME {
            return Err(TooLong);
        }
        self.held.extend_from_slice(rest);
        self.line_at = line_at - frame_at;
        Ok(())
    }
}

/// Hands out a buffer but for the dropped frames, in as few pieces as can be.
struct Cut<'a> {
    buffer: &'a Bytes,
    kept_from: usize,
    out: &'a mut SmallVec<[Bytes; 2]>,
}

impl Cut<'_> {
    fn drop_frame(&mut self, from: usize, to: usize) {
        self.keep_until(from);
        self.kept_from = to;
    }

    fn keep_until(&mut self, to: usize) {
        if to > self.kept_from {
            self.out.push(self.buffer.slice(self.kept_from..to));
            self.kept_from = to;
        }
    }
}

/// The end of the line that begins at `at`, and where the next one begins. `None` if its end has not come: a CR at the very end is one
/// only for a blank line, where waiting for an LF would hold a whole frame.
pub(crate) fn line_end(buffer: &[u8], at: usize) -> Option<(usize, usize)> {
    let end = at + memchr2(b'\n', b'\r', buffer.get(at..)?)?;
    if buffer.get(end) == Some(&b'\n') {
        return Some((end, end + 1));
    }
    match buffer.get(end + 1) {
        Some(b'\n') => Some((end, end + 2)),
        Some(_) => Some((end, end + 1)),
        None => (end == at).then_some((end, end + 1)),
    }
}

/// The data of a frame: the values of its `data` fields, joined by line feeds. `None` if it has none (a comment, a keep-alive).
pub(crate) fn data(frame: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut joined: Option<Cow<'_, [u8]>> = None;
    let mut at = 0;
    while let Some((end, next)) = line_end(frame, at) {
        let line = frame.get(at..end).unwrap_or_default();
        at = next;
        let Some(value) = line.strip_prefix(b"data") else { continue };
        let value = match value.split_first() {
            None => value,
            Some((b':', value)) => value.strip_prefix(b" ").unwrap_or(value),
            Some(_) => continue,
        };
        joined = Some(match joined {
            None => Cow::Borrowed(value),
            Some(before) => {
                let mut all = before.into_owned();
                all.push(b'\n');
                all.extend_from_slice(value);
                Cow::Owned(all)
            }
        });
    }
    joined
}

#[cfg(test)]
mod tests;
