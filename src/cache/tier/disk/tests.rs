//! The tier on disk: found again, bounded, swept, purged, damaged, killed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use bytes::Bytes;
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::cache::tier::Labels;

const FAR: i64 = i64::MAX;

fn seal() -> Arc<Seal> {
    Arc::new(Seal::new(&[7; 32]))
}

fn open(folder: &TempDir) -> Disk {
    Disk::open(folder.path(), seal(), 16 << 20).unwrap()
}

fn key(n: u64) -> Key {
    Key(*blake3::hash(&n.to_le_bytes()).as_bytes())
}

fn kept(n: u64) -> Kept {
    let labels = Labels { route: n % 2, tenant: n % 3, model: n % 5 };
    Kept { made_us: n as i64, until_us: FAR, labels, bytes: Bytes::from(format!("answer {n}")) }
}

/// Puts, and waits until it is written: jobs are done in their order.
async fn put(disk: &Disk, entries: impl IntoIterator<Item = (Key, Kept)>) {
    entries.into_iter().for_each(|(key, kept)| disk.put(&key, &kept));
    assert_eq!(disk.sweep(i64::MIN).await, Ok(0));
}

fn file(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join(FILE)
}

/// Somebody else's hand in the file.
fn tamper(folder: &TempDir, sql: &str) -> usize {
    let other = Connection::open(file(folder)).unwrap();
    other.busy_timeout(Duration::from_secs(5)).unwrap();
    other.execute(sql, []).unwrap()
}

#[tokio::test]
async fn what_was_put_is_found_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder);
    assert_eq!(disk.get(&key(1)).await, None);
    put(&disk, [(key(1), kept(1)), (key(2), kept(2))]).await;
    assert_eq!(disk.get(&key(1)).await, Some(kept(1)));
    // The same key again: the newer is there, once.
    put(&disk, [(key(1), kept(3)), (key(1), kept(4))]).await;
    assert_eq!(disk.get(&key(1)).await, Some(kept(4)));
    assert_eq!((disk.entries(), tamper(&folder, "UPDATE bodies SET id = id")), (2, 2));
    let figures = disk.figures();
    assert_eq!((figures.lookups(Outcome::Hit), figures.lookups(Outcome::Miss)), (2, 1));
    assert_eq!(figures.writes(Write::Stored), 4);
    assert!(disk.bytes() > 0);
    let text = std::fs::read(file(&folder)).unwrap();
    let log = std::fs::read(folder.path().join("entries.db-wal")).unwrap();
    assert!(![text, log].concat().windows(7).any(|part| part == b"answer "), "no answer can be read");
}

#[tokio::test]
async fn entries_outlive_a_restart_but_not_another_secret() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder);
    put(&disk, (0..100).map(|n| (key(n), kept(n)))).await;
    disk.finish().await;
    assert!(disk.purge(Purge::Everything).await.is_err(), "a purge that cannot be done is not said to be");
    let disk = open(&folder);
    assert_eq!(disk.entries(), 100);
    for n in 0..100 {
        assert_eq!(disk.get(&key(n)).await, Some(kept(n)));
    }
    disk.finish().await;
    let disk = Disk::open(folder.path(), Arc::new(Seal::new(&[8; 32])), 16 << 20).unwrap();
    assert_eq!((disk.entries(), disk.get(&key(1)).await), (0, None));
}

#[tokio::test]
async fn what_is_queued_is_written_before_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder);
    (0..500).for_each(|n| disk.put(&key(n), &kept(n)));
    disk.finish().await;
    assert_eq!(open(&folder).entries(), 500);
}

#[tokio::test]
async fn the_file_stays_within_its_capacity_and_what_is_asked_for_stays() {
    let folder = tempfile::tempdir().unwrap();
    let capacity = 2 << 20;
    let disk = Disk::open(folder.path(), seal(), capacity).unwrap();
    let mut largest = 0;
    for round in 0..60u64 {
        // 6 MB in all, of sizes from nothing to 40 KB.
        let of = |n: u64| Kept {
            bytes: Bytes::from(vec![n as u8; (n as usize * 7919) % 40_000 * usize::from(n.is_multiple_of(5))]),
            ..kept(n)
        };
        put(&disk, (round * 25..round * 25 + 25).map(|n| (key(n), of(n)))).await;
        assert!(disk.get(&key(0)).await.is_some(), "asked for in each round: {round}");
        largest = largest.max(std::fs::metadata(file(&folder)).unwrap().len());
    }
    assert!(disk.get(&key(1)).await.is_none(), "the oldest went");
    assert!(disk.get(&key(60 * 25 - 1)).await.is_some(), "the newest is there");
    assert!(largest > capacity * 3 / 4 && largest <= capacity * 12 / 10, "{largest}");
    let there = Connection::open(file(&folder)).unwrap();
    let rows: i64 = there.query_row("SELECT count(*) FROM bodies", [], |row| row.get(0)).unwrap();
    assert_eq!(rows as u64, disk.entries(), "the index knows what is there");
}

#[tokio::test]
async fn what_does_not_fit_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::open(folder.path(), seal(), LEAST_CAPACITY).unwrap();
    let large = Kept { bytes: Bytes::from(vec![0; LEAST_CAPACITY as usize / 8]), ..kept(1) };
    put(&disk, [(key(1), large), (key(2), Kept { until_us: now_us(), ..kept(2) })]).await;
    assert_eq!((disk.entries(), disk.figures().writes(Write::Unfit)), (0, 2));
}

#[tokio::test]
async fn a_full_queue_drops_and_counts() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::open(folder.path(), seal(), 1 << 30).unwrap();
    // Another process holds the file: nothing can be written.
    let other = Connection::open(file(&folder)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let megabyte = Bytes::from(vec![0; 1 << 20]);
    (0..50).for_each(|n| disk.put(&key(n), &Kept { bytes: megabyte.clone(), ..kept(n) }));
    let full = disk.figures().writes(Write::Full);
    assert_eq!(full, 50 - 31, "32 MiB wait, and they give room only when written");
    other.execute_batch("COMMIT").unwrap();
}

#[tokio::test]
async fn what_is_past_its_time_is_not_given_and_is_swept() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder);
    let old = Kept { until_us: 1_000, ..kept(1) };
    // Past the check of `put`, as if time had gone by since.
    disk.jobs.send(Job::Put(key(1), old, disk.room.take(1).unwrap())).unwrap();
    put(&disk, [(key(2), kept(2))]).await;
    assert_eq!((disk.entries(), disk.get(&key(1)).await), (2, None));
    assert_eq!(disk.figures().lookups(Outcome::Stale), 1);
    // The column is only for the sweep; what counts is sealed.
    assert_eq!(tamper(&folder, "UPDATE entries SET until_us = 9000000000000000000"), 2);
    assert_eq!(disk.get(&key(1)).await, None);
    assert_eq!(tamper(&folder, "UPDATE entries SET until_us = 1000 WHERE id = 1"), 1);
    assert_eq!(disk.sweep(999).await, Ok(0));
    assert_eq!(disk.sweep(1_000).await, Ok(1));
    assert_eq!((disk.entries(), disk.get(&key(2)).await), (1, Some(kept(2))));
}

#[tokio::test]
async fn purges_take_what_they_name_and_nothing_else() {
    for (by, goes) in [
        (Purge::Everything, (|_| true) as fn(u64) -> bool),
        (Purge::Key(key(7)), |n| n == 7),
        (Purge::Route(1), |n| n % 2 == 1),
        (Purge::Tenant(1), |n| n % 3 == 1),
        (Purge::Model(1), |n| n % 5 == 1),
        (Purge::Model(9), |_| false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let disk = open(&folder);
        // Not waited for: a purge takes what was put before it, written or not.
        (0..700).for_each(|n| disk.put(&key(n), &kept(n)));
        assert_eq!(disk.purge(by).await, Ok((0..700).filter(|n| goes(*n)).count() as u64), "{by:?}");
        assert!(by != Purge::Everything || disk.bytes() < 300_000, "its pages are given back: {}", disk.bytes());
        // What the file alone holds, the log left out, is what would be there after a power cut.
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(file(&folder), file(&copy)).unwrap();
        for disk in [disk, open(&copy)] {
            for n in 0..700 {
                assert_eq!(disk.get(&key(n)).await, Some(kept(n)).filter(|_| !goes(n)), "{by:?} {n}");
            }
        }
    }
}

#[tokio::test]
async fn what_does_not_unseal_is_a_miss_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder);
    put(&disk, (0..4).map(|n| (key(n), kept(n)))).await;
    tamper(&folder, "UPDATE bodies SET sealed = (SELECT sealed FROM bodies WHERE id = 2) WHERE id = 1");
    tamper(
        &folder,
        "UPDATE bodies SET sealed = CAST(substr(sealed, 1, 50) || x'00' || substr(sealed, 52) AS BLOB) WHERE id = 3",
    );
    assert_eq!(disk.get(&key(0)).await, None, "another's in its place");
    assert_eq!(disk.get(&key(2)).await, None, "changed");
    assert_eq!(disk.figures().lookups(Outcome::Unsealed), 2);
    put(&disk, []).await;
    assert_eq!((disk.entries(), tamper(&folder, "DELETE FROM bodies")), (2, 2));
    assert_eq!(disk.get(&key(1)).await, None, "gone meanwhile");
}

#[tokio::test]
async fn a_damaged_file_is_moved_aside_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(file(&folder), vec![0x55; 50_000]).unwrap();
    let disk = open(&folder);
    put(&disk, [(key(1), kept(1))]).await;
    assert_eq!(disk.get(&key(1)).await, Some(kept(1)));
    assert_eq!(std::fs::read(folder.path().join("entries.db.damaged")).unwrap(), vec![0x55; 50_000]);
}

#[tokio::test]
async fn a_file_that_is_damaged_meanwhile_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let disk = open(&folder);
    (0..100).for_each(|n| disk.put(&key(n), &kept(n)));
    // The log is in the file, so that the damage is seen.
    assert_eq!(disk.purge(Purge::Key(key(0))).await, Ok(1));
    let damaged = vec![0x55; std::fs::metadata(file(&folder)).unwrap().len() as usize];
    std::fs::OpenOptions::new().write(true).open(file(&folder)).unwrap().write_all(&damaged).unwrap();
    assert_eq!(disk.get(&key(1)).await, None);
    assert_eq!(disk.figures().lookups(Outcome::Broken), 1);
    put(&disk, [(key(1), kept(1))]).await;
    assert_eq!((disk.entries(), disk.get(&key(1)).await), (1, Some(kept(1))));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cache"), "").unwrap();
    let error = Disk::open(&folder.path().join("cache"), seal(), 1 << 20).unwrap_err();
    assert!(error.starts_with("cannot make ") && error.ends_with("that this user may write"), "{error}");
}

#[tokio::test]
async fn two_processes_may_have_it_open_during_an_upgrade() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (open(&folder), open(&folder));
    put(&old, (0..50).map(|n| (key(n), kept(n)))).await;
    put(&new, (50..100).map(|n| (key(n), kept(n)))).await;
    old.finish().await;
    assert_eq!(new.get(&key(60)).await, Some(kept(60)));
    new.finish().await;
    assert_eq!(open(&folder).entries(), 100);
}

/// What `kill -9` in the middle of writing leaves can be read, and is what was written.
#[tokio::test]
async fn a_killed_process_leaves_a_file_that_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--ignored",
            "--nocapture",
            concat!(module_path!(), "::writes_until_killed").split_once("::").unwrap().1,
        ])
        .env("TIDEGATE_TEST_FOLDER", folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let written = lines.map_while(Result::ok).filter(|line| line.contains("written")).take(3).count();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(written, 3);
    let disk = open(&folder);
    assert!(!folder.path().join("entries.db.damaged").exists());
    assert!(disk.entries() >= 300);
    for n in 0..300 {
        assert_eq!(disk.get(&key(n)).await, Some(kept(n)));
    }
}

#[tokio::test]
#[ignore = "the other process of the test above"]
async fn writes_until_killed() {
    let folder = std::env::var("TIDEGATE_TEST_FOLDER").unwrap();
    let disk = Disk::open(Path::new(&folder), seal(), 16 << 20).unwrap();
    for round in 0..10_000 {
        put(&disk, (round * 100..round * 100 + 100).map(|n| (key(n), kept(n)))).await;
        println!("\nwritten");
    }
}
