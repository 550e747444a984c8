//! The connection to Postgres: its URL, TLS, and how long a dead peer may keep us waiting.
//!
//! What a reader could get wrong: with `sslmode=require` the certificate is verified (libpq would not); without any `sslmode` the
//! connection is not encrypted, which is for servers on this machine.

use std::sync::Arc;
use std::time::Duration;

use postgres::config::{Host, SslMode};
use postgres::{Client, Config, NoTls};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::scalar::Secret;
use crate::ledger::store::error::StoreError;

/// How long a server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// How long sent data may stay unacknowledged before the connection counts as lost.
const SILENT: Duration = Duration::from_secs(20);

/// A gateway that hangs in the middle of a transaction must not hold the others' turn for ever; nor may a statement.
const SESSION: &str = "SET search_path = tidegate; SET statement_timeout = '60s'; SET lock_timeout = '30s'; \
                       SET idle_in_transaction_session_timeout = '60s'";

pub struct Server {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    /// For messages: without user and password.
    pub place: String,
}

impl Server {
    /// Reads the URL. Errors name what is wrong with it, never its password.
    pub fn parse(url: &Secret) -> Result<Server, StoreError> {
        let (bare, mode, root) = split(url.expose());
        let mut config: Config = bare.parse().map_err(|e: postgres::Error| {
            let cause = std::error::Error::source(&e).map(|cause| format!(": {cause}")).unwrap_or_default();
            StoreError::lasting(format!("the postgres:// URL of `ledger` cannot be read{cause}"))
        })?;
        config.application_name("tidegate").tcp_user_timeout(SILENT).keepalives_idle(SILENT);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        let tls = match mode {
            None | Some("disable" | "allow" | "prefer") => None,
            Some("require" | "verify-ca" | "verify-full") => Some(tls(root)?),
            Some(other) => {
                return Err(StoreError::lasting(format!(
                    "sslmode={other} in the URL of `ledger`: write disable, require or verify-full"
                )));
            }
        };
        config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
        let place = place(&config);
        Ok(Server { config, tls, place })
    }

    pub fn connect(&self) -> Result<Client, StoreError> {
        let mut client = match &self.tls {
            Some(tls) => self.config.connect(tls.clone())?,
            None => self.config.connect(NoTls)?,
        };
        client.batch_execute(SESSION)?;
        Ok(client)
    }
}

/// The URL without what the driver does not know, `sslmode`, `sslrootcert`.
fn split(url: &str) -> (String, Option<&str>, Option<&str>) {
    let Some((bare, settings)) = url.split_once('?') else { return (url.to_owned(), None, None) };
    let (mut mode, mut root, mut rest) = (None, None, Vec::new());
    for setting in settings.split('&') {
        match setting.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value),
            Some(("sslrootcert", value)) => root = Some(value),
            _ => rest.push(setting),
        }
    }
    let rest = rest.join("&");
    (if rest.is_empty() { bare.to_owned() } else { format!("{bare}?{rest}") }, mode, root)
}

fn tls(root: Option<&str>) -> Result<MakeRustlsConnect, StoreError> {
    let mut roots = RootCertStore::empty();
    match root {
        None | Some("system") => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Some(path) => {
            let wrong = |e: &dyn std::fmt::Display| StoreError::lasting(format!("sslrootcert={path} of `ledger`: {e}"));
            for certificate in CertificateDer::pem_file_iter(path).map_err(|e| wrong(&e))? {
                roots.add(certificate.map_err(|e| wrong(&e))?).map_err(|e| wrong(&e))?;
            }
        }
    }
    if roots.is_empty() {
        let message =
            "no certificate to verify postgres with; install ca-certificates or add sslrootcert=FILE to the URL";
        return Err(StoreError::lasting(message));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| StoreError::lasting(format!("TLS cannot be set up: {e}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn place(config: &Config) -> String {
    let hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        })
        .collect();
    format!("postgres at {}/{}", hosts.join(","), config.get_dbname().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        Server::parse(&Secret::new(url)).err().map(|e| e.to_string()).unwrap_or_default()
    }

    #[test]
    fn the_url_says_whether_tls_is_wanted() {
        let server = |url: &str| Server::parse(&Secret::new(url)).unwrap();
        let plain = server("postgres://u:hunter2@db:5433/books?connect_timeout=3");
        assert!(plain.tls.is_none());
        assert_eq!(plain.place, "postgres at db/books");
        assert_eq!(plain.config.get_connect_timeout(), Some(&Duration::from_secs(3)));
        assert!(server("postgres://db/x?sslmode=prefer").tls.is_none());
        assert_eq!(server("postgres://db/x?sslmode=disable&options=-c%20a%3Db").config.get_options(), Some("-c a=b"));
    }

    #[test]
    fn messages_hold_no_password() {
        insta::assert_snapshot!(
            refused("postgres://u:hunter2@db/x?sslmode=maybe"),
            @"sslmode=maybe in the URL of `ledger`: write disable, require or verify-full"
        );
        insta::assert_snapshot!(
            refused("postgres://u:hunter2@db/x?sslmode=require&sslrootcert=/none.pem"),
            @"sslrootcert=/none.pem of `ledger`: I/O error: No such file or directory (os error 2)"
        );
        for wrong in ["postgres://u:hunter2@db/x?what=5", "postgres://u:hunter2@db:port/x", "postgres://u:hunter2@"] {
            assert!(!refused(wrong).contains("hunter2"), "{}", refused(wrong));
        }
        insta::assert_snapshot!(refused("postgres://u:hunter2@db/x?what=5"), @"the postgres:// URL of `ledger` cannot be read: unknown option `what`");
    }
}
