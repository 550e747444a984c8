//! `tidegate keys new`: a key for a client, shown once, and its hash for the configuration.
//!
//! What a reader could get wrong: nothing is written anywhere; the key is lost if it is not copied from here.

use super::ENVIRONMENT;
use crate::tenant::key::{self, KeyHash};

/// Prints a new key and its hash. The key alone goes to standard output's first line, so that scripts can take it from there.
pub fn new(tenant: &str) -> u8 {
    match key::generate() {
        Ok(key) => {
            let hash = KeyHash::of(key.as_bytes());
            println!("{key}\n{hash}");
            eprintln!(
                "\nThe first line is the key of `{tenant}`: it is shown this once. The second goes into the configuration:\n\n  tenants:\n    {tenant}:\n      keys: [\"{hash}\"]"
            );
            0
        }
        Err(error) => {
            eprintln!("tidegate: the system has no random numbers for a key: {error}");
            ENVIRONMENT
        }
    }
}
