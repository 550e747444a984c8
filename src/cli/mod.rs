//! The command line: one file per command. Exit status: 0 done, 1 the input or configuration is wrong, 2 usage, 3 the environment failed.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "commands talk to people on their terminal")]

pub mod audit;
pub mod check;
pub mod demo;
pub mod eval;
pub mod explain;
pub mod healthcheck;
pub mod jsonl;
pub mod keys;
pub mod redact;
pub mod schema;
pub mod score;
pub mod serve;
pub mod train;
pub mod usage;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::telemetry::log::{self, Format, Level};

/// The input or the configuration is wrong.
pub const WRONG_INPUT: u8 = 1;
/// The environment failed: a port is taken, a disk is full.
pub const ENVIRONMENT: u8 = 3;

#[derive(Parser)]
#[command(
    name = "tidegate",
    version,
    about = "A hybrid LLM gateway: OpenAI clients in front, an edge pool and cloud providers behind, policy in between",
    after_help = "Examples:\n  tidegate demo                       see it work, with nothing else installed\n  tidegate check -c tidegate.yaml     everything that is wrong with a configuration, at once\n  tidegate serve -c tidegate.yaml     run it; SIGHUP or a changed file reloads, SIGTERM drains\n  echo '{\"model\":\"auto\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}' | tidegate explain -",
    propagate_version = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Args)]
struct LogArgs {
    /// How log lines look.
    #[arg(long, value_enum, default_value_t, global = true)]
    log_format: Format,
    /// What is logged; `warn` turns off the line per request.
    #[arg(long, value_enum, default_value_t, global = true)]
    log_level: Level,
}

#[derive(Debug, Args)]
struct ConfigArgs {
    /// The configuration file.
    #[arg(short, long = "config", value_name = "FILE", default_value = "config/tidegate.yaml")]
    config: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// Run the gateway.
    #[command(
        after_help = "Signals: SIGHUP reloads, SIGTERM and SIGINT drain (a second one ends at once), SIGQUIT hands the listening sockets to `serve --upgrade`.\n\nExamples:\n  tidegate serve -c /etc/tidegate.yaml --log-format json\n  tidegate serve -c /etc/tidegate.yaml --upgrade     # take over from the running process without a refused connection"
    )]
    Serve {
        #[command(flatten)]
        config: ConfigArgs,
        /// Take the listening sockets over from the running process, which then drains.
        #[arg(long)]
        upgrade: bool,
    },
    /// See it work: a simulated edge pool and a simulated provider, a dozen telling prompts.
    #[command(
        after_help = "Examples:\n  tidegate demo                          shows the prompts, then keeps serving for you to try\n  tidegate demo --once                   exits after the table\n  tidegate demo --chaos --once           nodes die and stall, a provider limits, all clouds are cut: who notices?\n  tidegate demo --listen 127.0.0.1:9000"
    )]
    Demo {
        #[arg(
            long,
            value_name = "ADDR",
            help = "Where the gateway listens [default: 127.0.0.1:4141; with --once any free port]"
        )]
        listen: Option<SocketAddr>,
        /// Exit after the table.
        #[arg(long)]
        once: bool,
        /// Break the simulated servers one after the other under a light load, and show what clients notice (about 50 s).
        #[arg(long)]
        chaos: bool,
    },
    /// Validate a configuration: every problem at once, with its place and remedy.
    #[command(after_help = "Example:\n  tidegate check -c tidegate.yaml && systemctl reload tidegate")]
    Check {
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Explain where one request would run, and why, without sending it.
    #[command(
        after_help = "Examples:\n  tidegate explain -c tidegate.yaml request.json\n  tidegate explain --header 'x-tidegate-placement: only-edge' - < request.json\n  tidegate explain --tenant acme request.json\n  tidegate explain --json request.json | jq -r .summary"
    )]
    Explain {
        #[command(flatten)]
        config: ConfigArgs,
        /// The request's body; `-` reads standard input.
        #[arg(value_name = "REQUEST.json", default_value = "-")]
        request: PathBuf,
        #[command(flatten)]
        args: explain::ExplainArgs,
    },
    /// How hard prompts are: JSONL in, the same lines with `difficulty` and `needs_fresh_knowledge` (0 to 1) out, in order.
    #[command(
        after_help = "Each line has a `prompt` (a string) or `messages` (as in a chat request). Nothing leaves this machine.\n\nExamples:\n  echo '{\"prompt\":\"prove that 2 is prime\"}' | tidegate score\n  tidegate score < prompts.jsonl | jq -s 'sort_by(.difficulty) | .[-10:]'\n  tidegate score --model ours.bin < prompts.jsonl > scored.jsonl"
    )]
    Score {
        #[command(flatten)]
        args: score::ScoreArgs,
    },
    /// Find and hide personal data: JSONL with `text` in, the same lines with `spans` and `redacted` out, in order.
    #[command(
        after_help = "Spans have `start`, `end` (Unicode code points, end exclusive), `type` and `score`. Nothing leaves this machine.\n\nExamples:\n  echo '{\"text\":\"write to ann@example.org\"}' | tidegate redact\n  tidegate redact -c tidegate.yaml < tickets.jsonl > clean.jsonl     # with the configuration's types and modes\n  tidegate redact < tickets.jsonl | jq -r .redacted\n  tidegate redact --types                                            # everything that is looked for"
    )]
    Redact {
        #[command(flatten)]
        args: redact::RedactArgs,
    },
    /// Train a model from your own data.
    Train {
        #[command(subcommand)]
        command: TrainCommand,
    },
    /// Measure a layer on a labelled set.
    Eval {
        #[command(subcommand)]
        command: eval::EvalCommand,
    },
    /// What was used and what it cost: the ledger, by tenant, model, day, …; reads it also while a gateway runs.
    #[command(
        after_help = "Examples:\n  tidegate usage --since 24h                              by tenant and model\n  tidegate usage --by day,placement --since 2026-03-01    edge and cloud, day by day\n  tidegate usage --by user --where tenant=acme --where app=chat --format csv\n  tidegate usage --by tenant,cache --since 7d             what was answered from memory, and saved\n  tidegate usage --by outcome,upstream --since 1h --format json | jq '.[] | select(.failed > 0)'\n  tidegate usage --invoice --since 2026-03-01 --until 2026-04-01"
    )]
    Usage {
        #[command(flatten)]
        config: ConfigArgs,
        #[command(flatten)]
        args: usage::UsageArgs,
    },
    /// Make keys for clients.
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// The audit log: check it, show where one request ran, export records; reads it also while a gateway runs.
    Audit {
        #[command(subcommand)]
        command: audit::AuditCommand,
    },
    /// Print the JSON schema of the configuration.
    Schema,
    /// Ask a running gateway whether it lives (for containers).
    #[command(hide = true)]
    Healthcheck {
        #[command(flatten)]
        config: ConfigArgs,
    },
}

#[derive(Subcommand)]
enum TrainCommand {
    /// The difficulty model, from prompts of which it is known how the edge and the cloud model did.
    #[command(
        after_help = "Nothing leaves this machine. A running gateway picks a new file up by itself where its configuration names it.\n\nExamples:\n  tidegate train routing labelled.jsonl -o ours.bin\n  tidegate train routing labelled.jsonl -o ours.bin --calibration ours.json\n  tidegate eval models set.jsonl --rows labelled.jsonl    # makes labelled rows out of an eval set"
    )]
    Routing {
        #[command(flatten)]
        args: train::TrainArgs,
    },
}

#[derive(Subcommand)]
enum KeysCommand {
    /// Print a new key once, and the hash to put into the configuration.
    #[command(
        after_help = "Example:\n  tidegate keys new --tenant acme     # first line: the key; second line: its hash"
    )]
    New {
        /// Whose key it is.
        #[arg(long, value_name = "NAME")]
        tenant: String,
    },
}

/// Parses the arguments and runs the command; gives the exit status.
pub fn run() -> u8 {
    let Cli { command, log } = Cli::parse();
    // The demo kills nodes on purpose; warnings about it would tear its table apart.
    let quiet = matches!(command, Command::Demo { .. }) && log.log_level == Level::default();
    log::start(log.log_format, if quiet { Level::Error } else { log.log_level });
    match command {
        Command::Serve { config, upgrade } => serve::run(&config.config, upgrade, log.log_format, log.log_level),
        Command::Demo { listen, once, chaos } => demo::run(listen, once, chaos),
        Command::Check { config } => check::run(&config.config, crate::state::reload::judges()),
        Command::Explain { config, request, args } => explain::run(&config.config, &request, &args),
        Command::Score { args } => score::run(&args),
        Command::Redact { args } => redact::run(&args),
        Command::Train { command: TrainCommand::Routing { args } } => train::run(&args),
        Command::Eval { command } => eval::run(&command),
        Command::Usage { config, args } => usage::run(&config.config, &args),
        Command::Keys { command: KeysCommand::New { tenant } } => keys::new(&tenant),
        Command::Audit { command } => audit::run(&command),
        Command::Schema => schema::run(),
        Command::Healthcheck { config } => healthcheck::run(&config.config),
    }
}
