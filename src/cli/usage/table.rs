//! Usage and invoices as tables for people.
//!
//! What a reader could get wrong: names come from clients (`x-tidegate-user`), so whatever could steer a terminal is taken out; and
//! columns that are zero throughout are left out, JSON and CSV have them all.

use anstyle::{AnsiColor, Style};

use crate::ledger::invoice::Invoice;
use crate::ledger::query::{Answer, Totals};
use crate::ledger::store::Figure;

const HEAD: Style = Style::new().bold();
const BAD: Style = AnsiColor::Red.on_default();
const WARN: Style = AnsiColor::Yellow.on_default();
const PLAIN: Style = Style::new();

/// A column of figures: heading, digits after the point of what `value` gives, digits shown, colour where it is not zero.
struct Column {
    head: &'static str,
    digits: u32,
    shown: u32,
    style: Style,
    value: fn(&Totals) -> i64,
}

const fn column(head: &'static str, digits: u32, shown: u32, style: Style, value: fn(&Totals) -> i64) -> Column {
    Column { head, digits, shown, style, value }
}

const COLUMNS: [Column; 16] = [
    column("requests", 0, 0, PLAIN, |t| t.requests),
    column("failed", 0, 0, BAD, |t| t.failed),
    column("from cache", 0, 0, PLAIN, |t| t.cached_hits),
    column("attempts", 0, 0, PLAIN, |t| t.attempts),
    column("prompt", 0, 0, PLAIN, |t| t.get(Figure::Prompt)),
    column("cached", 0, 0, PLAIN, |t| t.get(Figure::Cached)),
    column("output", 0, 0, PLAIN, |t| t.get(Figure::Completion)),
    column("reasoning", 0, 0, PLAIN, |t| t.get(Figure::Reasoning)),
    column("cost USD", 9, 6, PLAIN, |t| t.get(Figure::Cost)),
    column("price unknown", 0, 0, WARN, |t| t.cost_unknown),
    column("estimated", 0, 0, WARN, |t| t.estimated),
    column("saved USD", 9, 6, PLAIN, |t| t.get(Figure::Saving)),
    column("g CO2", 6, 3, PLAIN, |t| t.get(Figure::Co2Ug)),
    column("mean ms", 3, 1, PLAIN, |t| t.get(Figure::TotalUs).checked_div(t.requests).unwrap_or(0)),
    column("gateway µs", 0, 0, PLAIN, |t| t.get(Figure::OverheadUs).checked_div(t.requests).unwrap_or(0)),
    column("cloud MB", 6, 2, PLAIN, |t| t.cloud_bytes),
];

/// Columns that are shown also where they are zero.
const ALWAYS: [&str; 2] = ["requests", "cost USD"];

/// One cell, and how it looks.
struct Cell(String, Style);

/// Usage, with ANSI colours.
pub fn usage(answer: &Answer) -> String {
    let columns: Vec<&Column> =
        COLUMNS.iter().filter(|c| ALWAYS.contains(&c.head) || (c.value)(&answer.total) != 0).collect();
    let head: Vec<String> =
        answer.by.iter().map(ToString::to_string).chain(columns.iter().map(|c| c.head.to_owned())).collect();
    let figures = |totals: &Totals| -> Vec<Cell> {
        let figure = |column: &&Column| {
            let value = (column.value)(totals);
            let style = if value == 0 { PLAIN } else { column.style };
            Cell(rounded(value, column.digits, column.shown), style)
        };
        columns.iter().map(figure).collect()
    };
    let mut rows: Vec<Vec<Cell>> = Vec::with_capacity(answer.lines.len() + 1);
    for line in &answer.lines {
        let group = line.group.iter().map(|value| Cell(printable(value), PLAIN));
        rows.push(group.chain(figures(&line.totals)).collect());
    }
    if answer.by.is_empty() {
        rows.clear();
    }
    rows.push(total(answer.by.len(), figures(&answer.total)));
    render(&head, answer.by.len(), &rows)
}

/// Invoices, with ANSI colours.
pub fn invoices(invoices: &[Invoice]) -> String {
    let head = [
        "tenant",
        "requests",
        "from cache",
        "price unknown",
        "edge USD",
        "cloud USD",
        "platform USD",
        "execution USD",
        "privacy USD",
        "total USD",
    ];
    let row = |invoice: &Invoice| -> Vec<Cell> {
        let unknown = if invoice.cost_unknown == 0 { PLAIN } else { WARN };
        let counts = [(invoice.requests, PLAIN), (invoice.cached_hits, PLAIN), (invoice.cost_unknown, unknown)];
        let counts = counts.into_iter().map(|(count, style)| Cell(rounded(count, 0, 0), style));
        counts.chain(invoice.amounts().iter().map(|(_, amount)| Cell(rounded(*amount, 9, 6), PLAIN))).collect()
    };
    let mut sum = Invoice::default();
    let mut rows: Vec<Vec<Cell>> = Vec::with_capacity(invoices.len() + 1);
    for invoice in invoices {
        sum.requests += invoice.requests;
        sum.cached_hits += invoice.cached_hits;
        sum.cost_unknown += invoice.cost_unknown;
        sum.edge_cost += invoice.edge_cost;
        sum.cloud_cost += invoice.cloud_cost;
        sum.platform_fee += invoice.platform_fee;
        sum.execution_fee += invoice.execution_fee;
        sum.privacy_premium += invoice.privacy_premium;
        rows.push(std::iter::once(Cell(printable(&invoice.tenant), PLAIN)).chain(row(invoice)).collect());
    }
    rows.push(total(1, row(&sum)));
    render(&head.map(str::to_owned), 1, &rows)
}

/// The last row: its name under the first group.
fn total(groups: usize, figures: Vec<Cell>) -> Vec<Cell> {
    let name = |at: usize| Cell(if at == 0 { "total".into() } else { String::new() }, HEAD);
    let figures = figures.into_iter().map(|Cell(text, style)| Cell(text, if style == PLAIN { HEAD } else { style }));
    (0..groups).map(name).chain(figures).collect()
}

/// Groups to the left, figures to the right.
fn render(head: &[String], groups: usize, rows: &[Vec<Cell>]) -> String {
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.0.chars().count());
        cells.chain([head[at].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut out = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = (&str, Style)>| {
        let mut text = String::new();
        for (at, (cell, style)) in cells.enumerate() {
            let width = widths[at];
            let padded = if at < groups { format!("{cell:<width$}") } else { format!("{cell:>width$}") };
            let last = at + 1 == widths.len();
            // No blanks at a line's end.
            let padded = if last { padded.trim_end() } else { &padded };
            let gap = if at == 0 { "" } else { "  " };
            text.push_str(&format!("{gap}{style}{padded}{style:#}"));
        }
        out.push_str(&text);
        out.push('\n');
    };
    line(&mut head.iter().map(|name| (name.as_str(), HEAD)));
    for row in rows {
        line(&mut row.iter().map(|Cell(text, style)| (text.as_str(), *style)));
    }
    out
}

/// A whole number of `digits` decimals, with fewer shown: `1,234.57`.
fn rounded(value: i64, digits: u32, shown: u32) -> String {
    let unit = 10u64.pow(digits.saturating_sub(shown));
    let value_abs = value.unsigned_abs();
    let kept = value_abs / unit + u64::from(value_abs % unit * 2 >= unit && unit > 1);
    let (whole, part) = (kept / 10u64.pow(shown), kept % 10u64.pow(shown));
    let digits = whole.to_string();
    let mut grouped = String::from(if value < 0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if shown == 0 { grouped } else { format!("{grouped}.{part:0width$}", width = shown as usize) }
}

fn printable(name: &str) -> String {
    if name.is_empty() {
        return "-".into();
    }
    name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_grouped_and_rounded() {
        assert_eq!(rounded(1_234_567, 0, 0), "1,234,567");
        assert_eq!(rounded(123, 0, 0), "123");
        assert_eq!(rounded(1_234_567_890, 9, 6), "1.234568");
        assert_eq!(rounded(-1_999_999_999_999, 9, 6), "-2,000.000000");
        assert_eq!(rounded(0, 9, 6), "0.000000");
        assert_eq!(rounded(i64::MIN, 3, 1), "-9,223,372,036,854,775.8");
    }

    #[test]
    fn a_clients_name_cannot_steer_the_terminal() {
        assert_eq!(printable("ann\u{1b}[31m"), "ann\u{fffd}[31m");
        assert_eq!(printable(""), "-");
    }
}
