//! The commands on a log that a gateway could have left.

use super::*;
use crate::audit::{Chain, Settings};
use crate::ledger::entry::{Attempt, Considered, Entry, Position, Seen};

/// A log of three requests, the first two under a checkpoint.
fn log() -> (tempfile::TempDir, Place) {
    let folder = tempfile::tempdir().unwrap();
    let key = HashKey::open(folder.path()).unwrap();
    let settings = Settings { checkpoint_every: 2, key: Some([7; 32]), ..Settings::default() };
    let mut chain = Chain::open(folder.path(), &settings).unwrap();
    for offset in 1..=3 {
        let id = format!("req-{offset}");
        let failed = Attempt {
            role: "first",
            model: "small",
            upstream: "lab",
            placement: "edge",
            outcome: "connect",
            ..Attempt::default()
        };
        let answered = Attempt {
            role: "fallback",
            model: "frontier",
            upstream: "openai",
            node: "0",
            placement: "cloud",
            region: "eu",
            outcome: "ok",
            status: 200,
            bytes_out: 1_103,
            cost: Some(3_720_000),
            ..Attempt::default()
        };
        let entry = Entry {
            request_id: &id,
            at: 1_772_366_400_000_000 + offset as i64 * 1_000_000,
            tenant: if offset == 3 { "other" } else { "acme" },
            app: "ch\u{1b}[31mat",
            user: "ann",
            endpoint: "chat",
            route: "auto",
            rule: "easy",
            outcome: "ok",
            status: 200,
            privacy: "retained",
            difficulty: Some(0.25),
            seen: Seen { input_tokens: 12, modalities: "text", turns: 1, ..Seen::default() },
            considered: [("small", ""), ("spare", "context"), ("frontier", "")]
                .map(|(model, dropped)| Considered { model, dropped })
                .into_iter()
                .collect(),
            attempts: [failed, answered].into_iter().collect(),
            prompt_hash: Some(key.hash(b"the prompt")),
            ..Entry::default()
        };
        chain.append(Position { boot: 1, segment: 1, offset }, &entry).unwrap();
        chain.commit().unwrap();
    }
    let place = Place { config: ConfigArgs { config: "none.yaml".into() }, dir: Some(folder.path().to_owned()) };
    (folder, place)
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

fn lines(folder: &Path, filter: &Filter) -> Vec<String> {
    let mut found = Vec::new();
    find::each(folder, filter, &mut |line| {
        found.push(line.to_owned());
        ControlFlow::Continue(())
    })
    .unwrap();
    found
}

#[test]
fn a_record_is_shown_with_what_proves_it() {
    let (folder, _) = log();
    let line = &lines(folder.path(), &Filter::default())[0];
    let proven = find::prove(folder.path(), 1).unwrap().unwrap().check(None).unwrap();
    let text = plain(&render::record(line, Some(&proven)).unwrap());
    let hidden = |name: &str, text: &str| {
        let start = text.find(name).unwrap() + name.len();
        let end = text[start..].find([' ', '\n']).map_or(text.len(), |at| start + at);
        format!("{}…{}", &text[..start], &text[end..])
    };
    let text =
        hidden("user       ", &hidden("prompt     ", &hidden("record     ", &hidden("checkpoint 1 of ", &text))));
    insta::assert_snapshot!(text, @r#"
    request req-1
      arrived    2026-03-01T12:00:01.000000Z
      tenant     acme
      app        ch\u{1b}[31mat
      user       … (hash)
      endpoint   chat
      outcome    ok, 200

    decision
      route      auto
      rule       easy
      privacy    retained
      targets    ✓ small, ✗ spare (context), ✓ frontier
      seen       input_tokens 12, modalities text, turns 1, difficulty 0.25

    where it ran
      first       small at lab edge, not connected: connect, 0 bytes out
      fallback    frontier at openai cloud (eu), node 0: ok 200, 1103 bytes out, $0.003720
      bytes of the request that left: edge 0, cloud 1103

    record 1
      prompt     …
      record     …
      proven by checkpoint 1 of … over 2 records of segment 1, key ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c
    "#);
    let late = &lines(folder.path(), &Filter::default())[2];
    assert_eq!(find::prove(folder.path(), 3).unwrap(), None);
    assert!(render::record(late, None).unwrap().contains("not yet under a signed checkpoint"));
}

#[test]
fn the_exit_status_says_what_was_found() {
    let (folder, place) = log();
    assert_eq!(run(&AuditCommand::Verify { place, public_key: None, kept: None, proof: None }), 0);
    let verify = |public_key: &str| {
        let (_, configured) = log();
        let place = Place { dir: Some(folder.path().to_owned()), ..configured };
        run(&AuditCommand::Verify { place, public_key: Some(public_key.to_owned()), kept: None, proof: None })
    };
    let public = hex::encode(key::public_key(&[7; 32]));
    assert_eq!(verify(&public), 0);
    assert_eq!(verify(&public.to_uppercase()), 0);
    assert_eq!(verify(folder.path().join("public-key").to_str().unwrap()), 0);
    assert_eq!(verify(&hex::encode(key::public_key(&[8; 32]))), 1);
    assert_eq!(verify("no key"), 1);
    let path = folder.path().join("segment-00000001.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("req-2", "req-9")).unwrap();
    assert_eq!(verify(&public), 1);
}

#[test]
fn a_proof_is_verified_without_the_log() {
    let (folder, _) = log();
    let elsewhere = tempfile::tempdir().unwrap();
    let path = elsewhere.path().join("proof.json");
    fs::write(&path, find::prove(folder.path(), 2).unwrap().unwrap().to_json()).unwrap();
    drop(folder);
    let public = hex::encode(key::public_key(&[7; 32]));
    assert!(verify_proof(&path, Some(&public)).is_ok());
    assert!(verify_proof(&path, None).is_ok());
    let wrong = hex::encode(key::public_key(&[8; 32]));
    assert!(verify_proof(&path, Some(&wrong)).is_err());
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("acme", "acne")).unwrap();
    let Err(Failure(status, message)) = verify_proof(&path, Some(&public)) else { panic!("it was changed") };
    assert_eq!(status, 1);
    assert!(message.ends_with("the record in the proof was changed: its hash does not fit"), "{message}");
}

#[test]
fn records_are_chosen() {
    let (folder, _) = log();
    let count = |filter: &Filter| lines(folder.path(), filter).len();
    let tenant = |name: &str| Filter { tenant: Some(name.to_owned()), ..Filter::default() };
    assert_eq!((count(&tenant("acme")), count(&tenant("other")), count(&tenant("acm"))), (2, 1, 0));
    let at = |seconds: i64| Some(1_772_366_400_000_000 + seconds * 1_000_000);
    assert_eq!(count(&Filter { since: at(2), ..Filter::default() }), 2);
    assert_eq!(count(&Filter { since: at(2), until: at(3), ..Filter::default() }), 1);
    let user = HashKey::open(folder.path()).unwrap().name("ann");
    assert_eq!(count(&Filter { user: Some(hex::encode(user)), ..Filter::default() }), 3);
}

#[test]
fn one_of_several_requests_with_an_id_is_chosen_by_number() {
    let (folder, place) = log();
    let shape = Shape { proof: false, json: true };
    let none = [("prompt", &None), ("answer", &None)];
    assert!(matches!(show(&place, "req-1", None, shape, none), Ok(0)));
    assert!(matches!(show(&place, "req-4", None, shape, none), Err(Failure(1, _))));
    let body = folder.path().join("body");
    for (text, status) in [("the prompt", 0), ("another", 1)] {
        fs::write(&body, text).unwrap();
        let texts = [("prompt", &Some(body.clone())), ("answer", &None)];
        let shape = Shape { proof: false, json: false };
        assert!(matches!(show(&place, "req-1", None, shape, texts), Ok(is) if is == status));
    }
    let shape = Shape { proof: true, json: false };
    let Err(Failure(1, message)) = show(&place, "req-3", None, shape, none) else { panic!("nothing proves it") };
    assert!(message.contains("not yet under a signed checkpoint"), "{message}");
}

#[test]
fn a_report_is_told() {
    let (folder, _) = log();
    let text = |folder: &Path| {
        let report = verify(folder, &Trust::default(), &mut |_| {}).unwrap();
        let text = plain(&render::report("data/audit", &report, true));
        text.split("last checkpoint").next().unwrap().to_owned()
    };
    insta::assert_snapshot!(text(folder.path()), @r#"
    data/audit: nothing is wrong
      records      3, 2026-03-01T12:00:01.000000Z to 2026-03-01T12:00:03.000000Z
      segments     1
      checkpoints  1
      unsigned     1, the last ones: under no checkpoint yet
      public key   ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c
      the key is the one that the log names: somebody who made all of it anew would name his own. Keep yours elsewhere and give it with --public-key
    "#);
    let path = folder.path().join("segment-00000001.jsonl");
    let log = fs::read_to_string(&path).unwrap();
    fs::write(&path, log.replace("req-2", "req-9")).unwrap();
    insta::assert_snapshot!(text(folder.path()), @r#"
    segment-00000001.jsonl:3: record 2 (request req-9) was changed: its hash does not fit
    data/audit: 1 fault
      records      3, 2026-03-01T12:00:01.000000Z to 2026-03-01T12:00:03.000000Z
      segments     1
      checkpoints  1
      unsigned     1, the last ones: under no checkpoint yet
      public key   ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c
      the key is the one that the log names: somebody who made all of it anew would name his own. Keep yours elsewhere and give it with --public-key
    "#);
}
