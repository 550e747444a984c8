//! Any text: finds are in order, apart, on character boundaries; a request that holds it stays JSON when they are hidden.
#![no_main]

use std::sync::LazyLock;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tidegate::openai::Endpoint;
use tidegate::openai::splice;
use tidegate::openai::view;
use tidegate::pii::catalog::Wording;
use tidegate::pii::hide::{self, Keys, Scope};
use tidegate::pii::restore::text::Restorer;
use tidegate::pii::restore::whole;
use tidegate::pii::{Catalog, Profile, find};

static CATALOG: LazyLock<(Catalog, Profile, Keys)> = LazyLock::new(|| {
    let catalog = Catalog::build(None).expect("nothing to compile");
    let profile = Profile::build(&catalog, None, None);
    (catalog, profile, Keys::new(&[3; 32]))
});

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (catalog, profile, keys) = &*CATALOG;
    for wording in [Wording::Prose, Wording::Values] {
        let mut found = Vec::new();
        catalog.find(text, wording, &mut found);
        let mut end = 0;
        for span in &found {
            assert!(span.start >= end && span.start < span.end, "in order and apart");
            assert!(text.get(span.start..span.end).is_some(), "on character boundaries");
            end = span.end;
        }
    }
    let arguments = serde_json::json!({ "text": text }).to_string();
    let call = serde_json::json!({"id": "c", "function": {"name": "f", "arguments": arguments}});
    let request = serde_json::json!({"model": "m", "messages": [
        {"role": "user", "content": text}, {"role": "assistant", "content": null, "tool_calls": [call]}]});
    let body = Bytes::from(request.to_string());
    let view = view::scan(Endpoint::Chat, &body).expect("a request");
    let findings = find::find(catalog, &view, &body, &Vec::new());
    let scope = Scope { tenant: "t", conversation: 1 };
    let (mut edits, mapping) = hide::hide(catalog, profile, keys, scope, &findings, (&view, &body));
    let hidden = Bytes::from(splice::apply(&body, &mut edits).concat());
    let sent: serde_json::Value = serde_json::from_slice(&hidden).expect("JSON still");
    let arguments = sent["messages"][1]["tool_calls"][0]["function"]["arguments"].as_str().expect("arguments");
    serde_json::from_str::<serde_json::Value>(arguments).expect("arguments are JSON still");
    // An upstream that echoes the message: the client reads what was said.
    let echo = serde_json::json!({"choices": [{"message": {"content": sent["messages"][0]["content"]}}]});
    let back = whole::restore(&Restorer::new(mapping, false), &Bytes::from(echo.to_string()));
    let back: serde_json::Value = serde_json::from_slice(&back).expect("JSON");
    assert_eq!(back["choices"][0]["message"]["content"], text);
});
