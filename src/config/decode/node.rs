//! A serde `Deserializer` over one node of the tree.
//!
//! What a reader could get wrong: a scalar's type is decided by the field that reads it, not by how it looks. A text field takes
//! `4.1` as "4.1", a number field takes "3" in quotes (it may come from `"${N}"`).

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;

use super::State;
use super::hole::Hole;
use crate::config::document::{Entry, Node, Scalar, Style, Value};
use crate::config::problem::{Problem, listed, nearest, quoted};
use crate::config::scalar;

/// Where an error arose.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    /// The value of this node.
    Value(u32),
    /// A hole handed out for a key of this node.
    Hole(u32),
}

/// What is wrong with a value.
#[derive(Debug)]
pub enum Kind {
    /// `expected WHAT, found …`.
    Expected { what: String, hint: Option<String> },
    /// A required key is not there.
    Missing(&'static str),
    /// Said in full.
    Said { message: String, hint: String },
}

/// An error and, once it has left the value's own deserializer, its place.
#[derive(Debug)]
pub struct Error {
    pub kind: Kind,
    pub place: Option<Place>,
}

impl Error {
    fn expected(what: impl Into<String>) -> Self {
        Kind::Expected { what: what.into(), hint: None }.into()
    }

    /// The innermost place counts: it is the first to call this.
    fn or_at(mut self, place: Place) -> Self {
        self.place.get_or_insert(place);
        self
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Error { kind, place: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    /// By convention of this crate's scalar types: what was expected, without the value.
    fn custom<T: fmt::Display>(message: T) -> Self {
        Error::expected(message.to_string())
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Error::expected(expected.to_string())
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Error::expected(expected.to_string())
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Error::expected(expected.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Kind::Missing(field).into()
    }
}

/// Deserializes one node.
pub struct NodeDeserializer<'d> {
    node: &'d Node,
    state: &'d State,
}

impl<'d> NodeDeserializer<'d> {
    pub fn new(node: &'d Node, state: &'d State) -> Self {
        NodeDeserializer { node, state }
    }

    fn scalar(&self, what: &str) -> Result<&'d Scalar, Error> {
        match &self.node.value {
            Value::Scalar(scalar) if !self.node.is_null() => Ok(scalar),
            _ => Err(Error::expected(what)),
        }
    }

    fn integer<T: TryFrom<i128>>(&self, min: i128, max: i128) -> Result<T, Error> {
        let what = format!("a whole number from {min} to {max}");
        let number = self.scalar(&what)?.text.trim().parse::<i128>().ok();
        number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| Error::expected(what))
    }

    fn entries(&self, what: impl FnOnce() -> String) -> Result<&'d [Entry], Error> {
        match &self.node.value {
            Value::Map(entries) => Ok(entries),
            // `upstreams:` with everything below it commented out.
            _ if self.node.is_null() => Ok(&[]),
            _ => Err(Error::expected(what())),
        }
    }
}

macro_rules! integers {
    ($($method:ident $visit:ident $type:ty),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(self.integer(<$type>::MIN as i128, <$type>::MAX as i128)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for NodeDeserializer<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            _ if self.node.is_null() => visitor.visit_unit(),
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Map(_) => self.deserialize_map(visitor),
            Value::Scalar(Scalar { text, style: Style::Plain, .. }) => match text.as_str() {
                "true" | "True" | "TRUE" => visitor.visit_bool(true),
                "false" | "False" | "FALSE" => visitor.visit_bool(false),
                text => match (text.parse::<i64>(), text.parse::<u64>(), float(text)) {
                    (Ok(number), ..) => visitor.visit_i64(number),
                    (_, Ok(number), _) => visitor.visit_u64(number),
                    (.., Some(number)) => visitor.visit_f64(number),
                    _ => visitor.visit_str(text),
                },
            },
            Value::Scalar(Scalar { text, .. }) => visitor.visit_str(text),
        }
    }

    integers!(
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64,
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64
    );

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let number = float(self.scalar("a number")?.text.trim()).ok_or_else(|| Error::expected("a number"))?;
        visitor.visit_f64(number)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        const WHAT: &str = "true or false";
        match self.scalar(WHAT)?.text.trim() {
            "true" | "True" | "TRUE" => visitor.visit_bool(true),
            "false" | "False" | "FALSE" => visitor.visit_bool(false),
            _ => Err(Error::expected(WHAT)),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(&self.scalar("text")?.text)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        if name == scalar::ONE_OR_MANY {
            return match &self.node.value {
                Value::List(_) => self.deserialize_seq(visitor),
                Value::Scalar(scalar) if !self.node.is_null() => visitor.visit_str(&scalar.text),
                _ => visitor.visit_newtype_struct(self),
            };
        }
        let is_secret = match (name, &self.node.value) {
            (scalar::SECRET, _) => true,
            // A URL may hold a password, a word does not.
            (scalar::SECRET_OR_KEYS, Value::Scalar(scalar)) => !self.node.is_null() && scalar.text.contains(':'),
            _ => false,
        };
        if !is_secret {
            return visitor.visit_newtype_struct(self);
        }
        self.state.secrets.borrow_mut().insert(self.node.id);
        let scalar = self.scalar("text")?;
        let text = self.state.secret(scalar)?;
        visitor.visit_newtype_struct(IntoDeserializer::<Error>::into_deserializer(text))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::List(items) => visitor.visit_seq(Items { items: items.iter(), state: self.state }),
            _ if self.node.is_null() => visitor.visit_seq(Items { items: [].iter(), state: self.state }),
            _ => Err(Error::expected("a list")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let entries = self.entries(|| "keys and values".into())?;
        visitor.visit_map(Entries::new(self.node, entries, None, self.state))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        // A type that is text or keys (a rule's target) says so by reading text here.
        if let Value::Scalar(scalar) = &self.node.value
            && !self.node.is_null()
        {
            let what = format!("keys ({})", listed(fields.iter().copied()));
            return visitor.visit_str(&scalar.text).map_err(|error: Error| match &error.kind {
                // It reads text, but not this one, and says itself what it wants. A derived type knows nothing but its own name.
                Kind::Expected { what, .. } if !what.starts_with("struct ") => error,
                _ => Error::expected(what),
            });
        }
        let entries = self.entries(|| format!("keys ({})", listed(fields.iter().copied())))?;
        visitor.visit_map(Entries::new(self.node, entries, Some(fields), self.state))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let what = match variants {
            [init @ .., last] if !init.is_empty() => format!("{} or `{last}`", listed(init.iter().copied())),
            _ => listed(variants.iter().copied()),
        };
        let text = self.scalar(&what)?.text.trim();
        if !variants.contains(&text) {
            let hint = nearest(text, variants.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            return Err(Kind::Expected { what, hint }.into());
        }
        visitor.visit_enum(IntoDeserializer::<Error>::into_deserializer(text) as StrDeserializer<'_, Error>)
    }

    forward_to_deserialize_any! {
        i128 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

/// `inf`, `nan` and such are no numbers of a configuration.
fn float(text: &str) -> Option<f64> {
    let begins = text.trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit() || c == '.');
    text.parse().ok().filter(|number: &f64| begins && number.is_finite())
}

struct Items<'d> {
    items: std::slice::Iter<'d, Node>,
    state: &'d State,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let state = self.state;
        match self.items.find(|item| !state.pruned.borrow().contains(&item.id)) {
            Some(item) => value(seed, item, state).map(Some),
            None => Ok(None),
        }
    }
}

/// The entries of a mapping; of a struct if there are fields.
struct Entries<'d> {
    node: &'d Node,
    entries: std::slice::Iter<'d, Entry>,
    fields: Option<&'static [&'static str]>,
    /// Required keys that are not there, handed out as holes after the entries.
    missing: Vec<&'static str>,
    /// The value that belongs to the key just given; `None`: a hole.
    next: Option<&'d Node>,
    state: &'d State,
}

impl<'d> Entries<'d> {
    fn new(node: &'d Node, entries: &'d [Entry], fields: Option<&'static [&'static str]>, state: &'d State) -> Self {
        let is_missing = |field: &&'static str| state.missing.borrow().contains(&(node.id, *field));
        let missing = fields.unwrap_or_default().iter().copied().filter(is_missing).collect();
        Entries { node, entries: entries.iter(), fields, missing, next: None, state }
    }

    /// Whether the entry is read. Notes unknown keys.
    fn read(&self, entry: &Entry) -> bool {
        if self.state.holes.borrow().contains(&entry.node.id) {
            return true;
        }
        if self.state.pruned.borrow().contains(&entry.node.id) {
            return false;
        }
        let Some(fields) = self.fields else { return true };
        if fields.contains(&entry.key.as_str()) {
            // A key of the configuration without a value is as good as absent; in a mapping of names it is an entry.
            return !entry.node.is_null();
        }
        if self.state.unknown.borrow_mut().insert(entry.node.id) {
            let hint = match nearest(&entry.key, fields.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", listed(fields.iter().copied())),
            };
            let message = format!("unknown key {}", quoted(&entry.key));
            self.state.note(Problem::error(entry.node.name_at(), message).with_hint(hint));
        }
        false
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        while let Some(entry) = self.entries.next() {
            if self.read(entry) {
                self.next = Some(&entry.node);
                let key: StrDeserializer<'_, Error> = entry.key.as_str().into_deserializer();
                return seed.deserialize(key).map(Some).map_err(|error| error.or_at(Place::Value(entry.node.id)));
            }
        }
        self.next = None;
        let Some(field) = self.missing.pop() else { return Ok(None) };
        let key: StrDeserializer<'_, Error> = field.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        match self.next {
            Some(node) if self.state.holes.borrow().contains(&node.id) => {
                seed.deserialize(Hole).map_err(|error| error.or_at(Place::Hole(self.node.id)))
            }
            Some(node) => value(seed, node, self.state),
            None => seed.deserialize(Hole).map_err(|error| error.or_at(Place::Hole(self.node.id))),
        }
    }
}

fn value<'de, T: DeserializeSeed<'de>>(seed: T, node: &Node, state: &State) -> Result<T::Value, Error> {
    seed.deserialize(NodeDeserializer::new(node, state)).map_err(|error| error.or_at(Place::Value(node.id)))
}
