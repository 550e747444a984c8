//! Reports on difficulty models as tables.
//!
//! What a reader could get wrong: APGR, CPT50 and CPT80 are RouteLLM's (<https://arxiv.org/abs/2406.18665>): the share of the gap between edge and cloud that is
//! recovered on average, and the shares of prompts sent to the cloud at which half and four fifths of it are closed.

use std::fmt::Write as _;

use anstyle::Style;
use serde_json::{Value, json};

use crate::learn::metrics::{ApgrRow, Report};

const HEAD: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();

/// Rows of the table: what ranks, and how well.
fn ranked(report: &Report) -> [(&'static str, ApgrRow); 4] {
    let own = ApgrRow { apgr: report.apgr, cpt50: report.cpt50, cpt80: report.cpt80 };
    [("this model", own), ("random", report.random), ("length alone", report.length), ("oracle", report.oracle)]
}

/// For people; with colours, which whoever prints it takes out where there is no terminal.
pub fn table(title: &str, report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_table(&mut out, title, report);
    out
}

fn write_table(out: &mut String, title: &str, report: &Report) -> std::fmt::Result {
    let (edge, cloud) = (100.0 * report.edge_accuracy, 100.0 * report.cloud_accuracy);
    writeln!(out, "{HEAD}{title}{HEAD:#}  {} rows; right: edge {edge:.1} %, cloud {cloud:.1} %", report.rows)?;
    writeln!(out, "  {FAINT}{:<14} {:>6} {:>7} {:>7}{FAINT:#}", "", "APGR", "CPT50", "CPT80")?;
    for (name, row) in ranked(report) {
        let share = |share: Option<f64>| share.map_or("–".into(), |share| format!("{:.1} %", 100.0 * share));
        let apgr = row.apgr.map_or("–".into(), |apgr| format!("{apgr:.3}"));
        writeln!(out, "  {name:<14} {apgr:>6} {:>7} {:>7}", share(row.cpt50), share(row.cpt80))?;
    }
    writeln!(out, "  calibration error {:.3}", report.calibration_error)
}

/// Scores beside outcomes.
pub fn reliability(report: &Report) -> String {
    let mut out = String::new();
    let _ = write_reliability(&mut out, report);
    out
}

fn write_reliability(out: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(out, "\n{HEAD}reliability{HEAD:#}  of prompts with this difficulty, how many needed the cloud")?;
    writeln!(out, "  {FAINT}{:>10} {:>8} {:>6}{FAINT:#}", "difficulty", "needed", "rows")?;
    for bin in &report.reliability {
        writeln!(out, "  {:>10.3} {:>8.3} {:>6}", bin.predicted, bin.observed, bin.rows)?;
    }
    Ok(())
}

/// For programs.
pub fn json(report: &Report) -> Value {
    let row = |row: ApgrRow| json!({"apgr": row.apgr, "cpt50": row.cpt50, "cpt80": row.cpt80});
    let [own, random, length, oracle] = ranked(report).map(|(_, of)| row(of));
    let bins = report.reliability.iter();
    let bins: Vec<Value> =
        bins.map(|bin| json!({"difficulty": bin.predicted, "needed_cloud": bin.observed, "rows": bin.rows})).collect();
    json!({
        "rows": report.rows,
        "edge_accuracy": report.edge_accuracy,
        "cloud_accuracy": report.cloud_accuracy,
        "model": own,
        "random": random,
        "length": length,
        "oracle": oracle,
        "calibration_error": report.calibration_error,
        "reliability": bins,
    })
}
