//! An answer as JSON and CSV, and the columns that all its forms share.
//!
//! What a reader could get wrong: sums are whole numbers in small units, and written out in full: `cost_usd` has up to nine digits after
//! the point and nothing is rounded away (JSON's numbers are floats: exact up to nine million dollars).

use std::fmt::Write as _;

use serde_json::{Map, Number, Value};

use super::{Answer, Line, Totals};
use crate::ledger::store::Figure;

/// One figure of a line.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// In JSON and CSV: does not change.
    pub name: &'static str,
    /// Digits after the decimal point of the whole number that `value` gives.
    pub digits: u32,
    pub value: fn(&Totals) -> i64,
}

const fn column(name: &'static str, digits: u32, value: fn(&Totals) -> i64) -> Column {
    Column { name, digits, value }
}

/// All figures, in their order.
pub const COLUMNS: [Column; 27] = [
    column("requests", 0, |t| t.requests),
    column("failed", 0, |t| t.failed),
    column("cached_hits", 0, |t| t.cached_hits),
    column("attempts", 0, |t| t.attempts),
    column("prompt_tokens", 0, |t| t.get(Figure::Prompt)),
    column("cached_tokens", 0, |t| t.get(Figure::Cached)),
    column("completion_tokens", 0, |t| t.get(Figure::Completion)),
    column("reasoning_tokens", 0, |t| t.get(Figure::Reasoning)),
    column("audio_input_tokens", 0, |t| t.get(Figure::AudioIn)),
    column("audio_output_tokens", 0, |t| t.get(Figure::AudioOut)),
    column("estimated_attempts", 0, |t| t.estimated),
    column("cost_usd", 9, |t| t.get(Figure::Cost)),
    column("cost_unknown_attempts", 0, |t| t.cost_unknown),
    column("saving_usd", 9, |t| t.get(Figure::Saving)),
    column("co2_g", 6, |t| t.get(Figure::Co2Ug)),
    column("wait_ms", 3, |t| t.get(Figure::WaitUs)),
    column("overhead_ms", 3, |t| t.get(Figure::OverheadUs)),
    column("upstream_ms", 3, |t| t.get(Figure::UpstreamUs)),
    column("compute_ms", 3, |t| t.get(Figure::ComputeUs)),
    column("transfer_ms", 3, |t| t.get(Figure::TransferUs)),
    column("first_token_ms", 3, |t| t.get(Figure::FirstTokenUs)),
    column("total_ms", 3, |t| t.get(Figure::TotalUs)),
    column("mean_total_ms", 3, |t| mean(t, Figure::TotalUs)),
    column("mean_first_token_ms", 3, |t| mean(t, Figure::FirstTokenUs)),
    column("mean_overhead_ms", 3, |t| mean(t, Figure::OverheadUs)),
    column("sent_bytes", 0, |t| t.get(Figure::BytesOut)),
    column("cloud_bytes", 0, |t| t.cloud_bytes),
];

/// Of a request's time, to the microsecond.
fn mean(totals: &Totals, figure: Figure) -> i64 {
    totals.get(figure).checked_div(totals.requests).unwrap_or(0)
}

impl Column {
    pub fn json(&self, totals: &Totals) -> Value {
        number((self.value)(totals), self.digits)
    }

    pub fn text(&self, totals: &Totals) -> String {
        decimal((self.value)(totals), self.digits)
    }
}

impl Answer {
    /// An array of objects, one a line: the dimensions by their names, then the figures.
    pub fn json(&self) -> Value {
        self.lines.iter().map(|line| Value::Object(self.line_json(line))).collect()
    }

    fn line_json(&self, line: &Line) -> Map<String, Value> {
        let groups = self.by.iter().zip(&line.group).map(|(by, value)| (by.to_string(), value.clone().into()));
        groups.chain(COLUMNS.iter().map(|column| (column.name.to_owned(), column.json(&line.totals)))).collect()
    }

    /// RFC 4180, with a line of names.
    pub fn csv(&self) -> String {
        let mut out = String::new();
        let names = self.by.iter().map(ToString::to_string).chain(COLUMNS.iter().map(|column| column.name.to_owned()));
        csv_line(&mut out, names);
        for line in &self.lines {
            let figures = COLUMNS.iter().map(|column| column.text(&line.totals));
            csv_line(&mut out, line.group.iter().cloned().chain(figures));
        }
        out
    }
}

/// One line of CSV. A field that a spreadsheet would run as a formula (names are the clients') is kept from that by a quote.
pub fn csv_line(out: &mut String, fields: impl Iterator<Item = String>) {
    for (at, field) in fields.enumerate() {
        if at > 0 {
            out.push(',');
        }
        let number = field.parse::<f64>().is_ok();
        let formula = !number && field.starts_with(['=', '+', '-', '@', '\t', '\r']);
        if formula || field.contains([',', '"', '\n', '\r']) {
            // Writing into a String cannot fail.
            let _ = write!(out, "\"{}{}\"", if formula { "'" } else { "" }, field.replace('"', "\"\""));
        } else {
            out.push_str(&field);
        }
    }
    out.push_str("\r\n");
}

/// A whole number with the point before its last `digits`, no zeros at its end.
pub fn decimal(value: i64, digits: u32) -> String {
    let unit = 10u64.pow(digits);
    let (whole, part) = (value.unsigned_abs() / unit, value.unsigned_abs() % unit);
    let sign = if value < 0 { "-" } else { "" };
    if part == 0 {
        return format!("{sign}{whole}");
    }
    let part = format!("{part:0width$}", width = digits as usize);
    format!("{sign}{whole}.{}", part.trim_end_matches('0'))
}

/// The same as a JSON number.
pub fn number(value: i64, digits: u32) -> Value {
    if digits == 0 {
        return value.into();
    }
    let float = value as f64 / 10f64.powi(digits.try_into().unwrap_or(0));
    Number::from_f64(float).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_full() {
        assert_eq!(decimal(1, 9), "0.000000001");
        assert_eq!(decimal(-1_500_000_000, 9), "-1.5");
        assert_eq!(decimal(12_000, 3), "12");
        assert_eq!(decimal(i64::MIN, 9), "-9223372036.854775808");
        assert_eq!(decimal(7, 0), "7");
        assert_eq!(number(123_456_789, 9).to_string(), "0.123456789");
        assert_eq!(number(30, 2).to_string(), "0.3");
    }

    #[test]
    fn csv_keeps_its_fields_apart_and_runs_nothing() {
        let mut out = String::new();
        csv_line(&mut out, ["a,b", "say \"x\"", "=cmd()", "-1.5", "@x", "plain"].map(str::to_owned).into_iter());
        assert_eq!(out, "\"a,b\",\"say \"\"x\"\"\",\"'=cmd()\",-1.5,\"'@x\",plain\r\n");
    }
}
