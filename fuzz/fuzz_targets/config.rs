//! Any text as a configuration: no panic, and every problem has a place.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use tidegate::config::load::{Judges, parse};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // A folder that does not exist: a fuzzer must not read files by `file:`. Rules are CEL's own business, fuzzed by its library.
    let judges = Judges { conditions: &|_| Ok(()), models: &|_| Ok(()), calibrations: &|_| Ok(()), entities: &[] };
    let parsed = parse(text, Path::new("/nonexistent/"), &|name| (name == "SET").then(|| "value".to_owned()), judges);
    if let Err(problems) = parsed {
        assert!(!problems.list.is_empty());
        assert!(problems.list.iter().all(|problem| problem.line >= 1 && problem.col >= 1));
    }
});
