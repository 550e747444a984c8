//! Any two streams, whatever they say and wherever their bytes are cut.
//!
//! What a reader could get wrong: `pieces` cuts within frames on purpose; an upstream's chunks are not its events.

use proptest::prelude::*;

use super::*;

/// Feeds bytes in pieces of the given lengths.
fn pieces(bytes: &[u8], cuts: &[usize]) -> Vec<Bytes> {
    let (mut rest, mut pieces, mut cuts) = (bytes, vec![], cuts.iter().cycle());
    while !rest.is_empty() {
        let (head, tail) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
        pieces.push(Bytes::copy_from_slice(head));
        rest = tail;
    }
    pieces
}

fn words() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("[a-c\"\\\\\n\u{e9}\u{1f600}]{0,4}", 0..6)
}

/// How the draft ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Answered,
    Promoted(Why),
}

proptest! {
    #[test]
    fn any_two_streams_make_one(
        drafted in words(),
        answered in words(),
        cuts in proptest::collection::vec(1_usize..90, 1..5),
        share in 0.0..=1.0_f64,
        end in prop_oneof![Just(End::Answered), Just(End::Promoted(Why::Confident)), Just(End::Promoted(Why::CloudFailed))],
        is_chat: bool,
        bare: bool,
    ) {
        let (drafted, answered): (Vec<&str>, Vec<&str>) =
            (drafted.iter().map(String::as_str).collect(), answered.iter().map(String::as_str).collect());
        let endpoint = if is_chat { Endpoint::Chat } else { Endpoint::Responses };
        let make = |name, words: &[&str]| match is_chat {
            true => frames(&chat(name, words, true), true),
            false => frames(&response(name, words, bare), false),
        };
        let (mut duet, mut out) = (duet(endpoint, true), vec![]);
        let draft = pieces(&make("edge", &drafted), &cuts);
        let told = ((draft.len() as f64 * share) as usize).max(1);
        for piece in &draft[..told] {
            duet.draft(piece.clone(), &mut out).unwrap();
        }
        let prefix = duet.text();
        prop_assert!(drafted.concat().starts_with(&prefix));
        match end {
            End::Answered => {
                duet.draft_over(SPENT, &mut out);
                for piece in pieces(&make("cloud", &answered), &cuts) {
                    duet.answer(piece, &mut out).unwrap();
                }
            }
            End::Promoted(why) => {
                duet.promote(why, &mut out);
                for piece in &draft[told..] {
                    duet.draft(piece.clone(), &mut out).unwrap();
                }
                duet.draft_over(SPENT, &mut out);
                duet.finish(Spent { prompt: 100, completion: 20 }, &mut out);
            }
        }
        let said = match end {
            End::Answered => answered.concat(),
            End::Promoted(_) => drafted.concat(),
        };
        let events = read(&out);
        if is_chat {
            check_chat(&events);
            prop_assert_eq!(choice(&events, 0), (said, vec![json!("stop")]));
            let (text, ends) = choice(&events, 1);
            prop_assert_eq!((text, ends.len()), (prefix, 1));
            let usages: Vec<_> = events.iter().filter(|event| event["usage"].is_object()).collect();
            prop_assert_eq!(usages.len(), 1);
            prop_assert_eq!(&usages[0]["usage"]["total_tokens"], 135);
        } else {
            let last = check_response(&events);
            prop_assert_eq!(output_text(&last["response"]), said.as_str());
            prop_assert_eq!(deltas(&events, "response.output_text.delta"), said.as_str());
            prop_assert_eq!(deltas(&events, "response.reasoning_text.delta"), prefix.as_str());
            prop_assert_eq!(&last["response"]["usage"]["total_tokens"], 135);
            if !prefix.is_empty() {
                prop_assert_eq!(&last["response"]["output"][0]["tidegate"]["draft"], true);
                prop_assert_eq!(&last["response"]["output"][0]["content"][0]["text"], prefix.as_str());
            }
        }
    }

    #[test]
    fn whatever_an_upstream_says_makes_no_panic(draft: Vec<u8>, answer: Vec<u8>, is_chat: bool) {
        let endpoint = if is_chat { Endpoint::Chat } else { Endpoint::Responses };
        let (mut duet, mut out) = (duet(endpoint, true), vec![]);
        let wrapped = [b"data: ", draft.as_slice(), b"\n\n"].concat();
        duet.draft(wrapped.into(), &mut out).unwrap();
        duet.draft_over(SPENT, &mut out);
        duet.answer(answer.into(), &mut out).unwrap();
        duet.promote(Why::CloudFailed, &mut out);
        duet.finish(SPENT, &mut out);
    }
}
