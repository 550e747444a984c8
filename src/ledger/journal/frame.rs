//! A frame: one entry in a segment, told from damage by its length and its checksum.
//!
//! What a reader could get wrong: zeroes must never pass for frames (a file that was growing when power failed may end in them), so
//! a length of 0 is damage although the checksum of nothing is 0. A *hole* covers damage that recovery found: nothing is ever cut
//! off a segment, so that a position in the books never lies behind its end.

/// Length and checksum (both `u32`, little endian) before the payload.
pub(super) const HEAD: usize = 8;

/// No entry comes near it: what a header can bring along is limited to some 64 KiB.
pub(super) const MAX_PAYLOAD: usize = 1 << 20;

/// In the length: there is no entry here, but bytes to skip. The checksum is the length's own.
const HOLE: u32 = 1 << 31;

/// What stands at the beginning of some bytes.
#[derive(Debug, PartialEq)]
pub(super) enum Frame<'a> {
    /// The payload of a whole, intact frame.
    Entry(&'a [u8]),
    /// This many bytes hold nothing, those of the frame's head included.
    Hole(u64),
    /// This many bytes are needed to tell.
    Short(usize),
    /// Damaged, and how.
    Bad(&'static str),
}

/// Appends a frame.
pub(super) fn put(payload: &[u8], into: &mut Vec<u8>) {
    into.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    into.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    into.extend_from_slice(payload);
}

/// The head of a hole of `bytes` (at least `HEAD`), itself included.
pub(super) fn hole(bytes: usize) -> [u8; HEAD] {
    let length = ((bytes - HEAD) as u32 | HOLE).to_le_bytes();
    let mut head = [0; HEAD];
    head[..4].copy_from_slice(&length);
    head[4..].copy_from_slice(&crc32fast::hash(&length).to_le_bytes());
    head
}

/// Reads what stands at the beginning of `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Frame<'_> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() else { return Frame::Short(HEAD) };
    let [a, b, c, d, e, f, g, h] = *head;
    let (length, checksum) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
    if length & HOLE != 0 {
        let intact = crc32fast::hash(&[a, b, c, d]) == checksum;
        return if intact {
            Frame::Hole(u64::from(length & !HOLE) + HEAD as u64)
        } else {
            Frame::Bad("no such length")
        };
    }
    match length as usize {
        0 => Frame::Bad("nothing but zeroes"),
        length if length > MAX_PAYLOAD => Frame::Bad("no such length"),
        length => match rest.get(..length) {
            None => Frame::Short(HEAD + length),
            Some(payload) if crc32fast::hash(payload) == checksum => Frame::Entry(payload),
            Some(_) => Frame::Bad("the checksum does not match"),
        },
    }
}

/// `boot` and `number` of the entry in a payload, without reading the rest: they come first.
pub(super) fn identity(payload: &[u8]) -> Option<(u64, u64)> {
    postcard::take_from_bytes::<(u64, u64)>(payload).ok().map(|(identity, _)| identity)
}

/// Where the next intact frame begins, at `from` or later. A chance match in damaged bytes has odds of 1 to 2^32 each.
pub(super) fn next_intact(bytes: &[u8], from: usize) -> Option<usize> {
    (from..bytes.len()).find(|at| matches!(parse(&bytes[*at..]), Frame::Entry(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Entry;

    #[test]
    fn a_frame_is_read_back_and_any_flipped_bit_is_noticed() {
        let mut bytes = vec![];
        put(b"payload", &mut bytes);
        assert_eq!(parse(&bytes), Frame::Entry(b"payload"));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(parse(&flipped), Frame::Entry(_) | Frame::Hole(_)), "bit {bit}");
        }
        for cut in 0..bytes.len() {
            assert!(matches!(parse(&bytes[..cut]), Frame::Short(needed) if needed > cut), "cut at {cut}");
        }
    }

    #[test]
    fn zeroes_are_no_frames_and_a_hole_tells_its_size() {
        assert_eq!(parse(&[0; 64]), Frame::Bad("nothing but zeroes"));
        assert_eq!(next_intact(&[0; 64], 0), None);
        assert_eq!(parse(&hole(HEAD)), Frame::Hole(8));
        assert_eq!(parse(&hole(100_000)), Frame::Hole(100_000));
    }

    #[test]
    fn the_next_intact_frame_is_found_behind_damage() {
        let mut bytes = b"\x07\0\0\0 damaged".to_vec();
        let at = bytes.len();
        put(b"intact", &mut bytes);
        assert_eq!(next_intact(&bytes, 0), Some(at));
        assert_eq!(next_intact(&bytes, at + 1), None);
    }

    #[test]
    fn an_entry_begins_with_its_identity() {
        let entry = Entry { boot: 1_700_000_000_000_000, number: (3 << 48) | 9, at: 5, ..Entry::default() };
        assert_eq!(identity(&entry.encode(vec![]).unwrap()), Some((entry.boot, entry.number)));
        assert_eq!(identity(&[]), None);
    }
}
