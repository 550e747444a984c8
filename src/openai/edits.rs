//! The changes that the gateway makes to a request's body, as edits of its view. Pure; `splice` applies them.
//!
//! What a reader could get wrong: each is valid alone and together with the others, in any order.

use bytes::Bytes;

use super::splice::Edit;
use super::view::View;

/// Another model name. `None` if the body names none.
pub fn model(view: &View, name: &str) -> Option<Edit> {
    let range = view.model.clone()?;
    // A string always serialises.
    let with = serde_json::to_vec(name).map(Bytes::from).ok()?;
    Some(Edit { range, with })
}

/// Takes the `tidegate` object out.
pub fn cut_hints(view: &View) -> Option<Edit> {
    let member = view.hints.as_ref()?;
    Some(Edit { range: member.cut.clone(), with: Bytes::new() })
}

/// Takes `background: true` out. Not together with [`cut_hints`]: two neighbours share a comma.
pub fn cut_background(view: &View) -> Option<Edit> {
    let member = view.background.as_ref()?;
    Some(Edit { range: member.cut.clone(), with: Bytes::new() })
}

/// Has a stream end with its usage. `None` if the client asked for it himself, or for no stream.
pub fn ask_usage(view: &View) -> Option<Edit> {
    const ASK: &[u8] = b"{\"include_usage\":true}";
    if !view.stream {
        return None;
    }
    let at = |at: usize, with: &'static [u8]| Some(Edit { range: at..at, with: Bytes::from_static(with) });
    let Some(options) = &view.stream_options else {
        // `stream` stands in the body, so a comma always has something to separate.
        return at(view.body_open, b"\"stream_options\":{\"include_usage\":true},");
    };
    if options.include_usage {
        return None;
    }
    if let Some(value) = &options.include_usage_value {
        return Some(Edit { range: value.clone(), with: Bytes::from_static(b"true") });
    }
    if !options.is_object || options.is_empty {
        return Some(Edit { range: options.value.clone(), with: Bytes::from_static(ASK) });
    }
    at(options.value.start + 1, b"\"include_usage\":true,")
}
