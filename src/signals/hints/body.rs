//! Hints from the `tidegate` object of the body.
//!
//! What a reader could get wrong: `null` is an absent value, as everywhere in the OpenAI protocol; a key that stands twice is an
//! error, because parsers differ in which one they take.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::{Hints, Name, bad, deadline};
use crate::error::{Error, Result};
use crate::signals::table::nearest;

impl Hints {
    /// The hints in the value of the body's `tidegate` member. `InvalidRequest` when it is no object, has an unknown key (with
    /// the nearest one), one key twice, or a bad value.
    pub fn from_body(object: &[u8]) -> Result<Hints> {
        let parsed: Option<Members> = serde_json::from_slice(object)
            .map_err(|_| bad("tidegate", "tidegate must be an object with each key once".to_owned()))?;
        let mut hints = Hints::default();
        for (key, value) in parsed.map(|members| members.0).unwrap_or_default() {
            let Some(name) = Name::ALL.into_iter().find(|name| name.key() == key) else {
                return Err(unknown(&key));
            };
            let place = format!("tidegate.{key}");
            match (name, value) {
                (_, Value::Null) => {}
                (Name::DeadlineMs, Value::Number(ms)) => hints.deadline_ms = Some(deadline(&place, ms.as_u64())?),
                (Name::DeadlineMs, _) => return Err(deadline(&place, None).err().unwrap_or_else(|| no_text(&place))),
                (name, Value::String(text)) => hints.set(name, &place, &text)?,
                (Name::Tags, Value::Object(tags)) => {
                    for (key, value) in tags {
                        let Value::String(value) = value else {
                            return Err(bad(&place, format!("{place} must hold strings only")));
                        };
                        hints.add_tag(&place, key.trim(), &value)?;
                    }
                }
                (Name::Tags, _) => return Err(bad(&place, format!("{place} must be an object of strings or k=v,k=v"))),
                _ => return Err(no_text(&place)),
            }
        }
        Ok(hints)
    }
}

fn no_text(place: &str) -> Error {
    bad(place, format!("{place} must be a string"))
}

fn unknown(key: &str) -> Error {
    let all = Name::ALL.into_iter().map(Name::key);
    let shown = super::shown(key);
    let message = match nearest(key, all.clone()) {
        Some(near) => format!("there is no `{shown}` in tidegate; did you mean `{near}`?"),
        None => format!("there is no `{shown}` in tidegate: there are {}", all.collect::<Vec<_>>().join(", ")),
    };
    bad("tidegate", message)
}

/// An object's members in order, each key once.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members: Vec<(String, Value)> = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    if members.iter().any(|(known, _)| *known == key) {
                        return Err(serde::de::Error::custom("a key stands twice"));
                    }
                    // Far above the eight keys there are; the check above is quadratic.
                    if members.len() == 32 {
                        return Err(serde::de::Error::custom("too many keys"));
                    }
                    members.push((key, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Each)
    }
}
