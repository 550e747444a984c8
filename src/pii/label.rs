//! Labels: what a model reads in the place of a value (`<PERSON_417>`), and what it makes of them when it writes them back.
//!
//! Models change the case, drop brackets, put spaces or markdown inside, escape the underscore, add a possessive: all that is read as the label. A
//! label without brackets must keep its underscore and stand alone, so that `person 1` in prose is none.
//!
//! What a reader could get wrong: the same reading tells which numbers a text uses already, so that no label is given out that somebody wrote.

/// The highest number that a value may want. Three digits: they read naturally, and two values of a conversation seldom want the same.
pub const WANTED: u32 = 999;
/// The highest number of a label: beyond those that may be wanted, numbers are given out in order.
pub const HIGHEST: u32 = 9_999;
/// Digits that are read; more are no label.
const DIGITS: usize = 4;
/// Spaces and markdown within the brackets, at most.
const DECORATION: usize = 3;

/// What stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// No label.
    No,
    /// The text ends in what may become one.
    Open,
    Label(Label),
}

/// A label as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Its name's place in the list of names.
    pub name: usize,
    pub number: u32,
    /// Behind it, and behind what belongs to it.
    pub end: usize,
    /// A possessive stood within the brackets: it goes behind the value.
    pub possessive: bool,
}

/// As it is written for a model; `bare` without the brackets, where only a name's characters are allowed.
pub fn write(name: &str, number: u32, bare: bool) -> String {
    if bare { format!("{name}_{number}") } else { format!("<{name}_{number}>") }
}

/// A label may begin with this byte.
pub fn may_begin(byte: u8, names: &[&str]) -> bool {
    matches!(byte, b'<' | b'&' | b'\\')
        || names.iter().any(|name| name.as_bytes().first().is_some_and(|first| first.eq_ignore_ascii_case(&byte)))
}

/// Reads what stands at `at`. `before`: the byte in front of it, if there is one. `ended`: nothing follows behind the text.
pub fn read(text: &[u8], at: usize, before: Option<u8>, names: &[&str], ended: bool) -> Reading {
    let Some(cursor) = Cursor::enter(text, at, ended) else { return Reading::No };
    let cursor = match cursor {
        Step::Open => return Reading::Open,
        Step::At(cursor) => cursor,
    };
    if !cursor.bracket && before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Reading::No;
    }
    let mut reading = Reading::No;
    for (place, name) in names.iter().enumerate() {
        match cursor.label(name, place) {
            Reading::No => {}
            Reading::Open => reading = if reading == Reading::No { Reading::Open } else { reading },
            found @ Reading::Label(_) => return found,
        }
    }
    reading
}

const CLOSING: [&str; 3] = [">", "&gt;", "\\u003e"];

enum Step<T> {
    At(T),
    Open,
}

/// Within a label.
#[derive(Clone, Copy)]
struct Cursor<'t> {
    text: &'t [u8],
    at: usize,
    ended: bool,
    bracket: bool,
}

impl<'t> Cursor<'t> {
    /// Past an opening bracket, if there is one, and what decorates it.
    fn enter(text: &'t [u8], at: usize, ended: bool) -> Option<Step<Cursor<'t>>> {
        let rest = text.get(at..)?;
        let first = *rest.first()?;
        let opening: &[u8] = match first {
            b'<' => b"<",
            b'&' => b"&lt;",
            // As some encoders write it within JSON that stands in a string.
            b'\\' => b"\\u003c",
            _ => return Some(Step::At(Cursor { text, at, ended, bracket: false })),
        };
        if !rest.starts_with(opening) {
            return (opening.starts_with(rest) && !ended).then_some(Step::Open);
        }
        let mut cursor = Cursor { text, at: at + opening.len(), ended, bracket: true };
        cursor.skip_decoration();
        if cursor.at >= text.len() { (!ended).then_some(Step::Open) } else { Some(Step::At(cursor)) }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_decoration(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.iter().take(DECORATION).take_while(|byte| matches!(byte, b' ' | b'*' | b'_' | b'`')).count();
    }

    /// The text ends here.
    fn short(&self) -> Reading {
        if self.ended { Reading::No } else { Reading::Open }
    }

    fn label(mut self, name: &str, place: usize) -> Reading {
        for sign in name.bytes() {
            let Some(found) = self.peek() else { return self.short() };
            if sign == b'_' {
                match self.joint() {
                    Some(Step::At(())) => {}
                    Some(Step::Open) => return self.short(),
                    None => return Reading::No,
                }
            } else if found.eq_ignore_ascii_case(&sign) {
                self.at += 1;
            } else {
                return Reading::No;
            }
        }
        match self.joint() {
            Some(Step::At(())) => {}
            Some(Step::Open) => return self.short(),
            None => return Reading::No,
        }
        let rest = self.text.get(self.at..).unwrap_or_default();
        let digits = rest.iter().take(DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
        let number = rest.get(..digits).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        let (Some(number), true) = (number, digits <= DIGITS && rest.first() != Some(&b'0')) else {
            return if rest.is_empty() { self.short() } else { Reading::No };
        };
        self.at += digits;
        self.close(Label { name: place, number, end: self.at, possessive: false })
    }

    /// What stands between the words of a label: an underscore, perhaps escaped; within brackets also a space or a hyphen.
    fn joint(&mut self) -> Option<Step<()>> {
        match self.peek() {
            None => return Some(Step::Open),
            Some(b'_') => self.at += 1,
            Some(b'\\') => match self.text.get(self.at + 1) {
                None => return Some(Step::Open),
                Some(b'_') => self.at += 2,
                Some(_) => return None,
            },
            Some(b' ' | b'-') if self.bracket => self.at += 1,
            Some(_) => return None,
        }
        Some(Step::At(()))
    }

    fn close(mut self, label: Label) -> Reading {
        let Some(next) = self.peek() else {
            return if self.ended { Reading::Label(label) } else { Reading::Open };
        };
        if next.is_ascii_alphanumeric() {
            return Reading::No;
        }
        if !self.bracket {
            let goes_on = next == b'_' && self.text.get(self.at + 1).is_none_or(u8::is_ascii_alphanumeric);
            return if goes_on { Reading::No } else { Reading::Label(label) };
        }
        self.skip_decoration();
        let possessive = ["'s", "’s"].into_iter().find(|s| self.rest().starts_with(s.as_bytes()));
        self.at += possessive.map_or(0, str::len);
        for closing in CLOSING {
            if self.rest().starts_with(closing.as_bytes()) {
                let end = self.at + closing.len();
                return Reading::Label(Label { end, possessive: possessive.is_some(), ..label });
            }
        }
        let may_close = ["'s", "’s"].into_iter().chain(CLOSING).any(|s| s.as_bytes().starts_with(self.rest()));
        if may_close && !self.ended {
            return Reading::Open;
        }
        // The closing bracket was dropped.
        Reading::Label(label)
    }

    fn rest(&self) -> &'t [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["PERSON", "EMAIL_ADDRESS", "PER"];

    fn reads(text: &str) -> Option<(&'static str, u32, usize, bool)> {
        match read(text.as_bytes(), 0, None, &NAMES, true) {
            Reading::Label(label) => Some((NAMES[label.name], label.number, label.end, label.possessive)),
            _ => None,
        }
    }

    #[test]
    fn a_label_is_read_as_models_write_it() {
        for text in [
            "<PERSON_41>",
            "<person_41>",
            "< PERSON_41 >",
            "<**PERSON_41**>",
            "<PERSON 41>",
            "<Person-41>",
            "<PERSON\\_41>",
            "&lt;PERSON_41&gt;",
            "\\u003cPERSON_41\\u003e",
            "PERSON_41",
            "Person\\_41",
            "<PERSON_41",
        ] {
            assert_eq!(reads(text), Some(("PERSON", 41, text.len(), false)), "{text}");
        }
        assert_eq!(reads("<PERSON_41's> car"), Some(("PERSON", 41, 13, true)));
        assert_eq!(reads("<EMAIL ADDRESS_7>"), Some(("EMAIL_ADDRESS", 7, 17, false)));
        assert_eq!(reads("PERSON_41, who"), Some(("PERSON", 41, 9, false)));
        assert_eq!(reads("<PERSON_41 said"), Some(("PERSON", 41, 10, false)));
    }

    #[test]
    fn what_is_no_label_is_none() {
        for text in [
            "person 41",
            "PERSON_",
            "PERSON_x",
            "PERSON_041",
            "PERSON_41x",
            "PERSON_41_2",
            "<PERSONS_4>",
            "<b>",
            "PERSON_12345",
            "&amp;",
        ] {
            assert_eq!(reads(text), None, "{text}");
        }
        assert_eq!(read(b"PERSON_4", 0, Some(b'x'), &NAMES, true), Reading::No);
        assert_ne!(read(b"<PERSON_4>", 0, Some(b'x'), &NAMES, true), Reading::No);
    }

    #[test]
    fn every_beginning_of_a_label_is_open_until_the_text_ends() {
        for text in ["<PERSON_41's>", "<**EMAIL\\_ADDRESS_7**>", "&lt;PERSON_4&gt;", "<PERSON_41’s>"] {
            for end in 1..text.len() {
                let reading = read(&text.as_bytes()[..end], 0, None, &NAMES, false);
                assert_eq!(reading, Reading::Open, "{text} up to {end}");
            }
            assert!(reads(text).is_some());
        }
        assert_eq!(read(b"PERSON_41", 0, None, &NAMES, false), Reading::Open);
    }
}
