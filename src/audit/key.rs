//! The audit chain's two keys: the one that signs checkpoints, and the one that prompts, answers and users' names are hashed with.
//!
//! What a reader could get wrong: whoever has the hash key can try texts until one fits a hash. Neither key is ever printed; the public
//! key is meant to be copied to where checkpoints are to be verified.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use super::error::AuditError;
use super::line::Hash;
use super::text::{hex, unhex};

/// Below the audit folder: the signing key where the configuration names none, in hexadecimal.
pub const KEY_FILE: &str = "key";
/// The public key, in hexadecimal.
pub const PUBLIC_KEY_FILE: &str = "public-key";
/// The key of hashes, in hexadecimal.
pub const HASH_KEY_FILE: &str = "hash-key";

/// What a signature is made over: this and the line's hash in hexadecimal. Text, so that other tools can make the same.
pub const SIGNED_PREFIX: &str = "tidegate-audit-1 ";

const NAME_CONTEXT: &str = "tidegate 2026 audit user v1";

/// Signs checkpoints. Prints as `***`.
pub struct Signer(SigningKey);

impl Signer {
    /// The configured key, or the one in the folder, made there if there is none.
    pub(super) fn open(folder: &Path, configured: Option<[u8; 32]>) -> Result<Signer, AuditError> {
        let bytes = match configured {
            Some(bytes) => bytes,
            None => open_or_make(&folder.join(KEY_FILE))?,
        };
        Ok(Signer(SigningKey::from_bytes(&bytes)))
    }

    pub(super) fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    pub(super) fn sign(&self, hash: &Hash) -> [u8; 64] {
        self.0.sign(&signed_text(hash)).to_bytes()
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The public key of a signing key, for `audit verify` where the configuration names one.
pub fn public_key(key: &[u8; 32]) -> [u8; 32] {
    SigningKey::from_bytes(key).verifying_key().to_bytes()
}

/// A key in hexadecimal (64 digits), as `audit.key` and `--public-key` have it; white space around it does not count.
pub fn parse(text: &str) -> Option<[u8; 32]> {
    unhex(text.trim().to_ascii_lowercase().as_bytes())
}

/// A public key that signatures are checked with.
#[derive(Debug, Clone)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// `None`: no point of the curve, or a weak one.
    pub fn new(bytes: &[u8; 32]) -> Option<PublicKey> {
        VerifyingKey::from_bytes(bytes).ok().filter(|key| !key.is_weak()).map(PublicKey)
    }

    pub(super) fn bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// In hexadecimal.
    pub fn to_hex(&self) -> String {
        ::hex::encode(self.0.to_bytes())
    }

    /// By the strict rules: each signature has one form.
    pub(super) fn signed(&self, hash: &Hash, signature: &[u8; 64]) -> bool {
        self.0.verify_strict(&signed_text(hash), &Signature::from_bytes(signature)).is_ok()
    }
}

fn signed_text(hash: &Hash) -> Vec<u8> {
    let mut text = SIGNED_PREFIX.as_bytes().to_vec();
    hex(&mut text, hash);
    text
}

/// The key that texts are hashed with: equal texts have equal hashes, and without it nobody can try texts. Prints as `***`.
#[derive(Clone)]
pub struct HashKey {
    texts: [u8; 32],
    names: [u8; 32],
}

impl HashKey {
    /// The key in the audit folder; folder and key are made if they are not there.
    ///
    /// # Errors
    /// The file cannot be read or made, others may read it, or what it holds is no key.
    pub fn open(folder: &Path) -> Result<HashKey, AuditError> {
        fs::create_dir_all(folder).map_err(|e| AuditError::io("make the folder", folder, &e))?;
        open_or_make(&folder.join(HASH_KEY_FILE)).map(HashKey::new)
    }

    /// The key in the audit folder, which must be there: a new one would fit no hash.
    ///
    /// # Errors
    /// The file cannot be read, others may read it, or what it holds is no key.
    pub fn read(folder: &Path) -> Result<HashKey, AuditError> {
        read(&folder.join(HASH_KEY_FILE)).map(HashKey::new)
    }

    pub(super) fn new(key: [u8; 32]) -> HashKey {
        HashKey { texts: key, names: blake3::derive_key(NAME_CONTEXT, &key) }
    }

    /// The hash of a text that is there as a whole.
    pub fn hash(&self, text: &[u8]) -> [u8; 32] {
        blake3::keyed_hash(&self.texts, text).into()
    }

    /// Hashes a text that comes in pieces.
    pub fn hasher(&self) -> TextHasher {
        TextHasher(Box::new(blake3::Hasher::new_keyed(&self.texts)))
    }

    /// What stands for a user's name: a record that is never changed must not hold names that a law may want deleted.
    pub fn name(&self, name: &str) -> [u8; 16] {
        let mut short = [0; 16];
        short.copy_from_slice(&blake3::keyed_hash(&self.names, name.as_bytes()).as_bytes()[..16]);
        short
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Hashes a text piece by piece; however it was cut, the hash is the same. Holds 2 KB, not the text.
pub struct TextHasher(Box<blake3::Hasher>);

impl TextHasher {
    /// The next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The hash of all pieces so far.
    pub fn finish(&self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

impl fmt::Debug for TextHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Reads a key's file, or makes one that only its owner can read.
fn open_or_make(path: &Path) -> Result<[u8; 32], AuditError> {
    match read(path) {
        Err(error) if error.is_missing() => {}
        read => return read,
    }
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|e| AuditError::io("draw random bytes for", path, &e.into()))?;
    let mut text = Vec::new();
    hex(&mut text, &key);
    text.push(b'\n');
    // Under another name first: a key of which only half was written would never be read again.
    let draft = path.with_extension(format!("new-{}", std::process::id()));
    let made =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft).and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_all()?;
            // A link, not a rename: of two processes that start at once, the second must take the first one's key.
            match fs::hard_link(&draft, path) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(()),
                other => other,
            }?;
            fs::remove_file(&draft)?;
            path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
        });
    made.map_err(|e| AuditError::io("write", path, &e))?;
    read(path)
}

fn read(path: &Path) -> Result<[u8; 32], AuditError> {
    let fail = |e: &std::io::Error| AuditError::io("read", path, e);
    let mut file = fs::File::open(path).map_err(|e| fail(&e))?;
    let mode = file.metadata().map_err(|e| fail(&e))?.mode();
    if mode & 0o077 != 0 {
        let path = path.display();
        return Err(AuditError::key(format!("{path} can be read by others (mode {:o}): chmod 600 it", mode & 0o777)));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(|e| fail(&e))?;
    // What the file holds is not told: it may be a key with a digit too many.
    parse(&text)
        .ok_or_else(|| AuditError::key(format!("{} does not hold a key: 64 hexadecimal digits", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_for_their_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::open(folder.path(), None).unwrap();
        let again = Signer::open(folder.path(), None).unwrap();
        assert_eq!(signer.public(), again.public());
        assert_eq!(fs::metadata(folder.path().join(KEY_FILE)).unwrap().mode() & 0o777, 0o600);
        let other = Signer::open(folder.path(), Some([1; 32])).unwrap();
        assert_ne!(signer.public(), other.public());
        assert_eq!(other.public(), public_key(&[1; 32]));
        let signature = signer.sign(&[9; 32]);
        assert!(PublicKey::new(&signer.public()).unwrap().signed(&[9; 32], &signature));
        assert!(!PublicKey::new(&signer.public()).unwrap().signed(&[8; 32], &signature));
        assert!(!PublicKey::new(&other.public()).unwrap().signed(&[9; 32], &signature));
    }

    #[test]
    fn a_key_that_others_can_read_or_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        HashKey::open(folder.path()).unwrap();
        let path = folder.path().join(HASH_KEY_FILE);
        let mode = |mode| fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        mode(0o640);
        let error = HashKey::open(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("hash-key can be read by others (mode 640): chmod 600 it"), "{error}");
        mode(0o600);
        fs::write(&path, "5eed").unwrap();
        let error = HashKey::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("does not hold a key") && !error.contains("5eed"), "{error}");
    }

    #[test]
    fn texts_hash_the_same_however_they_come() {
        let key = HashKey::new([3; 32]);
        let text: Vec<u8> = (0..5_000u32).map(|n| n as u8).collect();
        for size in [1, 7, 1_024, 4_999] {
            let mut hasher = key.hasher();
            text.chunks(size).for_each(|piece| hasher.update(piece));
            assert_eq!(hasher.finish(), key.hash(&text));
        }
        assert_ne!(HashKey::new([4; 32]).hash(&text), key.hash(&text));
        assert_ne!(key.name("ann"), key.name("ben"));
        assert_ne!(key.name("ann")[..], key.hash(b"ann")[..16], "names and texts are not hashed alike");
    }

    #[test]
    fn no_key_is_printed() {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::open(folder.path(), Some([7; 32])).unwrap();
        let key = HashKey::new([7; 32]);
        assert_eq!(format!("{signer:?} {key:?} {:?} {signer:#?}", key.hasher()), "*** *** *** ***");
    }
}
