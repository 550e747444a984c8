//! Rows as `COPY … FROM STDIN (FORMAT binary)` takes them.
//!
//! What a reader could get wrong: the width of each number must be that of its column; Postgres takes no row whose widths differ.

/// Before the first row: signature, flags, length of the header's extension.
const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

#[derive(Debug)]
pub struct Copy {
    pub bytes: Vec<u8>,
    pub rows: usize,
}

impl Copy {
    pub fn new() -> Copy {
        Copy { bytes: HEAD.to_vec(), rows: 0 }
    }

    pub fn row(&mut self, columns: usize) {
        self.bytes.extend_from_slice(&(columns as i16).to_be_bytes());
        self.rows += 1;
    }

    pub fn bigint(&mut self, value: i64) {
        self.bytes.extend_from_slice(&8i32.to_be_bytes());
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    pub fn integer(&mut self, value: i32) {
        self.bytes.extend_from_slice(&4i32.to_be_bytes());
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    pub fn null(&mut self) {
        self.bytes.extend_from_slice(&(-1i32).to_be_bytes());
    }

    pub fn text(&mut self, text: &str) {
        let text = storable(text);
        self.bytes.extend_from_slice(&(text.len() as i32).to_be_bytes());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// After the last row.
    pub fn end(&mut self) {
        self.bytes.extend_from_slice(&(-1i16).to_be_bytes());
    }
}

/// A text as Postgres takes it: a client may put a NUL character into a name, Postgres' texts hold none.
pub fn storable(text: &str) -> std::borrow::Cow<'_, str> {
    if memchr::memchr(0, text.as_bytes()).is_none() {
        return text.into();
    }
    text.replace('\0', "\u{fffd}").into()
}
