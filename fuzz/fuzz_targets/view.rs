//! Any body: the scan does not panic, what it accepts is JSON, and all edits together leave JSON that says what they should.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use tidegate::openai::splice::{self, Edit};
use tidegate::openai::view::scan;
use tidegate::openai::{Endpoint, edits};

const ENDPOINTS: [Endpoint; 4] = [Endpoint::Chat, Endpoint::Completions, Endpoint::Embeddings, Endpoint::Responses];

fuzz_target!(|data: &[u8]| {
    let Some((pick, body)) = data.split_first() else { return };
    // serde_json gives up one level before the scan does.
    if body.iter().filter(|byte| matches!(byte, b'{' | b'[')).count() > 100 {
        return;
    }
    let endpoint = ENDPOINTS[usize::from(*pick) % ENDPOINTS.len()];
    let Ok(view) = scan(endpoint, body) else { return };
    serde_json::from_slice::<IgnoredAny>(body).expect("what is accepted is JSON");
    for piece in &view.pieces {
        let text = &body[piece.range.clone()];
        assert!(text.len() >= 2 && text[0] == b'"' && text[text.len() - 1] == b'"');
    }
    let mut list: Vec<Edit> = Vec::new();
    list.extend(edits::model(&view, "another \"model\""));
    list.extend(edits::cut_hints(&view));
    list.extend(edits::ask_usage(&view));
    let edited = splice::apply(&Bytes::copy_from_slice(body), &mut list).concat();
    serde_json::from_slice::<IgnoredAny>(&edited).expect("edits leave JSON");
    let after = scan(endpoint, &edited).expect("edits leave what can be scanned");
    assert!(after.hints.is_none());
    assert_eq!(after.model.is_some(), view.model.is_some());
    if let Some(name) = after.model_name(&edited) {
        assert_eq!(name.expect("a name that we wrote"), "another \"model\"");
    }
    if view.stream {
        assert!(after.stream_options.is_some_and(|options| options.include_usage));
    }
    assert_eq!(after.pieces.len(), view.pieces.len());
});
