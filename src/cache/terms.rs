//! What a route keeps, and for how long: the section at the top with what the route says otherwise.
//!
//! What a reader could get wrong: these are the operator's terms; what a request says of itself (`x-tidegate-cache`, `cache-control`), its tier and
//! its own nature come on top.

use std::time::Duration;

use crate::config::file::{Cache, OnSharedError, RouteCache};
use crate::openai::Endpoint;

/// Terms of a route.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    pub ttl: Duration,
    /// Bytes.
    pub max_entry: usize,
    pub max_temperature: f64,
    pub without_temperature: bool,
    pub truncated: bool,
    pub coalesce: bool,
    pub on_error: OnSharedError,
    /// Between two events of a stream from memory.
    pub pace: Option<Duration>,
    /// `None`: only the same question is answered from memory.
    pub semantic: Option<SemanticTerms>,
}

/// Terms of questions in other words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SemanticTerms {
    /// The share of such answers that may be wrong.
    pub max_error: f64,
    /// The share of such answers that are asked for upstream all the same.
    pub verify_sample: f64,
}

impl Terms {
    /// `None`: the route keeps nothing.
    pub fn of(cache: Option<&Cache>, route: Option<&RouteCache>) -> Option<Terms> {
        let cache = cache?;
        let with = match route {
            Some(RouteCache::Off(_)) => return None,
            Some(RouteCache::With(with)) => with.as_ref().clone(),
            None => Default::default(),
        };
        let exact = &cache.exact;
        let semantic = cache.semantic.as_ref().filter(|_| with.semantic.unwrap_or(true));
        Some(Terms {
            ttl: with.ttl.unwrap_or(exact.ttl).0,
            max_entry: usize::try_from(exact.max_entry.0).unwrap_or(usize::MAX),
            max_temperature: with.max_temperature.unwrap_or(exact.max_temperature),
            without_temperature: with.without_temperature.unwrap_or(exact.without_temperature),
            truncated: with.truncated.unwrap_or(exact.truncated),
            coalesce: with.coalesce.or(cache.coalesce).unwrap_or(true),
            on_error: with.on_error.unwrap_or_default(),
            pace: with.pace.map(|pace| pace.0),
            semantic: semantic.map(|semantic| SemanticTerms {
                max_error: with.max_error.unwrap_or(semantic.max_error),
                verify_sample: semantic.verify_sample,
            }),
        })
    }

    /// Whether a request with this temperature has one answer. Embeddings have none, and always the same answer.
    pub fn is_steady(&self, endpoint: Endpoint, temperature: Option<f64>) -> bool {
        match temperature {
            _ if endpoint == Endpoint::Embeddings => true,
            None => self.without_temperature,
            Some(temperature) => temperature <= self.max_temperature,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::{RouteCacheWith, Semantic, Switch};

    #[test]
    fn a_route_changes_what_it_names() {
        let cache = Cache { semantic: Some(Semantic::default()), ..Cache::default() };
        let own = RouteCacheWith { semantic: Some(false), max_temperature: Some(0.5), ..RouteCacheWith::default() };
        let terms = Terms::of(Some(&cache), Some(&RouteCache::With(Box::new(own)))).unwrap();
        assert_eq!((terms.semantic, terms.ttl), (None, Duration::from_secs(3600)));
        assert!(terms.is_steady(Endpoint::Chat, Some(0.5)) && !terms.is_steady(Endpoint::Chat, Some(0.6)));
        assert!(terms.is_steady(Endpoint::Chat, None) && terms.is_steady(Endpoint::Embeddings, Some(2.0)));
        assert!(Terms::of(Some(&cache), Some(&RouteCache::Off(Switch::Off))).is_none());
        assert!(Terms::of(None, None).is_none());
        assert!(Terms::of(Some(&cache), None).unwrap().semantic.is_some());
    }
}
