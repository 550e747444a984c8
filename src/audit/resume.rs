//! Opening a chain: new, or where the last process left off, however it ended.
//!
//! What a reader could get wrong: only what the crash of a process or machine can leave behind is mended (a line without its end, a
//! checkpoint not yet copied). Everything else is refused, because going on would put new signatures over somebody's change.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::chain::{Chain, Settings, State, create};
use super::error::AuditError;
use super::files::{self, Line, Lines};
use super::key::{HashKey, PUBLIC_KEY_FILE, PublicKey, Signer};
use super::line::{self, GENESIS, LineHasher, Sort};
use super::mark::{Checkpoint, Header, parse};
use super::record;
use super::retain::Retention;
use super::tree::Frontier;

/// Longer than any checkpoint.
const CHECKPOINT_BYTES: u64 = 2048;

impl Chain {
    /// Opens the chain in `folder` (`data_dir/audit`), or begins one. The caller sees to it that no other process has it open.
    ///
    /// # Errors
    /// Disk and rights; a key that is not the chain's; a log that does not agree with its own checkpoints
    /// ([`AuditError::is_tampered`]).
    pub fn open(folder: &Path, settings: &Settings) -> Result<Chain, AuditError> {
        fs::create_dir_all(folder).map_err(|e| AuditError::io("make the folder", folder, &e))?;
        let names = HashKey::open(folder)?;
        let signer = Signer::open(folder, settings.key)?;
        let numbers = files::segments(folder).map_err(|e| AuditError::io("list", folder, &e))?;
        let (checkpoints_file, checkpoints) = open_checkpoints(folder)?;
        let state = State::new(&numbers, &checkpoints)?;
        let segment_file = match numbers.last() {
            None => create(folder, 1)?,
            Some(number) => open_for_writing(&files::segment(folder, *number))?,
        };
        let mut chain = Chain {
            folder: folder.to_owned(),
            settings: settings.clone(),
            signer,
            names,
            hasher: LineHasher::new(),
            state,
            segment_file,
            length: 0,
            checkpoints_file,
            checkpoints_length: checkpoints.length,
            buffer: Vec::with_capacity(1 << 16),
            retention: Retention::default(),
        };
        chain.resume(&numbers, &checkpoints)?;
        write_public_key(folder, &chain.signer.public())?;
        Ok(chain)
    }

    /// Brings the state to the last line that is there.
    fn resume(&mut self, numbers: &[u32], checkpoints: &Checkpoints) -> Result<(), AuditError> {
        let Some(last) = numbers.last().copied() else {
            self.begin_segment(1);
            return Ok(());
        };
        if self.read_segment(last)? {
            // Nothing is cut before it is known that only the end of a write is lost: a changed log is left as it is.
            self.agree(checkpoints)?;
            return self.cut(last, self.length);
        }
        // Its header is not whole: the process ended when it had just begun the segment.
        if last > 1 {
            if !self.read_segment(last - 1)? {
                return Err(self.tampered("its header is not one of this chain"));
            }
            self.agree(checkpoints)?;
            if !self.state.sealed {
                return Err(self.tampered("it is not sealed although another segment follows"));
            }
            self.cut(last - 1, self.length)?;
        } else {
            self.agree(checkpoints)?;
        }
        self.cut(last, 0)?;
        self.begin_segment(last);
        Ok(())
    }

    /// Reads a segment's lines into the state, up to one that was not written to its end; `false`: not even the header was.
    fn read_segment(&mut self, number: u32) -> Result<bool, AuditError> {
        let path = files::segment(&self.folder, number);
        self.state.segment = number;
        self.length = 0;
        let fail = |e| AuditError::io("read", &path, &e);
        let mut lines = Lines::open(&path).map_err(fail)?;
        loop {
            let at = lines.number + 1;
            match lines.next().map_err(fail)? {
                None => break,
                // What the disk had not yet got when the machine stopped reads as zeros.
                Some(Line::Whole(bytes)) if !bytes.contains(&0) => {
                    self.line(bytes, at == 1).map_err(|wrong| wrong.at_line(at, self))?;
                    self.length = lines.read;
                }
                Some(Line::Whole(_) | Line::Torn(_)) => {
                    tracing::warn!(segment = number, line = at, "audit log: a line was not written to its end");
                    break;
                }
            }
        }
        Ok(self.length > 0)
    }

    /// One line onto the state.
    fn line(&mut self, bytes: &[u8], first: bool) -> Result<(), Wrong> {
        let state = &mut self.state;
        let parts = line::split(bytes).ok_or(Wrong::Tampered("is not a line of the log"))?;
        if !self.hasher.fits(&parts) {
            return Err(Wrong::Tampered("was changed: its hash does not fit"));
        }
        if !first && parts.prev != state.hash {
            return Err(Wrong::Tampered("does not follow the line before it"));
        }
        match line::sort(bytes) {
            Some(Sort::Header) if first => {
                let header = parse::<Header>(bytes, &mut self.hasher);
                let (header, _) = header.ok_or(Wrong::Tampered("is no header"))?;
                if header.public_key != self.signer.public() {
                    return Err(Wrong::Key(header.public_key));
                }
                if header.segment != state.segment || (header.segment == 1) != (parts.prev == GENESIS) {
                    return Err(Wrong::Tampered("is another segment's header"));
                }
                state.chain = header.chain;
                state.seq = header.first_seq.saturating_sub(1);
                state.number = header.checkpoints;
                state.checkpoint = parts.prev;
                state.positions = header.positions;
            }
            Some(Sort::Record) if !first && !state.sealed => {
                let (seq, position) = record::parse_head(bytes).ok_or(Wrong::Tampered("is not a whole record"))?;
                if seq != state.seq + 1 || parts.signature.is_some() {
                    return Err(Wrong::Tampered("does not follow the line before it"));
                }
                state.seq = seq;
                state.frontier.push(parts.hash);
                state.unsigned += 1;
                state.reached(position);
            }
            Some(Sort::Checkpoint) if !first && !state.sealed => {
                let read = Checkpoint::parse(bytes, &self.signer.public(), &mut self.hasher);
                let (checkpoint, ..) = read.ok_or(Wrong::Tampered("is not a checkpoint of this chain"))?;
                if !state.is_signed_by(&checkpoint) {
                    return Err(Wrong::Tampered("does not agree with the records before it"));
                }
                state.number = checkpoint.number;
                state.checkpoint = parts.hash;
                state.sealed = checkpoint.sealed;
                state.unsigned = 0;
            }
            _ => return Err(Wrong::Tampered("is not a line that can stand there")),
        }
        state.hash = parts.hash;
        Ok(())
    }

    /// Compares with `checkpoints.jsonl`, and copies the last checkpoint if the process ended before it could.
    fn agree(&mut self, checkpoints: &Checkpoints) -> Result<(), AuditError> {
        let public = self.signer.public();
        let key = PublicKey::new(&public);
        let state = &mut self.state;
        state.unsigned_since = (state.unsigned > 0).then(super::text::now);
        let last = Checkpoint::parse(&checkpoints.last, &public, &mut self.hasher);
        let Some((last, parts, signature)) = last else {
            return match (checkpoints.last.is_empty(), state.number) {
                (true, 0) => Ok(()),
                _ => Err(self.tampered("the last line of checkpoints.jsonl is none of this chain's checkpoints")),
            };
        };
        if !key.is_some_and(|key| key.signed(&parts.hash, &signature)) {
            return Err(self.tampered("the last checkpoint is not signed by the chain's key"));
        }
        if last.number == state.number && parts.hash == state.checkpoint {
            return Ok(());
        }
        if last.number == state.number + 1 && state.is_signed_by(&last) && parts.prev == state.hash {
            state.number = last.number;
            state.sealed = last.sealed;
            state.hash = parts.hash;
            state.checkpoint = parts.hash;
            state.unsigned = 0;
            state.unsigned_since = None;
            let line = [checkpoints.last.as_slice(), b"\n"].concat();
            let write = self.segment_file_of(self.state.segment)?.write_all_at(&line, self.length);
            write.map_err(|e| AuditError::io("write", &files::segment(&self.folder, self.state.segment), &e))?;
            self.length += line.len() as u64;
            return Ok(());
        }
        let (number, signed, have) = (last.number, last.seq, state.seq);
        Err(self.tampered(&if number == self.state.number {
            format!("checkpoint {number} is another one in checkpoints.jsonl")
        } else if signed > have {
            format!("the last checkpoint (number {number}) says {signed} records, there are {have}: the end is missing")
        } else {
            format!("checkpoints.jsonl ends with number {number}, the segment with {}", self.state.number)
        }))
    }

    fn segment_file_of(&self, number: u32) -> Result<File, AuditError> {
        open_for_writing(&files::segment(&self.folder, number))
    }

    /// What stands behind the last whole line of a segment and of `checkpoints.jsonl` goes.
    fn cut(&self, number: u32, length: u64) -> Result<(), AuditError> {
        let file = self.segment_file_of(number)?;
        let cut = file.set_len(length).and_then(|()| file.sync_all());
        cut.map_err(|e| AuditError::io("cut", &files::segment(&self.folder, number), &e))?;
        let cut = self.checkpoints_file.set_len(self.checkpoints_length);
        cut.map_err(|e| AuditError::io("cut", &self.folder.join(files::CHECKPOINTS_FILE), &e))
    }

    fn tampered(&self, what: &str) -> AuditError {
        let name = files::segment_name(self.state.segment);
        let folder = self.folder.display();
        AuditError::tampered(format!(
            "audit log {folder}: {name}: {what}; `tidegate audit verify` names the places. To go on, move the folder away (it is evidence): a new chain is begun"
        ))
    }
}

impl State {
    fn new(numbers: &[u32], checkpoints: &Checkpoints) -> Result<State, AuditError> {
        if numbers.is_empty() && checkpoints.length > 0 {
            let what =
                "audit log: there is a checkpoints.jsonl but no segment: move the folder away to begin a new chain";
            return Err(AuditError::tampered(what.to_owned()));
        }
        // Of a chain that is there already, the header has it.
        let mut chain = [0; 16];
        getrandom::fill(&mut chain).map_err(|e| AuditError::key(format!("no random bytes for a chain: {e}")))?;
        Ok(State {
            chain,
            segment: 1,
            seq: 0,
            hash: GENESIS,
            number: 0,
            checkpoint: GENESIS,
            sealed: false,
            frontier: Frontier::new(),
            positions: Vec::new(),
            unsigned: 0,
            unsigned_since: None,
        })
    }

    /// Whether the checkpoint is over exactly what was read.
    fn is_signed_by(&mut self, checkpoint: &Checkpoint) -> bool {
        checkpoint.number == self.number + 1
            && checkpoint.chain == self.chain
            && checkpoint.segment == self.segment
            && checkpoint.seq == self.seq
            && checkpoint.records == self.frontier.size()
            && checkpoint.root == self.frontier.root()
    }
}

/// Why a line is refused.
enum Wrong {
    Tampered(&'static str),
    /// The chain was begun with the key to this public one.
    Key([u8; 32]),
}

impl Wrong {
    fn at_line(self, line: u64, chain: &Chain) -> AuditError {
        match self {
            Wrong::Tampered(what) => chain.tampered(&format!("line {line} {what}")),
            Wrong::Key(public) => AuditError::key(format!(
                "the audit chain in {} was begun with the key to public key {}, `audit.key` is another's ({}): put the first one back, or move the folder away to begin a new chain",
                chain.folder.display(),
                ::hex::encode(public),
                chain.public_key(),
            )),
        }
    }
}

/// The end of `checkpoints.jsonl`.
struct Checkpoints {
    /// The last whole line, without its newline.
    last: Vec<u8>,
    /// Bytes up to the last whole line's end.
    length: u64,
}

/// Opens `checkpoints.jsonl` and reads its last line that is whole.
fn open_checkpoints(folder: &Path) -> Result<(File, Checkpoints), AuditError> {
    let path = folder.join(files::CHECKPOINTS_FILE);
    let read = || {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        let size = file.metadata()?.len();
        let mut end = Vec::new();
        let start = size.saturating_sub(2 * CHECKPOINT_BYTES);
        file.seek(SeekFrom::Start(start))?;
        file.read_to_end(&mut end)?;
        let whole = end.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let last = end[..whole].strip_suffix(b"\n").and_then(|rest| rest.rsplit(|byte| *byte == b'\n').next());
        Ok((file, Checkpoints { last: last.unwrap_or_default().to_vec(), length: start + whole as u64 }))
    };
    read().map_err(|e| AuditError::io("open", &path, &e))
}

fn open_for_writing(path: &Path) -> Result<File, AuditError> {
    OpenOptions::new().read(true).write(true).open(path).map_err(|e| AuditError::io("open", path, &e))
}

fn write_public_key(folder: &Path, key: &[u8; 32]) -> Result<(), AuditError> {
    let path = folder.join(PUBLIC_KEY_FILE);
    let text = format!("{}\n", ::hex::encode(key));
    if fs::read_to_string(&path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    fs::write(&path, text).map_err(|e| AuditError::io("write", &path, &e))
}
