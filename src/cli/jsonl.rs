//! JSONL in, JSONL out, line by line and in order: for `score` and `redact`.
//!
//! What a reader could get wrong: output is flushed before input is waited for, so that another program may ask line by line.

use std::fmt::Display;
use std::io::{self, BufRead as _, BufReader, BufWriter, Read, Write};
use std::ops::Range;

/// Room for input and output on their way.
const BUFFER: usize = 1 << 18;
/// Some editors put one at a file's beginning.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What is done with a line. The outer error is the line's fault, the inner one the output's.
pub type One<'a> = dyn FnMut(&[u8], &mut dyn Write) -> Result<io::Result<()>, String> + 'a;

/// Standard input to standard output; gives the exit status. `done`: what happens to a line, as a participle.
pub fn run(
    keep_going: bool,
    done: &str,
    mut one: impl FnMut(&[u8], &mut dyn Write) -> Result<io::Result<()>, String>,
) -> u8 {
    let input = BufReader::with_capacity(BUFFER, io::stdin().lock());
    let mut output = BufWriter::with_capacity(BUFFER, io::stdout().lock());
    let ended = lines(input, &mut output, keep_going, done, &mut one);
    let flushed = output.flush();
    match ended.and_then(|bad| flushed.map(|()| bad)) {
        Ok(None) => 0,
        Ok(Some(message)) => {
            eprintln!("{message}");
            super::WRONG_INPUT
        }
        // A closed pipe (`| head`) is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(error) => {
            eprintln!("lines cannot be read or written: {error}");
            super::ENVIRONMENT
        }
    }
}

/// Line by line. `Some`: what was wrong with a line, which ended it or, with `keep_going`, how many were.
pub fn lines(
    mut input: BufReader<impl Read>,
    output: &mut impl Write,
    keep_going: bool,
    done: &str,
    one: &mut One<'_>,
) -> io::Result<Option<String>> {
    let (mut line, mut number, mut bad) = (Vec::new(), 0u64, 0u64);
    loop {
        if input.buffer().is_empty() {
            // Whoever feeds it line by line waits for the answer before he goes on.
            output.flush()?;
        }
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        number += 1;
        let text = line.strip_prefix(BYTE_ORDER_MARK).filter(|_| number == 1).unwrap_or(&line).trim_ascii();
        if text.is_empty() {
            continue;
        }
        match one(text, output) {
            Ok(written) => written?,
            Err(what) if keep_going => {
                bad += 1;
                failed(text, &what, output)?;
            }
            Err(what) => return Ok(Some(format!("line {number}: {what}"))),
        }
    }
    let told = |bad| format!("{bad} {} could not be {done}; see `error`", if bad == 1 { "line" } else { "lines" });
    Ok((bad > 0).then(|| told(bad)))
}

/// The line with these values: in the place of those that it had, or else before its closing brace (at `close`). It has a member before.
pub fn spliced<V: Display>(
    line: &[u8],
    close: usize,
    values: &[(Option<Range<usize>>, &str, V)],
    output: &mut dyn Write,
) -> io::Result<()> {
    let mut old: Vec<(&Range<usize>, &V)> =
        values.iter().filter_map(|(range, _, value)| Some((range.as_ref()?, value))).collect();
    old.sort_by_key(|(range, _)| range.start);
    let mut at = 0;
    for (range, value) in old {
        output.write_all(line.get(at..range.start).unwrap_or_default())?;
        write!(output, "{value}")?;
        at = range.end;
    }
    output.write_all(line.get(at..close).unwrap_or_default().trim_ascii_end())?;
    for (_, name, value) in values.iter().filter(|(range, ..)| range.is_none()) {
        write!(output, ",\"{name}\":{value}")?;
    }
    output.write_all(b"}\n")
}

/// The line as it was, with what is wrong with it; one that is no object (or has an `error` of its own) becomes a string.
fn failed(text: &[u8], what: &str, output: &mut impl Write) -> io::Result<()> {
    let what = serde_json::Value::from(what);
    let members = serde_json::from_slice::<indexmap::IndexMap<String, serde::de::IgnoredAny>>(text);
    match (members, text.strip_suffix(b"}")) {
        (Ok(members), Some(open)) if !members.contains_key("error") => {
            output.write_all(open.trim_ascii_end())?;
            writeln!(output, "{}\"error\":{what}}}", if members.is_empty() { "" } else { "," })
        }
        _ => {
            let line = serde_json::Value::from(String::from_utf8_lossy(text));
            writeln!(output, "{{\"line\":{line},\"error\":{what}}}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_answered_before_the_next_is_waited_for() {
        /// Hands out a line at a time, and looks before each whether the one before was answered.
        struct Asking<'o>(u8, &'o std::cell::Cell<usize>);

        impl Read for Asking<'_> {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                assert_eq!(self.1.get(), usize::from(self.0), "lines answered so far");
                self.0 += 1;
                let line = if self.0 < 4 { &b"{\"prompt\":\"hi\"}\n"[..] } else { b"" };
                into[..line.len()].copy_from_slice(line);
                Ok(line.len())
            }
        }

        struct Counting<'o>(&'o std::cell::Cell<usize>);

        impl Write for Counting<'_> {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.set(self.0.get() + bytes.iter().filter(|byte| **byte == b'\n').count());
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        let answered = std::cell::Cell::new(0);
        let mut output = BufWriter::new(Counting(&answered));
        let mut echo =
            |line: &[u8], output: &mut dyn Write| Ok(output.write_all(line).and_then(|()| output.write_all(b"\n")));
        let bad = lines(BufReader::new(Asking(0, &answered)), &mut output, false, "echoed", &mut echo).unwrap();
        assert_eq!((bad, answered.get()), (None, 3));
    }
}
