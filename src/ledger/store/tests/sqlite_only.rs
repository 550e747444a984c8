//! What only SQLite has: a disk that fills up, a process that is killed, sums that lag behind the rows, somebody with `sqlite3`.
//!
//! What a reader could get wrong: "killed" is a copy of the files as they are while the store is open, without the shared memory that a
//! living process has beside them.

use super::*;

fn path(home: &Home) -> std::path::PathBuf {
    match &home.settings.place {
        Place::Sqlite(path) => path.clone(),
        Place::Postgres(_) => panic!("not SQLite"),
    }
}

fn pragma(store: &mut Store, text: &str) {
    match store.source().unwrap() {
        Source::Sqlite(connection) => connection.execute_batch(text).unwrap(),
        Source::Postgres(_) => panic!("not SQLite"),
    }
}

#[test]
fn a_full_disk_books_nothing_of_a_batch_and_the_next_attempt_all() {
    let home = Home::sqlite();
    let mut store = home.store();
    store.append(batch(0..10)).unwrap();
    let Source::Sqlite(connection) = store.source().unwrap() else { panic!("not SQLite") };
    let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    pragma(&mut store, &format!("PRAGMA max_page_count = {}", pages + 1));
    // New kinds and sums in it as well, whose numbers must not be remembered.
    let apps = |n: u64| (at(n), Entry { app: WORDS[n as usize % 3], ..entry(n, n as i64 * MINUTE, 1) });
    const WORDS: [&str; 3] = ["x", "y", "z"];
    let error = store.append((10..3000).map(apps)).unwrap_err();
    assert!(error.is_passing(), "{error}");
    assert!(error.to_string().contains("the disk is full"), "{error}");
    assert_eq!((total(&home).0, store.position(7)), (10, at(9)));
    pragma(&mut store, "PRAGMA max_page_count = 100000");
    assert_eq!(store.append((10..3000).map(apps)).unwrap(), 2990);
    assert_eq!(total(&home), (3000, 45 + 2990));
    let by_app = home.ask(&Query { by: vec![Dimension::App], ..Query::default() });
    let mut lines: Vec<_> = by_app.lines.iter().map(|l| (l.group[0].as_str(), l.totals.requests)).collect();
    lines.sort_unstable();
    assert_eq!(lines, [("chat", 10), ("x", 996), ("y", 997), ("z", 997)]);
}

#[test]
fn a_killed_process_leaves_a_ledger_that_is_read_and_written_on() {
    let home = Home::sqlite();
    let mut store = home.store();
    store.append(batch(0..10_000)).unwrap();
    store.append(batch(10_000..10_100)).unwrap();
    let killed = Home::sqlite();
    for ending in ["", "-wal"] {
        let name = |home: &Home| format!("{}{ending}", path(home).display());
        std::fs::copy(name(&home), name(&killed)).unwrap();
    }
    let sum = (0..10_100).sum::<i64>();
    assert_eq!(total(&killed), (10_100, sum));
    let mut store = killed.store();
    assert_eq!(store.position(7), at(10_099));
    store.append(batch(10_000..10_200)).unwrap();
    store.close().unwrap();
    assert_eq!(total(&killed), (10_200, (0..10_200).sum()));
}

#[test]
fn sums_are_written_once_in_thousands_of_rows() {
    let home = Home::sqlite();
    let mut store = home.store();
    let rolled = |store: &mut Store| -> i64 {
        let Source::Sqlite(connection) = store.source().unwrap() else { panic!("not SQLite") };
        connection.query_row("SELECT coalesce(sum(n), 0) FROM hourly", [], |row| row.get(0)).unwrap()
    };
    store.append(batch(0..100)).unwrap();
    assert_eq!(rolled(&mut store), 0);
    store.append(batch(100..9000)).unwrap();
    assert_eq!(rolled(&mut store), 9000);
    store.append(batch(9000..9001)).unwrap();
    assert_eq!(rolled(&mut store), 9000);
    drop(store);
    let mut store = home.store();
    store.prune(BEGIN).unwrap();
    assert_eq!(rolled(&mut store), 9001, "prune writes them as well");
}

#[test]
fn people_read_words_in_views() {
    let home = Home::sqlite();
    let mut store = home.store();
    let mut two =
        Entry { request_id: "two", difficulty: Some(0.312), pii: "PERSON=2", ..entry(1, MINUTE, 500_000_000) };
    let failed = Attempt { outcome: "connect", model: "frontier", cost: Some(250_000_000), ..two.attempts[0].clone() };
    two.attempts.insert(0, failed);
    let mut unknown = Entry { request_id: "unknown", ..entry(2, MINUTE, 0) };
    unknown.attempts[0].cost = None;
    let refused = Entry {
        request_id: "refused",
        outcome: "rate_limited",
        status: 429,
        attempts: Default::default(),
        ..entry(3, 0, 0)
    };
    store.append([(at(1), two), (at(2), unknown), (at(3), refused)].into_iter()).unwrap();
    let Source::Sqlite(connection) = store.source().unwrap() else { panic!("not SQLite") };
    let lines = |sql: &str| -> String {
        let mut select = connection.prepare(sql).unwrap();
        let rows = select.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(Result::unwrap).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(lines(
        "SELECT concat_ws('|', time, request_id, tenant, user_name, outcome, attempts, model, fallback, pii, difficulty, \
         coalesce(cost_usd, 'unknown')) FROM requests_log"
    ), @r"
    2026-03-01T00:01:00.000Z|two|acme|ann|ok|2|small|connect|PERSON=2|0.312|0.75
    2026-03-01T00:01:00.000Z|unknown|acme|ann|ok|1|small|||unknown
    2026-03-01T00:00:00.000Z|refused|acme|ann|rate_limited|0||||0.0
    ");
    insta::assert_snapshot!(lines(
        "SELECT concat_ws('|', request_id, n, model, attempt_outcome, coalesce(cost_usd, 'unknown'), prompt) FROM attempts_log \
         ORDER BY id, n"
    ), @r"
    two|1|frontier|connect|0.25|10
    two|2|small|ok|0.5|10
    unknown|1|small|ok|unknown|10
    ");
}

#[test]
fn a_newer_schema_and_a_broken_file_are_refused() {
    let home = Home::sqlite();
    let mut store = home.store();
    pragma(&mut store, "UPDATE meta SET value = 99 WHERE name = 'schema'");
    drop(store);
    let refused = |home: &Home| {
        let error = Store::open(&home.settings).unwrap_err();
        assert!(!error.is_passing());
        error.to_string().replace(&path(home).display().to_string(), "FILE")
    };
    insta::assert_snapshot!(refused(&home), @"FILE: the ledger's schema is version 99, this program knows up to 2: run the newer tidegate that wrote it");
    std::fs::write(path(&home), [b'x'; 4096]).unwrap();
    insta::assert_snapshot!(refused(&home), @"FILE: file is not a database; move it away, a new one is begun");
    let nowhere = Home { settings: settings(Place::Sqlite("/none/ledger.db".into())), ..Home::sqlite() };
    insta::assert_snapshot!(refused(&nowhere), @"FILE: No such file or directory (os error 2); `data_dir` must be a directory that this user may write");
}

#[test]
fn a_reader_changes_nothing() {
    let home = Home::sqlite();
    home.store().append(batch(0..10)).unwrap();
    let files = || {
        let folder = std::fs::read_dir(path(&home).parent().unwrap()).unwrap();
        let mut files: Vec<_> = folder
            .map(|file| file.unwrap())
            .map(|file| (file.file_name(), std::fs::read(file.path()).unwrap()))
            .collect();
        files.retain(|(name, _)| !name.to_string_lossy().ends_with("-shm"));
        files.sort();
        files
    };
    let before = files();
    assert_eq!(total(&home).0, 10);
    let changed = files().into_iter().filter(|file| !before.contains(file) && !file.1.is_empty()).count();
    assert_eq!(changed, 0);
}
