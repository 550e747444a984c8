//! One line per request, buffered per worker and written in batches, so that a request never waits for the log's disk or pipe.
//!
//! What a reader could get wrong: lines appear up to `FLUSH_EVERY` late and in order per worker only. When a buffer is full its worker
//! writes it out at once (as nginx does): a line is never dropped and memory stays bounded.

use std::io::Write as _;
use std::time::Duration;

use parking_lot::Mutex;

use super::log::Format;

/// How late a line may appear.
pub const FLUSH_EVERY: Duration = Duration::from_millis(50);
/// A worker's buffer; at 400 bytes a line this is 50 ms of 13,000 requests per second.
const BUFFER: usize = 256 << 10;

/// What a line says. Names come from the configuration; `path` has no query.
#[derive(Debug, Default)]
pub struct Line<'a> {
    pub request_id: &'a str,
    pub tenant: &'a str,
    pub method: &'a str,
    pub path: &'a str,
    pub status: u16,
    pub outcome: &'a str,
    pub route: &'a str,
    pub rule: &'a str,
    pub model: &'a str,
    pub upstream: &'a str,
    pub placement: &'a str,
    pub attempts: &'a str,
    pub stream: bool,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub first_token_us: u64,
    pub total_us: u64,
    pub overhead_us: u64,
}

/// The log of requests.
#[derive(Debug)]
pub struct AccessLog {
    format: Option<Format>,
    buffers: Box<[Mutex<Vec<u8>>]>,
}

impl AccessLog {
    /// `format: None` writes nothing.
    pub fn new(format: Option<Format>, workers: usize) -> AccessLog {
        AccessLog { format, buffers: (0..workers.max(1)).map(|_| Mutex::new(Vec::new())).collect() }
    }

    /// Whether `write` does anything, so that a caller need not gather what nobody reads.
    pub fn is_on(&self) -> bool {
        self.format.is_some()
    }

    /// Appends a line to the worker's buffer.
    pub fn write(&self, worker: usize, line: &Line<'_>) {
        let Some(format) = self.format else { return };
        let Some(buffer) = self.buffers.get(worker).or(self.buffers.first()) else { return };
        let mut buffer = buffer.lock();
        let now = jiff::Timestamp::now();
        // Writing to memory cannot fail.
        let _ = match format {
            Format::Json => line.json(now, &mut buffer),
            Format::Text => line.text(now, &mut buffer),
        };
        if buffer.len() >= BUFFER {
            let full = std::mem::take(&mut *buffer);
            drop(buffer);
            write_out(&full);
        }
    }

    /// Writes out what is buffered; called by a thread of its own every `FLUSH_EVERY` and at the end.
    pub fn flush(&self) {
        for buffer in &self.buffers {
            let full = std::mem::take(&mut *buffer.lock());
            if !full.is_empty() {
                write_out(&full);
            }
        }
    }
}

fn write_out(bytes: &[u8]) {
    // Nobody is left to tell when standard error is gone.
    let _ = std::io::stderr().lock().write_all(bytes);
}

impl Line<'_> {
    fn json(&self, now: jiff::Timestamp, out: &mut Vec<u8>) -> std::io::Result<()> {
        write!(out, r#"{{"timestamp":"{now:.6}","level":"INFO","message":"request","request_id":"#)?;
        string(self.request_id, out)?;
        for (key, value) in [
            ("tenant", self.tenant),
            ("method", self.method),
            ("path", self.path),
            ("outcome", self.outcome),
            ("route", self.route),
            ("rule", self.rule),
            ("model", self.model),
            ("upstream", self.upstream),
            ("placement", self.placement),
            ("attempts", self.attempts),
        ] {
            if !value.is_empty() {
                write!(out, r#","{key}":"#)?;
                string(value, out)?;
            }
        }
        write!(out, r#","status":{},"stream":{}"#, self.status, self.stream)?;
        for (key, value) in self.numbers() {
            write!(out, r#","{key}":{value}"#)?;
        }
        out.write_all(b"}\n")
    }

    fn text(&self, now: jiff::Timestamp, out: &mut Vec<u8>) -> std::io::Result<()> {
        write!(out, "{now:.6}  INFO request {} {} {} {}", self.status, self.method, self.path, self.outcome)?;
        for (key, value) in [
            ("tenant", self.tenant),
            ("route", self.route),
            ("rule", self.rule),
            ("attempts", self.attempts),
            ("placement", self.placement),
            ("id", self.request_id),
        ] {
            if !value.is_empty() {
                write!(out, " {key}={value}")?;
            }
        }
        for (key, value) in self.numbers() {
            write!(out, " {key}={value}")?;
        }
        out.write_all(b"\n")
    }

    fn numbers(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [
            ("prompt_tokens", self.prompt_tokens),
            ("completion_tokens", self.completion_tokens),
            ("first_token_us", self.first_token_us),
            ("total_us", self.total_us),
            ("overhead_us", self.overhead_us),
        ]
        .into_iter()
        .filter(|(_, value)| *value > 0)
    }
}

/// A JSON string: a path or a request id is the client's text and may hold anything.
fn string(text: &str, out: &mut Vec<u8>) -> std::io::Result<()> {
    serde_json::to_writer(out, text).map_err(std::io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_path_stays_inside_its_string() {
        let line = Line { path: "/v1/x\"\n,\"admin\":true", status: 404, ..Line::default() };
        let mut out = Vec::new();
        line.json(jiff::Timestamp::UNIX_EPOCH, &mut out).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["path"], "/v1/x\"\n,\"admin\":true");
        assert_eq!(value["status"], 404);
        assert_eq!(value.get("admin"), None);
    }

    #[test]
    fn off_writes_nothing() {
        let log = AccessLog::new(None, 2);
        log.write(0, &Line::default());
        assert!(log.buffers.iter().all(|b| b.lock().is_empty()));
    }
}
