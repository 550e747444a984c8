//! `tidegate explain`: a decision on the operator's terminal.
//!
//! What a reader could get wrong: [`render`] always writes colours; [`show`] prints through anstream, which takes them out where
//! the output is no terminal or `NO_COLOR` is set.

use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use anstyle::{AnsiColor, Style};

use crate::gateway::explain::{self as gateway, Asked};
use crate::openai::Endpoint;
use crate::policy::Explanation;
use crate::policy::explain::{ExplainedRule, ExplainedTarget};
use crate::state::reload;

const HEAD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const WARN: Style = AnsiColor::Yellow.on_default();
const FAINT: Style = Style::new().dimmed();

/// The endpoint that a request is for.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub enum EndpointArg {
    #[default]
    Chat,
    Completions,
    Embeddings,
    Responses,
}

impl From<EndpointArg> for Endpoint {
    fn from(arg: EndpointArg) -> Endpoint {
        match arg {
            EndpointArg::Chat => Endpoint::Chat,
            EndpointArg::Completions => Endpoint::Completions,
            EndpointArg::Embeddings => Endpoint::Embeddings,
            EndpointArg::Responses => Endpoint::Responses,
        }
    }
}

/// How the request is asked.
#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    /// The endpoint that the request is for.
    #[arg(long, value_enum, default_value_t)]
    endpoint: EndpointArg,
    /// A header of the request (repeatable), for hints.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// In the name of this tenant: his privacy, regions, budget, wishes. No key is needed.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Of this app of the tenant.
    #[arg(long, value_name = "NAME", requires = "tenant")]
    app: Option<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Explains one request; gives the exit status.
pub fn run(config: &Path, request: &Path, args: &ExplainArgs) -> u8 {
    match explanation(config, request, args) {
        Ok(explanation) => show(&explanation, args.json).map_or(super::ENVIRONMENT, |()| 0),
        Err(problem) => {
            eprintln!("{}", problem.trim_end());
            super::WRONG_INPUT
        }
    }
}

fn explanation(config: &Path, request: &Path, args: &ExplainArgs) -> Result<Explanation, String> {
    let loaded = reload::load(config).map_err(|problems| problems.to_string())?;
    let mut body = Vec::new();
    let read = if request == Path::new("-") {
        io::stdin().lock().read_to_end(&mut body).map(drop)
    } else {
        std::fs::read(request).map(|bytes| body = bytes)
    };
    read.map_err(|e| format!("{}: {e}", request.display()))?;
    let asked = Asked {
        endpoint: args.endpoint.into(),
        headers: parse(&args.headers)?,
        body: body.into(),
        tenant: args.tenant.clone().unwrap_or_default(),
        app: args.app.clone().unwrap_or_default(),
    };
    let snapshot = crate::app::snapshot(&loaded)?;
    gateway::explain(&snapshot, &asked).map_err(|e| format!("{}: {e}", request.display()))
}

fn parse(headers: &[String]) -> Result<http::HeaderMap, String> {
    let mut map = http::HeaderMap::new();
    for header in headers {
        let wrong = || format!("--header `{header}`: write it as NAME: VALUE");
        let (name, value) = header.split_once(':').ok_or_else(wrong)?;
        let name: http::HeaderName = name.trim().parse().map_err(|_| wrong())?;
        map.append(name, value.trim().parse().map_err(|_| wrong())?);
    }
    Ok(map)
}

/// Prints an explanation: for people, or as one JSON object.
pub fn show(explanation: &Explanation, json: bool) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, explanation)?;
        return writeln!(out);
    }
    out.write_all(render(explanation).as_bytes())
}

/// An explanation for people, with ANSI colours. The outcome comes first: it is what is looked for.
pub fn render(explanation: &Explanation) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = outcome(&mut out, explanation)
        .and_then(|()| rules(&mut out, &explanation.rules))
        .and_then(|()| targets(&mut out, explanation))
        .and_then(|()| scores(&mut out, explanation))
        .and_then(|()| signals(&mut out, explanation));
    out
}

fn outcome(out: &mut String, explanation: &Explanation) -> std::fmt::Result {
    head(out, "decision")?;
    writeln!(out, "  {}\n", explanation.summary)?;
    writeln!(out, "  route  {}", explanation.route)?;
    match &explanation.rule {
        Some(rule) => writeln!(out, "  rule   {rule}")?,
        None => writeln!(out, "  rule   {BAD}none matched{BAD:#}")?,
    }
    match &explanation.error {
        None => writeln!(out, "  plan   {GOOD}{}{GOOD:#}", explanation.plan.join(", then "))?,
        Some(_) => writeln!(out, "  plan   {BAD}refused with 503 no_eligible_target{BAD:#}")?,
    }
    explanation.notes.iter().try_for_each(|note| writeln!(out, "  note   {note}"))
}

fn rules(out: &mut String, rules: &[ExplainedRule]) -> std::fmt::Result {
    head(out, "\nrules, first match wins")?;
    let width = widest(rules.iter().map(|rule| rule.name.as_str()));
    for rule in rules {
        let (style, mark, word) = match rule.verdict {
            "matched" => (GOOD, "✓", "true"),
            "failed" => (WARN, "!", "failed"),
            "not-reached" => (FAINT, "-", "not reached"),
            _ => (FAINT, "✗", "false"),
        };
        let name = pad(&rule.name, width);
        write!(out, "  {style}{mark} {name}  {word:<11}{style:#}  ")?;
        // A condition over several lines stays aligned below its first.
        let indent = " ".repeat(width + 19);
        let when = rule.when.as_deref().unwrap_or("(always)");
        for (line_no, line) in when.trim().lines().enumerate() {
            let indent = if line_no == 0 { "" } else { &indent };
            writeln!(out, "{indent}{}", line.trim())?;
        }
        if let Some(failure) = &rule.failure {
            writeln!(out, "{indent}{WARN}{failure}{WARN:#}")?;
        }
    }
    Ok(())
}

fn targets(out: &mut String, explanation: &Explanation) -> std::fmt::Result {
    let Some(rule) = &explanation.rule else { return Ok(()) };
    head(out, &format!("\ntargets of {rule}, in the order they are tried"))?;
    let width = widest(explanation.targets.iter().map(|target| target.model.as_str()));
    for ExplainedTarget { model, placement, kept, constraint, reason, .. } in &explanation.targets {
        let (style, mark) = if *kept { (GOOD, "✓") } else { (BAD, "✗") };
        write!(out, "  {style}{mark} {}  {placement:<5}  ", pad(model, width))?;
        match (constraint, reason) {
            (Some(constraint), Some(reason)) => writeln!(out, "dropped{style:#}  {constraint}: {reason}")?,
            _ => writeln!(out, "kept{style:#}")?,
        }
    }
    Ok(())
}

/// What moved difficulty and the need for fresh knowledge, and where the threshold came from.
fn scores(out: &mut String, explanation: &Explanation) -> std::fmt::Result {
    let threshold = &explanation.threshold;
    if !threshold.source.is_empty() {
        head(out, "\nthreshold")?;
        writeln!(out, "  {:.4}  {}", threshold.value, threshold.source)?;
    }
    let scores =
        [("difficulty", &explanation.difficulty), ("the need for fresh knowledge", &explanation.needs_fresh_knowledge)];
    for (name, score) in scores {
        let Some(score) = score else { continue };
        head(out, &format!("\nwhat moved {name} most (model {})", score.model))?;
        if score.moved.is_empty() {
            writeln!(out, "  {FAINT}nothing: it is as an average prompt is{FAINT:#}")?;
        }
        for moved in &score.moved {
            let (style, mark) = if moved.by > 0.0 { (WARN, "+") } else { (GOOD, "-") };
            let quoted = if moved.is_text { format!("{:?}", moved.what) } else { moved.what.clone() };
            writeln!(out, "  {style}{mark}{:.2}{style:#}  {quoted}", moved.by.abs())?;
        }
    }
    Ok(())
}

fn signals(out: &mut String, explanation: &Explanation) -> std::fmt::Result {
    head(out, "\nsignals, those that no rule reads faint")?;
    let width = widest(explanation.signals.iter().map(|signal| signal.name));
    for signal in &explanation.signals {
        let style = if signal.read { Style::new() } else { FAINT };
        let value = signal.value.to_string();
        let us = signal.us.map(|us| format!("  {us} µs")).unwrap_or_default();
        writeln!(out, "  {style}{}  {value}{style:#}{FAINT}{us}{FAINT:#}", pad(signal.name, width))?;
    }
    for (name, asked) in [("privacy asked", explanation.privacy), ("cache asked", explanation.cache)] {
        if let Some(asked) = asked {
            writeln!(out, "  {}  {asked}", pad(name, width))?;
        }
    }
    writeln!(out, "  {FAINT}{}  {}{FAINT:#}", pad("today", width), explanation.today)
}

fn head(out: &mut String, title: &str) -> std::fmt::Result {
    // The empty line before a title belongs to no style.
    let (before, title) = title.strip_prefix('\n').map_or(("", title), |title| ("\n", title));
    writeln!(out, "{before}{HEAD}{title}{HEAD:#}")
}

/// Characters of the widest name.
fn widest<'n>(names: impl Iterator<Item = &'n str>) -> usize {
    names.map(|name| name.chars().count()).max().unwrap_or(0)
}

fn pad(name: &str, width: usize) -> String {
    format!("{name:<width$}")
}

#[cfg(test)]
mod tests;
