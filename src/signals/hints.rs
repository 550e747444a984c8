//! What the client says about its own request: `x-tidegate-*` headers, or a `tidegate` object in the body (the header wins).
//! A hint can only tighten what is allowed.
//!
//! What a reader could get wrong: an unknown or bad hint is an error of the request, never ignored. `x-tidegate-privcy: local-only`
//! that is silently dropped would send a private prompt to the cloud.

mod body;
mod header;
mod merge;

use crate::config::file::Privacy;
use crate::error::{Error, Kind};

/// Characters of an app, a user, a tag's key or value.
pub const MAX_VALUE: usize = 128;

/// Tags of one request.
pub const MAX_TAGS: usize = 16;

/// Milliseconds of the longest deadline: a day, longer than any upstream's timeout.
pub const MAX_DEADLINE_MS: u64 = 86_400_000;

/// The hints of one request; absent ones are `None` or empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hints {
    pub placement: Option<PlacementHint>,
    pub privacy: Option<PrivacyHint>,
    pub cache: Option<CacheHint>,
    pub mode: Option<ModeHint>,
    /// 1 to [`MAX_DEADLINE_MS`].
    pub deadline_ms: Option<u64>,
    /// Printable, at most [`MAX_VALUE`] characters; so are `user` and the tags.
    pub app: Option<String>,
    pub user: Option<String>,
    /// At most [`MAX_TAGS`], each key once.
    pub tags: Vec<(String, String)>,
}

/// Where the client wants its request to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlacementHint {
    OnlyEdge,
    PreferEdge,
    PreferCloud,
    OnlyCloud,
}

/// The privacy tier that the client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrivacyHint {
    LocalOnly,
    NoRetention,
    Retained,
}

/// What the client wants of the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheHint {
    /// Neither read nor filled.
    Off,
    /// Not read, but filled.
    Refresh,
}

/// How the client wants to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModeHint {
    /// With a draft of the edge's at once, and the answer when it comes.
    Progressive,
}

impl PlacementHint {
    const ALL: [PlacementHint; 4] =
        [PlacementHint::OnlyEdge, PlacementHint::PreferEdge, PlacementHint::PreferCloud, PlacementHint::OnlyCloud];

    /// The word of the contract.
    pub fn name(self) -> &'static str {
        match self {
            PlacementHint::OnlyEdge => "only-edge",
            PlacementHint::PreferEdge => "prefer-edge",
            PlacementHint::PreferCloud => "prefer-cloud",
            PlacementHint::OnlyCloud => "only-cloud",
        }
    }

    /// It forbids a placement, not only prefers one.
    pub fn is_strict(self) -> bool {
        matches!(self, PlacementHint::OnlyEdge | PlacementHint::OnlyCloud)
    }
}

impl PrivacyHint {
    /// The tier that it asks for.
    pub fn tier(self) -> Privacy {
        match self {
            PrivacyHint::LocalOnly => Privacy::LocalOnly,
            PrivacyHint::NoRetention => Privacy::NoRetention,
            PrivacyHint::Retained => Privacy::Retained,
        }
    }

    /// Tightest first.
    const ALL: [PrivacyHint; 3] = [PrivacyHint::LocalOnly, PrivacyHint::NoRetention, PrivacyHint::Retained];

    /// The word of the contract.
    pub fn name(self) -> &'static str {
        match self {
            PrivacyHint::LocalOnly => "local-only",
            PrivacyHint::NoRetention => "no-retention",
            PrivacyHint::Retained => "retained",
        }
    }
}

impl CacheHint {
    /// Tightest first.
    const ALL: [CacheHint; 2] = [CacheHint::Off, CacheHint::Refresh];

    /// The word of the contract.
    pub fn name(self) -> &'static str {
        match self {
            CacheHint::Off => "off",
            CacheHint::Refresh => "refresh",
        }
    }
}

impl ModeHint {
    const ALL: [ModeHint; 1] = [ModeHint::Progressive];

    /// The word of the contract.
    pub fn name(self) -> &'static str {
        match self {
            ModeHint::Progressive => "progressive",
        }
    }
}

/// One hint as it is called in headers (behind the prefix) and in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Placement,
    Privacy,
    Cache,
    DeadlineMs,
    Mode,
    App,
    User,
    Tags,
}

impl Name {
    const ALL: [Name; 8] =
        [Name::Placement, Name::Privacy, Name::Cache, Name::DeadlineMs, Name::Mode, Name::App, Name::User, Name::Tags];

    fn header(self) -> &'static str {
        match self {
            Name::Placement => "x-tidegate-placement",
            Name::Privacy => "x-tidegate-privacy",
            Name::Cache => "x-tidegate-cache",
            Name::DeadlineMs => "x-tidegate-deadline-ms",
            Name::Mode => "x-tidegate-mode",
            Name::App => "x-tidegate-app",
            Name::User => "x-tidegate-user",
            Name::Tags => "x-tidegate-tags",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Name::Placement => "placement",
            Name::Privacy => "privacy",
            Name::Cache => "cache",
            Name::DeadlineMs => "deadline_ms",
            Name::Mode => "mode",
            Name::App => "app",
            Name::User => "user",
            Name::Tags => "tags",
        }
    }
}

impl Hints {
    /// Takes one hint in. `place` is what the client wrote it into (`x-tidegate-app`, `tidegate.app`), for the message.
    fn set(&mut self, name: Name, place: &str, value: &str) -> Result<(), Error> {
        match name {
            Name::Placement => self.placement = Some(word(place, value, &PlacementHint::ALL, PlacementHint::name)?),
            Name::Privacy => self.privacy = Some(word(place, value, &PrivacyHint::ALL, PrivacyHint::name)?),
            Name::Cache => self.cache = Some(word(place, value, &CacheHint::ALL, CacheHint::name)?),
            Name::DeadlineMs => self.deadline_ms = Some(deadline(place, value.trim().parse().ok())?),
            Name::Mode => self.mode = Some(word(place, value, &ModeHint::ALL, ModeHint::name)?),
            Name::App => self.app = text(place, value)?,
            Name::User => self.user = text(place, value)?,
            Name::Tags => self.add_tags(place, value)?,
        }
        Ok(())
    }

    /// `k=v,k=v`.
    fn add_tags(&mut self, place: &str, list: &str) -> Result<(), Error> {
        for pair in list.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let Some((key, value)) = pair.split_once('=') else {
                return Err(bad(place, format!("{place} must be written k=v,k=v: a part has no `=`")));
            };
            self.add_tag(place, key.trim(), value.trim())?;
        }
        Ok(())
    }

    fn add_tag(&mut self, place: &str, key: &str, value: &str) -> Result<(), Error> {
        if self.tags.iter().any(|(known, _)| known == key) {
            return Err(bad(place, format!("{place} names the same key twice")));
        }
        if self.tags.len() == MAX_TAGS {
            return Err(bad(place, format!("{place} holds more than {MAX_TAGS} tags")));
        }
        let Some(key) = text(place, key)? else {
            return Err(bad(place, format!("{place} must be written k=v,k=v: a key is empty")));
        };
        let value = text(place, value)?.unwrap_or_default();
        self.tags.push((key, value));
        Ok(())
    }
}

/// One of the words of the contract.
fn word<T: Copy>(place: &str, value: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T, Error> {
    let found = all.iter().copied().find(|candidate| name(*candidate).eq_ignore_ascii_case(value.trim()));
    found.ok_or_else(|| {
        let allowed: Vec<&str> = all.iter().copied().map(name).collect();
        bad(place, format!("{place} is `{}`: it must be one of {}", shown(value), allowed.join(", ")))
    })
}

fn deadline(place: &str, value: Option<u64>) -> Result<u64, Error> {
    value.filter(|ms| (1..=MAX_DEADLINE_MS).contains(ms)).ok_or_else(|| {
        bad(place, format!("{place} must be a whole number of milliseconds from 1 to {MAX_DEADLINE_MS}"))
    })
}

/// A name that the client chose; nothing when it is empty. What was written is not repeated: it may be a person's.
fn text(place: &str, value: &str) -> Result<Option<String>, Error> {
    let value = value.trim();
    if value.chars().count() > MAX_VALUE {
        return Err(bad(place, format!("{place} is longer than {MAX_VALUE} characters")));
    }
    if value.chars().any(char::is_control) {
        return Err(bad(place, format!("{place} holds a control character")));
    }
    Ok((!value.is_empty()).then(|| value.to_owned()))
}

/// A client's own word, short and harmless enough for a message to it.
fn shown(value: &str) -> String {
    let mut short: String = value.chars().take(32).flat_map(char::escape_debug).collect();
    if value.chars().nth(32).is_some() {
        short.push('…');
    }
    short
}

fn bad(place: &str, message: String) -> Error {
    Error::client(Kind::InvalidRequest, message).with_param(place.to_owned())
}

#[cfg(test)]
mod tests;
