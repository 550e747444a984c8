//! Members of a body that say how the answer comes: the stream's options, in the background.
//!
//! What a reader could get wrong: `background: false` is left in the body; it asks for what happens anyway.

use super::fields::{Fields, boolean};
use super::scanner::Scanner;
use super::{Malformed, Member, StreamOptions};

type Result<T> = std::result::Result<T, Malformed>;

impl Fields {
    /// `background: true`; `before`: where the member before it ended.
    pub(super) fn background(&mut self, s: &mut Scanner<'_>, before: usize) -> Result<()> {
        if s.peek() == Some(b't') {
            let start = s.at();
            boolean(s, "it must be true or false")?;
            self.view.background = Some(Member { value: start..s.at(), cut: before..s.at() });
            return Ok(());
        }
        boolean(s, "it must be true or false").map(drop)
    }
}

pub(super) fn stream_options(s: &mut Scanner<'_>) -> Result<Option<StreamOptions>> {
    if !matches!(s.peek(), Some(b'{' | b'n')) {
        return s.wrong("it must be an object");
    }
    let start = s.at();
    let mut options =
        StreamOptions { value: 0..0, is_object: true, is_empty: true, include_usage: false, include_usage_value: None };
    if s.peek() == Some(b'n') {
        options.value = s.skip()?;
        options.is_object = false;
        return Ok(Some(options));
    }
    s.object(|s, key, key_at| {
        options.is_empty = false;
        let value = s.skip()?;
        if &*key == b"include_usage" {
            if options.include_usage_value.is_some() {
                return Err(Malformed { at: key_at, what: "include_usage is given twice", param: None });
            }
            options.include_usage = s.bytes(value.clone()) == b"true";
            options.include_usage_value = Some(value);
        }
        Ok(())
    })?;
    options.value = start..s.at();
    Ok(Some(options))
}
