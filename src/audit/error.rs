//! Why the audit chain cannot go on.
//!
//! What a reader could get wrong: [`AuditError::is_tampered`] is not a passing failure. A chain that does not agree with its own
//! checkpoints must be looked at by somebody; going on would hide the place.

use std::fmt;
use std::io;
use std::path::Path;

/// A failure, for people: it names the file and what to do. It never holds a key.
#[derive(Debug)]
pub struct AuditError {
    kind: Kind,
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Missing,
    Io,
    Key,
    Tampered,
}

impl AuditError {
    pub(super) fn io(action: &str, path: &Path, error: &io::Error) -> AuditError {
        let kind = if error.kind() == io::ErrorKind::NotFound { Kind::Missing } else { Kind::Io };
        AuditError { kind, message: format!("cannot {action} {}: {error}", path.display()) }
    }

    pub(super) fn key(message: String) -> AuditError {
        AuditError { kind: Kind::Key, message }
    }

    pub(super) fn tampered(message: String) -> AuditError {
        AuditError { kind: Kind::Tampered, message }
    }

    /// There is no such file.
    pub fn is_missing(&self) -> bool {
        self.kind == Kind::Missing
    }

    /// The log is not what its checkpoints say; everything else is a matter of disk, rights or configuration.
    pub fn is_tampered(&self) -> bool {
        self.kind == Kind::Tampered
    }

    /// The configured key is not the chain's, or is no key.
    pub fn is_key(&self) -> bool {
        self.kind == Kind::Key
    }
}

impl fmt::Display for AuditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for AuditError {}
