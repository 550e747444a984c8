//! Asks name servers for nodes: addresses of a name, and service records with theirs.
//!
//! What a reader could get wrong: a resolver is made anew for each question, so that `/etc/resolv.conf` may change while the gateway runs, and
//! nothing is cached here: the answer's own TTL says when the pool asks again.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, Record};

use crate::upstream::select::rank::WHOLE;

/// A name server that takes longer is not there.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A host that a service record names.
#[derive(Debug)]
pub(super) struct Service {
    pub host: String,
    pub ip: IpAddr,
    pub port: u16,
    /// Thousandths.
    pub weight: u32,
    pub priority: u16,
}

/// The addresses of a host, and how long they are good. IPv6 only where there is no IPv4: a host with both is one node.
pub(super) async fn addresses(host: &str, server: Option<SocketAddr>) -> Result<(Vec<IpAddr>, Duration), &'static str> {
    within(async {
        let found = resolver(server)?.lookup_ip(host).await.map_err(|_| "the name does not resolve")?;
        let ttl = shortest(found.as_lookup().answers());
        Ok((found.iter().collect(), ttl))
    })
    .await
}

/// The hosts of a service, and how long that is good.
pub(super) async fn services(name: &str, server: Option<SocketAddr>) -> Result<(Vec<Service>, Duration), &'static str> {
    within(async {
        let resolver = resolver(server)?;
        let found = resolver.srv_lookup(name).await.map_err(|_| "there is no such service record")?;
        let mut ttl = shortest(found.answers());
        let mut services = Vec::new();
        for record in found.answers() {
            let RData::SRV(srv) = &record.data else { continue };
            let host = srv.target.to_utf8();
            // The root as a target says that the service is not available there (RFC 2782).
            let host = host.trim_end_matches('.');
            if host.is_empty() {
                continue;
            }
            // One host that does not resolve is one that is not there.
            let Ok(addresses) = resolver.lookup_ip(srv.target.clone()).await else { continue };
            ttl = ttl.min(shortest(addresses.as_lookup().answers()));
            // Weight 0 is for hosts that are to be asked hardly ever.
            let weight = u32::from(srv.weight).saturating_mul(WHOLE).max(WHOLE / 10);
            services.extend(addresses.iter().map(|ip| Service {
                host: host.to_owned(),
                ip,
                port: srv.port,
                weight,
                priority: srv.priority,
            }));
        }
        if services.is_empty() { Err("no host of the service record resolves") } else { Ok((services, ttl)) }
    })
    .await
}

async fn within<T>(asking: impl Future<Output = Result<T, &'static str>>) -> Result<T, &'static str> {
    tokio::time::timeout(TIMEOUT, asking).await.unwrap_or(Err("the name server does not answer"))
}

fn shortest(records: &[Record]) -> Duration {
    Duration::from_secs(records.iter().map(|record| u64::from(record.ttl)).min().unwrap_or(0))
}

fn resolver(server: Option<SocketAddr>) -> Result<TokioResolver, &'static str> {
    let failed = |_| "the system's name servers are not known; set `resolver`";
    let mut builder = match server {
        None => TokioResolver::builder_tokio().map_err(failed)?,
        Some(server) => {
            let mut connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
            for connection in &mut connections {
                connection.port = server.port();
            }
            let server = NameServerConfig::new(server.ip(), true, connections.to_vec());
            let config = ResolverConfig::from_parts(None, vec![], vec![server]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    let options = builder.options_mut();
    options.cache_size = 0;
    options.timeout = TIMEOUT / 3;
    options.ip_strategy = LookupIpStrategy::Ipv4thenIpv6;
    builder.build().map_err(failed)
}
