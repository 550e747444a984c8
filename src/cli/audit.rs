//! `tidegate audit`: verifies the audit log, shows where one request ran, exports records. All three read the data directory, also
//! while a gateway runs or after it was killed.
//!
//! What a reader could get wrong: whoever can write the log can also write the key beside it. A verification says against which key it
//! was, and whether somebody named that key or the log did.

mod render;

use std::fs;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::audit::find::{self, Filter};
use crate::audit::key::{self, PublicKey};
use crate::audit::proof::Proof;
use crate::audit::verify::{Report, Trust, verify};
use crate::audit::{AuditError, HashKey};
use crate::ledger::query::moment;
use crate::state::reload;

use super::{ConfigArgs, ENVIRONMENT, WRONG_INPUT};

/// The arguments were wrong, as clap has it.
const USAGE: u8 = 2;

/// A larger log than this is worth a word on how far the verification is.
const LARGE: u64 = 64 << 20;

#[derive(Debug, clap::Subcommand)]
pub enum AuditCommand {
    /// Check the whole log: any record changed, removed, inserted or moved is named.
    #[command(
        after_help = "Exit status: 0 nothing is wrong, 1 something is.\n\nExamples:\n  tidegate audit verify -c tidegate.yaml --public-key ops/audit.pub     with the key that you kept elsewhere\n  tidegate audit verify --kept yesterdays-checkpoints.jsonl             that nothing was cut off since\n  tidegate audit verify --proof proof.json --public-key ops/audit.pub   one record; needs nothing else"
    )]
    Verify {
        #[command(flatten)]
        place: Place,
        /// The key that signed the log: 64 hexadecimal digits, or a file with them. Default: `audit.key` of the configuration, or
        /// the one that the log names.
        #[arg(long, value_name = "HEX|FILE")]
        public_key: Option<String>,
        /// Checkpoints that were kept elsewhere (lines of `checkpoints.jsonl`): they must be in the log.
        #[arg(long, value_name = "FILE", conflicts_with = "proof")]
        kept: Option<PathBuf>,
        /// Check this proof instead of a log; `-` reads standard input.
        #[arg(long, value_name = "FILE")]
        proof: Option<PathBuf>,
    },
    /// Show the record of one request: what was decided, where it ran, and whether it is proven.
    #[command(
        after_help = "Examples:\n  tidegate audit show req_0197e2\n  tidegate audit show req_0197e2 --proof > proof.json     for a third party: `audit verify --proof proof.json`\n  tidegate audit show req_0197e2 --prompt body.json       was this the request's body?"
    )]
    Show {
        #[command(flatten)]
        place: Place,
        /// The request's `x-request-id`.
        request_id: String,
        /// The record with this number, where several requests had the same id.
        #[arg(long, value_name = "N")]
        seq: Option<u64>,
        /// Print the proof, as JSON, and nothing else.
        #[arg(long, conflicts_with = "json")]
        proof: bool,
        /// Print the record as it stands in the log.
        #[arg(long)]
        json: bool,
        /// Say whether this file is the request's body (by its keyed hash).
        #[arg(long, value_name = "FILE")]
        prompt: Option<PathBuf>,
        /// Say whether this file is the answer's body.
        #[arg(long, value_name = "FILE")]
        answer: Option<PathBuf>,
    },
    /// Print records as they stand in the log, one JSON object a line.
    #[command(
        after_help = "Examples:\n  tidegate audit export --since 24h --tenant acme > acme.jsonl\n  tidegate audit export --since 2026-03-01 --until 2026-04-01 | jq 'select(.bytes_out.cloud > 0) | .request_id'"
    )]
    Export {
        #[command(flatten)]
        place: Place,
        /// Requests that arrived from then on: 24h, 7d, 2026-03-01 or 2026-03-01T09:30:00Z.
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Requests that arrived before.
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        /// Only this tenant's.
        #[arg(long)]
        tenant: Option<String>,
        /// Only this user's; needs the data directory's hash key, because records hold no names.
        #[arg(long)]
        user: Option<String>,
        /// How records look.
        #[arg(long, value_enum, default_value_t)]
        format: ExportFormat,
    },
}

/// Where the log is.
#[derive(Debug, clap::Args)]
pub struct Place {
    #[command(flatten)]
    config: ConfigArgs,
    /// The folder of the log, instead of `audit` in the configuration's `data_dir`; the configuration is not read then.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    dir: Option<PathBuf>,
}

/// How exported records look.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub enum ExportFormat {
    /// As in the log: fields in one order, link and hash included.
    #[default]
    Jsonl,
}

/// An exit status other than 0, and why.
struct Failure(u8, String);

impl From<AuditError> for Failure {
    fn from(error: AuditError) -> Failure {
        let wrong = error.is_missing() || error.is_tampered() || error.is_key();
        Failure(if wrong { WRONG_INPUT } else { ENVIRONMENT }, error.to_string())
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Failure {
        Failure(WRONG_INPUT, message)
    }
}

/// Runs one of the commands; gives the exit status.
pub fn run(command: &AuditCommand) -> u8 {
    let done = match command {
        AuditCommand::Verify { public_key, proof: Some(proof), .. } => verify_proof(proof, public_key.as_deref()),
        AuditCommand::Verify { place, public_key, kept, proof: None } => {
            verify_log(place, public_key.as_deref(), kept.as_deref())
        }
        AuditCommand::Show { place, request_id, seq, proof, json, prompt, answer } => {
            let shape = Shape { proof: *proof, json: *json };
            show(place, request_id, *seq, shape, [("prompt", prompt), ("answer", answer)])
        }
        AuditCommand::Export { place, since, until, tenant, user, format: ExportFormat::Jsonl } => {
            let times = (since.as_deref(), until.as_deref());
            export(place, times, tenant.as_deref(), user.as_deref())
        }
    };
    done.unwrap_or_else(|Failure(status, message)| {
        eprintln!("{}", message.trim_end());
        status
    })
}

impl Place {
    /// The folder, and the public key if the configuration has one.
    fn find(&self) -> Result<(PathBuf, Option<PublicKey>), Failure> {
        let (folder, key) = match &self.dir {
            Some(dir) => (dir.clone(), None),
            None => {
                let loaded = reload::load(&self.config.config).map_err(|problems| {
                    let hint = "to read a log without its configuration, name its folder with --dir";
                    format!("{}\n{hint}", problems.to_string().trim_end())
                })?;
                let secret = loaded.file.audit.as_ref().and_then(|audit| audit.key.as_ref());
                let key = secret.and_then(|secret| key::parse(secret.expose()));
                let public = key.and_then(|key| PublicKey::new(&key::public_key(&key)));
                (Path::new(&loaded.file.data_dir).join("audit"), public)
            }
        };
        if !folder.is_dir() {
            return Err(format!("no audit log in {}: none was kept, or it is elsewhere", folder.display()).into());
        }
        Ok((folder, key))
    }
}

fn verify_log(place: &Place, public_key: Option<&str>, kept: Option<&Path>) -> Result<u8, Failure> {
    let (folder, configured) = place.find()?;
    let named = public_key.map(parse_public_key).transpose()?.or(configured);
    let kept = match kept {
        None => vec![],
        Some(path) => read_text(path)?.lines().map(str::to_owned).collect(),
    };
    let trust = Trust { public_key: named, kept };
    let report = verify(&folder, &trust, &mut progress(&folder))?;
    clear_progress();
    let own_key = trust.public_key.is_none();
    print(&render::report(&folder.display().to_string(), &report, own_key));
    Ok(status(&report))
}

fn status(report: &Report) -> u8 {
    if report.is_sound() { 0 } else { WRONG_INPUT }
}

/// Tells a person at a terminal how far it is.
fn progress(folder: &Path) -> impl FnMut(u64) {
    let sizes = fs::read_dir(folder).into_iter().flatten().flatten();
    let total: u64 = sizes.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum();
    let told = total > LARGE && io::stderr().is_terminal();
    let mut last = 0;
    move |read| {
        if told && read >= last + (8 << 20) {
            last = read;
            eprint!("\r{} of {} MB verified", read >> 20, total >> 20);
        }
    }
}

fn clear_progress() {
    if io::stderr().is_terminal() {
        eprint!("\r{:40}\r", "");
    }
}

fn verify_proof(path: &Path, public_key: Option<&str>) -> Result<u8, Failure> {
    let key = public_key.map(parse_public_key).transpose()?;
    let text = read_text(path)?;
    let proven = Proof::parse(&text).and_then(|proof| proof.check(key.as_ref()));
    let proven = proven.map_err(|what| format!("{}: {what}", path.display()))?;
    print(&render::proven(&proven)?);
    Ok(0)
}

/// What is printed.
#[derive(Clone, Copy)]
struct Shape {
    proof: bool,
    json: bool,
}

fn show(
    place: &Place,
    request_id: &str,
    seq: Option<u64>,
    shape: Shape,
    texts: [(&str, &Option<PathBuf>); 2],
) -> Result<u8, Failure> {
    let (folder, key) = place.find()?;
    let filter = Filter { request_id: Some(request_id.to_owned()), ..Filter::default() };
    let mut found = Vec::new();
    find::each(&folder, &filter, &mut |line| {
        if seq.is_none() || find::seq(line) == seq {
            found.push(line.to_owned());
        }
        ControlFlow::Continue(())
    })?;
    let shown = request_id.escape_debug();
    let [line] = found.as_slice() else {
        return Err(match found.as_slice() {
            [] => format!("no record of request `{shown}` in {}", folder.display()),
            several => {
                let numbers: Vec<String> =
                    several.iter().filter_map(|line| find::seq(line)).map(|n| n.to_string()).collect();
                format!(
                    "{} requests had the id `{shown}`: choose with --seq, from {}",
                    several.len(),
                    numbers.join(", ")
                )
            }
        }
        .into());
    };
    if shape.json {
        print(&format!("{line}\n"));
        return Ok(0);
    }
    let proof = find::seq(line).map(|seq| find::prove(&folder, seq)).transpose()?.flatten();
    if shape.proof {
        let late = "this record is not yet under a signed checkpoint: try again in a few seconds; after a crash, when the gateway has started";
        print(&proof.ok_or_else(|| late.to_owned())?.to_json());
        return Ok(0);
    }
    let proven = proof.map(|proof| proof.check(key.as_ref())).transpose()?;
    print(&render::record(line, proven.as_ref())?);
    let mut status = 0;
    for (name, path) in texts {
        let Some(path) = path else { continue };
        let bytes = fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        let hash = HashKey::read(&folder)?.hash(&bytes);
        let same = render::hash_of(line, name)?.is_some_and(|is| is == hex::encode(hash));
        let is = if same { "is" } else { "is not" };
        print(&format!("\n{} {is} the {name} of this request\n", path.display()));
        status = if same { status } else { WRONG_INPUT };
    }
    Ok(status)
}

fn export(
    place: &Place,
    (since, until): (Option<&str>, Option<&str>),
    tenant: Option<&str>,
    user: Option<&str>,
) -> Result<u8, Failure> {
    let now = jiff::Timestamp::now().as_microsecond();
    let time = |name, text: Option<&str>| {
        text.map(|text| moment(name, text, now)).transpose().map_err(|message| Failure(USAGE, message))
    };
    let (since, until) = (time("since", since)?, time("until", until)?);
    let (folder, _) = place.find()?;
    let user = user.map(|user| Ok::<_, Failure>(hex::encode(HashKey::read(&folder)?.name(user)))).transpose()?;
    let filter = Filter { since, until, tenant: tenant.map(str::to_owned), user, request_id: None };
    let mut out = io::BufWriter::new(io::stdout().lock());
    find::each(&folder, &filter, &mut |line| match writeln!(out, "{line}") {
        Ok(()) => ControlFlow::Continue(()),
        // A closed pipe (`| head`): enough was seen.
        Err(_) => ControlFlow::Break(()),
    })?;
    let _ = out.flush();
    Ok(0)
}

fn parse_public_key(text: &str) -> Result<PublicKey, Failure> {
    let read = key::parse(text).or_else(|| fs::read_to_string(text).ok().and_then(|text| key::parse(&text)));
    let none = || format!("--public-key {text}: neither 64 hexadecimal digits nor a file with them");
    Ok(read.and_then(|bytes| PublicKey::new(&bytes)).ok_or_else(none)?)
}

fn read_text(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().read_to_string(&mut text).map(drop)
    } else {
        fs::read_to_string(path).map(|read| text = read)
    };
    read.map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    Ok(text)
}

/// A closed pipe (`| head`) is no failure.
fn print(text: &str) {
    let _ = anstream::stdout().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests;
