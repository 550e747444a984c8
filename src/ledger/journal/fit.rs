//! An entry made smaller, for where it must fit: an open slot, or (hardly ever) a frame.
//!
//! What a reader could get wrong: what costs money is never dropped. The smallest form keeps who, when and which request, and all
//! attempts as one that carries their sums; it fits a slot whatever the entry holds.

use smallvec::smallvec;

use crate::ledger::{Attempt, Entry, Tokens};

/// The entry with less and less in it, the last of which fits an open slot for certain.
pub(super) fn smaller<'a>(entry: &Entry<'a>) -> [Entry<'a>; 4] {
    let untagged = Entry { tags: "", ..entry.clone() };
    let unnamed = Entry { user: "", ..untagged.clone() };
    let unreasoned = Entry { considered: smallvec![], ..unnamed.clone() };
    [untagged, unnamed, unreasoned, bare(entry)]
}

fn bare<'a>(entry: &Entry<'a>) -> Entry<'a> {
    Entry {
        boot: entry.boot,
        number: entry.number,
        at: entry.at,
        request_id: cut(entry.request_id, 40),
        tenant: cut(entry.tenant, 96),
        app: cut(entry.app, 48),
        endpoint: cut(entry.endpoint, 16),
        route: cut(entry.route, 24),
        outcome: cut(entry.outcome, 16),
        status: entry.status,
        stream: entry.stream,
        privacy: cut(entry.privacy, 12),
        cache: cut(entry.cache, 9),
        attempts: entry.attempts.last().map(|last| summed(entry, last)).into_iter().collect(),
        ..Entry::default()
    }
}

/// All attempts as one, with the last one's words.
fn summed<'a>(entry: &Entry<'a>, last: &Attempt<'a>) -> Attempt<'a> {
    let sum =
        |of: fn(&Attempt<'_>) -> u64| entry.attempts.iter().fold(0, |sum: u64, each| sum.saturating_add(of(each)));
    Attempt {
        model: cut(last.model, 24),
        upstream: cut(last.upstream, 24),
        placement: cut(last.placement, 8),
        outcome: cut(last.outcome, 16),
        status: last.status,
        tokens: Tokens {
            prompt: sum(|attempt| attempt.tokens.prompt),
            cached: sum(|attempt| attempt.tokens.cached),
            completion: sum(|attempt| attempt.tokens.completion),
            reasoning: sum(|attempt| attempt.tokens.reasoning),
            audio_in: sum(|attempt| attempt.tokens.audio_in),
            audio_out: sum(|attempt| attempt.tokens.audio_out),
        },
        estimated: entry.attempts.iter().any(|attempt| attempt.estimated),
        cost: entry.attempts.iter().try_fold(0_i64, |sum, attempt| attempt.cost.map(|cost| sum.saturating_add(cost))),
        bytes_out: sum(|attempt| attempt.bytes_out),
        ..Attempt::default()
    }
}

/// The longest beginning of at most `bytes` bytes.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::journal::slots::PAYLOAD;

    #[test]
    fn the_smallest_form_fits_a_slot_and_keeps_the_money() {
        let long = "ü".repeat(500);
        let long = long.as_str();
        let attempt = Attempt {
            role: long,
            model: long,
            upstream: long,
            node: long,
            placement: long,
            region: long,
            outcome: long,
            status: u16::MAX,
            tokens: Tokens { prompt: u64::MAX, completion: 7, audio_out: u64::MAX / 2, ..Tokens::default() },
            cost: Some(i64::MIN / 2),
            co2_ug: u64::MAX,
            bytes_out: u64::MAX,
            ..Attempt::default()
        };
        let entry = Entry {
            boot: u64::MAX,
            number: u64::MAX,
            at: i64::MIN,
            request_id: long,
            tenant: long,
            app: long,
            endpoint: long,
            route: long,
            rule: long,
            outcome: long,
            status: u16::MAX,
            privacy: long,
            cache: long,
            policy: long,
            attempts: smallvec![attempt.clone(), attempt],
            ..Entry::default()
        };
        let smaller = smaller(&entry);
        let bare = smaller.last().unwrap();
        assert!(bare.encode(vec![]).unwrap().len() <= PAYLOAD);
        assert_eq!(bare.cost(), Some(i64::MIN));
        assert_eq!(bare.attempts[0].tokens.completion, 14);
        assert!(entry.tenant.starts_with(bare.tenant) && bare.tenant.len() == 96);
    }
}
