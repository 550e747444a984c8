//! Any body: the scan does not panic, what it accepts is JSON, all edits together leave JSON that says what they should, and both
//! classifiers give a probability for its text.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use tidegate::openai::canon::canon;
use tidegate::openai::splice::{self, Edit};
use tidegate::openai::view::{View, scan};
use tidegate::openai::{Endpoint, edits};
use tidegate::signals::classifier::{self, Circumstances, Classifier, Passage};

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
    score(&view, body);
    canon(endpoint, body, None).expect("what is accepted can be spelled");
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

/// As the gateway does.
fn score(view: &View, body: &[u8]) {
    let circumstances = Circumstances { turns: view.turns, has_tools: view.has_tools, modalities: view.modalities };
    let passages = view.pieces.iter().map(|piece| Passage {
        source: piece.source,
        message: piece.message,
        text: &body[piece.range.start + 1..piece.range.end - 1],
    });
    let (difficulty, fresh) = (Classifier::difficulty(), Classifier::fresh_knowledge());
    let scores = classifier::score(Some(&difficulty), Some(&fresh), &circumstances, passages);
    for score in [scores.difficulty, scores.fresh] {
        assert!((0.0..=1.0).contains(&score.expect("both were asked for")));
    }
}
