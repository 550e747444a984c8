//! Guards the house rules that a compiler does not know: imports go downwards only, files and functions stay short, every file says
//! what it is for, and a few crates are used in one place only.
//!
//! What a reader could get wrong: this reads source text, with comments, strings and `#[cfg(test)]` items blanked out first; test
//! code is free of all rules but the file's length and its opening words.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "tests fail by panicking"
)]

use std::fs;
use std::path::Path;

/// Top to bottom: a module may use what stands in a later row, never what stands in its own (but for `SIDEWAYS`) or an earlier one.
const LAYERS: &[&[&str]] = &[
    &["main"],
    &["cli"],
    &["lab"],
    &["app"],
    &["server"],
    &["gateway"],
    &["state"],
    &["learn"],
    &["tenant", "policy", "signals", "pii", "cache", "confidence", "deferred", "ledger", "audit"],
    &["upstream"],
    &["provider"],
    &["config"],
    &["telemetry"],
    &["openai"],
    &["task"],
    &["seal"],
    &["error"],
];

/// Within a row, one way, because a request's path needs it.
const SIDEWAYS: &[(&str, &str, &str)] = &[
    ("policy", "signals", "rules and constraints read signals"),
    ("audit", "ledger", "the chain is made from the journal's entries"),
    ("tenant", "ledger", "money is counted in the ledger's unit"),
    ("policy", "tenant", "a route's day and month begin as a budget's do"),
];

/// Words that may stand in one folder only.
const ONLY_IN: &[(&str, &str, &str)] = &[
    ("ArcSwap", "state", "one snapshot, swapped in one place"),
    ("arc_swap", "state", "one snapshot, swapped in one place"),
    ("tower", "server", "one stack, boxed once, that knows nothing of LLMs"),
    ("tower_http", "server", "one stack, boxed once, that knows nothing of LLMs"),
    ("hyper::server", "server", "sockets are accepted in one place"),
    ("hyper_util::server", "server", "sockets are accepted in one place"),
];

const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 80;

/// `file` or `file::function` that may be longer, and why.
const LONGER: &[(&str, &str)] = &[];

#[test]
fn the_house_rules_hold() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![];
    for folder in ["src", "tests"] {
        collect(root, &root.join(folder), &mut files);
    }
    files.sort();
    assert!(files.len() > 20, "the sources are not where they were: {files:?}");
    let test_modules: Vec<String> = files.iter().flat_map(|(path, text)| test_modules(path, &blank(text))).collect();
    let is_test = |path: &str| {
        path.starts_with("tests/")
            || path.ends_with("/tests.rs")
            || test_modules.iter().any(|module| path.starts_with(module))
    };
    let mut broken: Vec<String> = files.iter().flat_map(|(path, text)| check(path, text, is_test(path))).collect();
    let unneeded = LONGER.iter().filter(|(what, _)| !broken.iter().any(|line| line.starts_with(&format!("{what}: "))));
    let unneeded: Vec<String> = unneeded.map(|(what, _)| format!("{what} needs no place in LONGER any more")).collect();
    broken.retain(|line| !LONGER.iter().any(|(what, _)| line.starts_with(&format!("{what}: "))));
    broken.extend(unneeded);
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/");
            files.push((name, fs::read_to_string(&path).expect("a source file")));
        }
    }
}

/// Every rule that a file breaks, one line each, beginning with `path: ` or `path::function: `.
fn check(path: &str, text: &str, is_test: bool) -> Vec<String> {
    let mut broken = vec![];
    if !text.starts_with("//! ") {
        broken.push(format!("{path}: does not open with `//!` and what it is for"));
    }
    let lines = text.lines().count();
    if lines > FILE_LINES {
        broken.push(format!("{path}: {lines} lines, more than {FILE_LINES}: split it by stage or concept"));
    }
    if is_test {
        return broken;
    }
    let code = without_tests(&blank(text));
    let segments = module_of(path);
    let Some(module) = segments.first().copied().filter(|module| *module != "lib") else { return broken };
    match rank(module) {
        None => broken.push(format!("{path}: module `{module}` has no place in LAYERS")),
        Some(own) => {
            for used in uses(&code, segments.len()).iter().filter(|used| *used != module) {
                let sideways = SIDEWAYS.iter().any(|(from, to, _)| (*from, *to) == (module, used.as_str()));
                if rank(used).is_some_and(|other| other <= own) && !sideways {
                    broken.push(format!("{path}: `{module}` uses `{used}`, which is not below it"));
                }
            }
        }
    }
    for (word, home, why) in ONLY_IN.iter().filter(|(_, home, _)| *home != module) {
        if words(&code, word).next().is_some() {
            broken.push(format!("{path}: `{word}` belongs into {home}/: {why}"));
        }
    }
    for (name, lines) in functions(&code).into_iter().filter(|(_, lines)| *lines > FUNCTION_LINES) {
        broken.push(format!("{path}::{name}: {lines} lines, more than {FUNCTION_LINES}: split it by stage or concept"));
    }
    broken
}

fn rank(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

/// `src/policy/condition.rs` is `policy`, `condition`.
fn module_of(path: &str) -> Vec<&str> {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').collect()
}

/// Paths of files that are modules under `#[cfg(test)]`, without their ending.
fn test_modules(path: &str, code: &str) -> Vec<String> {
    let folder = path.trim_end_matches(".rs").trim_end_matches("/mod").to_owned();
    code.split("#[cfg(test)]")
        .skip(1)
        .filter_map(|rest| {
            let item = rest.split([';', '{']).next()?;
            let name = item.split("mod ").nth(1)?.trim();
            Some(format!("{folder}/{name}"))
        })
        .collect()
}

/// The crate's modules that the code names: `crate::x`, `tidegate::x`, groups in braces, and `super`s that reach the crate's root.
fn uses(code: &str, depth: usize) -> Vec<String> {
    let mut found = vec![];
    let climb = "super::".repeat(depth);
    for root in ["crate::", "tidegate::", climb.as_str()] {
        for at in words(code, root) {
            let rest = &code[at + root.len()..];
            match rest.strip_prefix('{') {
                Some(group) => group_members(group, &mut found),
                None => found.push(identifier(rest)),
            }
        }
    }
    found.retain(|name| !name.is_empty() && name != "super");
    found
}

/// The first names of a group's members: `{a::b, c::{d, e}}` has `a` and `c`.
fn group_members(group: &str, found: &mut Vec<String>) {
    let mut level = 0;
    for part in group.split_inclusive(['{', '}', ',']) {
        if level == 0 {
            found.push(identifier(part.trim_start()));
        }
        level += i32::from(part.ends_with('{')) - i32::from(part.ends_with('}'));
        if level < 0 {
            return;
        }
    }
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Where `word` stands and is not the end or the beginning of a longer one.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = code[..*at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        let open_end = word.ends_with(':') || !after.is_some_and(part);
        let is_path_end = word.ends_with("::") && before == Some(':');
        !before.is_some_and(part) && !is_path_end && open_end
    })
}

/// Each function with the number of lines from its `fn` to its closing brace.
fn functions(code: &str) -> Vec<(String, usize)> {
    let mut found = vec![];
    for at in words(code, "fn") {
        let rest = &code[at..];
        let name = identifier(rest[2..].trim_start());
        let Some(open) = rest.find(['{', ';']).filter(|open| rest[*open..].starts_with('{')) else { continue };
        if !name.is_empty() {
            found.push((name, rest[..=block_end(rest, open)].lines().count()));
        }
    }
    found
}

/// The position of the brace that closes the one at `open`.
fn block_end(code: &str, open: usize) -> usize {
    let mut level = 0;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        level += i32::from(byte == b'{') - i32::from(byte == b'}');
        if level == 0 {
            return at;
        }
    }
    code.len() - 1
}

/// Blanks every item behind `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let mut code = code.to_owned();
    while let Some(at) = code.find("#[cfg(test)]") {
        let end = code[at..].find(['{', ';']).map_or(code.len() - 1, |found| at + found);
        let end = if code[end..].starts_with('{') { block_end(&code, end) } else { end };
        let blanked: String = code[at..=end].chars().map(|c| if c == '\n' { c } else { ' ' }).collect();
        code.replace_range(at..=end, &blanked);
    }
    code
}

/// Blanks comments, strings and character literals, line by line as long as before.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = blank_from(&chars, at, out.chars().next_back()).unwrap_or(at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Where the comment or literal ends that begins at `at`, if one does.
fn blank_from(chars: &[char], at: usize, before: Option<char>) -> Option<usize> {
    let rest = &chars[at..];
    let find = |from: usize, what: &[char]| {
        let found = (from..chars.len()).find(|i| chars[*i..].starts_with(what));
        found.map_or(chars.len(), |i| i + what.len())
    };
    let quoted = |quote: char| {
        let mut i = at + 1;
        while i < chars.len() && chars[i] != quote {
            i += if chars[i] == '\\' { 2 } else { 1 };
        }
        (i + 1).min(chars.len())
    };
    match rest {
        ['/', '/', ..] => Some(find(at, &['\n']) - usize::from(chars[at..].contains(&'\n'))),
        ['/', '*', ..] => Some(find(at + 2, &['*', '/'])),
        ['"', ..] => Some(quoted('"')),
        ['\'', '\\', ..] => Some(quoted('\'')),
        ['\'', _, '\'', ..] => Some(at + 3),
        ['r', '"' | '#', ..] if !before.is_some_and(|c| c.is_alphanumeric() && c != 'b') => {
            let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
            let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
            (rest.get(1 + hashes) == Some(&'"')).then(|| find(at + 2 + hashes, &close))
        }
        _ => None,
    }
}

/// Made-up files that must be complained about (or must not).
#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, code: &str) -> Vec<String> {
        check(path, &format!("//! What it is for.\n{code}"), false)
    }

    #[test]
    fn upward_and_sideways_imports_are_found() {
        for (path, code) in [
            ("src/policy/decide.rs", "use crate::gateway::handle;"),
            ("src/policy/decide.rs", "use crate::{error::Error, upstream::Pool as P, gateway};"),
            ("src/policy/decide.rs", "fn f() { let x = crate::state::load(); }"),
            ("src/policy/decide.rs", "use super::super::state::Snapshot;"),
            ("src/policy/mod.rs", "use super::server;"),
            ("src/signals/mod.rs", "use crate::policy::Route;"),
            ("src/pii/mod.rs", "use crate::cache;"),
            ("src/error.rs", "use crate::task;"),
            ("src/app.rs", "pub use tidegate::cli::run;"),
        ] {
            assert_eq!(complaints(path, code).len(), 1, "{path}: {code}");
        }
        assert_eq!(complaints("src/novel/mod.rs", "").len(), 1, "a module without a place");
    }

    #[test]
    fn downward_imports_and_what_only_looks_like_one_are_not() {
        for (path, code) in [
            (
                "src/gateway/handle.rs",
                "use crate::{error::{Error, Kind}, policy::{self, decide}};\nuse super::context;",
            ),
            ("src/policy/decide.rs", "use crate::signals::Signals;\nuse super::Route;\nuse crate::policy::Rule;"),
            ("src/policy/decide.rs", "// use crate::gateway;\n/* crate::server */ const A: &str = \"crate::app\";"),
            ("src/policy/decide.rs", "const B: &str = r#\"crate::app \"{\"#; const C: char = '\"'; // crate::cli"),
            ("src/policy/decide.rs", "#[cfg(test)]\nmod tests {\n use crate::gateway::handle;\n}\nuse crate::error;"),
            ("src/lib.rs", "pub mod gateway; pub use crate::cli;"),
            ("src/upstream/send.rs", "use other_crate::gateway; fn f<'a>(x: &'a str) -> &'a str { x }"),
        ] {
            assert_eq!(complaints(path, code), Vec::<String>::new(), "{code}");
        }
    }

    #[test]
    fn crates_are_kept_to_their_folder() {
        for (path, code) in [
            ("src/gateway/handle.rs", "use arc_swap::ArcSwap;"),
            ("src/upstream/pool.rs", "use tower::Service;"),
            ("src/app.rs", "use hyper::server::conn::http1;"),
        ] {
            assert!(!complaints(path, code).is_empty(), "{path}: {code}");
        }
        assert!(complaints("src/server/stack.rs", "use tower::Service; use hyper::server::conn;").is_empty());
        assert!(complaints("src/state/reload.rs", "use arc_swap::ArcSwap;").is_empty());
    }

    #[test]
    fn length_and_opening_words_are_measured() {
        let long = format!("fn f() {{\n{}}}\n", "    g();\n".repeat(79));
        assert_eq!(
            complaints("src/app.rs", &long),
            ["src/app.rs::f: 81 lines, more than 80: split it by stage or concept"]
        );
        assert!(complaints("src/app.rs", &long.replacen("    g();\n", "", 1)).is_empty());
        assert!(complaints("src/app.rs", &"\n".repeat(399)).is_empty());
        assert_eq!(complaints("src/app.rs", &"\n".repeat(400)).len(), 1);
        assert_eq!(check("src/app.rs", "use std::fmt;", false).len(), 1);
        assert_eq!(check("tests/it/x.rs", "use crate::server;", true).len(), 1, "tests say what they are for as well");
    }

    #[test]
    fn modules_for_tests_are_told_by_their_attribute() {
        let found = test_modules(
            "src/policy/mod.rs",
            "#[cfg(test)]\nmod fixtures;\npub mod decide;\n#[cfg(test)]\npub(crate) mod x;",
        );
        assert_eq!(found, ["src/policy/fixtures", "src/policy/x"]);
    }
}
