//! Scalars as operators write them: `10s`, `256MiB`, secrets. Parsed once, here, into what the program uses.
//!
//! What a reader could get wrong: `Secret` prints as `***` in every format, on purpose; `expose` is the only way to its value.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use jiff::civil::Date;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};

/// A length of time: `300ms`, `10s`, `2m`, `1h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HumanDuration(pub Duration);

/// A number of bytes: `65536`, `64KiB`, `256MiB`, `1GiB`, `10MB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteSize(pub u64);

/// A value that must not be shown. Prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Secret(value.into())
    }

    /// The value itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The name by which `decode` knows that a secret is read: it looks into `file:` and never shows the value.
pub const SECRET: &str = "$tidegate::Secret";

/// The same for a value that is text, perhaps with a password in it, or a section of keys.
pub const SECRET_OR_KEYS: &str = "$tidegate::SecretOrKeys";

/// The name by which `decode` knows a value that is a word, one section of keys, or a list of such sections.
pub const ONE_OR_MANY: &str = "$tidegate::OneOrMany";

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SecretVisitor;

        impl<'de> Visitor<'de> for SecretVisitor {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Secret, D::Error> {
                String::deserialize(deserializer).map(Secret)
            }
        }

        deserializer.deserialize_newtype_struct(SECRET, SecretVisitor)
    }
}

// The errors below say what was expected and not what was found: `decode` adds that where it may be shown.

impl std::str::FromStr for HumanDuration {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        parse_duration(text).map(HumanDuration).ok_or(())
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parsed = parse_duration(&text).map(HumanDuration);
        parsed.ok_or_else(|| D::Error::custom("a length of time such as 300ms, 10s, 2m or 1h"))
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parsed = parse_bytes(&text).map(ByteSize);
        parsed.ok_or_else(|| D::Error::custom("a number of bytes such as 65536, 64KiB, 256MiB or 1GiB"))
    }
}

/// A day as YYYY-MM-DD.
pub fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    let text = String::deserialize(deserializer)?;
    // jiff also reads weeks, times and zones: more than is promised here.
    let plain = text.len() == 10 && text.chars().all(|c| c.is_ascii_digit() || c == '-');
    let parsed = text.parse().ok().filter(|_| plain);
    parsed.map(Some).ok_or_else(|| D::Error::custom("a day as YYYY-MM-DD"))
}

fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text)?;
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number * seconds).ok()
}

fn parse_bytes(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let factor: u64 = match unit {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    // Beyond 2^53 a float no longer counts bytes; nobody has a petabyte of memory.
    let bytes = number * factor as f64;
    (bytes < (1u64 << 53) as f64).then_some(bytes as u64)
}

/// `1.5h` is 1.5 and `h`.
fn split_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..unit_at].parse().ok()?;
    Some((number, text[unit_at..].trim()))
}

impl JsonSchema for HumanDuration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": r"^([0-9.]+(ms|s|m|h|d)|\$\{.*\})$", "description": "300ms, 10s, 2m, 1h"})
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> Cow<'static, str> {
        "Bytes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["integer", "string"], "description": "65536, 64KiB, 256MiB, 1GiB"})
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "description": "a value, ${NAME} from the environment, or file:PATH"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lengths_of_time() {
        for (text, millis) in
            [("300ms", 300), ("10s", 10_000), ("1.5m", 90_000), ("1h", 3_600_000), (" 2 d ", 172_800_000), ("0s", 0)]
        {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "10", "s", "-1s", "1S", "1.2.3s", "1e3s", "10 seconds", "∞s", &format!("{}s", "9".repeat(400))]
        {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn reads_numbers_of_bytes() {
        for (text, bytes) in
            [("0", 0), ("65536", 65_536), ("64KiB", 65_536), ("1.5MiB", 1_572_864), ("10 MB", 10_000_000), ("1B", 1)]
        {
            assert_eq!(parse_bytes(text), Some(bytes), "{text}");
        }
        for text in ["", "KiB", "-1", "1kib", "1TiB", "99999999999GiB", "1e3"] {
            assert_eq!(parse_bytes(text), None, "{text}");
        }
    }

    #[test]
    fn a_secret_is_never_printed() {
        assert_eq!(format!("{:?} {:#?}", Secret::new("hunter2"), Secret::new("hunter2")), "*** ***");
    }
}
