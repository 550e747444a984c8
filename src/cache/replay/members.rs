//! A JSON object as its members in order, each value as the bytes that came: nothing is parsed that is not looked into.
//!
//! What a reader could get wrong: a key that stands twice makes the object malformed here. Readers differ in which one they believe, and an
//! answer that two readers read differently is not kept.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Most members of one object; real ones stay below forty, and finding a key is a walk.
pub(super) const MOST: usize = 256;

/// The members of an object. Values are JSON text.
#[derive(Debug, Default, Clone)]
pub(super) struct Members<'a>(pub Vec<(Cow<'a, str>, &'a str)>);

/// An object of which one member, named by `N`, is read as `T` in the same pass.
#[derive(Debug)]
pub(super) struct Holding<'a, N, T> {
    pub rest: Members<'a>,
    pub held: Option<T>,
    name: PhantomData<N>,
}

/// The name of a member.
pub(super) trait Name {
    const NAME: &'static str;
}

/// `choices`.
#[derive(Debug)]
pub(super) struct Choices;
impl Name for Choices {
    const NAME: &'static str = "choices";
}

impl<'a> Members<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Members<'a>> {
        serde_json::from_str(text).ok()
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    /// The value of a member that is there and not null.
    pub(super) fn told(&self, name: &str) -> Option<&'a str> {
        self.get(name).filter(|value| !is_null(value))
    }

    /// Takes a value that may be said again: what is null or empty adds nothing, a scalar or object may be repeated as it is. `None` if it
    /// says something else than before, or is a text or list again: whether that replaces or continues cannot be known.
    pub(super) fn settle(&mut self, key: Cow<'a, str>, value: &'a str) -> Option<()> {
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            None => return self.add(key, value),
            Some((_, before)) if is_null(before) || (is_empty(before) && !is_null(value)) => *before = value,
            Some(_) if is_empty(value) => {}
            Some((_, before)) if *before == value && !value.starts_with(['"', '[']) => {}
            Some(_) => return None,
        }
        Some(())
    }

    /// Takes a value of which the newest counts, unless it is null.
    pub(super) fn renew(&mut self, key: Cow<'a, str>, value: &'a str) -> Option<()> {
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            None => return self.add(key, value),
            Some((_, before)) if !is_null(value) => *before = value,
            Some(_) => {}
        }
        Some(())
    }

    fn add(&mut self, key: Cow<'a, str>, value: &'a str) -> Option<()> {
        (self.0.len() < MOST).then(|| self.0.push((key, value)))
    }

    /// Writes the members that `keep` lets through, a comma in front of each.
    pub(super) fn write_more(&self, out: &mut Vec<u8>, keep: impl Fn(&str, &str) -> bool) {
        for (key, value) in self.0.iter().filter(|(key, value)| keep(key, value)) {
            out.push(b',');
            write_key(out, key);
            out.extend_from_slice(value.as_bytes());
        }
    }

    /// Writes the object with other values for the members named in `other`, where they stand.
    pub(super) fn write_with(&self, out: &mut Vec<u8>, other: &[(&str, &str)]) {
        out.push(b'{');
        for (at, (key, value)) in self.0.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write_key(out, key);
            let value = other.iter().find(|(name, _)| name == key).map_or(*value, |(_, value)| value);
            out.extend_from_slice(value.as_bytes());
        }
        out.push(b'}');
    }
}

/// `"key":`, escaped as JSON needs it.
pub(super) fn write_key(out: &mut Vec<u8>, key: &str) {
    if key.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        out.push(b'"');
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\":");
    } else {
        out.extend_from_slice(serde_json::Value::from(key).to_string().as_bytes());
        out.push(b':');
    }
}

pub(super) fn is_null(value: &str) -> bool {
    value == "null"
}

/// Null, `""` or `[]`.
pub(super) fn is_empty(value: &str) -> bool {
    is_null(value) || value == "\"\"" || list(value).is_some_and(str::is_empty)
}

/// What stands between the quotes of a string, escapes and all.
pub(super) fn text(value: &str) -> Option<&str> {
    value.strip_prefix('"')?.strip_suffix('"')
}

/// What stands between the brackets of a list.
pub(super) fn list(value: &str) -> Option<&str> {
    Some(value.strip_prefix('[')?.strip_suffix(']')?.trim_ascii())
}

/// The elements of a list.
pub(super) fn elements(value: &str) -> Option<Vec<&str>> {
    let list: Vec<&RawValue> = serde_json::from_str(value).ok()?;
    Some(list.into_iter().map(RawValue::get).collect())
}

/// Whether every half of a surrogate pair in an escaped text has its other half.
pub(super) fn is_whole(escaped: &str) -> bool {
    if memchr::memchr(b'\\', escaped.as_bytes()).is_none() {
        return true;
    }
    let mut quoted = String::with_capacity(escaped.len() + 2);
    quoted.push('"');
    quoted.push_str(escaped);
    quoted.push('"');
    serde_json::from_str::<Cow<'_, str>>(&quoted).is_ok()
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads an object; `own` reads the value of a key that is its own, and says so.
fn read<'de, A: MapAccess<'de>>(
    mut map: A,
    mut own: impl FnMut(&str, &mut A) -> Result<bool, A::Error>,
) -> Result<Members<'de>, A::Error> {
    let mut members = Members(Vec::with_capacity(8));
    while let Some(Key(key)) = map.next_key()? {
        if members.0.len() == MOST || members.get(&key).is_some() {
            return Err(A::Error::custom("a key stands twice, or there are too many"));
        }
        if own(&key, &mut map)? {
            continue;
        }
        let value: &'de RawValue = map.next_value()?;
        members.0.push((key, value.get()));
    }
    Ok(members)
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Members<'de>, A::Error> {
                read(map, |_, _| Ok(false))
            }
        }
        deserializer.deserialize_map(All)
    }
}

impl<'de: 'a, 'a, N: Name, T: Deserialize<'de>> Deserialize<'de> for Holding<'a, N, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One<N, T>(PhantomData<(N, T)>);
        impl<'de, N: Name, T: Deserialize<'de>> Visitor<'de> for One<N, T> {
            type Value = Holding<'de, N, T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let mut held = None;
                let rest = read(map, |key, map| {
                    if key != N::NAME {
                        return Ok(false);
                    }
                    if held.replace(map.next_value()?).is_some() {
                        return Err(A::Error::custom("a key stands twice"));
                    }
                    Ok(true)
                })?;
                Ok(Holding { rest, held, name: PhantomData })
            }
        }
        deserializer.deserialize_map(One(PhantomData))
    }
}
