//! What a provider's rate limits leave, as its answers say: known before the limit is hit.
//!
//! `x-ratelimit-{remaining,reset}-{requests,tokens}` (OpenAI, Azure, Groq and others; resets as `6m0s`, `120ms` or seconds) and
//! `anthropic-ratelimit-{requests,tokens}-{remaining,reset}` (resets as RFC 3339). What a reader could get wrong: several gateways and scripts
//! may share a key, so the figures are what the provider said last, less what was sent since; they only ever keep a request back for as long as the
//! provider said.

use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;
use parking_lot::Mutex;

/// Longer than this nobody is kept back at once: a provider that means it says so again.
const LONGEST: Duration = Duration::from_secs(60);
/// A reset that is further away is no time that was meant: a date, or a clock that is wrong.
const UNBELIEVABLE: Duration = Duration::from_secs(86_400);
/// While requests are kept back, so often one is sent all the same: limits refill by and by, and headers can be wrong.
const PROBE_EVERY: u64 = 2_000;
/// A limit said without its reset (Azure) is taken to hold for this long.
const UNSAID: Duration = Duration::from_secs(1);

/// What is left of the limits of one model's key.
#[derive(Debug, Default)]
pub struct Quota(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    requests: Option<Left>,
    tokens: Option<Left>,
    next_probe: u64,
}

#[derive(Debug, Clone, Copy)]
struct Left {
    remaining: u64,
    /// All of it, where that is said.
    limit: Option<u64>,
    /// When it was said.
    said: u64,
    /// Milliseconds, on the clock that callers hand in.
    reset: u64,
}

impl Quota {
    /// Takes in what an answer says. `now`: milliseconds of a clock that does not go back; `wall`: for resets that are dates.
    pub fn learn(&self, headers: &HeaderMap, now: u64, wall: Timestamp) {
        let requests = left(headers, &REQUESTS, now, wall);
        let tokens = left(headers, &TOKENS, now, wall);
        if requests.is_none() && tokens.is_none() {
            return;
        }
        let mut known = self.0.lock();
        known.requests = requests.or(known.requests);
        known.tokens = tokens.or(known.tokens);
        known.next_probe = now + PROBE_EVERY;
    }

    /// How long a request of so many tokens should not be sent; `None`: it may be.
    pub fn pause(&self, tokens: u64, now: u64) -> Option<Duration> {
        let mut known = self.0.lock();
        let wait = |left: Option<Left>, needed: u64| left?.until(needed).checked_sub(now).filter(|wait| *wait > 0);
        let wait = wait(known.requests, 1).max(wait(known.tokens, tokens))?;
        if now >= known.next_probe {
            known.next_probe = now + PROBE_EVERY;
            return None;
        }
        Some(Duration::from_millis(wait))
    }

    /// A request of so many tokens is sent.
    pub fn sends(&self, tokens: u64) {
        let mut known = self.0.lock();
        if let Some(left) = &mut known.requests {
            left.remaining = left.remaining.saturating_sub(1);
        }
        if let Some(left) = &mut known.tokens {
            left.remaining = left.remaining.saturating_sub(tokens);
        }
    }
}

impl Left {
    /// When so much is there again: limits refill evenly until the reset, where all of it is back.
    fn until(&self, needed: u64) -> u64 {
        if self.remaining >= needed {
            return 0;
        }
        let span = self.reset.saturating_sub(self.said);
        let (missing, used) =
            (needed - self.remaining, self.limit.map_or(0, |limit| limit.saturating_sub(self.remaining)));
        match missing < used {
            true => self.said + (u128::from(span) * u128::from(missing)).div_ceil(u128::from(used)) as u64,
            // What is more than the limit is not there even then: the provider may say so itself.
            false => self.reset,
        }
    }
}

/// Remaining, reset and limit, as OpenAI and as Anthropic call them.
type Names = [[&'static str; 3]; 2];
const REQUESTS: Names = [
    ["x-ratelimit-remaining-requests", "x-ratelimit-reset-requests", "x-ratelimit-limit-requests"],
    [
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
        "anthropic-ratelimit-requests-limit",
    ],
];
const TOKENS: Names = [
    ["x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", "x-ratelimit-limit-tokens"],
    ["anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset", "anthropic-ratelimit-tokens-limit"],
];

fn left(headers: &HeaderMap, [openai, anthropic]: &Names, now: u64, wall: Timestamp) -> Option<Left> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let (remaining, reset, limit) = match text(openai[0]) {
        Some(remaining) => (remaining, text(openai[1]).map_or(Some(UNSAID), span), text(openai[2])),
        None => (text(anthropic[0])?, text(anthropic[1]).and_then(|date| until(date, wall)), text(anthropic[2])),
    };
    let reset = reset.filter(|reset| *reset < UNBELIEVABLE).unwrap_or(UNSAID).min(LONGEST);
    let reset = now.saturating_add(u64::try_from(reset.as_millis()).unwrap_or(u64::MAX));
    let limit = limit.and_then(|limit| limit.parse().ok());
    Some(Left { remaining: remaining.parse().ok()?, limit, said: now, reset })
}

/// `6m0s`, `1.5s`, `120ms`, `1d2h`, or plain seconds.
fn span(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at(digits);
        let unit = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit);
        let seconds = match unit {
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * seconds;
        rest = behind;
    }
    Duration::try_from_secs_f64(total).ok()
}

/// From now to a date (RFC 3339); one that lies in the past is over.
fn until(date: &str, wall: Timestamp) -> Option<Duration> {
    let date: Timestamp = date.parse().ok()?;
    Some(Duration::try_from(date.duration_since(wall)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;

    fn headers(list: &[(&str, &str)]) -> HeaderMap {
        list.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
    }

    fn learnt(list: &[(&str, &str)]) -> Quota {
        let quota = Quota::default();
        quota.learn(&headers(list), 1_000, "2026-11-21T12:00:00Z".parse().unwrap());
        quota
    }

    const OPENAI: [(&str, &str); 4] = [
        ("x-ratelimit-remaining-requests", "2"),
        ("x-ratelimit-reset-requests", "120ms"),
        ("x-ratelimit-remaining-tokens", "1000"),
        ("x-ratelimit-reset-tokens", "6m0s"),
    ];

    #[test]
    fn what_is_used_up_keeps_requests_back_until_the_reset() {
        let quota = learnt(&OPENAI);
        assert_eq!(quota.pause(100, 1_000), None);
        quota.sends(100);
        quota.sends(100);
        assert_eq!(quota.pause(100, 1_020), Some(Duration::from_millis(100)));
        assert_eq!(quota.pause(100, 1_120), None, "the reset has come");
        assert_eq!(quota.pause(900, 1_120), Some(LONGEST - Duration::from_millis(120)), "of the tokens it has not");
    }

    #[test]
    fn what_refills_by_and_by_is_not_waited_for_to_the_end() {
        let mut headers = OPENAI.to_vec();
        headers.push(("x-ratelimit-limit-tokens", "31000"));
        headers[3] = ("x-ratelimit-reset-tokens", "60s");
        let quota = learnt(&headers);
        // 30,000 come back in a minute: the 500 that are missing in a second.
        assert_eq!(quota.pause(1_500, 1_000), Some(Duration::from_secs(1)));
        assert_eq!(quota.pause(1_500, 2_000), None);
    }

    #[test]
    fn now_and_then_one_finds_out() {
        let quota = learnt(&[("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "50s")]);
        let sent = (0..500).filter(|n| quota.pause(1, 1_000 + n * 100).is_none()).count();
        assert!((20..=26).contains(&sent), "{sent} of 500 in 50 seconds");
    }

    #[test]
    fn resets_are_read_as_providers_write_them() {
        for (text, seconds) in
            [("1s", 1.0), ("6m0s", 360.0), ("120ms", 0.12), ("7.66s", 7.66), ("2", 2.0), ("1d1h", 90_000.0)]
        {
            assert_eq!(span(text), Some(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["soon", "-1", "1w", "5 minutes", "s"] {
            assert_eq!(span(text), None, "{text}");
        }
        let anthropic = learnt(&[
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "2026-11-21T12:00:10Z"),
        ]);
        assert_eq!(anthropic.pause(0, 1_000), Some(Duration::from_secs(10)));
    }

    #[test]
    fn a_clock_that_is_wrong_blocks_nobody_for_long() {
        let past = [
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "2020-01-01T00:00:00Z"),
        ];
        assert_eq!(learnt(&past).pause(0, 1_000), None);
        let far = [
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "2126-01-01T00:00:00Z"),
        ];
        assert_eq!(learnt(&far).pause(0, 1_000), Some(UNSAID), "nobody means a hundred years");
        let epoch = [("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "1795000000")];
        assert_eq!(learnt(&epoch).pause(0, 1_000), Some(UNSAID));
        let azure = learnt(&[("x-ratelimit-remaining-requests", "0")]);
        assert_eq!(azure.pause(0, 1_000), Some(UNSAID));
        assert_eq!(learnt(&[]).pause(u64::MAX, 0), None, "who says nothing limits nothing");
    }

    proptest::proptest! {
        #[test]
        fn no_header_breaks_it(value in "[ -~]{0,24}", reset in "[ -~]{0,24}") {
            let list = [("x-ratelimit-remaining-requests", &*value), ("x-ratelimit-reset-requests", &*reset)];
            let quota = learnt(&list);
            proptest::prop_assert!(quota.pause(1, 1_000).is_none_or(|pause| pause <= LONGEST));
        }
    }
}
