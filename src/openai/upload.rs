//! The form of `POST /v1/files` as it comes in: what it says of the file, and the file's bytes.
//!
//! What a reader could get wrong: the purpose may come behind the file (openai-node sends it in the order that the program wrote), so for as
//! long as `purpose` is `None` nobody knows whose file it is.

use bytes::Bytes;

use super::form::{Event, Form};
use crate::error::{Error, Kind, Result};

/// A field that is no file; purposes have 20 letters.
const LONGEST_FIELD: usize = 4 << 10;
/// Parts of a form; SDKs send four.
const MOST_PARTS: usize = 32;
/// What OpenAI allows for `expires_after[seconds]`: an hour to 30 days.
const EXPIRES: std::ops::RangeInclusive<u64> = 3_600..=2_592_000;
/// A name that no file system would take.
const LONGEST_NAME: usize = 512;

/// An upload being read.
#[derive(Debug)]
pub struct Upload {
    form: Form,
    part: Option<Reading>,
    parts: usize,
    purpose: Option<String>,
    filename: Option<String>,
    anchor: Option<String>,
    seconds: Option<u64>,
    done: bool,
    /// What may be given once was given twice.
    double: bool,
}

#[derive(Debug)]
enum Reading {
    /// The file itself.
    File,
    /// A field, and what has come of it.
    Field(String, Vec<u8>),
}

/// What an upload says of its file, once all of it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    pub purpose: String,
    pub filename: String,
    /// Seconds after its creation.
    pub expires_after: Option<u64>,
}

impl Upload {
    /// Of a form with this boundary (see [`super::form::boundary`]).
    pub fn new(boundary: &str) -> Upload {
        Upload {
            form: Form::new(boundary),
            part: None,
            parts: 0,
            purpose: None,
            filename: None,
            anchor: None,
            seconds: None,
            done: false,
            double: false,
        }
    }

    /// What the file is for, if that has come already.
    pub fn purpose(&self) -> Option<&str> {
        self.purpose.as_deref()
    }

    /// The file's name, if the file has begun.
    pub fn filename(&self) -> Option<&str> {
        self.filename.as_deref()
    }

    /// The form has come to its end.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// It was refused for a second file or purpose: which of the two a provider would take nobody knows.
    pub fn is_double(&self) -> bool {
        self.double
    }

    /// Takes in a piece of the form. The pieces of the file in it go to `file`, in order.
    ///
    /// # Errors
    /// It is no form, or one of its fields cannot be what it has to be.
    pub fn feed(&mut self, bytes: &[u8], mut file: impl FnMut(Bytes)) -> Result<()> {
        self.form.feed(bytes);
        while let Some(event) = self.form.event()? {
            match event {
                Event::Part(part) => self.begin(part.name, part.filename)?,
                Event::Data(data) => match &mut self.part {
                    Some(Reading::File) => file(data),
                    Some(Reading::Field(name, value)) if value.len() + data.len() > LONGEST_FIELD => {
                        let name: String = name.chars().take(100).collect();
                        return Err(wrong(format!("the field `{name}` is longer than {LONGEST_FIELD} bytes"), &name));
                    }
                    Some(Reading::Field(_, value)) => value.extend_from_slice(&data),
                    None => {}
                },
                Event::PartEnd => self.end()?,
                Event::End => self.done = true,
            }
        }
        Ok(())
    }

    fn begin(&mut self, name: String, filename: Option<String>) -> Result<()> {
        self.parts += 1;
        if self.parts > MOST_PARTS {
            return Err(wrong(format!("the form has more than {MOST_PARTS} parts"), "file"));
        }
        self.part = Some(match name.as_str() {
            "file" if self.filename.is_some() => {
                self.double = true;
                return Err(wrong("there is more than one `file`".into(), "file"));
            }
            "file" => {
                let name = filename.filter(|name| !name.is_empty()).unwrap_or_else(|| "file".into());
                if name.len() > LONGEST_NAME {
                    return Err(wrong(format!("the file's name is longer than {LONGEST_NAME} bytes"), "file"));
                }
                self.filename = Some(name);
                Reading::File
            }
            _ => Reading::Field(name, vec![]),
        });
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        let Some(Reading::Field(name, value)) = self.part.take() else { return Ok(()) };
        let text = |value| String::from_utf8(value).map_err(|_| wrong(format!("`{name}` is not UTF-8"), &name));
        match name.as_str() {
            "purpose" if self.purpose.is_some() => {
                self.double = true;
                return Err(wrong("`purpose` is given twice".into(), "purpose"));
            }
            "purpose" => self.purpose = Some(text(value)?),
            "expires_after[anchor]" => self.anchor = Some(text(value)?),
            "expires_after[seconds]" => {
                let seconds = text(value)?.trim().parse().ok().filter(|seconds| EXPIRES.contains(seconds));
                let (least, most) = (EXPIRES.start(), EXPIRES.end());
                let message = || format!("`expires_after[seconds]` must be a whole number from {least} to {most}");
                self.seconds = Some(seconds.ok_or_else(|| wrong(message(), "expires_after.seconds"))?);
            }
            _ => {}
        }
        Ok(())
    }

    /// What the form says, when it has come to its end.
    ///
    /// # Errors
    /// It has not, or something that must be there is not.
    pub fn described(self) -> Result<Described> {
        if !self.done {
            return Err(wrong("the form ends before its last boundary".into(), "file"));
        }
        let missing = |name: &str| wrong(format!("`{name}` is missing in the form"), name);
        if self.anchor.as_deref().is_some_and(|anchor| anchor != "created_at") {
            return Err(wrong("`expires_after[anchor]` must be `created_at`".into(), "expires_after.anchor"));
        }
        if self.anchor.is_some() != self.seconds.is_some() {
            return Err(wrong("`expires_after` needs both `anchor` and `seconds`".into(), "expires_after"));
        }
        Ok(Described {
            purpose: self.purpose.ok_or_else(|| missing("purpose"))?,
            filename: self.filename.ok_or_else(|| missing("file"))?,
            expires_after: self.seconds,
        })
    }
}

fn wrong(message: String, param: &str) -> Error {
    Error::client(Kind::InvalidRequest, message).with_param(param.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: &[(&str, &str)]) -> String {
        let mut form = String::new();
        for (name, value) in fields {
            let file = if *name == "file" { "; filename=\"x.jsonl\"" } else { "" };
            form += &format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n");
        }
        form + "--b--\r\n"
    }

    /// What the form says and the file's content; fed in pieces of `size`.
    fn read(form: &str, size: usize) -> Result<(Described, Vec<u8>)> {
        let (mut upload, mut file) = (Upload::new("b"), vec![]);
        for piece in form.as_bytes().chunks(size) {
            upload.feed(piece, |data| file.extend_from_slice(&data))?;
        }
        upload.described().map(|described| (described, file))
    }

    #[test]
    fn the_purpose_comes_before_the_file_or_behind_it() {
        let expected = Described { purpose: "batch".into(), filename: "x.jsonl".into(), expires_after: Some(3600) };
        let expires = [("expires_after[anchor]", "created_at"), ("expires_after[seconds]", "3600")];
        let (purpose, file) = (("purpose", "batch"), ("file", "{}\r\n--\n"));
        for fields in [[purpose, file, expires[0], expires[1]], [file, expires[1], expires[0], purpose]] {
            for size in 1..200 {
                assert_eq!(read(&form(&fields), size).unwrap(), (expected.clone(), b"{}\r\n--\n".to_vec()));
            }
        }
    }

    #[test]
    fn the_purpose_is_known_as_soon_as_it_has_come() {
        let mut upload = Upload::new("b");
        let form = form(&[("purpose", "batch"), ("file", "0123456789")]);
        let at = form.find("0123").unwrap();
        upload.feed(&form.as_bytes()[..at], |_| panic!("no file yet")).unwrap();
        assert_eq!((upload.purpose(), upload.is_done()), (Some("batch"), false));
        assert!(upload.described().is_err(), "half a form");
    }

    #[test]
    fn wrong_fields_are_named() {
        let file = ("file", "{}");
        for (fields, param) in [
            (vec![file], "purpose"),
            (vec![("purpose", "batch")], "file"),
            (vec![file, file, ("purpose", "batch")], "file"),
            (vec![file, ("purpose", "batch"), ("purpose", "vision")], "purpose"),
            (vec![file, ("purpose", "batch"), ("expires_after[seconds]", "3599")], "expires_after.seconds"),
            (vec![file, ("purpose", "batch"), ("expires_after[seconds]", "3600")], "expires_after"),
            (vec![file, ("purpose", "batch"), ("expires_after[anchor]", "now")], "expires_after.anchor"),
            (vec![file, ("purpose", &"x".repeat(LONGEST_FIELD + 1))], "purpose"),
        ] {
            let error = read(&form(&fields), 7).unwrap_err();
            assert_eq!((error.kind, error.param.as_deref()), (Kind::InvalidRequest, Some(param)), "{error}");
        }
    }
}
