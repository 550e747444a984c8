//! `nodes` and `discover` of an upstream: where the nodes of a pool are, and who says so.
//!
//! What a reader could get wrong: `discover` is text in the file (so that the schema stays simple) and is taken apart here, once for the check
//! and once for the pool.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The most that a node may weigh, and the least: beyond, the others would get nothing.
pub const WEIGHTS: std::ops::RangeInclusive<f64> = 0.01..=1000.0;

/// A node of a pool: its URL, or one with a weight.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(untagged)]
pub enum PoolNode {
    /// The URL alone: `http://HOST:PORT`.
    Url(String),
    /// With settings.
    With(PoolNodeWith),
}

/// A node with settings.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct PoolNodeWith {
    /// `http://HOST:PORT`.
    pub url: String,
    /// Its share of the work beside the others'. Default 1.
    #[serde(default)]
    pub weight: Option<f64>,
    /// It finishes what it has and gets nothing new.
    #[serde(default)]
    pub drain: bool,
}

/// By hand, because serde's untagged enums forget where in the file a problem was.
impl<'de> Deserialize<'de> for PoolNode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NodeVisitor;

        impl<'de> Visitor<'de> for NodeVisitor {
            type Value = PoolNode;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a URL or `{url: URL, weight: 2}`")
            }

            fn visit_str<E: serde::de::Error>(self, url: &str) -> Result<PoolNode, E> {
                Ok(PoolNode::Url(url.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PoolNode, A::Error> {
                PoolNodeWith::deserialize(MapAccessDeserializer::new(map)).map(PoolNode::With)
            }
        }

        deserializer.deserialize_struct("PoolNodeWith", &["url", "weight", "drain"], NodeVisitor)
    }
}

impl PoolNode {
    pub fn url(&self) -> &str {
        match self {
            PoolNode::Url(url) => url,
            PoolNode::With(with) => &with.url,
        }
    }

    pub fn weight(&self) -> f64 {
        match self {
            PoolNode::With(PoolNodeWith { weight: Some(weight), .. }) => *weight,
            _ => 1.0,
        }
    }

    pub fn drains(&self) -> bool {
        matches!(self, PoolNode::With(with) if with.drain)
    }
}

/// Who knows the nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Discover {
    /// Each address (A, AAAA) of a name.
    Dns { tls: bool, host: String, port: u16 },
    /// A service record (RFC 2782), with hosts, ports, priorities and weights.
    Srv { tls: bool, name: String },
    /// A file with a node a line.
    File(PathBuf),
}

impl Discover {
    /// Reads `dns://HOST:PORT`, `dns+https://HOST:PORT`, `srv://_service._proto.name`, `srv+https://…`, `file:///PATH`.
    ///
    /// # Errors
    /// What is wrong with it, and how to write it.
    pub fn parse(text: &str) -> Result<Discover, (&'static str, &'static str)> {
        let hint =
            "write dns://HOST:PORT, srv://_service._tcp.NAME or file:///PATH (with TLS: dns+https://, srv+https://)";
        let (scheme, rest) = text.split_once("://").ok_or(("has no scheme", hint))?;
        match scheme {
            "dns" | "dns+https" => {
                let (host, port) = rest.rsplit_once(':').ok_or(("has no port", "write dns://HOST:PORT"))?;
                let port =
                    port.parse().ok().filter(|port| *port > 0).ok_or(("has no port", "write dns://HOST:PORT"))?;
                if !is_name(host) {
                    return Err(("has no host name", "write dns://HOST:PORT; addresses belong under `nodes`"));
                }
                Ok(Discover::Dns { tls: scheme == "dns+https", host: host.to_owned(), port })
            }
            "srv" | "srv+https" => {
                if !is_name(rest) || !rest.starts_with('_') {
                    return Err(("is no name of a service", "write srv://_service._tcp.NAME"));
                }
                Ok(Discover::Srv { tls: scheme == "srv+https", name: rest.to_owned() })
            }
            "file" if rest.starts_with('/') => Ok(Discover::File(PathBuf::from(rest))),
            "file" => Err(("is no absolute path", "write file:///PATH")),
            _ => Err(("is of no known kind", hint)),
        }
    }

    /// The nodes speak TLS, as far as that is known before they are.
    pub fn is_tls(&self) -> bool {
        matches!(self, Discover::Dns { tls: true, .. } | Discover::Srv { tls: true, .. })
    }
}

fn is_name(text: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    let name = text.strip_suffix('.').unwrap_or(text);
    name.split('.').all(part) && name.parse::<std::net::IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discovery_is_read_or_refused_with_the_remedy() {
        let dns = |tls, host: &str, port| Discover::Dns { tls, host: host.into(), port };
        assert_eq!(Discover::parse("dns://llama.lab.svc:8080"), Ok(dns(false, "llama.lab.svc", 8080)));
        assert_eq!(Discover::parse("dns+https://llama.lab.svc.:443"), Ok(dns(true, "llama.lab.svc.", 443)));
        let srv = Discover::Srv { tls: false, name: "_llama._tcp.lab.svc".into() };
        assert_eq!(Discover::parse("srv://_llama._tcp.lab.svc"), Ok(srv));
        assert_eq!(Discover::parse("file:///etc/nodes"), Ok(Discover::File("/etc/nodes".into())));
        for (wrong, why) in [
            ("llama.lab.svc:8080", "has no scheme"),
            ("dns://llama.lab.svc", "has no port"),
            ("dns://10.0.0.1:80", "has no host name"),
            ("dns://a b:80", "has no host name"),
            ("srv://llama", "is no name of a service"),
            ("file://nodes", "is no absolute path"),
            ("consul://x", "is of no known kind"),
        ] {
            assert_eq!(Discover::parse(wrong).map_err(|(what, _)| what), Err(why), "{wrong}");
        }
    }
}
