//! Answers beyond memory: on disk over a restart, and in a Redis that two gateways share; only where they may leave memory, never readable.

use std::process::Stdio;
use std::sync::Arc;

use tokio::process::{Child, Command};

use crate::support::client::chat;
use crate::support::{Answer, Config, Gateway, Response, Upstream, eventually};

const PRICE: &str = "price: {input: 1, output: 2}";
const ANSWER: &str = "the tide table of the northern quay";
const QUESTION: &str = "what hangs at the northern quay?";

fn config(cloud: &Upstream, cache: &str) -> Config {
    let config = Config::new().cloud("acme", cloud).model("gpt-5", "acme", PRICE).route("auto", "", &["gpt-5"]);
    config.tenant("open", "").tenant("quiet", "privacy: no-retention").top(cache)
}

async fn ask(gateway: &Gateway, tenant: &str) -> Response {
    let answer = gateway.chat(&chat("auto", QUESTION)).by(tenant).send().await;
    assert_eq!((answer.status, answer.content().as_str()), (200, ANSWER), "{}", answer.text());
    answer
}

fn cache(answer: &Response) -> &str {
    answer.header("x-tidegate-cache")
}

/// Every byte below a folder.
fn bytes_below(folder: &std::path::Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        match entry.path() {
            path if path.is_dir() => all.extend(bytes_below(&path)),
            path => all.extend(std::fs::read(path).unwrap_or_default()),
        }
    }
    all
}

#[tokio::test]
async fn answers_outlive_a_restart_where_they_may_be_kept() {
    let cloud = Upstream::named("cloud").await.always(Answer::chat(ANSWER));
    let config = config(&cloud, "cache: {disk: {capacity: 16MiB}}");
    let mut gateway = Gateway::with(&config).await;
    for tenant in ["open", "quiet"] {
        assert_eq!(cache(&ask(&gateway, tenant).await), "miss");
        assert_eq!(cache(&ask(&gateway, tenant).await), "hit");
    }
    gateway.eventually_metric("tidegate_cache_requests_total", &[("tier", "disk"), ("result", "stored")], 1.0).await;
    let dir = gateway.shared_dir();
    gateway.signal("TERM");
    gateway.wait_exit().await;
    let written = bytes_below(&dir.path().join("data"));
    for secret in [ANSWER, QUESTION] {
        assert!(memchr::memmem::find(&written, secret.as_bytes()).is_none(), "`{secret}` is on disk as it is");
    }
    let gateway = Gateway::start(Arc::clone(&dir), &[]).await;
    let open = ask(&gateway, "open").await;
    assert_eq!((cache(&open), open.header("x-tidegate-model")), ("hit", "gpt-5"));
    assert_eq!(cache(&ask(&gateway, "quiet").await), "miss");
    assert_eq!(cloud.requests().len(), 3);
    // Purged, it is gone from the disk, too.
    let purged = gateway.admin_post("/api/cache/purge", &serde_json::json!({"tenant": "open"})).send().await;
    assert_eq!(purged.json(), serde_json::json!({"purged": 1, "disk": 1, "shared": null}), "{}", purged.text());
    assert_eq!(cache(&ask(&gateway, "open").await), "miss");
}

/// A Redis of the test's own, on a Unix socket.
struct Redis {
    _server: Child,
    folder: tempfile::TempDir,
}

impl Redis {
    /// `None`: there is none on this machine.
    async fn start() -> Option<Redis> {
        let folder = tempfile::tempdir().unwrap();
        for binary in ["redis-server", "valkey-server"] {
            let mut command = Command::new(binary);
            command.args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"]);
            command.arg(folder.path().join("socket")).arg("--dir").arg(folder.path());
            let started = command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn();
            if let Ok(server) = started {
                let redis = Redis { _server: server, folder };
                eventually("redis", async || redis.folder.path().join("socket").exists().then_some(())).await;
                return Some(redis);
            }
        }
        eprintln!("SKIPPED: neither redis-server nor valkey-server is here (scripts/setup.sh redis)");
        None
    }

    fn url(&self) -> String {
        format!("unix://{}", self.folder.path().join("socket").display())
    }
}

#[tokio::test]
async fn replicas_share_answers_and_a_dead_redis_fails_nothing() {
    let Some(redis) = Redis::start().await else { return };
    let cloud = Upstream::named("cloud").await.always(Answer::chat(ANSWER));
    let config = config(
        &cloud,
        &format!("cache: {{shared: {{url: \"{}\", secret: one-for-all-of-them, timeout: 2s}}}}", redis.url()),
    );
    let (one, two) = (Gateway::with(&config).await, Gateway::with(&config).await);
    // Connected in the background: what is asked before counts as skipped.
    let connected = async |gateway: &Gateway, tenant: &str| {
        gateway.chat(&chat("auto", "anything else")).by(tenant).header("x-tidegate-cache", "refresh").send().await;
        let metrics = gateway.metrics().await;
        let stored = metrics.sum("tidegate_cache_requests_total", &[("tier", "shared"), ("result", "stored")]);
        (stored > 0.0).then_some(())
    };
    eventually("the first is connected", async || connected(&one, "open").await).await;
    eventually("the second is connected", async || connected(&two, "open").await).await;
    assert_eq!(cache(&ask(&one, "open").await), "miss");
    let calls = cloud.requests().len();
    // Written in the background, and found by the other one from then on.
    eventually("the second has it from the first", async || {
        let answer =
            two.chat(&chat("auto", QUESTION)).by("open").header("cache-control", "only-if-cached").send().await;
        let shared = two.metrics().await.sum("tidegate_cache_requests_total", &[("tier", "shared"), ("result", "hit")]);
        (answer.status == 200 || shared > 0.0).then_some(())
    })
    .await;
    assert_eq!((cache(&ask(&two, "open").await), cloud.requests().len()), ("hit", calls));
    // A tier that keeps nothing beyond memory asks for itself.
    ask(&one, "quiet").await;
    assert_eq!(cache(&ask(&two, "quiet").await), "miss");
    // Dead: everything goes on.
    drop(redis);
    assert_eq!(cache(&ask(&two, "open").await), "hit");
    for gateway in [&one, &two] {
        let answer = gateway.chat(&chat("auto", "and without it?")).by("open").send().await;
        assert_eq!((answer.status, cache(&answer)), (200, "miss"));
    }
}
