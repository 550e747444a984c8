//! What only Postgres has: connections that are lost, several gateways, TLS.
//!
//! What a reader could get wrong: a connection is cut by the server in the middle of a batch, from the batch's own iterator, so that it
//! always happens at the same place.

use std::os::unix::fs::{PermissionsExt as _, chown};

use super::*;

fn url(home: &Home) -> String {
    match &home.settings.place {
        Place::Postgres(url) => url.expose().to_owned(),
        Place::Sqlite(_) => panic!("not Postgres"),
    }
}

/// Ends all connections of the ledger to a database.
fn cut(home: &Home) {
    let mut client = ::postgres::Client::connect(&url(home), ::postgres::NoTls).unwrap();
    let sql = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert!(!client.query(sql, &[]).unwrap().is_empty(), "nobody was connected");
}

#[test]
fn a_connection_lost_in_the_middle_of_a_batch_books_nothing_and_the_next_attempt_all() {
    let Some(home) = Home::postgres() else { return };
    let mut store = home.store();
    store.append(batch(0..10)).unwrap();
    let cutting = batch(5..50).inspect(|(position, _)| {
        if *position == at(30) {
            cut(&home);
        }
    });
    let error = store.append(cutting).unwrap_err();
    assert!(error.is_passing(), "{error}");
    assert_eq!(total(&home).0, 10);
    assert_eq!(store.append(batch(5..50)).unwrap(), 40);
    assert_eq!(total(&home), (50, (0..50).sum()));
}

#[test]
fn a_server_that_is_away_is_asked_again_at_growing_intervals() {
    let Some(server) = server::or_skipped(server::Server::start(&[])) else { return };
    let home =
        Home { settings: settings(Place::Postgres(Secret::new(server.database()))), _folder: None, _server: None };
    let mut store = home.store();
    store.append(batch(0..10)).unwrap();
    server.stop();
    assert!(store.append(batch(10..20)).unwrap_err().is_passing(), "the connection is lost");
    assert!(store.append(batch(10..20)).unwrap_err().is_passing(), "it cannot be made");
    let error = store.append(batch(10..20)).unwrap_err().to_string();
    assert!(error.contains("next attempt in"), "at once again nobody is asked: {error}");
    server.run(&[]).unwrap();
    let started = std::time::Instant::now();
    while let Err(error) = store.append(batch(10..20)) {
        assert!(error.is_passing() && started.elapsed() < Duration::from_secs(30), "{error}");
        std::thread::yield_now();
    }
    assert_eq!(total(&home), (20, (0..20).sum()));
}

#[test]
fn several_gateways_write_at_once() {
    let Some(home) = Home::postgres() else { return };
    std::thread::scope(|scope| {
        for boot in 1..=4u64 {
            let home = &home;
            scope.spawn(move || {
                let mut store = home.store();
                for first in (0..500).step_by(50) {
                    let entries = (first..first + 50).map(|n| {
                        // Kinds and hours that all gateways make at once.
                        let app = ["x", "y", "z"][(n % 3) as usize];
                        (Position { boot, ..at(n) }, Entry { boot, app, ..entry(n, n as i64 * MINUTE, 1) })
                    });
                    assert_eq!(store.append(entries).unwrap(), 50);
                    store.prune(BEGIN).unwrap();
                }
            });
        }
    });
    assert_eq!(total(&home), (2000, 2000));
    let by_app = home.ask(&Query { by: vec![Dimension::App], ..Query::default() });
    assert_eq!(by_app.lines.iter().map(|line| line.totals.requests).collect::<Vec<_>>(), [668, 668, 664]);
    let singles = home.ask(&Query { by: vec![Dimension::User], ..Query::default() });
    assert_eq!((singles.lines.len(), singles.total.requests), (1, 2000));
    let known = Reader::open(&home.settings).unwrap().unwrap().positions().unwrap();
    assert_eq!(known.len(), 4);
}

#[test]
fn people_read_words_in_views() {
    let Some(home) = Home::postgres() else { return };
    let mut store = home.store();
    let mut two = Entry { request_id: "two", difficulty: Some(0.312), ..entry(1, MINUTE, 500_000_000) };
    two.attempts.insert(0, Attempt { outcome: "connect", cost: Some(250_000_000), ..two.attempts[0].clone() });
    store.append([(at(1), two)].into_iter()).unwrap();
    let mut client = ::postgres::Client::connect(&url(&home), ::postgres::NoTls).unwrap();
    let row =
        client.query_one("SELECT tenant, attempts::int, cost_usd::float8, time::text FROM tidegate.requests_log", &[]);
    let row = row.unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, i32>(1), row.get::<_, f64>(2)), ("acme", 2, 0.75));
    assert!(row.get::<_, &str>(3).starts_with("2026-03-01 00:01:00"), "{}", row.get::<_, &str>(3));
    let attempts = client.query("SELECT n::int, attempt_outcome FROM tidegate.attempts_log ORDER BY n", &[]).unwrap();
    let attempts: Vec<(i32, &str)> = attempts.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(attempts, [(1, "connect"), (2, "ok")]);
}

/// A port that was free a moment ago: the server cannot be told to take any.
fn with_tls() -> Result<(Arc<server::Server>, u16), String> {
    let server = server::Server::start(&[])?;
    server.stop();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).map_err(|e| e.to_string())?;
    for (name, pem) in [("server.crt", made.cert.pem()), ("server.key", made.signing_key.serialize_pem())] {
        let path = server.folder().join(name);
        std::fs::write(&path, pem).map_err(|e| e.to_string())?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(|e| e.to_string())?;
        if let Some((uid, gid)) = server.user() {
            chown(&path, Some(uid), Some(gid)).map_err(|e| e.to_string())?;
        }
    }
    let (certificate, key) = (server.folder().join("server.crt"), server.folder().join("server.key"));
    let files = [format!("ssl_cert_file={}", certificate.display()), format!("ssl_key_file={}", key.display())];
    let mut said = String::new();
    for _ in 0..5 {
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let port = free.map_err(|e| e.to_string())?.port();
        let port_is = format!("port={port}");
        match server.run(&["listen_addresses=127.0.0.1", &port_is, "ssl=on", &files[0], &files[1]]) {
            Ok(()) => return Ok((server, port)),
            Err(error) => said = error,
        }
    }
    Err(said)
}

#[test]
fn tls_is_used_and_verified_when_the_url_asks_for_it() {
    let Some((server, port)) = server::or_skipped(with_tls()) else { return };
    let root = server.folder().join("server.crt");
    let open = |mode: &str| {
        let url = format!("postgres://postgres@localhost:{port}/postgres?hostaddr=127.0.0.1&{mode}");
        Store::open(&settings(Place::Postgres(Secret::new(url))))
    };
    let encrypted = |mode: &str| -> bool {
        let mut store = open(mode).unwrap();
        let Source::Postgres(client) = store.source().unwrap() else { panic!("not Postgres") };
        client.query_one("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &[]).unwrap().get(0)
    };
    assert!(encrypted(&format!("sslmode=verify-full&sslrootcert={}", root.display())));
    assert!(encrypted(&format!("sslmode=require&sslrootcert={}", root.display())));
    assert!(!encrypted("sslmode=disable"));
    let error = open("sslmode=require").unwrap_err().to_string();
    assert!(error.contains("certificate"), "nobody vouches for it: {error}");
}

/// `cargo test --release --lib -- --ignored --nocapture million_in_postgres`
#[test]
#[ignore = "takes a minute and prints figures"]
fn a_million_in_postgres() {
    let Some(home) = Home::postgres() else { return };
    let mut store = home.store();
    let started = std::time::Instant::now();
    for first in (0..1_000_000).step_by(1000) {
        let users = ["ann", "bob", "eve", "joe"];
        let one = |(position, entry): (Position, Entry<'static>)| {
            (
                position,
                Entry { user: users[entry.number as usize % 4], at: BEGIN + entry.number as i64 * 2000, ..entry },
            )
        };
        store.append(batch(first..first + 1000).map(one)).unwrap();
    }
    println!("booking: {:.2} µs an entry", started.elapsed().as_secs_f64());
    for by in ["tenant", "model", "user", "day", "hour"] {
        let query = Query { by: vec![by.parse().unwrap()], ..Query::default() };
        let started = std::time::Instant::now();
        assert_eq!(home.ask(&query).total.requests, 1_000_000);
        println!("by {by}: {:.0?}", started.elapsed());
    }
}

#[test]
fn no_message_holds_the_password() {
    // Nothing listens on port 1.
    let refused = settings(Place::Postgres(Secret::new("postgres://ann:hunter2@127.0.0.1:1/books")));
    let error = Store::open(&refused).unwrap_err();
    assert!(error.is_passing());
    let said = format!("{error} {error:?} {refused:?} {:?}", Reader::open(&refused).err().unwrap());
    assert!(said.contains("postgres at 127.0.0.1/books") && !said.contains("hunter2"), "{said}");
}
