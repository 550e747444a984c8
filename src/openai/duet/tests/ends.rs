//! Drafts that end as no answer may.

use super::*;

fn said(duet: &mut Duet, events: &[Value], done: bool) -> Standing {
    duet.draft(frames(events, done).into(), &mut Vec::new()).unwrap()
}

#[test]
fn a_draft_has_ended_only_if_it_says_so() {
    let mut duet = duet(Endpoint::Chat, false);
    let whole = chat("small", &["four ", "words ", "of ", "ten"], false);
    assert_eq!(said(&mut duet, &whole[..4], false), Standing::On);
    assert!(!duet.has_ended() && duet.has_said());
    said(&mut duet, &whole[4..], false);
    assert!(duet.has_ended() && duet.is_complete(), "its reason is enough");
    let mut duet = super::duet(Endpoint::Responses, false);
    let whole = response("small", &["four ", "words"], false);
    said(&mut duet, &whole[..6], false);
    assert!(!duet.has_ended() && duet.has_said());
    assert_eq!(said(&mut duet, &whole[6..], false), Standing::Complete);
    assert!(duet.has_ended());
}

#[test]
fn a_draft_without_a_word_has_said_nothing() {
    for endpoint in [Endpoint::Chat, Endpoint::Responses] {
        let mut duet = duet(endpoint, false);
        let events = if endpoint == Endpoint::Chat { chat("small", &[], false) } else { response("small", &[], false) };
        said(&mut duet, &events, endpoint == Endpoint::Chat);
        assert!(duet.has_ended() && !duet.has_said() && !duet.is_complete(), "{endpoint:?}");
    }
    // What it says once it is the answer counts as well.
    let mut duet = duet(Endpoint::Chat, false);
    duet.promote(Why::CloudFailed, &mut Vec::new());
    assert!(!duet.has_said());
    said(&mut duet, &chat("small", &["late"], false), true);
    assert!(duet.has_said());
}

#[test]
fn a_draft_that_calls_a_tool_goes_no_further() {
    let call = json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "call_1"}]}}]});
    assert_eq!(said(&mut duet(Endpoint::Chat, false), &[call], false), Standing::Calls);
    let none = json!({"choices": [{"index": 0, "delta": {"content": "a", "tool_calls": [], "function_call": null}}]});
    assert_eq!(said(&mut duet(Endpoint::Chat, false), &[none], false), Standing::On);
}
