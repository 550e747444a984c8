//! One text, in pieces as they come: labels replaced, no more held back than the longest label that may still be open.
//!
//! What a reader could get wrong: values are not read again once they are put in, so a value that looks like a label stays what it is.

use crate::pii::label::{self, Reading};
use crate::pii::mapping::Mapping;

/// What the text is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Plain,
    /// It is JSON itself (arguments of a tool): values are escaped once more.
    Json,
}

/// Where a text stands between two pieces.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// Not handed out yet: it may become a label.
    pub text: String,
    /// The last byte that was handed out.
    before: Option<u8>,
}

/// Puts the values of one request back.
#[derive(Debug)]
pub struct Restorer {
    mapping: Mapping,
    names: Vec<String>,
    begins: Box<[bool; 256]>,
    /// The answer itself is JSON, as was asked for.
    json_answer: bool,
}

impl Restorer {
    /// `json_answer`: the client has asked for JSON, so every text of the answer is.
    pub fn new(mapping: Mapping, json_answer: bool) -> Restorer {
        let names: Vec<String> = mapping.names().into_iter().map(str::to_owned).collect();
        let mut begins = Box::new([false; 256]);
        for (byte, begins) in (0..=u8::MAX).zip(begins.iter_mut()) {
            *begins = label::may_begin(byte, &mapping.names());
        }
        Restorer { mapping, names, begins, json_answer }
    }

    /// What a text of the answer is made of.
    pub fn kind(&self, is_arguments: bool) -> Kind {
        if is_arguments || self.json_answer { Kind::Json } else { Kind::Plain }
    }

    /// Takes in the next piece, and gives what can be handed out. `None`: the piece itself, unchanged. `ended`: it is the last one.
    pub fn push(&self, held: &mut Held, piece: &str, kind: Kind, ended: bool) -> Option<String> {
        let joined;
        let text = match held.text.is_empty() {
            true => piece,
            false => {
                joined = std::mem::take(&mut held.text) + piece;
                &joined
            }
        };
        let names: smallvec::SmallVec<[&str; 8]> = self.names.iter().map(String::as_str).collect();
        let bytes = text.as_bytes();
        let mut out: Option<String> = None;
        let (mut at, mut copied) = (0, 0);
        while let Some(&byte) = bytes.get(at) {
            if !self.begins[usize::from(byte)] {
                at += 1;
                continue;
            }
            let before = at.checked_sub(1).and_then(|at| bytes.get(at)).copied().or(held.before);
            match label::read(bytes, at, before, &names, ended) {
                Reading::No => at += 1,
                Reading::Open => {
                    let out = out.get_or_insert_default();
                    out.push_str(text.get(copied..at).unwrap_or_default());
                    held.before = at.checked_sub(1).and_then(|at| bytes.get(at)).copied().or(held.before);
                    text.get(at..).unwrap_or_default().clone_into(&mut held.text);
                    return Some(std::mem::take(out));
                }
                Reading::Label(found) => {
                    let Some(value) = self.mapping.value(&found) else {
                        at += 1;
                        continue;
                    };
                    let out = out.get_or_insert_default();
                    out.push_str(text.get(copied..at).unwrap_or_default());
                    put(out, value, kind);
                    if found.possessive {
                        out.push_str("'s");
                    }
                    (at, copied) = (found.end, found.end);
                }
            }
        }
        held.before = bytes.last().copied().or(held.before);
        match out {
            Some(mut out) => {
                out.push_str(text.get(copied..).unwrap_or_default());
                Some(out)
            }
            // What had been held goes out with the piece.
            None => (text.len() != piece.len()).then(|| text.to_owned()),
        }
    }
}

fn put(out: &mut String, value: &str, kind: Kind) {
    match kind {
        Kind::Plain => out.push_str(value),
        // A string always serialises; its quotes stand around the label already.
        Kind::Json => {
            let quoted = serde_json::to_string(value).unwrap_or_default();
            out.push_str(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pii::mapping::Labels;
    use proptest::prelude::*;

    /// Hides each of `values` in `text`, and gives the restorer.
    fn hidden(text: &str, values: &[&str]) -> (String, Restorer) {
        let key = blake3::Hasher::new_keyed(&[1; 32]);
        let mut labels = Labels::new(&key, 5, vec!["PERSON".into(), "EMAIL_ADDRESS".into()]);
        labels.avoid(text);
        let mut hidden = text.to_owned();
        for (i, value) in values.iter().enumerate() {
            let name = if i % 2 == 0 { "PERSON" } else { "EMAIL_ADDRESS" };
            let number = labels.number(name, value);
            hidden = hidden.replace(value, &label::write(name, number, false));
        }
        (hidden, Restorer::new(labels.finish(), false))
    }

    fn in_pieces(restorer: &Restorer, text: &str, cuts: &[usize], kind: Kind) -> String {
        let mut held = Held::default();
        let mut out = String::new();
        let mut from = 0;
        for &cut in cuts.iter().chain([&text.len()]) {
            let piece = &text[from..cut];
            let ended = cut == text.len();
            out.push_str(restorer.push(&mut held, piece, kind, ended).as_deref().unwrap_or(piece));
            assert!(held.text.len() <= 48, "held too much: {}", held.text);
            from = cut;
        }
        assert!(held.text.is_empty());
        out
    }

    #[test]
    fn values_come_back_at_any_cut() {
        let text = "Dear Alice O'Neil, write to alice@b.example or <b>PERSON</b> P E person_, & so on: Alice O'Neil";
        let (hidden, restorer) = hidden(text, &["Alice O'Neil", "alice@b.example"]);
        assert!(!hidden.contains("Alice") && !hidden.contains("alice@"));
        for cut in (0..=hidden.len()).filter(|cut| hidden.is_char_boundary(*cut)) {
            assert_eq!(in_pieces(&restorer, &hidden, &[cut], Kind::Plain), text, "cut at {cut}");
        }
        let all: Vec<usize> = (0..=hidden.len()).collect();
        assert_eq!(in_pieces(&restorer, &hidden, &all, Kind::Plain), text);
        assert_eq!(in_pieces(&restorer, &hidden.to_lowercase(), &[], Kind::Plain).matches("Alice O'Neil").count(), 2);
    }

    #[test]
    fn a_text_without_labels_is_handed_out_as_it_is() {
        let (_, restorer) = hidden("Bob", &["Bob"]);
        let mut held = Held::default();
        assert_eq!(restorer.push(&mut held, "nothing to see, <b>move</b> on; person 4.", Kind::Plain, false), None);
        assert_eq!(restorer.push(&mut held, "<PERSON_4x>", Kind::Plain, false), None);
    }

    fn texts() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just("Alice".to_owned()),
            Just("a\"b\\c\n".to_owned()),
            Just("<PERSON_".to_owned()),
            Just("PERSON_12".to_owned()),
            Just("<EMAIL_ADDRESS_3>".to_owned()),
            "[<>_&;lgtPERSON0-9 \\\\*`']{0,6}",
            any::<String>(),
        ];
        prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn any_text_in_any_pieces_is_what_it_was(text in texts(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
            let (hidden, restorer) = hidden(&text, &["Alice", "a\"b\\c\n"]);
            let places: Vec<usize> = (0..=hidden.len()).filter(|at| hidden.is_char_boundary(*at)).collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| *cut.get(&places)).collect();
            cuts.sort_unstable();
            prop_assert_eq!(in_pieces(&restorer, &hidden, &cuts, Kind::Plain), text);
        }

        #[test]
        fn any_arguments_are_what_they_were(text in texts(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
            let (hidden, restorer) = hidden(&text, &["Alice", "a\"b\\c\n"]);
            let arguments = serde_json::to_string(&serde_json::json!({ "text": hidden })).unwrap();
            let places: Vec<usize> = (0..=arguments.len()).filter(|at| arguments.is_char_boundary(*at)).collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| *cut.get(&places)).collect();
            cuts.sort_unstable();
            let back = in_pieces(&restorer, &arguments, &cuts, Kind::Json);
            let back: serde_json::Value = serde_json::from_str(&back).unwrap();
            prop_assert_eq!(back["text"].as_str().unwrap(), text);
        }
    }
}
