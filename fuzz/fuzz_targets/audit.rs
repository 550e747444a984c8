//! Any change of a log or a proof is found, and nothing that is given as one makes the verifier panic.
#![no_main]

use std::ops::ControlFlow;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use tidegate::audit::find::{Filter, each, prove};
use tidegate::audit::key::{PublicKey, public_key};
use tidegate::audit::verify::{Trust, verify_bytes};
use tidegate::audit::{Chain, Proof, Settings};
use tidegate::ledger::entry::{Entry, Position};

const KEY: [u8; 32] = [7; 32];

/// Two segments, `checkpoints.jsonl`, a proof.
struct Log {
    files: [Vec<u8>; 3],
    proof: String,
    trust: Trust,
}

fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("tidegate-fuzz-audit-{}", std::process::id()));
        let settings = Settings { checkpoint_every: 2, segment_records: 3, key: Some(KEY), keep: None };
        let mut chain = Chain::open(&folder, &settings).expect("a folder of our own");
        for offset in 1..=5 {
            let entry = Entry { request_id: "r", tenant: "acme", ..Entry::default() };
            chain.append(Position { boot: 1, segment: 1, offset }, &entry).expect("a disk");
            chain.commit().expect("a disk");
        }
        chain.close().expect("a disk");
        let read = |name: &str| std::fs::read(folder.join(name)).expect("a file that was just written");
        let files = ["segment-00000001.jsonl", "segment-00000002.jsonl", "checkpoints.jsonl"].map(read);
        let proof = prove(&folder, 4).expect("a sound log").expect("a checkpoint over it").to_json();
        let mut records = 0;
        each(&folder, &Filter::default(), &mut |_| {
            records += 1;
            ControlFlow::Continue(())
        })
        .expect("a log");
        assert_eq!(records, 5);
        let _ = std::fs::remove_dir_all(&folder);
        let trust = Trust { public_key: PublicKey::new(&public_key(&KEY)), kept: vec![] };
        assert!(verify_bytes(&[&files[0], &files[1]], &files[2], &trust).is_sound());
        Log { files, proof, trust }
    })
}

/// Edits by three bytes each: where (two), and what is done there.
fn edit(text: &mut Vec<u8>, edits: &[u8]) {
    for edit in edits.chunks_exact(3).take(8) {
        let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % text.len().max(1);
        match edit[2] {
            bits @ 1..=127 if at < text.len() => text[at] ^= bits,
            128..192 if at < text.len() => drop(text.remove(at)),
            other => text.insert(at.min(text.len()), other),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((pick, data)) = data.split_first() else { return };
    let log = log();
    match pick % 6 {
        file @ 0..3 => {
            let mut files = log.files.clone();
            edit(&mut files[usize::from(file)], data);
            let report = verify_bytes(&[&files[0], &files[1]], &files[2], &log.trust);
            // The copy of the last checkpoint, not yet written to its end.
            let missing = log.files[1].len().saturating_sub(files[1].len());
            let torn = log.files[1].starts_with(&files[1]) && missing < 500;
            assert!(files == log.files || torn || !report.is_sound(), "a change was not found");
        }
        3 => {
            let mut proof = log.proof.clone().into_bytes();
            edit(&mut proof, data);
            let Ok(text) = String::from_utf8(proof) else { return };
            let held = Proof::parse(&text).and_then(|proof| proof.check(log.trust.public_key.as_ref()));
            assert!(text.trim_end_matches('\n') == log.proof.trim_end() || held.is_err(), "a change was not found");
        }
        4 => {
            let mut parts = data.split(|byte| *byte == 0);
            let checkpoints = parts.next().unwrap_or_default();
            let segments: Vec<&[u8]> = parts.collect();
            let _ = verify_bytes(&segments, checkpoints, &Trust::default());
            let _ = verify_bytes(&segments, checkpoints, &log.trust);
        }
        _ => {
            let Ok(text) = std::str::from_utf8(data) else { return };
            let held = Proof::parse(text).and_then(|proof| proof.check(log.trust.public_key.as_ref()));
            assert!(held.is_err() || text.trim_end() == log.proof.trim_end(), "a forged proof");
        }
    }
});
