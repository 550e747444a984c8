//! The folders of a journal: one for each process, `data_dir/journal/<boot>/`, locked as long as the process lives.
//!
//! What a reader could get wrong: a folder appears under its name only when it is complete and locked, and loses that name before
//! the first of its files is deleted. A folder with half of its files would tell of open slots that were recorded long ago.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::segment::{MODE, sync_folder};

const LOCK: &str = "lock";
const NEW: &str = ".new-";
const GONE: &str = ".gone-";

/// Somebody who only looks whether a folder is in use holds its lock for microseconds.
const LOCK_TRIES: u32 = 3;
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// Names are taken by the microsecond: a collision is a process of the same instant.
const NAME_TRIES: u32 = 10;

pub(super) fn path(dir: &Path, boot: u64) -> PathBuf {
    dir.join(boot.to_string())
}

/// The processes that have a folder in `dir`, oldest first; none if there is no `dir`.
pub(super) fn list(dir: &Path) -> io::Result<Vec<u64>> {
    let files = match dir.read_dir() {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        Err(error) => return Err(error),
    };
    let mut boots = vec![];
    for file in files {
        boots.extend(file?.file_name().to_str().and_then(|name| name.parse::<u64>().ok()));
    }
    boots.sort_unstable();
    Ok(boots)
}

/// The folder of this process.
pub(super) struct Own {
    pub boot: u64,
    pub path: PathBuf,
    /// Held until it is dropped.
    pub lock: File,
}

/// Makes the folder of this process, with the files that `fill` makes in it, and takes its lock.
pub(super) fn create<T>(dir: &Path, fill: impl Fn(&Path, u64) -> io::Result<T>) -> io::Result<(Own, T)> {
    builder().recursive(true).create(dir)?;
    let mut tries = 1;
    loop {
        match create_once(dir, &fill) {
            Err(error) if taken(&error) && tries < NAME_TRIES => tries += 1,
            done => return done,
        }
    }
}

fn create_once<T>(dir: &Path, fill: impl Fn(&Path, u64) -> io::Result<T>) -> io::Result<(Own, T)> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros() as u64;
    // Later than all others, though the clock may have been set back.
    let boot = list(dir)?.last().map_or(now, |last| now.max(last + 1));
    let new = dir.join(format!("{NEW}{boot}"));
    builder().create(&new)?;
    let lock = OpenOptions::new().write(true).create_new(true).mode(MODE).open(new.join(LOCK))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    let filled = fill(&new, boot).inspect_err(|_| _ = fs::remove_dir_all(&new))?;
    sync_folder(&new)?;
    let path = path(dir, boot);
    fs::rename(&new, &path).inspect_err(|_| _ = fs::remove_dir_all(&new))?;
    sync_folder(dir)?;
    Ok((Own { boot, path, lock }, filled))
}

fn builder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

/// Another process was quicker: it has the name, or has swept what looked abandoned.
fn taken(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, NotFound};
    matches!(error.kind(), AlreadyExists | DirectoryNotEmpty | NotFound)
}

/// Takes the lock of a folder whose process is dead; `None`: it lives, or the folder is no more.
pub(super) fn take(folder: &Path) -> io::Result<Option<File>> {
    for _ in 1..LOCK_TRIES {
        if let Some(lock) = try_lock(folder, FlockOperation::NonBlockingLockExclusive)? {
            return Ok(Some(lock));
        }
        std::thread::sleep(LOCK_PAUSE);
    }
    try_lock(folder, FlockOperation::NonBlockingLockExclusive)
}

/// Nobody holds the folder's lock (which this holds for an instant, shared: see `take`).
pub(super) fn is_dead(folder: &Path) -> io::Result<bool> {
    Ok(try_lock(folder, FlockOperation::NonBlockingLockShared)?.is_some())
}

fn try_lock(folder: &Path, how: FlockOperation) -> io::Result<Option<File>> {
    let path = folder.join(LOCK);
    let lock = match File::open(&path) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match flock(&lock, how) {
        // It may have been discarded by the one who held the lock before.
        Ok(()) => Ok(path.exists().then_some(lock)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Deletes a folder.
pub(super) fn discard(dir: &Path, boot: u64) -> io::Result<()> {
    let gone = dir.join(format!("{GONE}{boot}"));
    fs::rename(path(dir, boot), &gone)?;
    sync_folder(dir)?;
    fs::remove_dir_all(gone)
}

/// Deletes what processes have left that were killed while they made or deleted a folder.
pub(super) fn sweep(dir: &Path) -> io::Result<()> {
    for file in dir.read_dir()? {
        let file = file?;
        let name = file.file_name();
        let Some(name) = name.to_str() else { continue };
        let left = name.starts_with(GONE) || name.starts_with(NEW) && is_dead(&file.path())?;
        if left && let Err(error) = fs::remove_dir_all(file.path()) {
            tracing::warn!("cannot delete {}: {error}; delete it by hand", file.path().display());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_only_once_its_process_is_dead() {
        let dir = tempfile::tempdir().unwrap();
        let (own, ()) = create(dir.path(), |_, _| Ok(())).unwrap();
        assert_eq!(own.path, path(dir.path(), own.boot));
        assert_eq!(list(dir.path()).unwrap(), [own.boot]);
        assert!(take(&own.path).unwrap().is_none());
        assert!(!is_dead(&own.path).unwrap());
        drop(own.lock);
        assert!(is_dead(&own.path).unwrap(), "looking changes nothing");
        let taken = take(&own.path).unwrap();
        assert!(taken.is_some());
        assert!(!is_dead(&own.path).unwrap());
        discard(dir.path(), own.boot).unwrap();
        assert!(take(&own.path).unwrap().is_none());
        assert_eq!(dir.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_later_folder_has_a_later_name_even_if_the_clock_was_set_back() {
        let dir = tempfile::tempdir().unwrap();
        let future = u64::MAX / 2;
        fs::create_dir(path(dir.path(), future)).unwrap();
        assert_eq!(create(dir.path(), |_, _| Ok(())).unwrap().0.boot, future + 1);
    }

    #[test]
    fn what_was_left_half_made_or_half_deleted_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(list(&dir.path().join("none")).unwrap(), [0; 0]);
        create(dir.path(), |_, _| Err::<(), _>(io::Error::other("disk full"))).err().unwrap();
        assert_eq!(dir.path().read_dir().unwrap().count(), 0, "a failed start leaves nothing");
        for name in [".gone-1", ".new-2", ".new-3"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        fs::write(dir.path().join(".new-2/lock"), "").unwrap();
        let lock = File::create(dir.path().join(".new-3/lock")).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        sweep(dir.path()).unwrap();
        let left: Vec<_> = dir.path().read_dir().unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(left, [".new-3"], "that one is being made");
    }
}
