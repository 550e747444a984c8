//! Records, proofs and reports for people, with ANSI colours.
//!
//! What a reader could get wrong: ids, apps and hints came from clients; control characters in them are escaped before a terminal sees
//! them.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde::Deserialize;

use crate::audit::proof::Proven;
use crate::audit::verify::Report;

const HEAD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const WARN: Style = AnsiColor::Yellow.on_default();
const FAINT: Style = Style::new().dimmed();

const NANOS_PER_USD: f64 = 1e9;

/// A record's fields; what is left out in the log is empty here.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Record {
    seq: u64,
    at: String,
    request_id: String,
    tenant: String,
    app: String,
    user: String,
    endpoint: String,
    policy: String,
    route: String,
    rule: String,
    privacy: String,
    cache: String,
    seen: serde_json::Map<String, serde_json::Value>,
    targets: Vec<Target>,
    attempts: Vec<Attempt>,
    bytes_out: Bytes,
    outcome: String,
    status: u16,
    cost_nanousd: Option<i64>,
    prompt_hash: Option<String>,
    answer_hash: Option<String>,
    hash: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Target {
    model: String,
    dropped: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Attempt {
    role: String,
    model: String,
    upstream: String,
    node: String,
    placement: String,
    region: String,
    outcome: String,
    status: u16,
    bytes_out: u64,
    cost_nanousd: Option<i64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Bytes {
    edge: u64,
    cloud: u64,
}

fn read(line: &str) -> Result<Record, String> {
    serde_json::from_str(line)
        .map_err(|e| format!("the record cannot be read ({e}): `tidegate audit verify` names the place"))
}

/// The hash of a record's `prompt` or `answer`.
pub(super) fn hash_of(line: &str, what: &str) -> Result<Option<String>, String> {
    let record = read(line)?;
    Ok(if what == "prompt" { record.prompt_hash } else { record.answer_hash })
}

/// One record, and what proves it.
pub(super) fn record(line: &str, proven: Option<&Proven>) -> Result<String, String> {
    let record = read(line)?;
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = request(&mut out, &record)
        .and_then(|()| decision(&mut out, &record))
        .and_then(|()| attempts(&mut out, &record))
        .and_then(|()| hashes(&mut out, &record))
        .and_then(|()| proof(&mut out, proven));
    Ok(out)
}

fn request(out: &mut String, record: &Record) -> std::fmt::Result {
    writeln!(out, "{HEAD}request {}{HEAD:#}", clean(&record.request_id))?;
    let style = if record.outcome == "ok" { GOOD } else { BAD };
    let status = if record.status == 0 { "no answer".to_owned() } else { record.status.to_string() };
    rows(
        out,
        &[
            ("arrived", &record.at),
            ("tenant", &record.tenant),
            ("app", &record.app),
            ("user", &if record.user.is_empty() { String::new() } else { format!("{} (hash)", record.user) }),
            ("endpoint", &record.endpoint),
        ],
    )?;
    writeln!(out, "  {:<10} {style}{}{style:#}, {status}", "outcome", clean(&record.outcome))?;
    rows(out, &[("cost", &record.cost_nanousd.map(usd).unwrap_or_default())])
}

fn decision(out: &mut String, record: &Record) -> std::fmt::Result {
    writeln!(out, "\n{HEAD}decision{HEAD:#}")?;
    let targets: Vec<String> = record
        .targets
        .iter()
        .map(|target| match target.dropped.as_str() {
            "" => format!("{GOOD}✓ {}{GOOD:#}", clean(&target.model)),
            dropped => format!("{BAD}✗ {}{BAD:#} ({})", clean(&target.model), clean(dropped)),
        })
        .collect();
    rows(
        out,
        &[
            ("route", &record.route),
            ("rule", &record.rule),
            ("privacy", &record.privacy),
            ("cache", &record.cache),
            ("policy", &record.policy),
        ],
    )?;
    if !targets.is_empty() {
        writeln!(out, "  {:<10} {}", "targets", targets.join(", "))?;
    }
    let seen: Vec<String> = record.seen.iter().map(|(name, value)| format!("{name} {}", plain(value))).collect();
    rows(out, &[("seen", &seen.join(", "))])
}

fn attempts(out: &mut String, record: &Record) -> std::fmt::Result {
    writeln!(out, "\n{HEAD}where it ran{HEAD:#}")?;
    if record.attempts.is_empty() {
        writeln!(out, "  {FAINT}nowhere: no upstream was asked{FAINT:#}")?;
    }
    for attempt in &record.attempts {
        let style = if attempt.outcome == "ok" { GOOD } else { BAD };
        let model = if attempt.model.is_empty() { "-" } else { &attempt.model };
        let region = if attempt.region.is_empty() { String::new() } else { format!(" ({})", clean(&attempt.region)) };
        let node = match attempt.node.as_str() {
            "" => "not connected".to_owned(),
            node => format!("node {}", clean(node)),
        };
        let status = if attempt.status == 0 { String::new() } else { format!(" {}", attempt.status) };
        let cost = attempt.cost_nanousd.map(|cost| format!(", {}", usd(cost))).unwrap_or_default();
        writeln!(
            out,
            "  {:<11} {} at {} {}{region}, {node}: {style}{}{style:#}{status}, {} bytes out{cost}",
            clean(&attempt.role),
            clean(model),
            clean(&attempt.upstream),
            clean(&attempt.placement),
            clean(&attempt.outcome),
            attempt.bytes_out,
        )?;
    }
    writeln!(out, "  bytes of the request that left: edge {}, cloud {}", record.bytes_out.edge, record.bytes_out.cloud)
}

fn hashes(out: &mut String, record: &Record) -> std::fmt::Result {
    writeln!(out, "\n{HEAD}record {}{HEAD:#}", record.seq)?;
    let none = String::new();
    rows(
        out,
        &[
            ("prompt", record.prompt_hash.as_ref().unwrap_or(&none)),
            ("answer", record.answer_hash.as_ref().unwrap_or(&none)),
            ("record", &record.hash),
        ],
    )
}

fn proof(out: &mut String, proven: Option<&Proven>) -> std::fmt::Result {
    let Some(proven) = proven else {
        return writeln!(
            out,
            "  {WARN}not yet under a signed checkpoint{WARN:#}: within seconds while the gateway runs; after a crash, when it has started"
        );
    };
    let checkpoint = &proven.checkpoint;
    writeln!(
        out,
        "  {GOOD}proven{GOOD:#} by checkpoint {} of {} over {} records of segment {}, key {}",
        checkpoint.number,
        moment(checkpoint.at),
        checkpoint.records,
        checkpoint.segment,
        proven.public_key,
    )
}

/// What a proof alone proves.
pub(super) fn proven(proven: &Proven) -> Result<String, String> {
    let mut out = record(&proven.record, Some(proven))?;
    let what = if proven.own_key {
        format!(
            "\n{WARN}checked with the key inside the proof: this says nothing about who signed it. Name the gateway's key with --public-key{WARN:#}\n"
        )
    } else {
        format!("\n{GOOD}the proof holds{GOOD:#} under the key that you named\n")
    };
    out.push_str(&what);
    Ok(out)
}

/// What a verification found.
pub(super) fn report(folder: &str, report: &Report, own_key: bool) -> String {
    let mut out = String::new();
    let _ = faults(&mut out, folder, report).and_then(|()| summary(&mut out, report, own_key));
    out
}

fn faults(out: &mut String, folder: &str, report: &Report) -> std::fmt::Result {
    if report.is_sound() {
        return writeln!(out, "{folder}: {GOOD}nothing is wrong{GOOD:#}");
    }
    for fault in &report.faults {
        writeln!(out, "{BAD}{fault}{BAD:#}")?;
    }
    let more = report.count - report.faults.len() as u64;
    if more > 0 {
        writeln!(out, "and {more} more of the same kinds")?;
    }
    let count = report.count;
    writeln!(out, "{folder}: {BAD}{count} {}{BAD:#}", if count == 1 { "fault" } else { "faults" })
}

fn summary(out: &mut String, report: &Report, own_key: bool) -> std::fmt::Result {
    let between =
        if report.records == 0 { String::new() } else { format!(", {} to {}", report.first_at, report.last_at) };
    writeln!(out, "  {:<12} {}{between}", "records", report.records)?;
    writeln!(out, "  {:<12} {}", "segments", report.segments)?;
    writeln!(out, "  {:<12} {}", "checkpoints", report.checkpoints)?;
    if report.deleted > 0 {
        writeln!(out, "  {:<12} {} records, as `audit.keep` wants it, each gap signed", "deleted", report.deleted)?;
    }
    if report.unsigned > 0 {
        writeln!(
            out,
            "  {:<12} {WARN}{}, the last ones: under no checkpoint yet{WARN:#}",
            "unsigned", report.unsigned
        )?;
    }
    if report.torn {
        writeln!(out, "  {:<12} the last line is being written, or was when the gateway was killed", "torn")?;
    }
    if !report.public_key.is_empty() {
        writeln!(out, "  {:<12} {}", "public key", report.public_key)?;
        if own_key {
            writeln!(
                out,
                "  {WARN}the key is the one that the log names: somebody who made all of it anew would name his own. Keep yours elsewhere and give it with --public-key{WARN:#}"
            )?;
        }
    }
    if report.last_checkpoint.is_empty() {
        return Ok(());
    }
    writeln!(out, "{FAINT}last checkpoint, worth keeping elsewhere (--kept FILE):{FAINT:#}\n{}", report.last_checkpoint)
}

/// Those that are not empty.
fn rows(out: &mut String, rows: &[(&str, &String)]) -> std::fmt::Result {
    rows.iter()
        .filter(|(_, value)| !value.is_empty())
        .try_for_each(|(name, value)| writeln!(out, "  {name:<10} {}", clean(value)))
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn usd(nanos: i64) -> String {
    format!("${:.6}", nanos as f64 / NANOS_PER_USD)
}

fn moment(microseconds: i64) -> String {
    jiff::Timestamp::from_microsecond(microseconds).map(|at| at.to_string()).unwrap_or_default()
}

fn clean(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}
