//! Notices that the configuration, or a file that a secret was read from, has changed.
//!
//! By polling, not inotify: it sees an editor's rename over the file, a Kubernetes ConfigMap's swap of its `..data` link (the path
//! resolved anew each time), and works on network mounts and in containers where no event arrives. The cost is one `stat` per file
//! and tick. What a reader could get wrong: a change is told only once the files have stood still for a moment, so that a file
//! that is just being written is not read half; and a file that vanishes is a change as well.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Between two looks: a person who saves a file does not wait longer, and it costs nothing.
const EVERY: Duration = Duration::from_millis(500);

/// How long the files must stand still after a change. An editor writes a configuration within a millisecond.
const SETTLED_AFTER: Duration = Duration::from_millis(50);

/// Watches files.
#[derive(Debug)]
pub struct Watch {
    paths: Vec<PathBuf>,
    seen: Vec<Option<Stamp>>,
}

/// What tells one state of a file from another, after links: device, inode, length, time of change in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Watch {
    /// Watches the configuration at `path` and further files ([`super::Loaded::further_files`]). Call it before loading: what changes
    /// after this is noticed.
    pub fn new(path: &Path, further: &[PathBuf]) -> Self {
        let mut watch = Watch { paths: vec![path.to_owned()], seen: Vec::new() };
        watch.paths.extend_from_slice(further);
        watch.seen = watch.look();
        watch
    }

    /// Watches other files besides the configuration from now on, as a new configuration names other secrets.
    pub fn follow(&mut self, further: &[PathBuf]) {
        let known: Vec<(PathBuf, Option<Stamp>)> = self.paths.drain(..).zip(self.seen.drain(..)).collect();
        let wanted = known.first().map(|(path, _)| path.clone()).into_iter().chain(further.iter().cloned());
        for path in wanted {
            // A file that was watched keeps its old stamp: a change in between is still told.
            let seen = known.iter().find(|(known, _)| *known == path).map_or_else(|| stamp(&path), |(_, seen)| *seen);
            self.paths.push(path);
            self.seen.push(seen);
        }
    }

    /// Returns when a file has changed since it was last told, and stands still again. Cancel safe: what is not told is told next time.
    pub async fn changed(&mut self) {
        let mut current = self.look();
        while current == self.seen {
            tokio::time::sleep(EVERY).await;
            current = self.look();
        }
        loop {
            tokio::time::sleep(SETTLED_AFTER).await;
            let next = self.look();
            if next == current {
                break;
            }
            current = next;
        }
        self.seen = current;
    }

    // A `stat` of a local file takes a microsecond: not worth a blocking thread.
    fn look(&self) -> Vec<Option<Stamp>> {
        self.paths.iter().map(|path| stamp(path)).collect()
    }
}

/// `None`: not there, or not to be seen.
fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(Stamp {
        device: metadata.dev(),
        inode: metadata.ino(),
        length: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}

#[cfg(test)]
mod tests;
