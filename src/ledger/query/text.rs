//! Questions as they are typed: `tenant,day`, `7d`, `2026-03-01`, `model=frontier`.
//!
//! What a reader could get wrong: a date is the beginning of that day in UTC, as `until` too, whose moment is not included.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;

use super::{Dimension, Query};
use crate::config::scalar::HumanDuration;

impl Query {
    /// Reads a question; `now` in microseconds (Unix). Errors name the value and what it could be.
    pub fn parse(
        by: &str,
        since: Option<&str>,
        until: Option<&str>,
        filters: &[impl AsRef<str>],
        now: i64,
    ) -> Result<Query, String> {
        let mut query = Query {
            since: since.map(|text| moment("since", text, now)).transpose()?,
            until: until.map(|text| moment("until", text, now)).transpose()?,
            ..Query::default()
        };
        for name in by.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let dimension = name.parse()?;
            if !query.by.contains(&dimension) {
                query.by.push(dimension);
            }
        }
        for filter in filters.iter().map(AsRef::as_ref) {
            let (name, value) = filter
                .split_once('=')
                .ok_or_else(|| format!("`{filter}` is no filter; write NAME=VALUE, such as tenant=acme"))?;
            let dimension: Dimension = name.trim().parse()?;
            if dimension.is_time() {
                return Err(format!("`{filter}`: choose days and hours with since and until"));
            }
            query.filters.push((dimension, value.to_owned()));
        }
        Ok(query)
    }
}

/// Microseconds (Unix) of `24h`, `7d` (before `now`), `2026-03-01` (UTC's midnight) or `2026-03-01T09:30:00Z`; `name` is the argument's, for the
/// message.
///
/// # Errors
/// It is none of these.
pub fn moment(name: &str, text: &str, now: i64) -> Result<i64, String> {
    let text = text.trim();
    let length: Result<HumanDuration, serde::de::value::Error> = HumanDuration::deserialize(text.into_deserializer());
    if let Ok(HumanDuration(length)) = length {
        return Ok(now.saturating_sub(i64::try_from(length.as_micros()).unwrap_or(i64::MAX)));
    }
    let plain = text.len() == 10;
    if let Some(day) = text.parse::<Date>().ok().filter(|_| plain)
        && let Ok(day) = day.to_zoned(TimeZone::UTC)
    {
        return Ok(day.timestamp().as_microsecond());
    }
    text.parse::<Timestamp>().map(Timestamp::as_microsecond).map_err(|_| {
        format!(
            "{name} `{text}`: write a length of time (24h, 7d), a day (2026-03-01) or a time (2026-03-01T09:30:00Z)"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: &[&str] = &[];

    #[test]
    fn times_are_lengths_days_or_moments() {
        let hour = 3_600_000_000;
        let since =
            |text: &str| Query::parse("", Some(text), None, NONE, 1000 * hour).map(|query| query.since.unwrap());
        assert_eq!(since("24h"), Ok(976 * hour));
        assert_eq!(since("7d"), Ok((1000 - 7 * 24) * hour));
        assert_eq!(since("1970-01-02"), Ok(24 * hour));
        assert_eq!(since("1970-01-02T00:00:00+02:00"), Ok(22 * hour));
        assert_eq!(since("1970-01-01T00:00:00.5Z"), Ok(500_000));
        for wrong in ["yesterday", "24", "1970-13-01", "1970-01-02T00:00:00", ""] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
        insta::assert_snapshot!(since("yesterday").unwrap_err(), @"since `yesterday`: write a length of time (24h, 7d), a day (2026-03-01) or a time (2026-03-01T09:30:00Z)");
    }

    #[test]
    fn groups_and_filters_are_named() {
        let query = Query::parse("tenant, day,tenant", None, Some("1h"), &["model=a=b", "tag.team="], 0).unwrap();
        assert_eq!(query.by, [Dimension::Tenant, Dimension::Day]);
        let filters = [(Dimension::Model, "a=b".to_owned()), (Dimension::Tag("team".into()), String::new())];
        assert_eq!(query.filters, filters);
        let wrong = |by: &str, filter: &str| Query::parse(by, None, None, &[filter], 0).unwrap_err();
        insta::assert_snapshot!(wrong("", "acme"), @"`acme` is no filter; write NAME=VALUE, such as tenant=acme");
        insta::assert_snapshot!(wrong("", "day=2026-03-01"), @"`day=2026-03-01`: choose days and hours with since and until");
        assert!(wrong("tenants", "model=x").contains("`tenants`"));
    }
}
