//! Where the shared Redis is, read from its URL.
//!
//! What a reader could get wrong: a password may stand in the URL, so neither it nor what the parser says about it is ever shown.

use redis::IntoConnectionInfo as _;

/// Reads `redis://`, `rediss://` (TLS), `valkey://`, `valkeys://` and `unix://` URLs with user, password and database number.
///
/// # Errors
/// It is none of those; as a text for people, without the URL.
pub fn parse(url: &str) -> Result<redis::Client, String> {
    let expected = "such as redis://HOST:6379/0, rediss://USER:PASSWORD@HOST:6379/0 or unix:///run/redis.sock";
    let known = ["redis://", "rediss://", "valkey://", "valkeys://", "unix://", "redis+unix://", "valkey+unix://"];
    if !known.iter().any(|scheme| url.starts_with(scheme)) {
        return Err(format!("the shared cache's URL has an unknown scheme; expected a URL {expected}"));
    }
    if url.contains("#insecure") {
        let why = "would take any certificate";
        return Err(format!(
            "the shared cache's URL ends in #insecure, which {why}; use redis:// where TLS is not needed"
        ));
    }
    if url.starts_with("rediss://") || url.starts_with("valkeys://") {
        // The driver asks for the process's provider; where another one is installed already that one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let info = url.into_connection_info().and_then(redis::Client::open);
    info.map_err(|_| format!("the shared cache's URL cannot be read; expected a URL {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_url_is_read() {
        for url in [
            "redis://127.0.0.1:6379",
            "redis://ann:secret@localhost:6379/3",
            "redis://:secret@localhost",
            "rediss://ann:secret@cache.example:6380/1",
            "valkey://localhost",
            "unix:///run/redis.sock?db=2&user=ann&pass=secret",
            "redis+unix:///run/redis.sock",
        ] {
            assert!(parse(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn what_is_refused_is_not_shown() {
        for url in
            ["http://:secret@localhost", "redis://:secret@localhost/none", "secret", "rediss://:secret@h/#insecure"]
        {
            let error = parse(url).unwrap_err();
            assert!(error.starts_with("the shared cache's URL ") && !error.contains("secret"), "{url}: {error}");
        }
    }
}
