//! Hints from request headers.
//!
//! What a reader could get wrong: most requests have none, so the names are looked through once and nothing is allocated until
//! one carries the prefix.

use http::HeaderMap;

use super::{Hints, Name, bad};
use crate::error::{Error, Result};
use crate::signals::table::nearest;

const PREFIX: &str = "x-tidegate-";

impl Hints {
    /// The hints in the `x-tidegate-*` headers. `InvalidRequest` on a bad value, an unknown name (with the nearest one), and on
    /// one hint given twice with two values; `x-tidegate-tags` may come in several headers.
    pub fn from_headers(headers: &HeaderMap) -> Result<Hints> {
        let mut hints = Hints::default();
        for name in headers.keys().filter(|name| name.as_str().starts_with(PREFIX)) {
            let Some(hint) = Name::ALL.into_iter().find(|hint| hint.header() == name.as_str()) else {
                return Err(unknown(name.as_str()));
            };
            let place = hint.header();
            let mut first: Option<&str> = None;
            for value in headers.get_all(name) {
                let value = std::str::from_utf8(value.as_bytes())
                    .map_err(|_| bad(place, format!("{place} is not valid UTF-8")))?;
                match first {
                    Some(first) if hint != Name::Tags && first == value => continue,
                    Some(_) if hint != Name::Tags => {
                        return Err(bad(place, format!("{place} is given twice with two values: send it once")));
                    }
                    _ => first = Some(value),
                }
                hints.set(hint, place, value)?;
            }
        }
        Ok(hints)
    }
}

fn unknown(name: &str) -> Error {
    let all = Name::ALL.into_iter().map(Name::header);
    // The prefix is common to all and would make any of them look near.
    let short = |header: &'static str| header.strip_prefix(PREFIX).unwrap_or(header);
    let near = nearest(name.strip_prefix(PREFIX).unwrap_or(name), all.clone().map(short));
    let message = match near {
        Some(near) => format!("there is no header {name}; did you mean {PREFIX}{near}?"),
        None => format!("there is no header {name}: there are {}", all.collect::<Vec<_>>().join(", ")),
    };
    bad(name, message)
}
