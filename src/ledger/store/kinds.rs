//! The numbers of the kinds, kept in memory so that the database is not asked for each entry.
//!
//! What a reader could get wrong: the numbers are only a cache. After a transaction that was rolled back it is cleared, because a
//! number that was given in it is free again.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::measure::Kind;

/// Kinds held at once (about 300 bytes each). Their number follows from the configuration, but for names of apps, which are the
/// clients' where a tenant lists none: then memory stays bounded and the database is asked again.
const MOST: usize = 16_384;

/// How the database tells kinds apart.
pub type Hash = [u8; 16];

#[derive(Debug, Default)]
pub struct Kinds {
    ids: HashMap<Box<[u8]>, i64, RandomState>,
    key: Vec<u8>,
}

impl Kinds {
    /// The number of a kind; `ask` finds or makes it in the database.
    pub fn id<E>(&mut self, kind: &Kind<&str>, ask: impl FnOnce(Hash) -> Result<i64, E>) -> Result<i64, E> {
        kind.key(&mut self.key);
        if let Some(id) = self.ids.get(self.key.as_slice()) {
            return Ok(*id);
        }
        let mut hash = Hash::default();
        hash.copy_from_slice(&blake3::hash(&self.key).as_bytes()[..16]);
        let id = ask(hash)?;
        if self.ids.len() >= MOST {
            self.ids.clear();
        }
        self.ids.insert(self.key.as_slice().into(), id);
        Ok(id)
    }

    pub fn clear(&mut self) {
        self.ids.clear();
    }
}
