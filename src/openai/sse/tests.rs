//! Streams of every shape, split at every byte: what comes out never depends on where the network cut.

use super::*;

/// What comes out, and the data of each frame, when `text` comes in pieces of `sizes`.
fn run(text: &[u8], split: &[usize], drop: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut frames = Frames::new();
    let (mut out, mut seen, mut at) = (SmallVec::new(), Vec::new(), 0);
    for &next in split.iter().chain([&text.len()]) {
        let chunk = Bytes::copy_from_slice(&text[at..next]);
        at = next;
        let visit = |data: &[u8]| {
            seen.push(data.to_vec());
            if data == drop { Keep::No } else { Keep::Yes }
        };
        frames.push(chunk, visit, &mut out).unwrap();
    }
    out.extend(frames.finish());
    (out.concat(), seen)
}

const STREAMS: [&str; 6] = [
    "data: {\"a\":1}\n\ndata: [DONE]\n\n",
    "data: one\r\n\r\ndata:two\r\n\r\n",
    "data: one\r\rdata: two\r\r",
    ": comment\n\nevent: x\nid: 1\nretry: 5\ndata: a\ndata: b\n\n",
    "\u{feff}data: bom\n\ndata\n\n\n\n",
    "data: unfinished",
];

#[test]
fn a_stream_split_at_every_byte_is_the_same_stream() {
    for text in STREAMS {
        let whole = run(text.as_bytes(), &[], b"-");
        assert_eq!(whole.0, text.as_bytes());
        for first in 0..=text.len() {
            for second in first..=text.len() {
                assert_eq!(run(text.as_bytes(), &[first, second], b"-"), whole, "{text:?} at {first}, {second}");
            }
        }
    }
}

#[test]
fn data_is_what_the_specification_says() {
    let data = |text: &str| run(text.as_bytes(), &[], b"-").1;
    assert_eq!(data(STREAMS[1]), [b"one", b"two"]);
    assert_eq!(data(STREAMS[3]), [b"a\nb"]);
    assert_eq!(data(STREAMS[4]), [&b"bom"[..], b""]);
    assert_eq!(data("database: x\n\n"), Vec::<Vec<u8>>::new());
}

#[test]
fn one_frame_is_taken_out_wherever_the_stream_is_split() {
    let text = b"data: a\n\ndata: drop\n\ndata: b\n\n";
    for at in 0..=text.len() {
        assert_eq!(run(text, &[at], b"drop").0, b"data: a\n\ndata: b\n\n", "{at}");
    }
}

#[test]
fn a_chunk_that_ends_with_its_frame_is_handed_out_without_a_copy() {
    let chunk = Bytes::from_static(b"data: a\n\ndata: b\n\n");
    let mut out = SmallVec::new();
    Frames::new().push(chunk.clone(), |_| Keep::Yes, &mut out).unwrap();
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].as_ptr(), chunk.as_ptr());
}

#[test]
fn a_frame_without_end_is_bounded() {
    let mut frames = Frames::new();
    let chunk = Bytes::from(vec![b'x'; 1 << 20]);
    let mut out = SmallVec::new();
    let ended = (0..9).map(|_| frames.push(chunk.clone(), |_| Keep::Yes, &mut out)).find(Result::is_err);
    assert_eq!(ended, Some(Err(TooLong)));
}

proptest::proptest! {
    #[test]
    fn any_bytes_split_anywhere_come_out_unchanged(text in proptest::collection::vec(proptest::sample::select(b"d:at \r\n\xef".to_vec()), 0..60), cut in 0usize..60) {
        let cut = cut.min(text.len());
        let whole = run(&text, &[], b"-");
        proptest::prop_assert_eq!(&whole.0, &text);
        let every: Vec<usize> = (0..text.len()).collect();
        proptest::prop_assert_eq!(run(&text, &every, b"-"), whole.clone());
        proptest::prop_assert_eq!(run(&text, &[cut], b"-"), whole);
    }
}

#[test]
fn a_mute_stream_keeps_its_keep_alives_and_says_nothing_in_them() {
    let mut frames = Frames::new();
    frames.mute();
    let mut out = SmallVec::new();
    let said = ": backend http://10.1.2.3\n\n:\n\ndata: a\n\nerror: at 10.1.2.3\n\n\n";
    frames.push(Bytes::from_static(said.as_bytes()), |_| Keep::Yes, &mut out).unwrap();
    assert_eq!(out.concat(), b":\n\n:\n\ndata: a\n\n:\n\n\n");
}
