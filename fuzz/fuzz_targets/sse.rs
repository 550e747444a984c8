//! Any stream split anywhere: the bytes that come out are those that went in, and the frames are the same however it was split.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use smallvec::SmallVec;
use tidegate::openai::sse::{Frames, Keep};

fn run<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (mut frames, mut out, mut seen) = (Frames::new(), SmallVec::new(), Vec::new());
    for piece in pieces {
        let visit = |data: &[u8]| {
            seen.push(data.to_vec());
            Keep::Yes
        };
        frames.push(Bytes::copy_from_slice(piece), visit, &mut out).expect("shorter than the bound");
    }
    out.extend(frames.finish());
    (out.concat(), seen)
}

fuzz_target!(|data: &[u8]| {
    let Some((size, text)) = data.split_first() else { return };
    let whole = run(std::iter::once(text));
    assert_eq!(whole.0, text);
    assert_eq!(run(text.chunks(usize::from(*size).max(1))), whole);
    assert_eq!(run(text.chunks(1)), whole);
});
