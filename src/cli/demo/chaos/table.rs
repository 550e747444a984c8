//! The storm on the terminal: what is simulated, and the table at the end.

use std::net::SocketAddr;
use std::time::Duration;

use anstream::println;
use anstyle::{AnsiColor, Style};

use super::scenario::{self, PHASES, Phase};
use crate::lab::load::Outcome;
use crate::lab::tally::Tally;

const BOLD: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();

/// A node's failure is to be over for clients within this time.
const RECOVERY: Duration = Duration::from_secs(5);
/// How long after a cut it may take until the providers are asked again.
const AFTER_CUT: Duration = Duration::from_secs(5);

/// What is running.
pub fn introduce(gateway: SocketAddr) {
    println!("{BOLD}tidegate demo --chaos{BOLD:#}   gateway at http://{gateway}");
    println!(
        "{FAINT}Four edge nodes and two providers are simulated, and so are their failures: real HTTP servers on loopback, invented answers. The gateway is real.{FAINT:#}"
    );
    println!();
}

/// What an error of a client means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It was to be answered by a cloud, and there was none.
    Right,
    /// A stream that was under way when its server failed: what has reached the client cannot be taken back, so it is told in the stream.
    UnderWay,
    Wrong,
}

/// The table; true if no client saw an error that it should not have seen.
pub fn print(outcomes: &[Outcome], began: &[Duration]) -> bool {
    println!();
    println!(
        "{BOLD}{:<24} {:>8} {:>7} {:>9} {:>9} {:>15} {:>11} {:>8}  {}{BOLD:#}",
        "phase", "requests", "errors", "p50", "p99", "p99 after 5 s", "first token", "retries", "ran on"
    );
    let mut usual = None;
    let mut verdicts = vec![];
    for (number, phase) in PHASES.iter().enumerate() {
        let of_phase: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.phases.0 == number).collect();
        let failed = of_phase.iter().filter(|outcome| outcome.error.is_some());
        let judged: Vec<Verdict> = failed.map(|outcome| judge(outcome, began)).collect();
        let usual = *usual.get_or_insert_with(|| Tally::of(of_phase.iter().copied()).latency(0.99));
        let wrong = judged.iter().filter(|verdict| **verdict == Verdict::Wrong).count();
        row(phase, &of_phase, began.get(number).copied().unwrap_or_default(), wrong, usual);
        verdicts.extend(judged);
    }
    let count = |verdict| verdicts.iter().filter(|other| **other == verdict).count();
    let (wrong, under_way, right) = (count(Verdict::Wrong), count(Verdict::UnderWay), count(Verdict::Right));
    let style = if wrong == 0 { GOOD } else { BAD };
    println!();
    println!("{style}{wrong} errors that clients should not have seen{style:#}");
    println!(
        "{FAINT}Not among them: {under_way} streams that were under way when their server failed (told in the stream), {right} cloud-only requests while every cloud was cut.{FAINT:#}"
    );
    println!(
        "{FAINT}p50, p99: whole answers; first token: median of the streams; p99 after 5 s: of what was asked five seconds into the phase or later, and how it compares with the first phase.{FAINT:#}"
    );
    wrong == 0
}

fn judge(outcome: &Outcome, began: &[Duration]) -> Verdict {
    let only_cloud = scenario::kinds().get(outcome.kind).is_some_and(|kind| kind.only_cloud);
    let cut = PHASES.iter().position(|phase| phase.is_cut).unwrap_or(PHASES.len());
    if let (true, Some(from), Some(to)) = (only_cloud, began.get(cut), began.get(cut + 1))
        && outcome.answered >= *from
        && outcome.asked <= *to + AFTER_CUT
    {
        return Verdict::Right;
    }
    let fault_came = began.iter().any(|fault| outcome.asked < *fault && *fault <= outcome.answered);
    if outcome.is_cut_stream() && fault_came { Verdict::UnderWay } else { Verdict::Wrong }
}

fn row(phase: &Phase, outcomes: &[&Outcome], began: Duration, wrong: usize, usual: Option<Duration>) {
    let all = Tally::of(outcomes.iter().copied());
    let late = Tally::of(outcomes.iter().copied().filter(|outcome| outcome.asked >= began + RECOVERY));
    let after = late.latency(0.99).filter(|_| phase.is_trial);
    let compared = match (after, usual) {
        (Some(after), Some(usual)) => {
            format!("{} {:.1} ×", millis(Some(after)), after.as_secs_f64() / usual.as_secs_f64())
        }
        _ => String::new(),
    };
    let style = if wrong == 0 { GOOD } else { BAD };
    let ran: Vec<String> = all
        .upstreams
        .iter()
        .map(|(name, times)| {
            format!("{name} {:.0} %", *times as f64 / (all.requests - all.failed()).max(1) as f64 * 100.0)
        })
        .collect();
    println!(
        "{:<24} {:>8} {style}{:>7}{style:#} {:>9} {:>9} {:>15} {:>11} {:>8}  {FAINT}{}{FAINT:#}",
        phase.name,
        all.requests,
        wrong,
        millis(all.latency(0.5)),
        millis(all.latency(0.99)),
        compared,
        millis(all.first(0.5)),
        all.retries,
        ran.join(", ")
    );
}

fn millis(time: Option<Duration>) -> String {
    time.map_or_else(|| "–".to_owned(), |time| format!("{:.0} ms", time.as_secs_f64() * 1e3))
}
