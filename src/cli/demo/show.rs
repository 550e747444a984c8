//! The demo on the terminal: aligned, coloured only where it is one, honest about what is simulated and what is missing.

use std::net::SocketAddr;

use anstream::println;
use anstyle::{AnsiColor, Style};

use super::client::Reply;
use super::scenes::{FRONTIER_INPUT, FRONTIER_OUTPUT, SMALL_INPUT, SMALL_OUTPUT, Scene};

const BOLD: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();
const EDGE: Style = AnsiColor::Green.on_default();
const CLOUD: Style = AnsiColor::Blue.on_default();
const REFUSED: Style = AnsiColor::Yellow.on_default();

/// What the table adds up to.
#[derive(Default)]
pub struct Totals {
    edge: usize,
    cloud: usize,
    refused: usize,
    cost: f64,
    saved: f64,
    overheads: Vec<u64>,
}

/// What is running.
pub fn introduce(gateway: SocketAddr) {
    println!("{BOLD}tidegate demo{BOLD:#}   gateway at http://{gateway}");
    println!(
        "{FAINT}The edge pool (2 nodes) and the frontier provider are simulated: real HTTP servers on loopback, invented answers.{FAINT:#}"
    );
    println!();
    println!(
        "{BOLD}{:<22} {:>5} {:>4}  {:<19} {:<9} {:>5} {:>9} {:>10} {:>10}{BOLD:#}  why",
        "prompt", "diff", "pii", "rule", "placement", "cache", "1st token", "cost $", "saved $"
    );
}

/// One row, as soon as its answer is complete.
pub fn row(scene: &Scene, reply: &Reply, totals: &mut Totals) {
    let placement = if reply.status == 200 { reply.header("x-tidegate-placement") } else { "refused" };
    let style = match placement {
        "edge" => EDGE,
        "cloud" => CLOUD,
        _ => REFUSED,
    };
    let at =
        |input: f64, output: f64| (reply.usage.prompt as f64 * input + reply.usage.completion as f64 * output) / 1e6;
    let dearest = at(FRONTIER_INPUT, FRONTIER_OUTPUT);
    let cost = if placement == "edge" { at(SMALL_INPUT, SMALL_OUTPUT) } else { dearest };
    totals.add(placement, cost, dearest - cost, reply);
    let difficulty = reply.header("x-tidegate-difficulty");
    let first = format!("{:.1} ms", reply.first.as_secs_f64() * 1e3);
    println!(
        "{:<22} {:>5} {:>4}  {:<19} {style}{:<9}{style:#} {:>5} {:>9} {:>10.7} {:>10.7}  {FAINT}{}{FAINT:#}",
        scene.title,
        if difficulty.is_empty() { "–" } else { difficulty },
        found(reply.header("x-tidegate-pii")),
        reply.header("x-tidegate-rule"),
        placement,
        "–",
        first,
        cost,
        dearest - cost,
        scene.shows
    );
    let attempts = reply.header("x-tidegate-attempts");
    if attempts.contains(',') {
        println!("{FAINT}{:<22} tried {attempts}{FAINT:#}", "");
    }
    if let Some(error) = &reply.error {
        println!("{FAINT}{:<22} {} {error}{FAINT:#}", "", reply.status);
    }
}

/// How many values were found, of `EMAIL_ADDRESS=1,PERSON=2`.
fn found(header: &str) -> String {
    let counts = header.split(',').filter_map(|part| part.rsplit_once('=')?.1.parse::<u32>().ok());
    match counts.sum() {
        0 => "–".to_owned(),
        count => count.to_string(),
    }
}

impl Totals {
    fn add(&mut self, placement: &str, cost: f64, saved: f64, reply: &Reply) {
        match placement {
            "edge" => self.edge += 1,
            "cloud" => self.cloud += 1,
            _ => self.refused += 1,
        }
        self.cost += cost;
        self.saved += saved;
        self.overheads.extend(reply.header("x-tidegate-overhead-us").parse::<u64>());
    }
}

/// What it all came to.
pub fn sum_up(totals: &mut Totals) {
    totals.overheads.sort_unstable();
    let median = totals.overheads.get(totals.overheads.len() / 2).copied().unwrap_or(0);
    println!();
    println!(
        "{BOLD}{} at the edge, {} in the cloud, {} refused{BOLD:#}; ${:.6} spent, ${:.6} saved against all-cloud; \
         the gateway itself added {median} µs (median)",
        totals.edge, totals.cloud, totals.refused, totals.cost, totals.saved
    );
    println!(
        "{FAINT}pii: values of personal data and secrets found. The cache is not available in this version. Prices are those of the demo's configuration.{FAINT:#}"
    );
}

/// What to try next.
pub fn invite(gateway: SocketAddr) {
    println!();
    println!("{BOLD}Try it yourself{BOLD:#} {FAINT}(Ctrl-C ends the demo){FAINT:#}");
    println!();
    println!("  curl -i http://{gateway}/v1/chat/completions -H 'content-type: application/json' \\");
    println!("    -d '{{\"model\":\"auto\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'");
    println!();
    println!("  from openai import OpenAI");
    println!("  client = OpenAI(base_url=\"http://{gateway}/v1\", api_key=\"unused\")");
    println!(
        "  print(client.chat.completions.create(model=\"auto\", messages=[{{\"role\": \"user\", \"content\": \"Hello\"}}]))"
    );
}
