//! `tidegate usage`: what was used and what it cost, from the data directory, also while a gateway runs or after it was killed.
//!
//! What a reader could get wrong: results go to stdout, remarks (no ledger yet, prices unknown) to stderr, so that JSON and CSV stay
//! what they are.

mod table;

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::config::Loaded;
use crate::ledger::invoice::{self, Invoice, invoices};
use crate::ledger::journal::pending_tail;
use crate::ledger::query::{Answer, AskError, Query, ask};
use crate::ledger::store::{Place, Settings};
use crate::state::reload;

/// The arguments were wrong, as clap has it.
const USAGE: u8 = 2;

/// How the result looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Shape {
    #[default]
    Table,
    Json,
    Csv,
}

/// What is asked, as it was typed.
#[derive(Debug, clap::Args)]
pub struct UsageArgs {
    /// Group by these, separated by commas: tenant, app, user, tags, tag.NAME, endpoint, route, rule, model, upstream, node,
    /// placement, region, outcome, privacy, cache, role, fallback, day, hour (days and hours are UTC's).
    #[arg(long, value_name = "NAME,…", default_value = "tenant,model", conflicts_with = "invoice")]
    by: String,
    /// From then on: 24h, 7d, 2026-03-01 or 2026-03-01T09:30:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Until then, not included.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only these (repeatable): `model=frontier`; the same name twice means either.
    #[arg(long = "where", value_name = "NAME=VALUE")]
    filters: Vec<String>,
    /// How the result looks.
    #[arg(long, value_enum, default_value_t)]
    format: Shape,
    /// What each tenant is invoiced: models' cost, edge and cloud, and the fees of `billing`.
    #[arg(long)]
    invoice: bool,
}

/// What is shown.
enum Found {
    Usage(Box<Answer>),
    Invoices(Vec<Invoice>),
}

/// Asks the ledger; gives the exit status.
pub fn run(config: &Path, args: &UsageArgs) -> u8 {
    let (found, remarks) = match look(config, args) {
        Ok(found) => found,
        Err((status, message)) => {
            eprintln!("{}", message.trim_end());
            return status;
        }
    };
    remarks.iter().for_each(|remark| eprintln!("{remark}"));
    match show(&found, args.format, &mut anstream::stdout().lock()) {
        // A closed pipe (`| head`) is no failure.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("the answer cannot be written: {error}");
            super::ENVIRONMENT
        }
        _ => 0,
    }
}

fn look(config: &Path, args: &UsageArgs) -> Result<(Found, Vec<String>), (u8, String)> {
    let loaded = reload::load(config).map_err(|problems| (super::WRONG_INPUT, problems.to_string()))?;
    let by = if args.invoice { invoice::BY.map(|dimension| dimension.to_string()).join(",") } else { args.by.clone() };
    let now = jiff::Timestamp::now().as_microsecond();
    let query = Query::parse(&by, args.since.as_deref(), args.until.as_deref(), &args.filters, now)
        .map_err(|message| (USAGE, message))?;
    let (answer, mut remarks) = answer(config, &loaded, &query)?;
    if answer.partly_unknown {
        remarks.push("users and tags of requests older than `ledger.keep` are no longer kept".into());
    }
    if answer.total.cost_unknown > 0 {
        let count = answer.total.cost_unknown;
        remarks.push(format!("{count} attempts of unknown price are in no sum; set `price` for their models"));
    }
    if !args.invoice {
        return Ok((Found::Usage(Box::new(answer)), remarks));
    }
    let billing = loaded.file.billing.clone().unwrap_or_default();
    Ok((Found::Invoices(invoices(&answer, &billing, &loaded.file.tenants)), remarks))
}

fn answer(config: &Path, loaded: &Loaded, query: &Query) -> Result<(Answer, Vec<String>), (u8, String)> {
    let data_dir = PathBuf::from(&loaded.file.data_dir);
    let nothing = |remark: String| {
        let answer = query.run_without(|_| Ok::<(), AskError>(())).unwrap_or_default();
        Ok((answer, vec![remark]))
    };
    let Some(settings) =
        Settings::new(&loaded.file.ledger, &data_dir).map_err(|message| (super::WRONG_INPUT, message))?
    else {
        return nothing(format!("ledger is off in {}: usage is not recorded", config.display()));
    };
    let broken = |error: &dyn std::fmt::Display| (super::ENVIRONMENT, error.to_string());
    // Opened before the database is, and read after: what is booked in between is found once.
    let tail = pending_tail(&data_dir.join("journal")).map_err(|e| broken(&AskError::from(e)))?;
    let asked = ask(&settings, query, |after, each| tail.read(after, each)).map_err(|e| broken(&e))?;
    if asked.found {
        return Ok((asked.answer, vec![]));
    }
    nothing(match &settings.place {
        Place::Sqlite(path) => format!("no ledger yet in {}: nothing was recorded", path.display()),
        Place::Postgres(_) => "no ledger yet in the Postgres database: nothing was recorded".to_owned(),
    })
}

fn show(found: &Found, shape: Shape, out: &mut dyn io::Write) -> io::Result<()> {
    match (shape, found) {
        (Shape::Table, Found::Usage(answer)) => out.write_all(table::usage(answer).as_bytes()),
        (Shape::Table, Found::Invoices(invoices)) => out.write_all(table::invoices(invoices).as_bytes()),
        (Shape::Csv, Found::Usage(answer)) => out.write_all(answer.csv().as_bytes()),
        (Shape::Csv, Found::Invoices(invoices)) => out.write_all(invoice::csv(invoices).as_bytes()),
        (Shape::Json, Found::Usage(answer)) => json(&answer.json(), out),
        (Shape::Json, Found::Invoices(invoices)) => json(&invoices.iter().map(Invoice::json).collect(), out),
    }
}

fn json(value: &Value, out: &mut dyn io::Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ledger::entry::{Attempt, Entry, Position, Tokens};
    use crate::ledger::store::Store;

    /// A folder with a configuration, and a ledger if `booked`.
    fn home(more: &str, booked: &[Entry<'_>]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("t.yaml");
        let text = format!(
            "data_dir: {}\nupstreams: {{lab: {{placement: edge, kind: vllm, nodes: [http://127.0.0.1:8000]}}}}\n\
             models: {{small: {{upstream: lab}}}}\nroutes: {{auto: {{rules: [{{name: all, try: [small]}}]}}}}\n{more}",
            folder.path().display()
        );
        std::fs::write(&config, text).unwrap();
        if !booked.is_empty() {
            let place = Place::Sqlite(folder.path().join("ledger.db"));
            let settings = Settings { place, keep: Duration::from_secs(86_400), keep_hourly: None };
            let mut store = Store::open(&settings).unwrap();
            let position = |(n, entry): (usize, &Entry<'static>)| {
                (Position { boot: 1, segment: 1, offset: 1 + n as u64 }, entry.clone())
            };
            let booked: Vec<Entry<'static>> =
                booked.iter().map(|entry| Entry { tenant: leak(entry.tenant), ..sample(entry.at) }).collect();
            store.append(booked.iter().enumerate().map(position)).unwrap();
        }
        (folder, config)
    }

    fn leak(text: &str) -> &'static str {
        Box::leak(text.to_owned().into_boxed_str())
    }

    fn sample(at: i64) -> Entry<'static> {
        let attempt = Attempt {
            role: "first",
            model: "small",
            placement: "edge",
            outcome: "ok",
            tokens: Tokens { prompt: 1200, completion: 34, ..Tokens::default() },
            cost: Some(1_234_567),
            ..Attempt::default()
        };
        let mut entry = Entry { tenant: "acme", at, outcome: "ok", total_us: 250_000, ..Entry::default() };
        entry.attempts.push(attempt);
        entry
    }

    fn printed(config: &Path, line: &str) -> Result<(String, Vec<String>), (u8, String)> {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: UsageArgs,
        }
        let args = <Line as clap::Parser>::parse_from(std::iter::once("usage").chain(line.split_whitespace())).args;
        let (found, remarks) = look(config, &args)?;
        let mut out = Vec::new();
        show(&found, args.format, &mut out).unwrap();
        Ok((anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string(), remarks))
    }

    #[test]
    fn a_table_aligns_and_ends_with_the_total() {
        let other = Entry { tenant: "globex", ..sample(5) };
        let (_folder, config) = home("", &[sample(0), sample(1), other]);
        insta::assert_snapshot!(printed(&config, "--by tenant,day").unwrap().0, @"
        tenant  day         requests  attempts  prompt  output  cost USD  mean ms
        acme    1970-01-01         2         2   2,400      68  0.002469    250.0
        globex  1970-01-01         1         1   1,200      34  0.001235    250.0
        total                      3         3   3,600     102  0.003704    250.0
        ");
        let csv = printed(&config, "--by tenant --format csv --where tenant=globex").unwrap().0;
        insta::assert_snapshot!(csv.lines().nth(1).unwrap(), @"globex,1,0,0,1,1200,0,34,0,0,0,0,0.001234567,0,0,0,0,0,0,0,0,0,250,250,0,0,0,0");
        let json = printed(&config, "--by tenant --format json").unwrap().0;
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json[0]["tenant"], &json[0]["requests"]), (&"acme".into(), &2.into()));
        assert_eq!(json[0]["cost_usd"], serde_json::json!(0.002469134));
    }

    #[test]
    fn an_invoice_adds_the_fees() {
        let (_folder, config) = home("billing: {per_request: 0.5, execution_fee: 0.1}", &[sample(0), sample(1)]);
        insta::assert_snapshot!(printed(&config, "--invoice").unwrap().0, @"
        tenant  requests  from cache  price unknown  edge USD  cloud USD  platform USD  execution USD  privacy USD  total USD
        acme           2           0              0  0.002469   0.000000      1.000000       0.000247     0.000000   1.002716
        total          2           0              0  0.002469   0.000000      1.000000       0.000247     0.000000   1.002716
        ");
    }

    #[test]
    fn where_there_is_no_ledger_it_says_so_and_gives_nothing() {
        let (folder, config) = home("", &[]);
        let (json, remarks) = printed(&config, "--format json").unwrap();
        assert_eq!(json, "[]\n");
        let remark = remarks[0].replace(&folder.path().display().to_string(), "DIR");
        insta::assert_snapshot!(remark, @"no ledger yet in DIR/ledger.db: nothing was recorded");
        assert_eq!(printed(&config, "--invoice --format json").unwrap().0, "[]\n");
        assert!(!folder.path().join("ledger.db").exists(), "asking makes none");
    }

    #[test]
    fn what_is_wrong_is_told_by_the_exit_status() {
        let (folder, config) = home("", &[]);
        let status = |line: &str| printed(&config, line).unwrap_err().0;
        assert_eq!(status("--since yesterday"), 2);
        assert_eq!(status("--by team"), 2);
        assert_eq!(status("--where acme"), 2);
        assert_eq!(printed(Path::new("/none.yaml"), "").unwrap_err().0, 1);
        std::fs::write(folder.path().join("ledger.db"), [b'x'; 4096]).unwrap();
        assert_eq!(status(""), 3);
    }
}
