//! Configurations for tests, built piece by piece into YAML text.
//!
//! What a reader could get wrong: deadlines here are long except where a test shortens one, because a mock on a busy CI machine
//! may take a second to answer; only the health checks are quick, so that a node leaves and returns soon.

use std::fmt::Write as _;

use super::Upstream;

/// The provider's key in every test configuration: must never be seen by a client or in a log.
pub const PROVIDER_KEY: &str = "sk-upstream-5ecret-0123456789";

/// A configuration file in the making.
#[derive(Debug, Clone, Default)]
pub struct Config {
    top: String,
    upstreams: String,
    models: String,
    routes: String,
    tenants: String,
}

impl Config {
    pub fn new() -> Config {
        Config::default()
    }

    /// What most tests start from: `small` on the edge pool `lab`, `frontier` at the provider `acme`, the route `auto` (alias `gpt-4o`)
    /// tries `small`, then `frontier`; `cloud-first` the other way round.
    pub fn hybrid(edge: &Upstream, cloud: &Upstream) -> Config {
        Config::new()
            .edge("lab", &[edge])
            .cloud("acme", cloud)
            .model("small", "lab", "id: qwen3-8b")
            .model("frontier", "acme", "id: gpt-5")
            .route("auto", "aliases: [gpt-4o]", &["small", "frontier"])
            .route("cloud-first", "", &["frontier", "small"])
    }

    /// One provider `acme`, one model `frontier` (`gpt-5` there), one route `auto`.
    pub fn cloud_only(cloud: &Upstream) -> Config {
        Config::new().cloud("acme", cloud).model("frontier", "acme", "id: gpt-5").route("auto", "", &["frontier"])
    }

    /// An edge pool of llama-servers with quick health checks.
    pub fn edge(self, name: &str, nodes: &[&Upstream]) -> Config {
        self.edge_with(name, nodes, "")
    }

    /// With further lines, such as `timeouts: {first_token: 300ms}`.
    pub fn edge_with(mut self, name: &str, nodes: &[&Upstream], more: &str) -> Config {
        let urls: Vec<String> = nodes.iter().map(|node| node.url()).collect();
        let nodes = urls.join(", ");
        let _ =
            write!(self.upstreams, "  {name}:\n    placement: edge\n    kind: llama-server\n    nodes: [{nodes}]\n");
        if !more.contains("health:") {
            self.upstreams
                .push_str("    health: {interval: 100ms, timeout: 5s, unhealthy_after: 2, healthy_after: 1}\n");
        }
        push_lines(&mut self.upstreams, more);
        self
    }

    /// An OpenAI-compatible provider with a key.
    pub fn cloud(self, name: &str, provider: &Upstream) -> Config {
        self.cloud_with(name, provider, "")
    }

    /// See `edge_with`.
    pub fn cloud_with(mut self, name: &str, provider: &Upstream, more: &str) -> Config {
        let url = provider.base_url();
        let _ = write!(self.upstreams, "  {name}:\n    placement: cloud\n    kind: openai\n    base_url: {url}\n");
        let _ = writeln!(self.upstreams, "    api_key: {PROVIDER_KEY}");
        push_lines(&mut self.upstreams, more);
        self
    }

    pub fn model(mut self, name: &str, upstream: &str, more: &str) -> Config {
        let _ = write!(self.models, "  {name}:\n    upstream: {upstream}\n");
        push_lines(&mut self.models, more);
        self
    }

    /// A route with one rule, `all`, that tries these models.
    pub fn route(self, name: &str, more: &str, targets: &[&str]) -> Config {
        let rule = format!("{{name: all, try: [{}]}}", targets.join(", "));
        self.rules(name, more, &[&rule])
    }

    /// A route with rules in YAML's flow style.
    pub fn rules(mut self, name: &str, more: &str, rules: &[&str]) -> Config {
        let _ = writeln!(self.routes, "  {name}:");
        push_lines(&mut self.routes, more);
        self.routes.push_str("    rules:\n");
        for rule in rules {
            let _ = writeln!(self.routes, "      - {rule}");
        }
        self
    }

    /// A tenant whose key is [`key`] of its name, with further lines such as `limits: {in_flight: 1}`.
    pub fn tenant(self, name: &str, more: &str) -> Config {
        self.tenant_with(name, &[&key(name)], more)
    }

    /// A tenant with these keys.
    pub fn tenant_with(mut self, name: &str, keys: &[&str], more: &str) -> Config {
        let hashes: Vec<String> = keys.iter().map(|key| format!("\"{}\"", hash(key))).collect();
        let _ = write!(self.tenants, "  {name}:\n    keys: [{}]\n", hashes.join(", "));
        push_lines(&mut self.tenants, more);
        self
    }

    /// A line at the top level, such as `server: {max_body: 1KiB}`.
    pub fn top(mut self, line: &str) -> Config {
        let _ = writeln!(self.top, "{line}");
        self
    }

    pub fn yaml(&self) -> String {
        let mut yaml = self.top.clone();
        for (section, entries) in [
            ("upstreams", &self.upstreams),
            ("models", &self.models),
            ("routes", &self.routes),
            ("tenants", &self.tenants),
        ] {
            if !entries.is_empty() {
                let _ = write!(yaml, "{section}:\n{entries}");
            }
        }
        yaml
    }
}

/// The key of the tenant of that name in tests: well formed, and the same each time.
pub fn key(tenant: &str) -> String {
    use sha2::Digest as _;
    let secret: [u8; 32] = sha2::Sha256::digest(tenant).into();
    format!("sk-tg-{}{}", hex::encode(secret), hex::encode(crc32fast::hash(&secret).to_be_bytes()))
}

/// `sha256:…` of a key.
pub fn hash(key: &str) -> String {
    use sha2::Digest as _;
    format!("sha256:{}", hex::encode(sha2::Sha256::digest(key)))
}

fn push_lines(section: &mut String, more: &str) {
    for line in more.lines().filter(|line| !line.trim().is_empty()) {
        let _ = writeln!(section, "    {line}");
    }
}
