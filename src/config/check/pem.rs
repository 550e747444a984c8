//! Certificates and keys: whether they are any, so that a reload fails and not the first handshake.
//!
//! What a reader could get wrong: that a key belongs to its certificate is found out by rustls when the listener is prepared.

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::Checker;
use crate::config::document::Node;
use crate::config::scalar::Secret;

/// `parent.key` must be PEM with at least one certificate.
pub fn certificates(checker: &mut Checker<'_>, parent: &Node, key: &str, secret: Option<&Secret>) {
    let (Some(node), Some(secret)) = (parent.get(key), secret) else { return };
    let mut certificates = CertificateDer::pem_slice_iter(secret.expose().as_bytes()).peekable();
    if certificates.peek().is_none() || certificates.any(|certificate| certificate.is_err()) {
        let hint = "give a file with `-----BEGIN CERTIFICATE-----` as `file:PATH`";
        checker.error(node, format!("`{key}` holds no usable PEM certificate"), hint);
    }
}

/// `parent.key` must be a private key in PEM.
pub fn key(checker: &mut Checker<'_>, parent: &Node, key: &str, secret: Option<&Secret>) {
    let (Some(node), Some(secret)) = (parent.get(key), secret) else { return };
    if PrivateKeyDer::from_pem_slice(secret.expose().as_bytes()).is_err() {
        let hint = "give a file with `-----BEGIN PRIVATE KEY-----`, not encrypted, as `file:PATH`";
        checker.error(node, format!("`{key}` holds no usable PEM private key"), hint);
    }
}
