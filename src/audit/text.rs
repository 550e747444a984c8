//! How values are written into the log: one way each, so that the same record is always the same bytes.
//!
//! What a reader could get wrong: hexadecimal is read in lower case only. A log in which `a` may also be `A` has bits that can be
//! flipped unseen.

/// Where jiff's time ends, a day before the year 9999 does: later (and earlier than 1970) times are written as the nearest that can be.
const LAST_MICROSECOND: i64 = 253_402_207_200_999_999;

/// A whole number.
#[inline]
pub(super) fn number(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Bytes as lower-case hexadecimal, without quotes.
#[inline]
pub(super) fn hex<const N: usize>(out: &mut Vec<u8>, bytes: &[u8; N]) {
    // Arithmetic and not a table: the compiler does 16 digits at once.
    let digit = |nibble: u8| nibble + b'0' + if nibble > 9 { b'a' - b'0' - 10 } else { 0 };
    let mut digits = [[0; 2]; N];
    for (pair, byte) in digits.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
    out.extend_from_slice(digits.as_flattened());
}

/// Lower-case hexadecimal of exactly `N` bytes.
pub(super) fn unhex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    fn digit(byte: u8) -> Option<u8> {
        match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        }
    }
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// Text in quotes: `"`, `\` and characters below U+0020 are escaped (`\"`, `\\`, `\u00XX`), all others stand as they are.
#[inline]
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    // Names and identifiers hardly ever need escaping.
    if is_plain(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        escaped(out, text);
    }
    out.push(b'"');
}

/// Whether nothing in a text needs escaping, eight bytes at a time. (A text may be taken for one that does and does not.)
#[inline]
fn is_plain(text: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * ONES;
    // The high bit of each byte that is `byte`, or below: see "Bit Twiddling Hacks", "Determine if a word has a zero byte".
    let below = |word: u64, limit: u64| word.wrapping_sub(limit * ONES) & !word;
    let special = |bytes: &[u8; 8]| {
        let word = u64::from_le_bytes(*bytes);
        below(word, 0x20) | below(word ^ (ONES * 0x22), 1) | below(word ^ (ONES * 0x5c), 1)
    };
    let (words, rest) = text.as_chunks::<8>();
    let mut last = [b' '; 8];
    last[..rest.len()].copy_from_slice(rest);
    (words.iter().fold(special(&last), |any, word| any | special(word)) & HIGH) == 0
}

#[cold]
fn escaped(out: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                hex(out, &[byte]);
            }
            _ => out.push(byte),
        }
    }
}

/// A number with exactly six digits behind the point, rounded half away from zero; what is not a number is `null`.
pub(super) fn six_digits(out: &mut Vec<u8>, value: f32) {
    if !value.is_finite() {
        out.extend_from_slice(b"null");
        return;
    }
    let millionths = (f64::from(value) * 1e6).round() as i64;
    if millionths < 0 {
        out.push(b'-');
    }
    number(out, millionths.unsigned_abs() / 1_000_000);
    out.push(b'.');
    padded::<6>(out, millionths.unsigned_abs() % 1_000_000);
}

/// Microseconds (Unix) as `"2026-03-01T12:00:00.123456Z"`, quotes included: always 29 bytes.
pub(super) fn time(out: &mut Vec<u8>, microseconds: i64) {
    let microseconds = microseconds.clamp(0, LAST_MICROSECOND).unsigned_abs();
    let (seconds, fraction) = (microseconds / 1_000_000, microseconds % 1_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    out.push(b'"');
    padded::<4>(out, year);
    out.push(b'-');
    padded::<2>(out, month);
    out.push(b'-');
    padded::<2>(out, day);
    out.push(b'T');
    padded::<2>(out, second / 3600);
    out.push(b':');
    padded::<2>(out, second / 60 % 60);
    out.push(b':');
    padded::<2>(out, second % 60);
    out.push(b'.');
    padded::<6>(out, fraction);
    out.extend_from_slice(b"Z\"");
}

/// Year, month and day of a day since 1970, after Howard Hinnant's `civil_from_days`: jiff's way takes ten times as long.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Years begin in March here, so that the leap day is the last one.
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[inline]
fn padded<const DIGITS: usize>(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [b'0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&digits);
}

/// Reads back what [`time`] wrote, without the quotes.
pub(super) fn parse_time(text: &str) -> Option<i64> {
    let parsed: jiff::Timestamp = text.parse().ok()?;
    Some(parsed.as_microsecond())
}

/// Now, in microseconds (Unix).
pub(super) fn now() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_is_json_and_comes_back() {
        let all: String = (0..300).filter_map(char::from_u32).collect();
        let shifted = |n: usize| format!("{}\u{1f}{}", " ".repeat(n), "x".repeat(9 - n));
        let shifted: Vec<String> = (0..9).map(shifted).collect();
        let texts = ["", "plain", "ü 😀 \u{7f}\u{2028}", "\"\\\u{0}\n\r\t\u{1f} ", "a\"b", "12345678\\", &all];
        for text in texts.into_iter().chain(shifted.iter().map(String::as_str)) {
            let json = written(|out| string(out, text));
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text, "{json}");
        }
        assert_eq!(written(|out| string(out, "a\n\"")), r#""a\u000a\"""#);
    }

    #[test]
    fn times_are_jiffs_and_always_as_long() {
        for microseconds in [
            0,
            1,
            951_782_400_000_000,
            1_709_164_800_123_456,
            4_107_542_399_999_999,
            LAST_MICROSECOND,
            68_169_600_000_000,
        ] {
            let json = written(|out| time(out, microseconds));
            assert_eq!(json.len(), 29);
            assert_eq!(parse_time(json.trim_matches('"')), Some(microseconds), "{json}");
        }
        assert_eq!(written(|out| time(out, -1)), "\"1970-01-01T00:00:00.000000Z\"");
        assert_eq!(written(|out| time(out, i64::MAX)), "\"9999-12-30T22:00:00.999999Z\"");
    }

    #[test]
    fn fractions_have_six_digits() {
        for (value, text) in
            [(0.0, "0.000000"), (0.5, "0.500000"), (1.0, "1.000000"), (-0.25, "-0.250000"), (f32::NAN, "null")]
        {
            assert_eq!(written(|out| six_digits(out, value)), text);
        }
        assert_eq!(written(|out| six_digits(out, 0.312)), "0.312000");
    }

    #[test]
    fn hexadecimal_has_one_form() {
        let bytes = [0x00, 0x9a, 0xff];
        assert_eq!(written(|out| hex(out, &bytes)), "009aff");
        assert_eq!(unhex::<3>(b"009aff"), Some(bytes));
        for wrong in ["009aFf", "009af", "009aff0", "009afg", ""] {
            assert_eq!(unhex::<3>(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
