//! `DATA_DIR/tidegate.pid`: who runs on this data directory. Locked as long as its process lives, so a file left by a
//! crash, whose pid may be another program's by now, is never taken for a running gateway.
//!
//! What a reader could get wrong: after an upgrade two processes live, and the file is the new one's. It is replaced as
//! a whole, and the old process leaves it alone when it exits.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// The pid file of this process; removed when dropped, if it is still this process's.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    file: File,
}

/// Why the data directory could not be had: exit status 3.
#[derive(Debug)]
pub enum PidFileError {
    /// Another process runs on it.
    Taken { path: PathBuf, pid: Option<i32> },
    /// It cannot be written.
    Io { path: PathBuf, source: io::Error },
}

impl PidFile {
    /// Claims `data_dir` (created if it is not there) for this process.
    ///
    /// # Errors
    /// Another process runs on it, or it cannot be written.
    pub fn claim(data_dir: &Path) -> Result<PidFile, PidFileError> {
        let path = path(data_dir);
        if is_held(&path) {
            return Err(PidFileError::Taken { pid: read_pid(&path), path });
        }
        Self::replace(data_dir)
    }

    /// Claims `data_dir` although another process runs on it, which has handed its sockets over.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn replace(data_dir: &Path) -> Result<PidFile, PidFileError> {
        let path = path(data_dir);
        let write = || {
            std::fs::create_dir_all(data_dir)?;
            let fresh = path.with_extension(format!("pid.{}", std::process::id()));
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&fresh)?;
            flock(&file, FlockOperation::NonBlockingLockExclusive)?;
            writeln!(file, "{}", std::process::id())?;
            std::fs::rename(&fresh, &path)?;
            Ok(file)
        };
        match write() {
            Ok(file) => Ok(PidFile { path, file }),
            Err(source) => Err(PidFileError::Io { path, source }),
        }
    }

    fn is_ours(&self) -> io::Result<bool> {
        let (ours, there) = (self.file.metadata()?, std::fs::metadata(&self.path)?);
        Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if self.is_ours().unwrap_or(false) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The process that runs on `data_dir`, if one does.
pub(super) fn running(data_dir: &Path) -> Option<i32> {
    let path = path(data_dir);
    if is_held(&path) { read_pid(&path) } else { None }
}

pub(super) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("tidegate.pid")
}

fn is_held(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockShared).is_err())
}

fn read_pid(path: &Path) -> Option<i32> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

impl std::fmt::Display for PidFileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PidFileError::Taken { path, pid } => {
                let pid = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
                write!(
                    f,
                    "another tidegate{pid} holds {}: stop it, take over from it with --upgrade, or set another `data_dir`",
                    path.display()
                )
            }
            PidFileError::Io { path, source } => {
                write!(
                    f,
                    "cannot write {}: {source}; make `data_dir` a directory that this user may write",
                    path.display()
                )
            }
        }
    }
}

impl std::error::Error for PidFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            PidFileError::Io { source, .. } => Some(source),
            PidFileError::Taken { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_and_no_ghosts() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let first = PidFile::claim(&data).unwrap();
        assert_eq!(running(&data), Some(std::process::id() as i32));
        let taken = PidFile::claim(&data).unwrap_err().to_string();
        assert!(taken.starts_with(&format!("another tidegate (pid {}) holds ", std::process::id())), "{taken}");
        drop(first);
        assert!(!path(&data).exists());
        // What a crash leaves: a file that nobody holds.
        std::fs::write(path(&data), "1\n").unwrap();
        assert_eq!(running(&data), None);
        PidFile::claim(&data).unwrap();
    }

    #[test]
    fn the_one_who_was_replaced_leaves_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let old = PidFile::claim(dir.path()).unwrap();
        let new = PidFile::replace(dir.path()).unwrap();
        drop(old);
        assert!(running(dir.path()).is_some());
        drop(new);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
