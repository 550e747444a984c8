//! The public listener's certificate. ring does the cryptography, named explicitly: rustls panics when two providers
//! are linked in and none is chosen.
//!
//! What a reader could get wrong: with `client_ca` a client without a certificate is refused in the handshake, before
//! HTTP.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// What is wrong with the certificate, the key or the client authority: for the operator, never holding a byte of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsError(String);

/// Builds the listener's TLS from PEM: chain, private key, and authorities of clients if they must show a certificate.
/// Offers HTTP/2 and HTTP/1.1 by ALPN.
///
/// # Errors
/// A part is no PEM, holds nothing, or key and certificate do not belong together.
pub fn server_config(cert: &str, key: &str, client_ca: Option<&str>) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError(format!("no usable TLS version: {error}")))?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates("tls.client_ca", pem)? {
                roots.add(authority).map_err(|error| TlsError(format!("tls.client_ca cannot be used: {error}")))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| TlsError(format!("tls.client_ca cannot be used: {error}")))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let chain = certificates("tls.cert", cert)?;
    // The error of a key is not repeated: parsers quote what they stumble over.
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| {
        TlsError("tls.key holds no private key in PEM: expected a section such as `BEGIN PRIVATE KEY`".into())
    })?;
    let mut config = builder.with_single_cert(chain, key).map_err(|error| {
        TlsError(format!("tls.cert and tls.key do not make a pair: {error}; check that the key is this certificate's"))
    })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(place: &str, pem: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(TlsError(format!(
            "{place} holds no certificate in PEM: expected a section `BEGIN CERTIFICATE`, give the file as file:PATH"
        ))),
    }
}

impl std::fmt::Display for TlsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_accepted_and_its_faults_are_named() {
        let ours = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (cert, key) = (ours.cert.pem(), ours.signing_key.serialize_pem());
        let config = server_config(&cert, &key, Some(&cert)).unwrap();
        assert_eq!(config.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
        let message = |cert: &str, key: &str, ca| server_config(cert, key, ca).unwrap_err().to_string();
        assert!(message("nothing", &key, None).starts_with("tls.cert holds no certificate in PEM"));
        assert!(message(&cert, "sk-hidden", None).starts_with("tls.key holds no private key in PEM"));
        assert!(!message(&cert, "sk-hidden", None).contains("hidden"));
        assert!(message(&cert, &key, Some("")).starts_with("tls.client_ca holds no certificate"));
        assert!(
            message(&cert, &other.signing_key.serialize_pem(), None)
                .starts_with("tls.cert and tls.key do not make a pair")
        );
    }
}
