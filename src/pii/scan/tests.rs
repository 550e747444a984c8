//! Any text is scanned without a panic, and what is found lies on character boundaries.

use proptest::prelude::*;

use super::scan;
use crate::pii::span::settle;

/// Beginnings, ends and middles of what is looked for, and letters of several bytes.
const PARTS: &[&str] = &[
    "@",
    ":",
    "::",
    "://",
    ".",
    "1.",
    "12",
    "7f",
    "-",
    "=",
    " ",
    "\n",
    "\\n",
    "\"",
    "'",
    "a",
    "Z",
    "\u{e4}",
    "\u{5bc6}\u{7801}",
    "\u{1f511}",
    "\u{201c}",
    "password",
    "key",
    "token",
    "secret",
    " is ",
    "api_",
    "eyJ",
    "-----BEGIN ",
    "PRIVATE KEY-----",
    "-----END ",
    "PuTTY-User-Key-File-",
    "Private-Lines:",
    "sk-",
    "ghp_",
    "0x",
    "bc1",
    "Bearer ",
    "Basic ",
    "-us1",
    "Q~",
    ":AA",
    "%40",
    "{",
    "}",
    "(",
    ")",
    "<",
    ">",
    "&",
    ",",
    ";",
    "value",
    "$",
    "**",
    "MTA",
    "SK",
    "ff",
    "0",
    "T0aB9xQ2rL7mK4vN",
];

proptest! {
    #[test]
    fn any_text_is_scanned_and_every_find_is_a_part_of_it(parts in prop::collection::vec(prop::sample::select(PARTS), 0..60)) {
        let text = parts.concat();
        let mut found = vec![];
        scan(&text, &mut found);
        settle(&mut found);
        for span in &found {
            prop_assert!(text.get(span.start..span.end).is_some_and(|value| !value.is_empty()));
            prop_assert!(span.score > 0.0 && span.score <= 1.0);
        }
        prop_assert!(found.windows(2).all(|pair| pair[0].end <= pair[1].start));
    }
}
