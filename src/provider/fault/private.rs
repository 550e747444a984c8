//! What must not come down in an upstream's words: addresses of machines, keys, and above all the gateway's own.
//!
//! Each kind is looked for by itself, anywhere in the text; what is found is hidden together. What a reader could get wrong: it errs to hiding
//! where an address could be meant, but versions, times, names of models and numbers are left alone: a client has to understand what is wrong.

use std::fmt;
use std::net::Ipv6Addr;
use std::ops::Range;

use crate::config::file::{PoolNode, Upstream};
use crate::config::scalar::Secret;

/// Longest message that is passed on, in bytes: an error page is no message.
pub(super) const LONGEST_MESSAGE: usize = 1000;
/// So much of a message is looked at: what is hidden makes it shorter.
const LONGEST_READ: usize = 16 << 10;
const HIDDEN: &str = "***";

/// A key that is no longer is a placeholder (`none`), and hidden only where it stands alone.
const SHORT_KEY: usize = 7;
/// Beginnings of keys as providers give them out.
const KEYS: [&str; 9] = ["sk-", "sk_", "key-", "api-", "eyJ", "AIza", "gsk_", "xai-", "hf_"];
const SHORTEST_KEY: usize = 8;
/// Ends of names that only a private network resolves.
const PRIVATE_ENDS: [&str; 11] =
    ["internal", "corp", "local", "localdomain", "lan", "svc", "cluster", "intranet", "intra", "home", "lab"];
/// What stands in front of a colon and a number without being a host.
const NO_HOSTS: [&str; 13] =
    ["error", "code", "status", "line", "column", "col", "char", "position", "length", "size", "limit", "index", "at"];
/// Names of hosts that are words in any message about them.
const WORDS: [&str; 9] = ["vllm", "ollama", "sglang", "llama", "openai", "azure", "model", "models", "server"];
/// Where providers send people who have a question.
const HELP: [&str; 2] = ["platform.openai.com", "help.openai.com"];
/// What follows `Bearer` where no key does.
const NO_KEYS: [&str; 8] = ["token", "tokens", "auth", "authentication", "authorization", "scheme", "key", "header"];

/// An upstream's own key and the names of its hosts. Prints neither.
#[derive(Default)]
pub struct Private {
    key: Option<Secret>,
    /// In lower case.
    hosts: Vec<String>,
}

impl Private {
    /// What an upstream's section names.
    pub(in crate::provider) fn of(upstream: &Upstream) -> Private {
        let urls = upstream.nodes.iter().map(PoolNode::url);
        let urls = urls.chain(upstream.base_url.as_deref()).chain(upstream.discover.as_deref());
        let hosts = urls.filter_map(host).filter(|host| !WORDS.contains(&host.as_str())).collect();
        Private { key: upstream.api_key.clone().filter(|key| !key.expose().is_empty()), hosts }
    }

    #[cfg(test)]
    pub(in crate::provider) fn for_test(key: &str, host: &str) -> Private {
        Private { key: Some(Secret::new(key)), hosts: vec![host.to_owned()] }
    }

    /// An upstream's words without what must not come down, cut at a thousand bytes.
    pub fn scrub(&self, text: &str) -> String {
        let text = beginning(text);
        let mut found = Vec::new();
        self.own(text, &mut found);
        urls(text, &mut found);
        numbered(text, &mut found);
        colons(text, &mut found);
        names(text, &mut found);
        credentials(text, &mut found);
        without(text, found)
    }

    /// The key and the hosts of the upstream itself.
    fn own(&self, text: &str, found: &mut Vec<Range<usize>>) {
        if let Some(key) = self.key.as_ref().map(Secret::expose) {
            let is_short = key.len() <= SHORT_KEY;
            found.extend(all(text, key).filter(|range| !is_short || stands_alone(text, range)));
        }
        if self.hosts.is_empty() {
            return;
        }
        // As long as the text itself, byte for byte.
        let lower = text.to_ascii_lowercase();
        for host in &self.hosts {
            // A name within a longer name may be any word.
            let is_whole = |range: &Range<usize>| host.contains('.') || stands_alone(text, range);
            found.extend(all(&lower, host).filter(is_whole).map(|range| range.start..port(text, range.end)));
        }
    }
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Private").finish_non_exhaustive()
    }
}

/// The host of a URL, or of what looks like one.
fn host(url: &str) -> Option<String> {
    let rest = url.split_once("://").filter(|(scheme, _)| *scheme != "file")?.1;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next()?,
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

/// So much of a text as is looked at, without a last word that may not be all of it.
fn beginning(text: &str) -> &str {
    if text.len() <= LONGEST_READ {
        return text;
    }
    let cut = (0..=LONGEST_READ).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    let cut = text.get(..cut).unwrap_or_default();
    cut.rfind(char::is_whitespace).and_then(|at| cut.get(..at)).unwrap_or_default()
}

/// The text with what was found hidden.
fn without(text: &str, mut found: Vec<Range<usize>>) -> String {
    found.sort_unstable_by_key(|range| range.start);
    let mut out = String::with_capacity(text.len().min(LONGEST_MESSAGE) + HIDDEN.len());
    let mut at = 0;
    for range in found {
        if range.start >= at {
            // Next to each other, they are one.
            let between = text.get(at..range.start).unwrap_or_default();
            out.push_str(between);
            if !(between.is_empty() && out.ends_with(HIDDEN)) {
                out.push_str(HIDDEN);
            }
        }
        at = at.max(range.end);
    }
    out.push_str(text.get(at..).unwrap_or_default());
    if out.len() > LONGEST_MESSAGE {
        let cut = (0..=LONGEST_MESSAGE).rev().find(|&at| out.is_char_boundary(at)).unwrap_or(0);
        out.truncate(cut);
        out.push('…');
    }
    out
}

/// Where `word` stands, overlapping or not.
fn all<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = Range<usize>> + 't {
    let mut from = 0;
    std::iter::from_fn(move || {
        let at = from + text.get(from..)?.find(word)?;
        from = at + text.get(at..)?.chars().next().map_or(1, char::len_utf8);
        Some(at..at + word.len())
    })
}

/// Runs of bytes of a kind (ASCII only).
fn runs(text: &str, is_of: impl Fn(u8) -> bool) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + bytes.get(from..)?.iter().position(|byte| is_of(*byte))?;
        let length = bytes.get(start..)?.iter().position(|byte| !is_of(*byte));
        from = length.map_or(bytes.len(), |length| start + length);
        Some(start..from)
    })
}

fn byte(text: &str, at: Option<usize>) -> Option<u8> {
    text.as_bytes().get(at?).copied()
}

fn stands_alone(text: &str, range: &Range<usize>) -> bool {
    let within = |at| byte(text, at).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    !within(range.start.checked_sub(1)) && !within(Some(range.end))
}

/// Behind the port that follows a host, if one does.
fn port(text: &str, end: usize) -> usize {
    let rest = text.get(end..).unwrap_or_default();
    let Some(behind) = rest.strip_prefix("]:").or_else(|| rest.strip_prefix(':')) else { return end };
    let digits = behind.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 { end } else { end + (rest.len() - behind.len()) + digits }
}

/// URLs, but for those of a provider's help.
fn urls(text: &str, found: &mut Vec<Range<usize>>) {
    for sign in all(text, "://") {
        let (before, behind) = (text.get(..sign.start).unwrap_or_default(), text.get(sign.end..).unwrap_or_default());
        let scheme = before.bytes().rev().take_while(|b| b.is_ascii_alphanumeric() || b"+.-".contains(b)).count();
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '(' | ')' | '{' | '}' | '`');
        let length = behind.find(ends).unwrap_or(behind.len());
        let url = behind.get(..length).unwrap_or_default();
        let is_help = HELP.iter().any(|help| {
            url.strip_prefix(help).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '.', ',', '?', '#']))
        });
        if !is_help {
            let length = url.trim_end_matches(['.', ',', ';', ':']).len();
            found.push(sign.start - scheme..sign.end + length);
        }
    }
}

/// IPv4 addresses: four numbers with dots between them, whatever stands around. More numbers or larger ones are hidden as well.
fn numbered(text: &str, found: &mut Vec<Range<usize>>) {
    for run in runs(text, |byte| byte.is_ascii_digit() || byte == b'.') {
        let words = text.get(run.clone()).unwrap_or_default();
        let mut longest = 0;
        for sequence in words.split("..") {
            longest = longest.max(sequence.split('.').filter(|number| !number.is_empty()).count());
        }
        if longest >= 4 {
            let end = run.start + words.trim_end_matches('.').len();
            found.push(run.start..port(text, end));
        }
    }
    // As names of machines have them: `ip-10-0-0-1`.
    for run in runs(text, |byte| byte.is_ascii_digit() || byte == b'-') {
        let numbers = text.get(run.clone()).unwrap_or_default().split('-').filter(|number| !number.is_empty());
        let before = text.get(..run.start).unwrap_or_default();
        if before.ends_with("ip") && numbers.count() >= 4 {
            found.push(run.start - 2..run.end);
        }
    }
}

/// IPv6 addresses.
fn colons(text: &str, found: &mut Vec<Range<usize>>) {
    for run in runs(text, |byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')) {
        let whole = text.get(run.clone()).unwrap_or_default();
        if whole.bytes().filter(|byte| *byte == b':').count() < 2 {
            continue;
        }
        let is_cut = |at| byte(text, at).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let mut start = run.start;
        if is_cut(run.start.checked_sub(1)) {
            // The end of another word, as in `source:fd00::7`; `std::abc` is a path.
            let first = whole.find(':').unwrap_or(0);
            if whole.get(first..).is_some_and(|rest| rest.starts_with("::")) {
                continue;
            }
            start += first;
        }
        let rest = text.get(start..run.end).unwrap_or_default();
        let start = start + usize::from(rest.starts_with(':') && !rest.starts_with("::"));
        let rest = text.get(start..run.end).unwrap_or_default().trim_end_matches('.');
        let rest = if rest.ends_with("::") { rest } else { rest.trim_end_matches(':') };
        let is_address = |word: &str| word.parse::<Ipv6Addr>().is_ok() && word.bytes().any(|b| b.is_ascii_digit());
        // The last group may be cut off, where a word follows.
        let shorter = rest.rsplit_once(':').map_or("", |(rest, _)| rest);
        let address = [rest, rest.trim_end_matches(':'), shorter].into_iter().find(|word| is_address(word));
        if let Some(address) = address {
            found.push(start..port(text, start + address.len().max(rest.len())));
        }
    }
}

/// Names of hosts: with a port, or with an end that only a private network knows.
fn names(text: &str, found: &mut Vec<Range<usize>>) {
    for run in runs(text, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')) {
        let name = text.get(run.clone()).unwrap_or_default();
        let lower = name.trim_end_matches('.').to_ascii_lowercase();
        let is_private = lower == "localhost"
            || lower.rsplit_once('.').is_some_and(|(host, end)| !host.is_empty() && PRIVATE_ENDS.contains(&end));
        let end = port(text, run.end);
        let number = text.get(run.end..end).unwrap_or_default().trim_start_matches([']', ':']);
        let is_ported = number.len() >= 2
            && number.parse::<u16>().is_ok()
            && !is_more(text, end)
            && name.bytes().any(|byte| byte.is_ascii_alphabetic())
            && !NO_HOSTS.contains(&lower.as_str())
            && !lower.contains("token");
        if is_private || is_ported {
            let end = if end > run.end { end } else { run.start + name.trim_end_matches('.').len() };
            found.push(run.start..end);
        }
    }
}

/// The number before it is part of a longer word, such as a model's size.
fn is_more(text: &str, end: usize) -> bool {
    byte(text, Some(end)).is_some_and(|byte| byte.is_ascii_alphabetic())
}

/// What looks like a key, or is said to be one.
fn credentials(text: &str, found: &mut Vec<Range<usize>>) {
    for run in runs(text, |byte| byte.is_ascii_alphanumeric() || b"-_.*".contains(&byte)) {
        let word = text.get(run.clone()).unwrap_or_default();
        let is_key = |prefix: &str| {
            // `api-version` and `key-value` are words.
            let is_word = matches!(prefix, "key-" | "api-") && !word.bytes().any(|byte| byte.is_ascii_digit());
            word.starts_with(prefix) && word.len() >= SHORTEST_KEY && !is_word
        };
        if KEYS.iter().any(|prefix| is_key(prefix)) {
            found.push(run.start..run.start + word.trim_end_matches('.').len());
        }
    }
    let lower = text.to_ascii_lowercase();
    for (word, is_certain) in [("bearer", true), ("basic", false)] {
        for sign in all(&lower, word) {
            let behind = text.get(sign.end..).unwrap_or_default();
            let separated = behind.trim_start_matches([' ', ':', '=', '"', '\'', '\t', '\n', '`', '<']);
            if separated.len() == behind.len() {
                continue;
            }
            let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | '<' | '>' | ')' | '}');
            let secret = separated.get(..separated.find(ends).unwrap_or(separated.len())).unwrap_or_default();
            let core = secret.trim_end_matches(['.', ':', '?', '!']).to_ascii_lowercase();
            // `basic` is a word like any other; what follows the scheme is base64.
            let is_secret =
                is_certain || (secret.len() >= SHORTEST_KEY && secret.bytes().any(|b| !b.is_ascii_lowercase()));
            if is_secret && !core.is_empty() && !NO_KEYS.contains(&core.as_str()) {
                let start = sign.end + (behind.len() - separated.len());
                found.push(start..start + secret.len());
            }
        }
    }
}
