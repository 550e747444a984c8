//! Watches what the gateway makes of it: its metrics, the answers' headers, and what reaches the servers, four times a second.
//!
//! What a reader could get wrong: it tells changes, not values; a breaker that opens and closes between two looks is not seen.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::client;
use super::load::{Kind, Load, Outcome};
use super::timeline::{Timeline, Tone, Who};
use super::{Fault, Node};

/// Time between two looks.
const EVERY: Duration = Duration::from_millis(250);
/// Looks over which the share of a server is taken: a second.
const LOOKS: usize = 4;
/// A server gets almost nothing: this part of what it usually gets.
const ALMOST_NOTHING: f64 = 0.1;
/// It is at work: so many requests a second.
const AT_WORK: f64 = 4.0;
/// Looks between two lines about errors, and after which answers are no longer called degraded.
const ERRORS_EVERY: usize = 8;

/// Counters whose first increase is news.
const FIRSTS: [&str; 4] =
    ["tidegate_fallbacks_total", "tidegate_held_back_total", "tidegate_retries_denied_total", "tidegate_hedges_total"];

/// What is watched.
pub struct Watch<'a> {
    pub admin: SocketAddr,
    pub load: &'a Load,
    pub servers: &'a [Node],
    /// What the gateway calls a server: upstream and node labels.
    pub labels: &'a [(&'static str, &'static str)],
    pub kinds: &'a [Kind],
    pub timeline: &'a Timeline,
}

#[derive(Default)]
struct Seen {
    /// Series and their values at the last look.
    gauges: BTreeMap<String, f64>,
    firsts: BTreeMap<String, f64>,
    /// Per server: requests so far at the last looks, its usual number per window, and whether it is at work.
    asked: Vec<Vec<u64>>,
    usual: Vec<f64>,
    idle: Vec<bool>,
    outcomes: usize,
    errors: BTreeMap<String, usize>,
    errors_told: usize,
    degraded: bool,
    degraded_at: usize,
    looks: usize,
}

impl Watch<'_> {
    /// Until it is dropped.
    pub async fn run(&self) {
        let mut seen = Seen::default();
        let mut tick = tokio::time::interval(EVERY);
        loop {
            tick.tick().await;
            if let Ok(text) = client::page(self.admin, "/metrics").await {
                self.metrics(&text, &mut seen);
            }
            self.shares(&mut seen);
            self.answers(&mut seen);
            seen.looks += 1;
        }
    }

    fn metrics(&self, text: &str, seen: &mut Seen) {
        for (series, value) in samples(text) {
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            match name {
                "tidegate_upstream_up" | "tidegate_breaker_state" => {
                    let before = seen.gauges.insert(series.to_owned(), value);
                    // Where there is one server only, its breaker says it all.
                    let says_more = name != "tidegate_upstream_up" || self.is_pool(label(labels, "upstream"));
                    if says_more && before.is_some_and(|before| before != value) {
                        self.gauge(name, labels, value);
                    }
                }
                _ if FIRSTS.contains(&name) => {
                    let before = seen.firsts.insert(series.to_owned(), value).unwrap_or(0.0);
                    if before == 0.0 && value > 0.0 && seen.looks > 0 {
                        self.first(name, labels);
                    }
                }
                _ => {}
            }
        }
    }

    /// Something that the gateway does for the first time.
    fn first(&self, name: &str, labels: &str) {
        let [from, to, reason] = ["from", "to", "reason"].map(|name| label(labels, name));
        let [upstream, result] = ["upstream", "result"].map(|name| label(labels, name));
        let text = match name {
            "tidegate_fallbacks_total" => format!("first fallback from {from} to {to}: {reason}"),
            "tidegate_held_back_total" => {
                format!("{upstream} has said that its limit is used up: not asked until then")
            }
            "tidegate_retries_denied_total" => format!("{upstream}: the retry budget allows no further attempt"),
            _ => format!("{upstream}: first hedge, an attempt beside a slow one ({result})"),
        };
        self.tell(Tone::Plain, text);
    }

    fn gauge(&self, name: &str, labels: &str, value: f64) {
        let who = self.named(label(labels, "upstream"), label(labels, "node"));
        let (tone, what) = match (name, value) {
            ("tidegate_upstream_up", 0.0) => (Tone::Bad, "is not to be asked: absent, silent or slow"),
            ("tidegate_upstream_up", _) => (Tone::Good, "may be asked again"),
            (_, 0.0) => (Tone::Good, "breaker closed"),
            (_, 1.0) => (Tone::Plain, "breaker half-open: single requests find out"),
            (_, _) => (Tone::Bad, "breaker open"),
        };
        self.tell(tone, format!("{who}: {what}"));
    }

    fn is_pool(&self, upstream: &str) -> bool {
        self.labels.iter().filter(|(name, _)| *name == upstream).count() > 1
    }

    fn named(&self, upstream: &str, node: &str) -> String {
        let place = self.labels.iter().position(|labels| *labels == (upstream, node));
        let server = place.and_then(|place| self.servers.get(place));
        server.map_or_else(|| format!("{upstream} {node}"), |server| server.name().to_owned())
    }

    /// Which servers get almost nothing any more, and which work again.
    fn shares(&self, seen: &mut Seen) {
        seen.asked.resize(self.servers.len(), vec![]);
        seen.usual.resize(self.servers.len(), 0.0);
        seen.idle.resize(self.servers.len(), true);
        for (place, server) in self.servers.iter().enumerate() {
            let (Some(asked), Some(usual), Some(idle)) =
                (seen.asked.get_mut(place), seen.usual.get_mut(place), seen.idle.get_mut(place))
            else {
                continue;
            };
            asked.push(server.counts().asked);
            let Some(before) = asked.len().checked_sub(LOOKS + 1).and_then(|at| asked.get(at)) else { continue };
            let now = (asked.last().copied().unwrap_or_default() - before) as f64;
            asked.drain(..asked.len() - LOOKS - 1);
            if *idle && now >= AT_WORK {
                *idle = false;
                // In the first seconds everybody begins.
                if seen.looks > 2 * LOOKS {
                    self.tell(Tone::Plain, format!("traffic comes to {}: {now:.0} requests a second", server.name()));
                }
            } else if !*idle && now <= *usual * ALMOST_NOTHING {
                *idle = true;
                let name = server.name();
                self.tell(Tone::Plain, format!("traffic has left {name}: {now:.0} requests a second, was {usual:.0}"));
            }
            if server.fault() == Fault::None && !*idle {
                *usual = if *usual == 0.0 { now } else { *usual * 0.8 + now * 0.2 };
            }
        }
    }

    /// Errors that clients saw, and answers that say they are degraded.
    fn answers(&self, seen: &mut Seen) {
        let new = self.load.outcomes(seen.outcomes);
        seen.outcomes += new.len();
        for outcome in &new {
            if let Some(error) = &outcome.error {
                let kind = self.kinds.get(outcome.kind).map_or("", |kind| kind.name);
                *seen.errors.entry(format!("{kind}: {} {error}", outcome.status)).or_default() += 1;
            }
        }
        if !seen.errors.is_empty() && seen.looks >= seen.errors_told + ERRORS_EVERY {
            seen.errors_told = seen.looks;
            for (error, times) in std::mem::take(&mut seen.errors) {
                self.timeline.add(Who::Clients, Tone::Bad, format!("{times} × {error}"));
            }
        }
        let is_degraded = |outcome: &&Outcome| !outcome.degraded.is_empty();
        let degraded = new.iter().find(is_degraded).map(|outcome| outcome.degraded.clone());
        match degraded {
            Some(how) if !seen.degraded => {
                (seen.degraded, seen.degraded_at) = (true, seen.looks);
                self.timeline.add(Who::Clients, Tone::Plain, format!("answers say x-tidegate-degraded: {how}"));
            }
            Some(_) => seen.degraded_at = seen.looks,
            None if seen.degraded && seen.looks >= seen.degraded_at + ERRORS_EVERY => {
                seen.degraded = false;
                self.timeline.add(Who::Clients, Tone::Good, "answers are no longer degraded");
            }
            _ => {}
        }
    }

    fn tell(&self, tone: Tone, text: String) {
        self.timeline.add(Who::Gateway, tone, text);
    }
}

/// Series and value of each sample of the Prometheus text format.
pub fn samples(text: &str) -> impl Iterator<Item = (&str, f64)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit_once(' ')).filter_map(|(series, value)| Some((series, value.parse().ok()?)))
}

/// A label's value in `a="b",c="d"}`.
fn label<'l>(labels: &'l str, name: &str) -> &'l str {
    let mut parts = labels.trim_end_matches('}').split("\",");
    let found = parts.find_map(|part| part.strip_prefix(name)?.strip_prefix("=\""));
    found.map_or("", |value| value.trim_end_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_read_with_their_labels() {
        let text = "# TYPE a gauge\na{node=\"0\",upstream=\"lab\"} 1\nb 2.5\n";
        let all: Vec<_> = samples(text).collect();
        assert_eq!(all, [("a{node=\"0\",upstream=\"lab\"}", 1.0), ("b", 2.5)]);
        assert_eq!((label(all[0].0.split_once('{').unwrap().1, "upstream"), label("x=\"1\"}", "y")), ("lab", ""));
    }
}
