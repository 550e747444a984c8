//! Times as they are typed: how long ago, a day, a moment.
//!
//! What a reader could get wrong: a day is UTC's, from its midnight.

use jiff::Timestamp;
use jiff::civil::Date;

/// Microseconds (Unix) of `24h`, `7d`, `30m` (ago), `2026-03-01` or `2026-03-01T09:30:00Z`.
///
/// # Errors
/// It is none of these.
pub(super) fn parse(text: &str, now: Timestamp) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no time: write 24h, 7d, 2026-03-01 or 2026-03-01T09:30:00Z");
    if let Some((number, unit)) = text.len().checked_sub(1).and_then(|at| text.split_at_checked(at)) {
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => 0,
        };
        if let (Ok(number), true) = (number.parse::<u32>(), seconds > 0) {
            return Ok(now.as_microsecond() - i64::from(number) * seconds * 1_000_000);
        }
    }
    if let Ok(date) = text.parse::<Date>().and_then(|date| date.in_tz("UTC"))
        && text.len() == 10
    {
        return Ok(date.timestamp().as_microsecond());
    }
    text.parse::<Timestamp>().map(Timestamp::as_microsecond).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_they_are_typed() {
        let now: Timestamp = "2026-03-08T12:00:00Z".parse().unwrap();
        for (text, same) in [
            ("24h", "2026-03-07T12:00:00Z"),
            ("7d", "2026-03-01T12:00:00Z"),
            ("90m", "2026-03-08T10:30:00Z"),
            ("2026-03-01", "2026-03-01T00:00:00Z"),
            ("2026-03-01T09:30:00+01:00", "2026-03-01T08:30:00Z"),
        ] {
            let same: Timestamp = same.parse().unwrap();
            assert_eq!(parse(text, now), Ok(same.as_microsecond()), "{text}");
        }
        for text in ["", "h", "-1h", "yesterday", "2026-13-01", "2026-03", "ü"] {
            assert!(parse(text, now).unwrap_err().contains("is no time"), "{text}");
        }
    }
}
