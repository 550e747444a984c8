//! Whatever two upstreams say, and wherever their bytes are cut: the client gets whole frames, and a draft never fails a request.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tidegate::openai::Endpoint;
use tidegate::openai::duet::{Duet, Names, Spent, Why, without_drafts};

const SPENT: Spent = Spent { prompt: 3, completion: 2 };

/// What the client gets; the draft is cut into pieces of `size`, and told up to the piece `until`.
fn told(endpoint: Endpoint, draft: &[u8], answer: &[u8], size: usize, until: usize, promoted: bool) -> Vec<u8> {
    let names = Names { id: "1".into(), created: 1, model: "m".into(), usage: true };
    let mut duet = Duet::new(endpoint, &names).expect("a form");
    let mut out = Vec::new();
    for piece in draft.chunks(size).take(until) {
        duet.draft(Bytes::copy_from_slice(piece), &mut out).expect("shorter than the bound");
    }
    if promoted {
        duet.promote(Why::CloudFailed, &mut out);
        for piece in draft.chunks(size).skip(until) {
            duet.draft(Bytes::copy_from_slice(piece), &mut out).expect("shorter than the bound");
        }
        duet.draft_over(SPENT, &mut out);
        duet.finish(SPENT, &mut out);
    } else {
        duet.draft_over(SPENT, &mut out);
        for piece in answer.chunks(size) {
            duet.answer(Bytes::copy_from_slice(piece), &mut out).expect("shorter than the bound");
        }
    }
    out
}

fuzz_target!(|data: &[u8]| {
    let [flags, size, until, rest @ ..] = data else { return };
    let endpoint = if flags & 1 == 0 { Endpoint::Chat } else { Endpoint::Responses };
    let half = rest.len() / 2;
    let (draft, answer) = rest.split_at(half);
    let size = usize::from(*size).max(1);
    let promoted = flags & 2 != 0;
    let out = told(endpoint, draft, answer, size, usize::from(*until), promoted);
    // What the gateway tells of its own is UTF-8 and ends with whole frames, whatever stands in the draft.
    if promoted {
        assert!(out.ends_with(b"\n\n"));
    }
    // The two bytes of a line's end may be told apart, behind an event that is not.
    let lines = |mut out: Vec<u8>| {
        out.retain(|byte| !b"\r\n".contains(byte));
        out
    };
    let whole = lines(told(endpoint, draft, answer, usize::MAX, usize::MAX, promoted));
    let again = lines(told(endpoint, draft, answer, 1, usize::MAX, promoted));
    assert_eq!(whole, again, "where the bytes were cut makes a difference");
    without_drafts(Endpoint::Responses, Bytes::copy_from_slice(rest));
});
