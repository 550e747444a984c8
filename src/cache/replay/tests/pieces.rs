//! No cut falls where a reader or a parser would see it.

use proptest::prelude::*;

use super::text;
use crate::cache::replay::pieces::cut;

fn list(escaped: &str) -> Vec<&str> {
    cut(escaped).collect()
}

fn escaped(text: &str, ascii: bool) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    let inside = &quoted[1..quoted.len() - 1];
    if !ascii {
        return inside.to_owned();
    }
    let unit = |unit: u16| if unit < 0x80 { char::from(unit as u8).to_string() } else { format!("\\u{unit:04x}") };
    inside.encode_utf16().map(unit).collect()
}

proptest! {
    #[test]
    fn pieces_are_strings_of_their_own_and_joined_the_text(text in text(), ascii in any::<bool>()) {
        let escaped = escaped(&text, ascii);
        let pieces = list(&escaped);
        prop_assert_eq!(pieces.concat(), escaped.as_str());
        let mut whole = String::new();
        for piece in pieces {
            prop_assert!(!piece.is_empty() && piece.len() <= 200);
            let piece: String = serde_json::from_str(&format!("\"{piece}\"")).unwrap();
            whole.push_str(&piece);
        }
        prop_assert_eq!(whole, text);
    }
}

#[test]
fn a_piece_is_a_word_or_two() {
    assert_eq!(list("The quick brown fox  jumps"), ["The quick", " brown", " fox  jumps"]);
    assert_eq!(list("a\\nline\\tand\\u0020more"), ["a\\nline", "\\tand\\u0020more"]);
    assert_eq!(list("0123456789012345678901234"), ["01234567890123456789", "01234"]);
    assert!(list("").is_empty());
}

#[test]
fn what_is_one_for_a_reader_stays_one() {
    let family = "👩‍👩‍👧‍👦";
    assert_eq!(list(&family.repeat(2)), [family, family]);
    assert_eq!(list("0123456789012345678e\u{301}x"), ["0123456789012345678e\u{301}", "x"]);
    let pair = "\\ud83d\\ude00";
    assert_eq!(list(&pair.repeat(3)), [pair.repeat(2), pair.to_owned()]);
    assert!(list(&"\u{301}".repeat(1000)).len() > 10, "but not without end");
}

#[test]
fn a_long_text_comes_in_longer_pieces() {
    let count = |words: usize| list("tide ".repeat(words).trim_end()).len();
    assert_eq!(count(1000), 500);
    assert!((2000..=4096).contains(&count(200_000)));
}
