//! Drafts that come back: clients send the output of one turn as input of the next, and a draft is no part of the conversation.
//!
//! What a reader could get wrong: no provider knows the id of a draft, and OpenAI refuses reasoning that it does not know. So they are taken
//! out before anything else reads the request; nearly all requests have none, which one search tells.

use std::ops::Range;

use bytes::Bytes;
use memchr::memmem;

use super::responses::DRAFT_ID;
use crate::openai::Endpoint;
use crate::openai::view::scanner::Scanner;

/// A body without the drafts in its input.
pub fn without_drafts(endpoint: Endpoint, body: Bytes) -> Bytes {
    if endpoint != Endpoint::Responses || memmem::find(&body, DRAFT_ID.as_bytes()).is_none() {
        return body;
    }
    match cut(&body) {
        Some(rest) => rest.into(),
        None => body,
    }
}

/// `None`: there is nothing to cut, or the body is no JSON, which its reader will say.
fn cut(body: &[u8]) -> Option<Vec<u8>> {
    let mut kept: Vec<Range<usize>> = Vec::new();
    let mut inside: Option<Range<usize>> = None;
    let mut is_cut = false;
    let scanned = Scanner::new(body).object(|s, key, _| {
        if *key != *b"input" || s.peek() != Some(b'[') {
            return s.skip().map(drop);
        }
        // Of a key that stands twice, the last one is what most readers take; its drafts are cut, and no other's.
        kept.clear();
        is_cut = false;
        let from = s.at() + 1;
        s.array(|s| {
            s.peek();
            let range = s.skip()?;
            match is_draft(s.bytes(range.clone())) {
                true => is_cut = true,
                false => kept.push(range),
            }
            Ok(())
        })?;
        inside = Some(from..s.at() - 1);
        Ok(())
    });
    scanned.ok()?;
    let inside = inside.filter(|_| is_cut)?;
    let mut rest = body.get(..inside.start)?.to_vec();
    for (at, item) in kept.into_iter().enumerate() {
        if at > 0 {
            rest.push(b',');
        }
        rest.extend_from_slice(body.get(item)?);
    }
    rest.extend_from_slice(body.get(inside.end..)?);
    Some(rest)
}

fn is_draft(item: &[u8]) -> bool {
    let mut is_draft = false;
    let mut scanner = Scanner::new(item);
    if scanner.peek() != Some(b'{') {
        return false;
    }
    // It was scanned before, as part of the body.
    let _whole = scanner.object(|s, key, _| {
        let value = s.skip()?;
        is_draft |= *key == *b"id" && super::inner(s.bytes(value)).starts_with(DRAFT_ID.as_bytes());
        Ok(())
    });
    is_draft
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(body: &str) -> String {
        let rest = without_drafts(Endpoint::Responses, Bytes::copy_from_slice(body.as_bytes()));
        String::from_utf8(rest.to_vec()).unwrap()
    }

    #[test]
    fn drafts_are_taken_out_wherever_they_stand() {
        let draft = r#"{"type": "reasoning", "id":"rs_draft_1", "summary": []}"#;
        let user = r#"{"role":"user","content":"rs_draft_ is a word like any other"}"#;
        for (input, expected) in [
            (format!("[{draft}]"), "[]".to_owned()),
            (format!("[ {draft} , {user} ]"), format!("[{user}]")),
            (format!("[{user}, {draft}]"), format!("[{user}]")),
            (format!("[{user},{draft},{draft},{user}]"), format!("[{user},{user}]")),
        ] {
            let body = |input: &str| format!(r#"{{ "model": "m", "input": {input}, "x": [1 , 2]}}"#);
            assert_eq!(rest(&body(&input)), body(&expected));
        }
    }

    #[test]
    fn everything_else_stays_byte_for_byte() {
        for body in [
            r#"{"input":[{"role":"user","content":"rs_draft_1"} , 5]}"#,
            r#"{"input":"rs_draft_1"}"#,
            r#"{"input":[{"id":"rs_draft_1"}"#,
            r#"{"metadata":{"id":"rs_draft_1"},"input":[ ]}"#,
            "rs_draft_",
        ] {
            assert_eq!(rest(body), body);
        }
        let chat = Bytes::from_static(br#"{"input":[{"id":"rs_draft_1"}]}"#);
        assert_eq!(without_drafts(Endpoint::Chat, chat.clone()), chat);
    }
}
