//! The secret that texts are sealed under: drawn once, kept in the data directory for its owner alone.
//!
//! What a reader could get wrong: each folder has a secret of its own. Replicas that share a Redis must have the same secret in the
//! cache's folder, or each finds nothing of what the others put there; copy the file.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Within the folder: the secret, in hexadecimal.
pub const SECRET_FILE: &str = "key";

/// 32 random bytes that print as `***`.
pub struct Secret([u8; 32]);

impl Secret {
    /// The bytes, for whatever derives a key from them.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The secret in `folder`; folder and secret are made if they are not there.
///
/// # Errors
/// The file cannot be read or made, others may read it, or what it holds is no secret; as a text for people.
pub fn load_or_make(folder: &Path) -> Result<Secret, String> {
    let path = folder.join(SECRET_FILE);
    fs::create_dir_all(folder).map_err(|e| trouble("make the folder", folder, &e))?;
    match read(&path) {
        Ok(Some(secret)) => Ok(secret),
        Ok(None) => {
            make(&path).map_err(|e| trouble("write", &path, &e))?;
            read(&path)?.ok_or_else(|| format!("{}: was made and is gone again", path.display()))
        }
        Err(message) => Err(message),
    }
}

fn make(path: &Path) -> io::Result<()> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|e| io::Error::other(e.to_string()))?;
    // Under another name first: a secret of which only half was written would never be read again.
    let draft = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    writeln!(file, "{}", hex::encode(secret))?;
    file.sync_all()?;
    // A link, not a rename: of two processes that start at once, the second must take the first one's secret.
    match fs::hard_link(&draft, path) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
        other => other?,
    }
    fs::remove_file(&draft)?;
    path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
}

/// `None`: there is none yet.
fn read(path: &Path) -> Result<Option<Secret>, String> {
    let mut file = match fs::File::open(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|e| trouble("read", path, &e))?,
    };
    let mode = file.metadata().map_err(|e| trouble("read", path, &e))?.mode();
    if mode & 0o077 != 0 {
        return Err(format!("{} can be read by others (mode {:o}): chmod 600 it", path.display(), mode & 0o777));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(|e| trouble("read", path, &e))?;
    let mut secret = [0; 32];
    // What the file holds is not told: it may be a secret with a digit too many.
    hex::decode_to_slice(text.trim(), &mut secret)
        .map_err(|_| format!("{} does not hold a secret: 64 hexadecimal digits", path.display()))?;
    Ok(Some(Secret(secret)))
}

fn trouble(doing: &str, path: &Path, error: &io::Error) -> String {
    format!("cannot {doing} {}: {error}; `data_dir` must be a directory that this user may write", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_secret_is_made_once_for_its_owner_only_and_not_printed() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("cache");
        let first = load_or_make(&folder).unwrap();
        let again = load_or_make(&folder).unwrap();
        assert_eq!(first.bytes(), again.bytes());
        assert_ne!(first.bytes(), &[0; 32]);
        assert_eq!(fs::metadata(folder.join(SECRET_FILE)).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no draft is left");
        assert_eq!(format!("{first:?} {first:#?}"), "*** ***");
    }

    #[test]
    fn many_at_once_take_the_same_one() {
        let folder = tempfile::tempdir().unwrap();
        // In one process all drafts have one name; what counts is that a secret that is there is never replaced.
        let first = *load_or_make(folder.path()).unwrap().bytes();
        make(&folder.path().join(SECRET_FILE)).unwrap();
        assert_eq!(load_or_make(folder.path()).unwrap().bytes(), &first);
    }

    #[test]
    fn one_that_others_can_read_or_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        load_or_make(folder.path()).unwrap();
        let path = folder.path().join(SECRET_FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = load_or_make(folder.path()).unwrap_err();
        assert!(error.ends_with("key can be read by others (mode 644): chmod 600 it"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "5eed").unwrap();
        let error = load_or_make(folder.path()).unwrap_err();
        assert!(error.contains("does not hold a secret") && !error.contains("5eed"), "{error}");
    }
}
