//! Any text with a value in it, echoed in any pieces: what comes out is what was said, and little is held back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate::pii::label;
use tidegate::pii::mapping::Labels;
use tidegate::pii::restore::text::{Held, Kind, Restorer};

/// The longest label with all its decoration, and then some.
const HELD: usize = 64;

fuzz_target!(|data: &[u8]| {
    let Some((size, data)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(data) else { return };
    let text = text.replace('\u{7f}', "Alice Smith");
    let key = blake3::Hasher::new_keyed(&[1; 32]);
    let mut labels = Labels::new(&key, 5, vec!["PERSON".into(), "EMAIL_ADDRESS".into()]);
    labels.avoid(&text);
    let number = labels.number("PERSON", "Alice Smith");
    let echo = text.replace("Alice Smith", &label::write("PERSON", number, false));
    let restorer = Restorer::new(labels.finish(), false);
    let size = usize::from(*size % 16) + 1;
    let signs: Vec<char> = echo.chars().collect();
    let (mut held, mut said) = (Held::default(), String::new());
    for piece in signs.chunks(size) {
        let piece: String = piece.iter().collect();
        said += restorer.push(&mut held, &piece, Kind::Plain, false).as_deref().unwrap_or(&piece);
        assert!(held.text.len() <= HELD, "held {} bytes", held.text.len());
    }
    said += restorer.push(&mut held, "", Kind::Plain, true).as_deref().unwrap_or("");
    assert_eq!(said, text);
});
