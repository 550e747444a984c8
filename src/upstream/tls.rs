//! TLS towards upstreams: the system's roots or one's own authority, a client certificate where one is asked for, ALPN.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use super::node::NodeTls;
use crate::config::file::UpstreamTls;
use crate::config::scalar::Secret;

/// The settings of an upstream, ready for each of its hosts.
#[derive(Debug, Clone)]
pub struct TlsSettings {
    config: Arc<ClientConfig>,
    config_http1: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
}

impl TlsSettings {
    /// Errors name the key of the configuration and what is wrong with its value, never the value.
    pub fn build(raw: &UpstreamTls) -> Result<TlsSettings, String> {
        let roots = roots(raw.ca.as_ref())?;
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| format!("TLS cannot be set up: {e}"))?
            .with_root_certificates(roots);
        let mut config = match (&raw.cert, &raw.key) {
            (Some(cert), Some(key)) => builder
                .with_client_auth_cert(certificates("tls.cert", cert)?, private_key("tls.key", key)?)
                .map_err(|e| format!("tls.cert and tls.key do not belong together: {e}"))?,
            (None, None) => builder.with_no_client_auth(),
            _ => return Err("tls.cert and tls.key belong together; give both or none".into()),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let config_http1 = Arc::new(config.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let server_name = raw.server_name.as_deref().map(name).transpose()?;
        Ok(TlsSettings { config: Arc::new(config), config_http1, server_name })
    }

    /// For one host.
    pub fn for_host(&self, host: &str) -> Result<NodeTls, String> {
        let server_name = match &self.server_name {
            Some(configured) => configured.clone(),
            None => name(host)?,
        };
        Ok(NodeTls { config: self.config.clone(), config_http1: self.config_http1.clone(), server_name })
    }
}

fn name(host: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(host.to_owned()).map_err(|_| "the host is no name that a certificate could carry".to_string())
}

fn roots(own: Option<&Secret>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    if let Some(own) = own {
        for certificate in certificates("tls.ca", own)? {
            roots.add(certificate).map_err(|e| format!("tls.ca holds a certificate that cannot be used: {e}"))?;
        }
        return Ok(roots);
    }
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    if roots.is_empty() {
        return Err("this system has no root certificates; install ca-certificates or set tls.ca".into());
    }
    Ok(roots)
}

/// The certificates of a PEM text.
pub fn certificates(key: &str, pem: &Secret) -> Result<Vec<CertificateDer<'static>>, String> {
    let list: Vec<_> = CertificateDer::pem_slice_iter(pem.expose().as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| format!("{key} is no PEM text"))?;
    if list.is_empty() {
        return Err(format!("{key} holds no certificate (expected -----BEGIN CERTIFICATE-----)"));
    }
    Ok(list)
}

/// The private key of a PEM text.
pub fn private_key(key: &str, pem: &Secret) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(pem.expose().as_bytes())
        .map_err(|_| format!("{key} holds no private key (expected -----BEGIN PRIVATE KEY-----)"))
}
