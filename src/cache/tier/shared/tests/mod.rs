//! The shared tier with a real Redis, and with servers that are silent, talk rubbish, are down and come back.

mod server;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use bytes::Bytes;

use super::*;
use crate::cache::tier::Labels;

/// A machine under load must not fail a test: what is to answer has as long as it takes.
fn patient() -> Settings {
    Settings { deadline: Duration::from_secs(30), pause: Duration::from_millis(1), ..Settings::default() }
}

fn hasty() -> Settings {
    Settings { deadline: Duration::from_millis(5), pause: Duration::from_millis(1), failures: 3, ..Settings::default() }
}

fn seal() -> Arc<Seal> {
    Arc::new(Seal::new(&[7; 32]))
}

fn begin(url: &str, settings: Settings) -> Shared {
    Shared::connect(url, seal(), settings, &Handle::current()).unwrap()
}

async fn up(url: &str) -> Shared {
    let shared = begin(url, patient());
    shared.until(true).await;
    shared
}

fn key(n: u64) -> Key {
    Key(*blake3::hash(&n.to_le_bytes()).as_bytes())
}

fn kept(n: u64) -> Kept {
    let labels = Labels { route: n % 2, tenant: n % 3, model: n % 5 };
    Kept { made_us: n as i64, until_us: now_us() + 3_600_000_000, labels, bytes: Bytes::from(format!("answer {n}")) }
}

/// Puts, and waits until it is written: jobs are done in their order.
async fn put(shared: &Shared, entries: impl IntoIterator<Item = (Key, Kept)>) {
    entries.into_iter().for_each(|(key, kept)| shared.put(&key, &kept));
    shared.purge(Purge::Key(key(u64::MAX))).await.unwrap();
}

fn bytes(found: Option<Kept>) -> Option<Bytes> {
    found.map(|kept| kept.bytes)
}

fn run(server: &server::Server, command: &[&str]) -> Value {
    let mut own = redis::cmd(command[0]);
    own.arg(&command[1..]);
    own.query(&mut server.client("")).unwrap()
}

fn names(server: &server::Server) -> Vec<String> {
    redis::cmd("KEYS").arg("*").query(&mut server.client("")).unwrap()
}

/// The entry's name, where there is one entry.
fn entry(server: &server::Server) -> String {
    names(server).into_iter().find(|name| name.len() == "tg1:".len() + 32).unwrap()
}

#[tokio::test]
async fn replicas_find_what_another_put_and_redis_can_read_nothing() {
    let Some(server) = server::start(&[]) else { return };
    let (one, two) = (up(&server.url()).await, up(&server.url()).await);
    assert_eq!(one.get(&key(1)).await, None);
    let entry = kept(1);
    put(&one, [(key(1), entry.clone())]).await;
    assert_eq!(two.get(&key(1)).await, Some(entry.clone()));
    assert_eq!(one.get(&key(1)).await, Some(entry));
    assert_eq!(one.get(&key(2)).await, None);
    assert_eq!((one.figures().lookups(Outcome::Hit), one.figures().lookups(Outcome::Miss)), (1, 2));
    assert_eq!(one.figures().writes(Write::Stored), 1);
    for name in names(&server) {
        let Value::Int(left) = run(&server, &["PTTL", &name]) else { panic!("{name}") };
        assert_eq!(left > 0 && left <= 3_600_000, !name.contains("gen:") && !name.contains("epoch"), "{name}: {left}");
        let value: Vec<u8> = redis::cmd("GET").arg(&name).query(&mut server.client("")).unwrap();
        assert!(!value.windows(6).any(|part| part == b"answer"), "{name}");
    }
    // Another secret sees nothing of it.
    let stranger =
        Shared::connect(&server.url(), Arc::new(Seal::new(&[8; 32])), patient(), &Handle::current()).unwrap();
    stranger.until(true).await;
    assert_eq!(stranger.get(&key(1)).await, None);
}

#[tokio::test]
async fn a_purge_holds_for_every_replica_at_once() {
    let Some(server) = server::start(&[]) else { return };
    for (by, goes) in [
        (Purge::Everything, (|_| true) as fn(u64) -> bool),
        (Purge::Key(key(7)), |n| n == 7),
        (Purge::Route(1), |n| n % 2 == 1),
        (Purge::Tenant(1), |n| n % 3 == 1),
        (Purge::Model(1), |n| n % 5 == 1),
    ] {
        let (one, two) = (up(&server.url()).await, up(&server.url()).await);
        put(&one, (0..30).map(|n| (key(n), kept(n)))).await;
        for n in 0..30 {
            assert!(two.get(&key(n)).await.is_some(), "both know the marks now");
        }
        // Put before the purge, if not written.
        (30..60).for_each(|n| one.put(&key(n), &kept(n)));
        let removed = one.purge(by).await.unwrap();
        assert_eq!(removed, matches!(by, Purge::Key(_)).then_some(1));
        for n in 0..60 {
            assert_eq!(two.get(&key(n)).await.is_some(), !goes(n), "{by:?} {n}");
            assert_eq!(one.get(&key(n)).await.is_some(), !goes(n), "{by:?} {n}");
        }
        // What is put afterwards is there.
        put(&two, (0..30).map(|n| (key(n), kept(n)))).await;
        for n in 0..30 {
            assert!(one.get(&key(n)).await.is_some(), "{by:?} {n}");
        }
    }
}

#[tokio::test]
async fn marks_that_redis_loses_forget_entries_and_bring_none_back() {
    let Some(server) = server::start(&[]) else { return };
    let shared = up(&server.url()).await;
    put(&shared, [(key(1), kept(1))]).await;
    shared.purge(Purge::Tenant(1)).await.unwrap();
    assert_eq!(shared.get(&key(1)).await, None);
    for name in names(&server).into_iter().filter(|name| name.contains("gen:") || name.contains("epoch")) {
        run(&server, &["DEL", &name]);
        assert_eq!(shared.get(&key(1)).await, None, "{name}");
        assert_eq!(up(&server.url()).await.get(&key(1)).await, None, "{name}");
    }
    put(&shared, [(key(2), kept(2))]).await;
    assert_eq!((shared.get(&key(1)).await, bytes(shared.get(&key(2)).await)), (None, Some(kept(2).bytes)));
}

#[tokio::test]
async fn what_is_changed_in_redis_is_a_miss() {
    let Some(server) = server::start(&[]) else { return };
    let shared = up(&server.url()).await;
    put(&shared, [(key(1), kept(1))]).await;
    let name = entry(&server);
    run(&server, &["SETRANGE", &name, "40", "x"]);
    assert_eq!(shared.get(&key(1)).await, None);
    run(&server, &["SET", &name, "17"]);
    assert_eq!(shared.get(&key(1)).await, None);
    assert_eq!(shared.figures().lookups(Outcome::Unsealed), 2);
    run(&server, &["DEL", &name]);
    run(&server, &["LPUSH", &name, "17"]);
    assert_eq!(shared.get(&key(1)).await, None, "a list in its place");
    // Something else has the names of the marks: they are set again.
    for name in names(&server).into_iter().filter(|name| name.contains("gen:") || name.contains("epoch")) {
        run(&server, &["DEL", &name]);
        run(&server, &["LPUSH", &name, "17"]);
    }
    put(&shared, [(key(1), kept(1))]).await;
    put(&shared, [(key(1), kept(1))]).await;
    assert_eq!(bytes(shared.get(&key(1)).await), Some(kept(1).bytes));
    assert!(shared.is_up());
}

#[tokio::test]
async fn life_is_what_was_sealed_whatever_redis_thinks() {
    let Some(server) = server::start(&[]) else { return };
    let shared = up(&server.url()).await;
    put(&shared, [(key(1), kept(1))]).await;
    let mut sealing = up(&server.url()).await.inner.clone().up_and_marks(&kept(1)).await;
    let old = Kept { until_us: now_us() - 1, ..kept(1) };
    let sealed = seal().seal(Place::Shared, &key(1), &old, &sealing.take().unwrap()).unwrap();
    redis::cmd("SET").arg(entry(&server)).arg(sealed).exec(&mut server.client("")).unwrap();
    assert_eq!(shared.get(&key(1)).await, None);
    assert_eq!(shared.figures().lookups(Outcome::Stale), 1);
    shared.put(&key(1), &old);
    assert_eq!(shared.figures().writes(Write::Unfit), 1);
}

impl Inner {
    async fn up_and_marks(&self, kept: &Kept) -> Option<Marks> {
        let mut up = self.link.up()?;
        self.learn(&mut up, kept, self.settings.deadline).await.unwrap()
    }
}

#[tokio::test]
async fn a_server_that_takes_nothing_more_still_answers() {
    let Some(server) = server::start(&["--maxmemory-policy", "noeviction"]) else { return };
    let shared = up(&server.url()).await;
    put(&shared, [(key(1), kept(1))]).await;
    run(&server, &["CONFIG", "SET", "maxmemory", "1"]);
    for n in 10..30 {
        // DEL is allowed without memory: it waits for the writes.
        put(&shared, [(key(n), kept(n))]).await;
    }
    assert_eq!(shared.figures().writes(Write::Failed), 20);
    assert!(shared.is_up());
    assert!(shared.get(&key(1)).await.is_some());
    run(&server, &["CONFIG", "SET", "maxmemory", "0"]);
    put(&shared, [(key(2), kept(2))]).await;
    assert!(shared.get(&key(2)).await.is_some());
}

#[tokio::test]
async fn it_comes_back_when_the_server_does() {
    let Some(mut server) = server::start(&[]) else { return };
    let shared = up(&server.url()).await;
    put(&shared, [(key(1), kept(1))]).await;
    server.stop();
    while shared.is_up() {
        assert_eq!(shared.get(&key(1)).await, None);
    }
    assert!(shared.figures().lookups(Outcome::Broken) > 0);
    assert_eq!(shared.get(&key(1)).await, None);
    assert!(shared.figures().lookups(Outcome::Skipped) > 0);
    let message = shared.purge(Purge::Everything).await.unwrap_err();
    assert_eq!(message, "the shared cache could not be purged (skipped); try again when it is up");
    server.start_again();
    shared.until(true).await;
    assert_eq!(shared.get(&key(1)).await, None, "it kept nothing");
    put(&shared, [(key(1), kept(1))]).await;
    assert_eq!(bytes(shared.get(&key(1)).await), Some(kept(1).bytes));
}

#[tokio::test]
async fn user_password_and_database_are_taken_from_the_url() {
    let mut users = vec!["--user", "ann", "on", ">s3cret", "~tg1:*", "+@all"];
    users.extend(["--user", "default", "on", ">other", "~*", "+@all"]);
    let Some(server) = server::start(&users) else { return };
    let right = up(&format!("{}?user=ann&pass=s3cret&db=3", server.url())).await;
    put(&right, [(key(1), kept(1))]).await;
    assert!(right.get(&key(1)).await.is_some());
    let count =
        |db: u32| -> i64 { redis::cmd("DBSIZE").query(&mut server.client(&format!("?pass=other&db={db}"))).unwrap() };
    assert_eq!((count(0), count(3)), (0, 6));
    let probe = Names::new("tg1:", seal()).probe();
    for wrong in ["?user=ann&pass=wr0ng", "?user=eve&pass=wr0ng", "?user=ann&pass=s3cret&db=99", ""] {
        let client = address::parse(&format!("{}{wrong}", server.url())).unwrap();
        let reason = link::connect(&client, &probe, patient().deadline).await.unwrap_err();
        assert!(
            !reason.contains("wr0ng") && !reason.contains("s3cret") && !reason.contains("/tmp"),
            "{wrong}: {reason}"
        );
        let told =
            ["the server did not take user and password of the URL", "the server said NOAUTH", "the server said ERR"];
        assert!(told.contains(&reason.as_str()), "{wrong}: {reason}");
    }
}

fn greeting(command: &[String]) -> Option<Vec<u8>> {
    match command[0].as_str() {
        "CLIENT" => Some(b"+OK\r\n".to_vec()),
        "MGET" if command.len() == 3 && command[2] == "tg1:gen:all" => Some(b"*2\r\n$-1\r\n$-1\r\n".to_vec()),
        _ => None,
    }
}

#[tokio::test]
async fn a_server_that_is_silent_is_waited_for_a_moment_then_not_asked() {
    let folder = server::socket_folder();
    let (mute, greeted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let (muted, greets) = (Arc::clone(&mute), Arc::clone(&greeted));
    server::fake(folder.path(), move |command| {
        greets.fetch_add(u32::from(command[0] == "CLIENT"), Ordering::SeqCst);
        greeting(command).filter(|_| !muted.load(Ordering::SeqCst))
    });
    // It greets, and answers the probe, but no lookup.
    let shared = begin(&server::url(folder.path()), Settings { deadline: Duration::from_millis(200), ..hasty() });
    shared.until(true).await;
    mute.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(shared.get(&key(1)).await, None);
    }
    assert_eq!((shared.figures().lookups(Outcome::Timeout), shared.is_up()), (3, false));
    for _ in 0..100 {
        assert_eq!(shared.get(&key(1)).await, None);
    }
    assert_eq!(shared.figures().lookups(Outcome::Skipped), 100);
    mute.store(false, Ordering::SeqCst);
    shared.until(true).await;
    assert!(greeted.load(Ordering::SeqCst) >= 2, "the connection is another");
}

#[tokio::test]
async fn rubbish_is_a_miss() {
    for rubbish in [
        &b"?!\r\n"[..],
        b"\0\0\0\0",
        b"$5\r\nhello\r\n",
        b"*1\r\n$-1\r\n",
        b"*2\r\n:1\r\n:2\r\n",
        b"+OK\r\n",
        b"-WHAT no\r\n",
        b"*-1\r\n",
    ] {
        let folder = server::socket_folder();
        server::fake(folder.path(), move |command| greeting(command).or_else(|| Some(rubbish.to_vec())));
        let shared = begin(&server::url(folder.path()), patient());
        shared.until(true).await;
        shared.put(&key(1), &kept(1));
        assert_eq!(shared.get(&key(1)).await, None, "{rubbish:?}");
        let figures = shared.figures();
        let told =
            figures.lookups(Outcome::Refused) + figures.lookups(Outcome::Broken) + figures.lookups(Outcome::Skipped);
        assert_eq!(told, 1, "{rubbish:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_full_of_refusals_is_down() {
    let folder = server::socket_folder();
    server::fake(folder.path(), |command| greeting(command).or_else(|| Some(b"-LOADING later\r\n".to_vec())));
    let shared = begin(&server::url(folder.path()), Settings { pause: Duration::from_secs(3600), ..patient() });
    shared.until(true).await;
    for _ in 0..shared.inner.settings.failures {
        assert_eq!(shared.get(&key(1)).await, None);
    }
    assert_eq!((shared.figures().lookups(Outcome::Refused), shared.is_up()), (5, false));
}

#[tokio::test]
async fn a_cluster_is_not_asked() {
    let Some(server) = server::start(&["--cluster-enabled", "yes"]) else { return };
    let client = address::parse(&server.url()).unwrap();
    let probe = Names::new("tg1:", seal()).probe();
    let reason = link::connect(&client, &probe, patient().deadline).await.unwrap_err();
    assert!(["the server said CROSSSLOT", "the server said CLUSTERDOWN"].contains(&reason.as_str()), "{reason}");
}

#[tokio::test]
async fn a_queue_that_is_full_drops_and_counts() {
    let folder = server::socket_folder();
    let shared = begin(&server::url(folder.path()), hasty());
    let large = Kept { bytes: Bytes::from(vec![0; LARGEST - OVERHEAD]), ..kept(1) };
    // The writer runs on this thread, and this does not let go of it.
    (0..40).for_each(|n| shared.put(&key(n), &large));
    assert_eq!(shared.figures().writes(Write::Full), 8, "32 MiB wait");
    let larger = Kept { bytes: Bytes::from(vec![0; LARGEST]), ..kept(1) };
    shared.put(&key(1), &larger);
    assert_eq!(shared.figures().writes(Write::Unfit), 1);
    shared.finish().await;
    assert_eq!(shared.figures().writes(Write::Failed), 32);
}
