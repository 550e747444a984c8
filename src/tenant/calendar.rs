//! When a budget's day or month begins and ends, in the tenant's time zone.
//!
//! What a reader could get wrong: days are 23 or 25 hours long twice a year, and a midnight may not exist; the zone's own rules
//! (IANA time zone database) say where the day begins.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, Unit, Zoned};

use crate::config::file::Period;

/// From its first microsecond (Unix) to the first that is no longer in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub start: i64,
    pub end: i64,
}

/// The day or month around `now` (microseconds, Unix).
pub fn window(period: Period, zone: &TimeZone, now: i64) -> Window {
    let at = Timestamp::from_microsecond(now).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone());
    // Beyond the year 9999 there is no calendar; an empty window is asked for again each time.
    bounds(period, &at).unwrap_or(Window { start: now, end: now + 1 })
}

fn bounds(period: Period, at: &Zoned) -> Option<Window> {
    let today = at.start_of_day().ok()?;
    let (first, next) = match period {
        Period::Day => (today.clone(), today.checked_add(1.day()).ok()?.start_of_day().ok()?),
        Period::Month => {
            let first = at.first_of_month().ok()?.start_of_day().ok()?;
            let next = first.checked_add(1.month()).ok()?.first_of_month().ok()?.start_of_day().ok()?;
            (first, next)
        }
    };
    let micros = |zoned: &Zoned| zoned.timestamp().round(Unit::Microsecond).ok().map(Timestamp::as_microsecond);
    Some(Window { start: micros(&first)?, end: micros(&next)? })
}

/// The zone of that name; none: UTC.
///
/// # Errors
/// No zone has that name.
pub fn zone(name: Option<&str>) -> Result<TimeZone, String> {
    let Some(name) = name else { return Ok(TimeZone::UTC) };
    TimeZone::get(name).map_err(|_| format!("`{name}` is no time zone; write one as Europe/Berlin or UTC"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(period: Period, zone_name: &str, now: &str) -> (String, String) {
        let now: Timestamp = now.parse().unwrap();
        let window = window(period, &zone(Some(zone_name)).unwrap(), now.as_microsecond());
        let text = |micros| Timestamp::from_microsecond(micros).unwrap().to_string();
        (text(window.start), text(window.end))
    }

    #[test]
    fn days_begin_at_the_zones_midnight() {
        let summer = of(Period::Day, "Europe/Berlin", "2026-07-15T22:30:00Z");
        assert_eq!(summer, ("2026-07-15T22:00:00Z".into(), "2026-07-16T22:00:00Z".into()));
        let half_hour = of(Period::Day, "Asia/Kolkata", "2026-07-15T12:00:00Z");
        assert_eq!(half_hour, ("2026-07-14T18:30:00Z".into(), "2026-07-15T18:30:00Z".into()));
        // The clocks go back: 25 hours.
        let long = of(Period::Day, "Europe/Berlin", "2026-10-25T12:00:00Z");
        assert_eq!(long, ("2026-10-24T22:00:00Z".into(), "2026-10-25T23:00:00Z".into()));
    }

    #[test]
    fn months_are_those_of_the_calendar() {
        let february = of(Period::Month, "UTC", "2028-02-29T23:59:59Z");
        assert_eq!(february, ("2028-02-01T00:00:00Z".into(), "2028-03-01T00:00:00Z".into()));
        let december = of(Period::Month, "America/New_York", "2027-01-01T03:00:00Z");
        assert_eq!(december, ("2026-12-01T05:00:00Z".into(), "2027-01-01T05:00:00Z".into()));
    }

    #[test]
    fn an_unknown_zone_is_refused_with_an_example() {
        assert_eq!(
            zone(Some("Mars/Olympus")).unwrap_err(),
            "`Mars/Olympus` is no time zone; write one as Europe/Berlin or UTC"
        );
        assert!(zone(None).is_ok());
    }
}
