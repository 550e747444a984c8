//! Segment files: a header, then frames, appended and synced in batches.
//!
//! What a reader could get wrong: after a failed write or sync the same bytes are written again at the same place. A second sync
//! alone would prove nothing: the kernel drops what it could not write and forgets the error.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Magic, version, number, boot, checksum, and room.
pub(super) const HEADER: u64 = 32;

const MAGIC: [u8; 8] = *b"tg-jrnl\n";

/// Goes up whenever the encoding of an entry changes.
const VERSION: u32 = 2;

/// Readable by the owner alone: tenants and users are named in it.
pub(super) const MODE: u32 = 0o600;

pub(super) fn path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:08}.seg"))
}

/// The numbers of a folder's segments, in order.
pub(super) fn list(folder: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = vec![];
    for file in folder.read_dir()? {
        let name = file?.file_name();
        numbers
            .extend(name.to_str().and_then(|name| name.strip_suffix(".seg")).and_then(|name| name.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

pub(super) fn header(boot: u64, number: u32) -> [u8; HEADER as usize] {
    let mut bytes = [0; HEADER as usize];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..16].copy_from_slice(&number.to_le_bytes());
    bytes[16..24].copy_from_slice(&boot.to_le_bytes());
    let checksum = crc32fast::hash(&bytes[..24]);
    bytes[24..28].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Makes sure that a file is the segment that its name says, in the encoding that this program reads.
pub(super) fn check_header(found: &[u8], path: &Path, boot: u64, number: u32) -> io::Result<()> {
    if found == header(boot, number) {
        return Ok(());
    }
    let other_version = found.starts_with(&MAGIC) && found.get(8..12) != Some(&VERSION.to_le_bytes()[..]);
    let why = if other_version {
        "was written by another version of tidegate: let that one run until its journal is in the books"
    } else {
        "is not the segment that its name says: move it away to go on without it"
    };
    Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} {why}", path.display())))
}

/// The end of a journal, where frames are appended.
pub(super) struct Appender {
    pub number: u32,
    /// Behind the last byte that is durable.
    pub end: u64,
    file: File,
}

impl Appender {
    /// Begins segment `number`; what a failed attempt to do so has left is written over.
    pub fn create(folder: &Path, boot: u64, number: u32) -> io::Result<Appender> {
        let path = path(folder, number);
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(path)?;
        file.write_all_at(&header(boot, number), 0)?;
        file.sync_data()?;
        sync_folder(folder)?;
        Ok(Appender { number, end: HEADER, file })
    }

    /// Goes on at the end of a segment that is there.
    pub fn resume(folder: &Path, number: u32) -> io::Result<Appender> {
        let file = OpenOptions::new().write(true).open(path(folder, number))?;
        let end = file.metadata()?.len();
        Ok(Appender { number, end, file })
    }

    /// Appends `parts`, durably. On an error nothing counts as appended: call again with the same.
    pub fn append<'a>(&mut self, parts: impl Iterator<Item = &'a [u8]>) -> io::Result<()> {
        let written = self.write(parts).and_then(|end| self.file.sync_data().map(|()| end));
        if written.is_err() {
            // Whoever reads the file meanwhile shall not stumble over half a frame; if this fails as well, the next attempt covers it.
            let _ = self.file.set_len(self.end);
        }
        self.end = written?;
        Ok(())
    }

    fn write<'a>(&self, parts: impl Iterator<Item = &'a [u8]>) -> io::Result<u64> {
        let mut end = self.end;
        for part in parts.filter(|part| !part.is_empty()) {
            self.file.write_all_at(part, end)?;
            end += part.len() as u64;
        }
        Ok(end)
    }
}

/// Makes names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_append_is_made_up_for_by_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let mut segment = Appender::create(folder.path(), 7, 1).unwrap();
        segment.append([&b"one"[..], b"", b"two"].into_iter()).unwrap();
        let good = std::mem::replace(&mut segment.file, File::open(path(folder.path(), 1)).unwrap());
        segment.append([&b"three"[..]].into_iter()).unwrap_err();
        assert_eq!(segment.end, HEADER + 6);
        segment.file = good;
        segment.file.write_all_at(b"thr", segment.end).unwrap();
        segment.append([&b"three"[..]].into_iter()).unwrap();
        let found = std::fs::read(path(folder.path(), 1)).unwrap();
        assert_eq!(&found[HEADER as usize..], b"onetwothree");
        assert_eq!(segment.end, found.len() as u64);
    }

    #[test]
    fn a_header_tells_its_segment_and_its_version() {
        let path = Path::new("00000003.seg");
        let mut bytes = header(7, 3);
        check_header(&bytes, path, 7, 3).unwrap();
        assert!(check_header(&bytes, path, 8, 3).unwrap_err().to_string().contains("not the segment"));
        assert!(check_header(&bytes[..9], path, 7, 3).is_err());
        bytes[8] = 1;
        insta::assert_snapshot!(check_header(&bytes, path, 7, 3).unwrap_err(), @"00000003.seg was written by another version of tidegate: let that one run until its journal is in the books");
    }

    #[test]
    fn segments_are_listed_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for number in [2, 10, 1] {
            Appender::create(folder.path(), 7, number).unwrap();
        }
        std::fs::write(folder.path().join("slots-0"), "").unwrap();
        assert_eq!(list(folder.path()).unwrap(), [1, 2, 10]);
        assert_eq!(Appender::resume(folder.path(), 2).unwrap().end, HEADER);
    }
}
