//! A proof that one record is in the log: the record, its way up the tree, and the signed checkpoint. It needs no other file.
//!
//! What a reader could get wrong: a proof shows that whoever has the key signed this record. That the key is the gateway's, the verifier
//! must know from elsewhere; the one inside the proof says nothing about it.

use serde::Deserialize;

use super::key::PublicKey;
use super::line::{self, Hash, LineHasher};
use super::mark::{Checkpoint, FORMAT};
use super::record;
use super::text::{self, hex, unhex};
use super::tree;

/// Longer paths belong to no tree: 2^64 leaves.
const MAX_PATH: usize = 64;

/// One record with what proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The record's line.
    pub record: String,
    /// The record's place among the segment's, from 0.
    pub index: u64,
    pub(super) path: Vec<Hash>,
    /// The checkpoint's line.
    pub checkpoint: String,
    pub(super) public_key: [u8; 32],
}

/// What a proof proved.
#[derive(Debug, Clone, PartialEq)]
pub struct Proven {
    /// The record's sequence number.
    pub seq: u64,
    /// The record, JSON.
    pub record: String,
    pub checkpoint: Checkpoint,
    /// That the signature was checked with, in hexadecimal.
    pub public_key: String,
    /// It is the proof's own, not one that the verifier named: nothing is known about who signed.
    pub own_key: bool,
}

impl Proof {
    /// One line of JSON in one form, with a newline.
    pub fn to_json(&self) -> String {
        let mut out = b"{\"proof\":".to_vec();
        text::string(&mut out, FORMAT);
        out.extend_from_slice(b",\"record\":");
        text::string(&mut out, &self.record);
        out.extend_from_slice(b",\"index\":");
        text::number(&mut out, self.index);
        out.extend_from_slice(b",\"path\":[");
        for (at, hash) in self.path.iter().enumerate() {
            out.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
            hex(&mut out, hash);
            out.push(b'"');
        }
        out.extend_from_slice(b"],\"checkpoint\":");
        text::string(&mut out, &self.checkpoint);
        out.extend_from_slice(b",\"public_key\":\"");
        hex(&mut out, &self.public_key);
        out.extend_from_slice(b"\"}\n");
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Reads a proof. Only the one form is accepted, so that no byte of it can be changed unseen; its last newline may be missing.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(text: &str) -> Result<Proof, String> {
        #[derive(Deserialize)]
        struct Fields {
            proof: String,
            record: String,
            index: u64,
            path: Vec<String>,
            checkpoint: String,
            public_key: String,
        }
        let fields: Fields = serde_json::from_str(text).map_err(|e| format!("not a proof: {e}"))?;
        if fields.proof != FORMAT {
            return Err(format!("not a proof of the form {FORMAT}"));
        }
        let path: Option<Vec<Hash>> = fields.path.iter().map(|hash| unhex(hash.as_bytes())).collect();
        let public_key = unhex(fields.public_key.as_bytes());
        let (Some(path), Some(public_key)) = (path.filter(|path| path.len() <= MAX_PATH), public_key) else {
            return Err("not a proof: hashes and key must be 64 lower-case hexadecimal digits each".into());
        };
        let Fields { record, index, checkpoint, .. } = fields;
        let proof = Proof { record, index, path, checkpoint, public_key };
        let again = proof.to_json();
        if again != text && again.strip_suffix('\n') != Some(text) {
            return Err(
                "the proof is not in the form in which `audit show --proof` writes it: reformatted, or changed".into(),
            );
        }
        Ok(proof)
    }

    /// Whether the proof holds, under `key` or else under its own.
    ///
    /// # Errors
    /// What does not hold, for people.
    pub fn check(&self, key: Option<&PublicKey>) -> Result<Proven, String> {
        let named = PublicKey::new(&self.public_key).ok_or("the proof's public key is none")?;
        if key.is_some_and(|key| key.bytes() != named.bytes()) {
            return Err(format!("the proof was made with another key: {}", named.to_hex()));
        }
        let mut hasher = LineHasher::new();
        let record = self.record.as_bytes();
        let parts = line::split(record).filter(|parts| parts.signature.is_none());
        let (Some(parts), Some((seq, _))) = (parts, record::parse_head(record)) else {
            return Err("the record in the proof is not a record".into());
        };
        if !hasher.fits(&parts) {
            return Err("the record in the proof was changed: its hash does not fit".into());
        }
        let (checkpoint, signed, signature) =
            Checkpoint::parse(self.checkpoint.as_bytes(), &named.bytes(), &mut hasher)
                .ok_or("the checkpoint in the proof was changed, or is another key's")?;
        if !named.signed(&signed.hash, &signature) {
            return Err("the checkpoint in the proof is not signed by its key".into());
        }
        // Both count up together, so the record's place is where its number says.
        let first = checkpoint.seq.checked_sub(checkpoint.records).map(|before| before + 1);
        if first.and_then(|first| first.checked_add(self.index)) != Some(seq) {
            return Err("the record's place in the proof is not the one of its number".into());
        }
        if tree::climb(parts.hash, self.index, checkpoint.records, &self.path) != Some(checkpoint.root) {
            return Err("the record is not among those that the checkpoint signs".into());
        }
        let record = self.record.clone();
        Ok(Proven { seq, record, checkpoint, public_key: named.to_hex(), own_key: key.is_none() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::chain::tests::log_of;
    use crate::audit::find::prove;

    #[test]
    fn a_proof_stands_alone_and_no_bit_of_it_can_be_changed() {
        let folder = tempfile::tempdir().unwrap();
        log_of(folder.path(), 7, 3, 100);
        let key = PublicKey::new(&crate::audit::key::public_key(&[7; 32])).unwrap();
        let other = PublicKey::new(&crate::audit::key::public_key(&[8; 32])).unwrap();
        let proof = prove(folder.path(), 5).unwrap().unwrap();
        let proven = proof.check(Some(&key)).unwrap();
        assert_eq!((proven.seq, proven.checkpoint.seq, proven.own_key), (5, 6, false));
        assert!(proof.check(None).unwrap().own_key);
        assert!(proof.check(Some(&other)).unwrap_err().contains("another key"));
        let text = proof.to_json();
        assert_eq!(Proof::parse(&text).unwrap(), proof);
        assert_eq!(Proof::parse(text.trim_end()).unwrap(), proof);
        for at in 0..text.len() {
            for bit in [at % 8, 5] {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let changed = String::from_utf8(bytes).map_err(|e| e.to_string());
                let held = changed.and_then(|text| Proof::parse(&text)).and_then(|proof| proof.check(Some(&key)));
                assert!(held.is_err(), "byte {at}, bit {bit}");
            }
        }
    }

    #[test]
    fn every_record_can_be_proved() {
        let folder = tempfile::tempdir().unwrap();
        log_of(folder.path(), 25, 4, 10);
        for seq in 1..=25 {
            let proof = prove(folder.path(), seq).unwrap().unwrap();
            assert_eq!(proof.check(None).unwrap().seq, seq);
        }
        assert_eq!(prove(folder.path(), 26).unwrap(), None);
    }

    #[test]
    fn a_proof_of_one_record_does_not_hold_for_another() {
        let folder = tempfile::tempdir().unwrap();
        log_of(folder.path(), 6, 6, 100);
        let proof = prove(folder.path(), 2).unwrap().unwrap();
        let other = prove(folder.path(), 3).unwrap().unwrap();
        let wrong = Proof { record: other.record.clone(), ..proof.clone() };
        assert!(wrong.check(None).unwrap_err().contains("place"));
        let wrong = Proof { record: other.record.clone(), index: other.index, ..proof.clone() };
        assert!(wrong.check(None).unwrap_err().contains("not among those"));
        let wrong = Proof { record: proof.checkpoint.clone(), ..proof };
        assert!(wrong.check(None).unwrap_err().contains("not a record"));
    }
}
