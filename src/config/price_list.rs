//! Public list prices of providers, and which price a model goes by.
//!
//! What a reader could get wrong: a list price applies only where nothing can be meant but it: the model has no price of its own, its
//! upstream is a cloud at the provider's official address, and the id is exactly one of these or a dated snapshot of one. Everything
//! else (a proxy, a region's address, Azure, a name alike) costs something that nobody here knows. Models whose price depends on the
//! prompt's length, the hour or the tier are left out for the same reason.

use super::file::{Model, Placement, Price, Pricing, Upstream};

/// The day on which the prices below were looked up.
pub const AS_OF: &str = "2026-10-16";

/// A provider's table: its host, and per million tokens input, cached input, cache writes, output.
struct Provider {
    host: &'static str,
    rows: &'static [Row],
}

struct Row {
    id: &'static str,
    price: Price,
}

const fn row(id: &'static str, input: f64, cached: f64, output: f64) -> Row {
    Row { id, price: Price { input, output, cached_input: Some(cached), ..NOTHING } }
}

/// Anthropic charges 1.25 times the input for what it caches for five minutes (the default).
const fn claude(id: &'static str, input: f64, cached: f64, output: f64) -> Row {
    let price = Price { cache_write: Some(input * 1.25), ..row(id, input, cached, output).price };
    Row { id, price }
}

const fn with_audio(row: Row, audio: f64) -> Row {
    Row { id: row.id, price: Price { audio_input: Some(audio), ..row.price } }
}

const NOTHING: Price = Price {
    input: 0.0,
    output: 0.0,
    cached_input: None,
    cache_write: None,
    reasoning: None,
    audio_input: None,
    audio_output: None,
    image: None,
    per_request: None,
    per_node_hour: None,
    watts: None,
    usd_per_kwh: None,
    g_co2_per_kwh: None,
    from: None,
};

const PROVIDERS: &[Provider] = &[
    // Standard tier. Left out: gpt-5.4, gpt-5.5 and later ones, which cost more above 272,000 tokens of prompt.
    Provider {
        host: "api.openai.com",
        rows: &[
            row("gpt-5", 1.25, 0.125, 10.0),
            row("gpt-5-mini", 0.25, 0.025, 2.0),
            row("gpt-5-nano", 0.05, 0.005, 0.4),
            row("gpt-5-pro", 15.0, 15.0, 120.0),
            row("gpt-5-codex", 1.25, 0.125, 10.0),
            row("gpt-5.1", 1.25, 0.125, 10.0),
            row("gpt-5.1-codex", 1.25, 0.125, 10.0),
            row("gpt-5.1-codex-mini", 0.25, 0.025, 2.0),
            row("gpt-5.2", 1.75, 0.175, 14.0),
            row("gpt-5.2-codex", 1.75, 0.175, 14.0),
            row("gpt-5.2-pro", 21.0, 21.0, 168.0),
            row("gpt-5.3-codex", 1.75, 0.175, 14.0),
            row("gpt-5.4-mini", 0.75, 0.075, 4.5),
            row("gpt-5.4-nano", 0.2, 0.02, 1.25),
            row("gpt-4.1", 2.0, 0.5, 8.0),
            row("gpt-4.1-mini", 0.4, 0.1, 1.6),
            row("gpt-4.1-nano", 0.1, 0.025, 0.4),
            row("gpt-4o", 2.5, 1.25, 10.0),
            row("gpt-4o-2024-05-13", 5.0, 5.0, 15.0),
            row("gpt-4o-mini", 0.15, 0.075, 0.6),
            row("o1", 15.0, 7.5, 60.0),
            row("o1-pro", 150.0, 150.0, 600.0),
            row("o3", 2.0, 0.5, 8.0),
            row("o3-mini", 1.1, 0.55, 4.4),
            row("o3-pro", 20.0, 20.0, 80.0),
            row("o4-mini", 1.1, 0.275, 4.4),
            row("gpt-4-turbo", 10.0, 10.0, 30.0),
            row("gpt-4", 30.0, 30.0, 60.0),
            row("gpt-3.5-turbo", 0.5, 0.5, 1.5),
            row("text-embedding-3-small", 0.02, 0.02, 0.0),
            row("text-embedding-3-large", 0.13, 0.13, 0.0),
            row("text-embedding-ada-002", 0.1, 0.1, 0.0),
        ],
    },
    // Left out: claude-haiku-5-5 (dearer above 100,000 tokens of prompt), claude-sonnet-4 and 4-5 (above 200,000).
    Provider {
        host: "api.anthropic.com",
        rows: &[
            claude("claude-fable-5-1", 10.0, 0.25, 50.0),
            claude("claude-fable-5", 10.0, 1.0, 50.0),
            claude("claude-opus-5-5", 4.0, 0.2, 20.0),
            claude("claude-opus-5", 5.0, 0.5, 25.0),
            claude("claude-opus-4-8", 5.0, 0.5, 25.0),
            claude("claude-opus-4-7", 5.0, 0.5, 25.0),
            claude("claude-opus-4-6", 5.0, 0.5, 25.0),
            claude("claude-opus-4-5", 5.0, 0.5, 25.0),
            claude("claude-sonnet-5-5", 2.0, 0.1, 10.0),
            claude("claude-sonnet-5", 2.0, 0.2, 10.0),
            claude("claude-sonnet-4-6", 3.0, 0.3, 15.0),
            claude("claude-haiku-4-5", 1.0, 0.1, 5.0),
        ],
    },
    // Left out: the Pro models (dearer above 200,000 tokens of prompt) and those at a price for a limited time.
    Provider {
        host: "generativelanguage.googleapis.com",
        rows: &[
            with_audio(row("gemini-2.5-flash", 0.3, 0.03, 2.5), 1.0),
            with_audio(row("gemini-2.5-flash-lite", 0.1, 0.01, 0.4), 0.3),
            row("gemini-embedding-001", 0.15, 0.15, 0.0),
        ],
    },
];

/// What a model's cost is worked out from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source<'a> {
    /// The model's own `price`.
    Own(&'a [Price]),
    /// The list price of this id.
    List(&'static str, Price),
    /// Nothing is known.
    Unknown,
}

/// The price that a model goes by; `name` is its key in `models`.
pub fn source<'a>(name: &str, model: &'a Model, upstream: &Upstream) -> Source<'a> {
    match &model.price {
        Some(Pricing::Own(prices)) => Source::Own(prices),
        Some(Pricing::List) | None => match listed(model.id.as_deref().unwrap_or(name), upstream) {
            Some((id, price)) => Source::List(id, price),
            None => Source::Unknown,
        },
    }
}

/// For what is passed through and names its model only in the answer.
pub fn listed(id: &str, upstream: &Upstream) -> Option<(&'static str, Price)> {
    if upstream.placement != Placement::Cloud {
        return None;
    }
    let uri: http::Uri = upstream.base_url.as_deref()?.parse().ok()?;
    let host = uri.host()?;
    let provider = PROVIDERS.iter().find(|provider| host.eq_ignore_ascii_case(provider.host))?;
    // Gemini's OpenAI endpoint takes and gives both forms.
    let id = id.strip_prefix("models/").unwrap_or(id);
    let exact = provider.rows.iter().find(|row| row.id == id);
    let row = exact.or_else(|| provider.rows.iter().find(|row| is_snapshot(id, row.id)))?;
    Some((row.id, row.price))
}

/// `gpt-5-2025-08-07` of `gpt-5`, `claude-opus-4-5-20251101` of `claude-opus-4-5`; `gpt-5-mini` is no snapshot of `gpt-5`.
fn is_snapshot(id: &str, of: &str) -> bool {
    let Some(day) = id.strip_prefix(of).and_then(|rest| rest.strip_prefix('-')) else { return false };
    match day.len() {
        8 => day.bytes().all(|byte| byte.is_ascii_digit()) && day.starts_with("20"),
        10 => day.parse::<jiff::civil::Date>().is_ok(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn upstream(url: &str, placement: &str) -> Upstream {
        let text = format!("upstreams: {{a: {{placement: {placement}, kind: openai, base_url: '{url}'}}}}");
        let loaded =
            config::parse(&text, std::path::Path::new("."), &|_| None, config::Judges::of_rules(&|_| Ok(()))).unwrap();
        loaded.file.upstreams["a"].clone()
    }

    #[test]
    fn a_list_price_is_for_the_officially_addressed_and_exactly_named() {
        let openai = upstream("https://api.openai.com/v1", "cloud");
        let found = |id: &str| listed(id, &openai).map(|(id, price)| (id, price.input));
        assert_eq!(found("gpt-5"), Some(("gpt-5", 1.25)));
        assert_eq!(found("gpt-5-2025-08-07"), Some(("gpt-5", 1.25)));
        assert_eq!(found("gpt-5-mini-2025-08-07"), Some(("gpt-5-mini", 0.25)));
        assert_eq!(
            found("gpt-4o-2024-05-13"),
            Some(("gpt-4o-2024-05-13", 5.0)),
            "this snapshot has a price of its own"
        );
        assert_eq!(found("gpt-4o-2024-08-06"), Some(("gpt-4o", 2.5)));
        for id in ["gpt-5-chat-latest", "gpt-5x", "gpt-5-", "gpt-5-2025-13-40", "gpt-55", "GPT-5", "", "claude-opus-5"]
        {
            assert_eq!(found(id), None, "{id}");
        }
        let elsewhere =
            ["https://api.openai.com.example/v1", "https://eu.api.openai.com/v1", "https://me.openai.azure.com"];
        for url in elsewhere {
            assert_eq!(listed("gpt-5", &upstream(url, "cloud")), None, "{url}");
        }
        assert_eq!(listed("gpt-5", &upstream("https://api.openai.com/v1", "edge")), None);
        let claude = upstream("https://API.anthropic.com", "cloud");
        assert_eq!(listed("claude-opus-4-5-20251101", &claude).unwrap().1.cache_write, Some(6.25));
    }

    #[test]
    fn the_table_is_sound() {
        AS_OF.parse::<jiff::civil::Date>().unwrap();
        for provider in PROVIDERS {
            for (at, row) in provider.rows.iter().enumerate() {
                let price = &row.price;
                assert!(price.input > 0.0 && price.output >= 0.0, "{}", row.id);
                assert!(price.cached_input.unwrap() <= price.input, "{}", row.id);
                assert!(price.output == 0.0 || price.output > price.input, "{}", row.id);
                assert!(!provider.rows[at + 1..].iter().any(|other| other.id == row.id), "{} twice", row.id);
            }
        }
    }
}
