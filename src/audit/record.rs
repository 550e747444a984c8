//! One request as a line of the log: its fields, their order, and what is left out.
//!
//! What a reader could get wrong: a text that is empty and a number that is not known are left out; the order of the fields, and which
//! can be missing, is the format (docs/audit.md). A new field is a new line here and there, never a change of an old one.

use crate::ledger::entry::{Attempt, Considered, Entry, Position, Tokens};

use super::key::HashKey;
use super::line::RECORD_START;
use super::text;

/// Bytes of a usual record.
const USUAL: usize = 2048;

/// Writes a record up to its link (`prev`), which the chain adds.
pub(super) fn write(out: &mut Vec<u8>, seq: u64, position: Position, entry: &Entry<'_>, names: &HashKey) {
    out.reserve(USUAL);
    out.extend_from_slice(RECORD_START);
    text::number(out, seq);
    out.extend_from_slice(b",\"journal\":");
    write_position(out, position);
    out.extend_from_slice(b",\"at\":");
    text::time(out, entry.at);
    field(out, b",\"request_id\":", entry.request_id);
    field(out, b",\"tenant\":", entry.tenant);
    field(out, b",\"app\":", entry.app);
    if !entry.user.is_empty() {
        out.extend_from_slice(b",\"user\":");
        quoted_hex(out, &names.name(entry.user));
    }
    field(out, b",\"endpoint\":", entry.endpoint);
    field(out, b",\"policy\":", entry.policy);
    field(out, b",\"route\":", entry.route);
    field(out, b",\"rule\":", entry.rule);
    field(out, b",\"privacy\":", entry.privacy);
    field(out, b",\"cache\":", entry.cache);
    seen(out, entry);
    targets(out, &entry.considered);
    attempts(out, &entry.attempts);
    bytes_out(out, &entry.attempts);
    field(out, b",\"outcome\":", entry.outcome);
    out.extend_from_slice(b",\"status\":");
    text::number(out, entry.status);
    if let Some(cost) = entry.cost() {
        out.extend_from_slice(b",\"cost_nanousd\":");
        text::number(out, cost);
    }
    for (name, hash) in [(&b",\"prompt_hash\":"[..], entry.prompt_hash), (b",\"answer_hash\":", entry.answer_hash)] {
        if let Some(hash) = hash {
            out.extend_from_slice(name);
            quoted_hex(out, &hash);
        }
    }
}

/// `[boot,segment,offset]`
pub(super) fn write_position(out: &mut Vec<u8>, position: Position) {
    out.push(b'[');
    text::number(out, position.boot);
    out.push(b',');
    text::number(out, position.segment);
    out.push(b',');
    text::number(out, position.offset);
    out.push(b']');
}

/// What the decision was made from.
fn seen(out: &mut Vec<u8>, entry: &Entry<'_>) {
    let seen = &entry.seen;
    out.extend_from_slice(b",\"seen\":{\"input_tokens\":");
    text::number(out, seen.input_tokens);
    if let Some(tokens) = seen.max_output_tokens {
        out.extend_from_slice(b",\"max_output_tokens\":");
        text::number(out, tokens);
    }
    field(out, b",\"modalities\":", seen.modalities);
    flag(out, b",\"tools\":true", seen.has_tools);
    flag(out, b",\"stream\":true", entry.stream);
    out.extend_from_slice(b",\"turns\":");
    text::number(out, seen.turns);
    for (name, value) in [(&b",\"difficulty\":"[..], entry.difficulty), (b",\"threshold\":", entry.threshold)] {
        if let Some(value) = value {
            out.extend_from_slice(name);
            text::six_digits(out, value);
        }
    }
    field(out, b",\"pii\":", entry.pii);
    field(out, b",\"hint_placement\":", seen.hint_placement);
    field(out, b",\"hint_privacy\":", seen.hint_privacy);
    out.push(b'}');
}

fn targets(out: &mut Vec<u8>, considered: &[Considered<'_>]) {
    out.extend_from_slice(b",\"targets\":[");
    for (at, target) in considered.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b"{\"model\":" } else { b",{\"model\":" });
        text::string(out, target.model);
        field(out, b",\"dropped\":", target.dropped);
        out.push(b'}');
    }
    out.push(b']');
}

fn attempts(out: &mut Vec<u8>, attempts: &[Attempt<'_>]) {
    out.extend_from_slice(b",\"attempts\":[");
    for (at, attempt) in attempts.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b"{\"role\":" } else { b",{\"role\":" });
        text::string(out, attempt.role);
        field(out, b",\"model\":", attempt.model);
        field(out, b",\"upstream\":", attempt.upstream);
        field(out, b",\"node\":", attempt.node);
        field(out, b",\"placement\":", attempt.placement);
        field(out, b",\"region\":", attempt.region);
        field(out, b",\"outcome\":", attempt.outcome);
        out.extend_from_slice(b",\"status\":");
        text::number(out, attempt.status);
        out.extend_from_slice(b",\"bytes_out\":");
        text::number(out, attempt.bytes_out);
        tokens(out, &attempt.tokens);
        flag(out, b",\"estimated\":true", attempt.estimated);
        if let Some(cost) = attempt.cost {
            out.extend_from_slice(b",\"cost_nanousd\":");
            text::number(out, cost);
        }
        out.push(b'}');
    }
    out.push(b']');
}

/// All kinds that are not zero; all zero: left out.
fn tokens(out: &mut Vec<u8>, tokens: &Tokens) {
    let kinds: [(&[u8], u64); 6] = [
        (b"\"prompt\":", tokens.prompt),
        (b"\"cached\":", tokens.cached),
        (b"\"completion\":", tokens.completion),
        (b"\"reasoning\":", tokens.reasoning),
        (b"\"audio_in\":", tokens.audio_in),
        (b"\"audio_out\":", tokens.audio_out),
    ];
    let mut before: &[u8] = b",\"tokens\":{";
    for (name, count) in kinds.iter().filter(|(_, count)| *count > 0) {
        out.extend_from_slice(before);
        out.extend_from_slice(name);
        text::number(out, *count);
        before = b",";
    }
    flag(out, b"}", before == b",");
}

/// Whatever is not said to be the edge counts as cloud: an unknown placement must not look harmless.
fn bytes_out(out: &mut Vec<u8>, attempts: &[Attempt<'_>]) {
    let sum = |edge: bool| -> u64 {
        attempts.iter().filter(|attempt| (attempt.placement == "edge") == edge).map(|attempt| attempt.bytes_out).sum()
    };
    out.extend_from_slice(b",\"bytes_out\":{\"edge\":");
    text::number(out, sum(true));
    out.extend_from_slice(b",\"cloud\":");
    text::number(out, sum(false));
    out.push(b'}');
}

#[inline]
fn field(out: &mut Vec<u8>, name: &[u8], value: &str) {
    if !value.is_empty() {
        out.extend_from_slice(name);
        text::string(out, value);
    }
}

fn flag(out: &mut Vec<u8>, text: &[u8], set: bool) {
    if set {
        out.extend_from_slice(text);
    }
}

fn quoted_hex<const N: usize>(out: &mut Vec<u8>, bytes: &[u8; N]) {
    out.push(b'"');
    text::hex(out, bytes);
    out.push(b'"');
}

/// The sequence number and journal position at the head of a record's line; `None`: the line does not begin as a record must.
pub(super) fn parse_head(line: &[u8]) -> Option<(u64, Position)> {
    let (seq, rest) = digits(line.strip_prefix(RECORD_START)?)?;
    let (boot, rest) = digits(rest.strip_prefix(b",\"journal\":[")?)?;
    let (segment, rest) = digits(rest.strip_prefix(b",")?)?;
    let (offset, rest) = digits(rest.strip_prefix(b",")?)?;
    rest.starts_with(b"],\"at\":\"").then_some(())?;
    Some((seq, Position { boot, segment: u32::try_from(segment).ok()?, offset }))
}

fn digits(text: &[u8]) -> Option<(u64, &[u8])> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit())?;
    let value = std::str::from_utf8(&text[..end]).ok()?.parse().ok()?;
    Some((value, &text[end..]))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::ledger::entry::Seen;

    /// A request with everything in it.
    pub(crate) fn entry() -> Entry<'static> {
        let attempt = Attempt {
            role: "first",
            model: "small",
            upstream: "lab",
            node: "1",
            placement: "edge",
            region: "eu",
            outcome: "timeout",
            bytes_out: 1_103,
            cost: Some(0),
            ..Attempt::default()
        };
        let answered = Attempt {
            role: "fallback",
            model: "frontier",
            upstream: "openai",
            placement: "cloud",
            outcome: "ok",
            status: 200,
            tokens: Tokens { prompt: 1_200, cached: 1_024, completion: 350, ..Tokens::default() },
            estimated: true,
            cost: Some(3_720_000),
            ..attempt.clone()
        };
        Entry {
            boot: 1_767_225_600_000_000,
            number: 9,
            at: 1_772_366_400_123_456,
            request_id: "req-\"1\"",
            tenant: "acme",
            app: "chat",
            user: "ann@example.org",
            tags: "team=search",
            endpoint: "chat",
            route: "auto",
            rule: "easy",
            outcome: "ok",
            status: 200,
            stream: true,
            privacy: "no-retention",
            cache: "miss",
            pii: "EMAIL_ADDRESS=1",
            difficulty: Some(0.312),
            threshold: Some(0.5),
            policy: "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9",
            seen: Seen {
                input_tokens: 1_190,
                max_output_tokens: Some(500),
                modalities: "text",
                has_tools: true,
                turns: 2,
                hint_placement: "prefer-edge",
                hint_privacy: "no-retention",
            },
            considered: [("small", ""), ("spare", "context"), ("frontier", "")]
                .map(|(model, dropped)| Considered { model, dropped })
                .into_iter()
                .collect(),
            prompt_hash: Some([0xab; 32]),
            answer_hash: Some([0xcd; 32]),
            attempts: [attempt, answered].into_iter().collect(),
            ..Entry::default()
        }
    }

    fn written(entry: &Entry<'_>) -> String {
        let mut out = Vec::new();
        let position = Position { boot: 1, segment: 2, offset: 3 };
        write(&mut out, 17, position, entry, &HashKey::new([5; 32]));
        assert_eq!(parse_head(&out), Some((17, position)));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_full_record_and_an_empty_one() {
        let full = written(&entry());
        serde_json::from_str::<serde_json::Value>(&format!("{full}}}")).unwrap();
        insta::assert_snapshot!(full.replace(",\"", ",\n\""), @r#"
        {"seq":17,
        "journal":[1,2,3],
        "at":"2026-03-01T12:00:00.123456Z",
        "request_id":"req-\"1\"",
        "tenant":"acme",
        "app":"chat",
        "user":"c02431179768aa729bac92b2b0434973",
        "endpoint":"chat",
        "policy":"5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9",
        "route":"auto",
        "rule":"easy",
        "privacy":"no-retention",
        "cache":"miss",
        "seen":{"input_tokens":1190,
        "max_output_tokens":500,
        "modalities":"text",
        "tools":true,
        "stream":true,
        "turns":2,
        "difficulty":0.312000,
        "threshold":0.500000,
        "pii":"EMAIL_ADDRESS=1",
        "hint_placement":"prefer-edge",
        "hint_privacy":"no-retention"},
        "targets":[{"model":"small"},{"model":"spare",
        "dropped":"context"},{"model":"frontier"}],
        "attempts":[{"role":"first",
        "model":"small",
        "upstream":"lab",
        "node":"1",
        "placement":"edge",
        "region":"eu",
        "outcome":"timeout",
        "status":0,
        "bytes_out":1103,
        "cost_nanousd":0},{"role":"fallback",
        "model":"frontier",
        "upstream":"openai",
        "node":"1",
        "placement":"cloud",
        "region":"eu",
        "outcome":"ok",
        "status":200,
        "bytes_out":1103,
        "tokens":{"prompt":1200,
        "cached":1024,
        "completion":350},
        "estimated":true,
        "cost_nanousd":3720000}],
        "bytes_out":{"edge":1103,
        "cloud":1103},
        "outcome":"ok",
        "status":200,
        "cost_nanousd":3720000,
        "prompt_hash":"abababababababababababababababababababababababababababababababab",
        "answer_hash":"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
        "#);
        let empty = written(&Entry::default());
        serde_json::from_str::<serde_json::Value>(&format!("{empty}}}")).unwrap();
        insta::assert_snapshot!(empty.replace(",\"", ",\n\""), @r#"
        {"seq":17,
        "journal":[1,2,3],
        "at":"1970-01-01T00:00:00.000000Z",
        "seen":{"input_tokens":0,
        "turns":0},
        "targets":[],
        "attempts":[],
        "bytes_out":{"edge":0,
        "cloud":0},
        "status":0,
        "cost_nanousd":0
        "#);
    }

    #[test]
    fn names_tags_and_text_stay_out() {
        let text = written(&entry());
        assert!(!text.contains("ann") && !text.contains("team"), "{text}");
    }

    #[test]
    fn only_a_records_head_is_read() {
        for wrong in ["", "{\"seq\":", "{\"seq\":1,\"journal\":[1,2]", "{\"seq\":-1,\"journal\":[1,2,3],\"at\":\""] {
            assert_eq!(parse_head(wrong.as_bytes()), None, "{wrong}");
        }
        let long = "{\"seq\":99999999999999999999,\"journal\":[1,2,3],\"at\":\"";
        assert_eq!(parse_head(long.as_bytes()), None);
    }
}
