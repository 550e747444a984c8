//! `tidegate check`: everything that is wrong with a configuration, and what is off in it.
//!
//! What a reader could get wrong: problems and warnings go to stderr, the result to stdout, so that a script may silence either.

use std::io::{self, Write};
use std::path::Path;

use crate::config::{self, Judges, Loaded, Problems};

/// Checks the configuration at `path`. The exit status: 0, or 1 for a problem.
pub fn run(path: &Path, judges: Judges<'_>) -> u8 {
    let result = config::load(path, judges);
    // A closed pipe (`| head`) is no reason to say anything else than the result.
    let _ = report(path, &result, &mut anstream::stdout(), &mut anstream::stderr());
    u8::from(result.is_err())
}

fn report(path: &Path, result: &Result<Loaded, Problems>, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<()> {
    let loaded = match result {
        Ok(loaded) => loaded,
        Err(problems) => {
            writeln!(err, "{}", problems.styled())?;
            let count = problems.list.len();
            return writeln!(err, "{}: {count} {}", path.display(), if count == 1 { "problem" } else { "problems" });
        }
    };
    let name = path.display().to_string();
    for warning in &loaded.warnings {
        writeln!(err, "{}", warning.styled(&name))?;
    }
    let file = &loaded.file;
    let rules = file.routes.values().map(|route| route.rules.len()).sum();
    let counts = [
        counted(file.upstreams.len(), "upstream"),
        counted(file.models.len(), "model"),
        counted(file.routes.len(), "route"),
        counted(rules, "rule"),
    ];
    writeln!(out, "{name}: ok: {}", counts.join(", "))?;
    loaded.notes.iter().try_for_each(|note| writeln!(out, "  {note}"))
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> (String, String) {
        let result = config::parse(text, Path::new("."), &|_| None, Judges::of_rules(&|_| Ok(())));
        let (mut out, mut err) = (Vec::new(), Vec::new());
        report(Path::new("t.yaml"), &result, &mut out, &mut err).unwrap();
        let plain = |bytes: Vec<u8>| anstream::adapter::strip_str(&String::from_utf8(bytes).unwrap()).to_string();
        (plain(out), plain(err))
    }

    #[test]
    fn says_what_is_there_and_what_is_off() {
        let (out, err) = printed(
            "upstreams: {lab: {placement: edge, kind: vllm, nodes: [http://127.0.0.1:8000]}}\n\
             models: {small: {upstream: lab, retires_on: 2020-01-01}}\n\
             routes: {auto: {rules: [{name: all, try: [small]}]}}",
        );
        insta::assert_snapshot!(out, @"
        t.yaml: ok: 1 upstream, 1 model, 1 route, 1 rule
          tenants is off: nobody is asked for a key; only loopback listeners
          pii is off: nothing is redacted
          cache is off: no answer is kept
          deferred is off: nothing is done later; `background` and batches are the upstream's
          audit is off: no record of where requests ran is kept
          telemetry.otlp is off: no traces are sent
          tls is off: the listener speaks plain HTTP
          passthrough: every `/v1` path that is not routed by model goes to `lab`
          models.small: the cost is unknown; write `price: {per_node_hour: …, watts: …, usd_per_kwh: …}`, or `{input: …, output: …}` in US dollars per million tokens
        ");
        insta::assert_snapshot!(err, @r"
        t.yaml:2:45: warning: model `small` retired on 2020-01-01: requests are no longer sent to it
            hint: replace it
        ");
    }

    #[test]
    fn counts_the_problems() {
        let (out, err) = printed("upstream: {}\nlisten: localhost:4141");
        assert_eq!(out, "");
        insta::assert_snapshot!(err, @r"
        configuration:1:1: no `upstreams`: nothing could answer
            hint: add an edge pool or a provider
        configuration:1:1: unknown key `upstream`
            hint: did you mean `upstreams`?
        configuration:2:9: `localhost:4141` is no address to listen on
            hint: write 127.0.0.1:4141
        t.yaml: 3 problems
        ");
    }

    #[test]
    fn a_file_that_is_not_there_is_exit_status_1() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(run(&folder.path().join("none.yaml"), Judges::of_rules(&|_| Ok(()))), 1);
    }
}
