//! The demo on the terminal: aligned, coloured only where it is one, honest about what is simulated.

use std::net::SocketAddr;

use anstream::println;
use anstyle::{AnsiColor, Style};

use super::client::Reply;
use super::scenes::{FRONTIER_INPUT, FRONTIER_OUTPUT, SMALL_INPUT, SMALL_OUTPUT, Scene};

const BOLD: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();
const EDGE: Style = AnsiColor::Green.on_default();
const CLOUD: Style = AnsiColor::Blue.on_default();
const CACHE: Style = AnsiColor::Cyan.on_default();
const REFUSED: Style = AnsiColor::Yellow.on_default();

/// What the table adds up to.
#[derive(Default)]
pub struct Totals {
    edge: usize,
    cloud: usize,
    cache: usize,
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
        "{BOLD}{:<22} {:>5} {:>4}  {:<19} {:<9} {:<9} {:>9} {:>10} {:>10}{BOLD:#}  why",
        "prompt", "diff", "pii", "rule", "placement", "cache", "1st token", "cost $", "saved $"
    );
}

/// One row, as soon as all who asked have their answers. `calls`: how often servers were asked for them.
pub fn row(scene: &Scene, replies: &[Reply], calls: usize, totals: &mut Totals) {
    let (mut cost, mut saved) = (0.0, 0.0);
    for reply in replies {
        let (own, dearest) = (reply.cost(), reply.at(FRONTIER_INPUT, FRONTIER_OUTPUT));
        cost += own;
        saved += dearest - own;
        totals.add(reply);
    }
    totals.cost += cost;
    totals.saved += saved;
    // Of several, one who did not ask for himself.
    let Some(reply) = replies.iter().find(|reply| reply.is_saved()).or(replies.first()) else { return };
    let style = match reply.placement() {
        "edge" => EDGE,
        "cloud" => CLOUD,
        "cache" => CACHE,
        _ => REFUSED,
    };
    let or_dash = |text: &str| if text.is_empty() { "–".to_owned() } else { text.to_owned() };
    println!(
        "{:<22} {:>5} {:>4}  {:<19} {style}{:<9}{style:#} {:<9} {:>9} {:>10.7} {:>10.7}  {FAINT}{}{FAINT:#}",
        scene.title,
        or_dash(reply.header("x-tidegate-difficulty")),
        found(reply.header("x-tidegate-pii")),
        reply.header("x-tidegate-rule"),
        reply.placement(),
        or_dash(reply.header("x-tidegate-cache")),
        format!("{:.1} ms", reply.first.as_secs_f64() * 1e3),
        cost,
        saved,
        scene.shows
    );
    let attempts = reply.header("x-tidegate-attempts");
    if attempts.contains(',') {
        println!("{FAINT}{:<22} tried {attempts}{FAINT:#}", "");
    }
    let probability = reply.header("x-tidegate-cache-probability");
    if !probability.is_empty() {
        let similarity = reply.header("x-tidegate-cache-similarity");
        println!(
            "{FAINT}{:<22} similarity {similarity}, probability that it means the same {probability}{FAINT:#}",
            ""
        );
    }
    if replies.len() > 1 {
        println!("{FAINT}{:<22} {} answers, calls upstream: {calls}{FAINT:#}", "", replies.len());
    }
    if let Some(complaint) = &reply.complaint {
        println!("{FAINT}{:<22} {} {}{FAINT:#}", "", reply.status, complaint.message);
    }
}

impl Reply {
    fn placement(&self) -> &str {
        if self.status == 200 { self.header("x-tidegate-placement") } else { "refused" }
    }

    /// US dollars at these prices for a million tokens.
    fn at(&self, input: f64, output: f64) -> f64 {
        (self.usage.prompt as f64 * input + self.usage.completion as f64 * output) / 1e6
    }

    /// Nobody upstream was asked for it.
    fn is_saved(&self) -> bool {
        ["hit", "semantic", "coalesced"].contains(&self.header("x-tidegate-cache"))
    }

    fn cost(&self) -> f64 {
        match self.placement() {
            _ if self.is_saved() => 0.0,
            "edge" => self.at(SMALL_INPUT, SMALL_OUTPUT),
            _ => self.at(FRONTIER_INPUT, FRONTIER_OUTPUT),
        }
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
    fn add(&mut self, reply: &Reply) {
        match reply.placement() {
            _ if reply.is_saved() => self.cache += 1,
            "edge" => self.edge += 1,
            "cloud" => self.cloud += 1,
            _ => self.refused += 1,
        }
        self.overheads.extend(reply.header("x-tidegate-overhead-us").parse::<u64>());
    }
}

/// What it all came to.
pub fn sum_up(totals: &mut Totals) {
    totals.overheads.sort_unstable();
    let median = totals.overheads.get(totals.overheads.len() / 2).copied().unwrap_or(0);
    println!();
    println!(
        "{BOLD}{} at the edge, {} in the cloud, {} from memory or shared, {} refused{BOLD:#}; ${:.6} spent, ${:.6} saved against all-cloud; \
         the gateway itself added {median} µs (median)",
        totals.edge, totals.cloud, totals.cache, totals.refused, totals.cost, totals.saved
    );
    println!(
        "{FAINT}pii: values of personal data and secrets found. cache: off for what may not be kept. Prices are those of the demo's configuration.{FAINT:#}"
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
