//! Files and batches.

use bytes::Bytes;

use super::{LIMITS, job, outcome, store};
use crate::deferred::*;

fn file(id: &str, tenant: &str) -> NewFile {
    NewFile {
        id: id.into(),
        tenant: tenant.into(),
        app: Some("desk".into()),
        name: "questions of ann.jsonl".into(),
        purpose: "batch".into(),
        created_us: 5,
        expires_us: Some(500),
    }
}

#[tokio::test]
async fn a_file_is_put_in_pieces_read_in_pieces_and_goes() {
    let (folder, store) = store();
    store.begin_file(file("file-1", "a")).await.unwrap();
    for piece in ["one\n", "two\n"] {
        assert!(store.put_chunk("file-1", "a", Bytes::from(piece)).await.unwrap());
    }
    assert!(!store.put_chunk("file-1", "b", Bytes::from("three\n")).await.unwrap());
    assert_eq!(store.file("file-1", "a").await.unwrap(), None, "it is not whole yet");
    assert_eq!(store.end_file("file-1", "b").await.unwrap(), None);
    let ended = store.end_file("file-1", "a").await.unwrap().unwrap();
    assert_eq!((ended.length, ended.chunks, ended.name.as_str()), (8, 2, "questions of ann.jsonl"));
    assert_eq!(ended.app.as_deref(), Some("desk"));
    assert!(!store.put_chunk("file-1", "a", Bytes::from("three\n")).await.unwrap(), "nothing is added afterwards");
    drop(store);
    let store = Store::open(folder.path(), LIMITS).unwrap();
    assert_eq!(store.chunk("file-1", "a", 1).await.unwrap().unwrap(), "two\n");
    assert_eq!(store.chunk("file-1", "a", 2).await.unwrap(), None);
    assert_eq!(store.chunk("file-1", "b", 0).await.unwrap(), None);
    assert!(!store.delete_file("file-1", "b").await.unwrap());
    assert_eq!(store.counts().await.unwrap().files, 1);
    assert!(store.delete_file("file-1", "a").await.unwrap());
    while store.sweep(6, 1_000).await.unwrap().is_full() {}
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.files, counts.bytes), (0, 0));
}

#[tokio::test]
async fn space_is_given_back() {
    let (folder, store) = store();
    store.begin_file(file("file-1", "a")).await.unwrap();
    for _ in 0..64 {
        store.put_chunk("file-1", "a", Bytes::from(vec![7; 64 << 10])).await.unwrap();
    }
    store.end_file("file-1", "a").await.unwrap();
    let pages = || {
        let path = folder.path().join(store::FOLDER).join("queue.sqlite");
        let db = rusqlite::Connection::open(path).unwrap();
        db.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0)).unwrap()
    };
    let full = pages();
    store.delete_file("file-1", "a").await.unwrap();
    while store.sweep(6, 1_000).await.unwrap().is_full() {}
    assert!(pages() < full / 2, "{} of {full}", pages());
}

#[tokio::test]
async fn lists_go_backwards_page_by_page() {
    let (_folder, store) = store();
    for id in ["file-1", "file-2", "file-3"] {
        store.begin_file(file(id, "a")).await.unwrap();
        store.end_file(id, "a").await.unwrap();
    }
    let names = |files: Vec<File>| files.into_iter().map(|file| file.id).collect::<Vec<_>>();
    assert_eq!(names(store.files("a", None, 2).await.unwrap()), ["file-3", "file-2"]);
    assert_eq!(names(store.files("a", Some("file-2"), 2).await.unwrap()), ["file-1"]);
    assert!(store.files("b", None, 2).await.unwrap().is_empty());
}

#[tokio::test]
async fn space_is_bounded_and_files_expire() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Limits { bytes_per_tenant: 1_000, ..LIMITS }).unwrap();
    store.begin_file(file("file-1", "a")).await.unwrap();
    assert!(store.put_chunk("file-1", "a", Bytes::from(vec![0; 500])).await.unwrap());
    let full = store.put_chunk("file-1", "a", Bytes::from(vec![0; 500])).await.unwrap_err();
    assert!(matches!(full, Fault::Full(_)));
    store.end_file("file-1", "a").await.unwrap();
    assert_eq!(store.sweep(499, 1_000).await.unwrap().removed, 0);
    assert!(store.sweep(500, 1_000).await.unwrap().removed > 0);
    assert_eq!(store.file("file-1", "a").await.unwrap(), None);
}

#[tokio::test]
async fn a_batch_counts_what_becomes_of_its_jobs() {
    let (_folder, store) = store();
    let about = Bytes::from(r#"{"input_file_id":"file-1"}"#);
    let batch = NewBatch { id: "b1".into(), tenant: "a".into(), created_us: 1, expires_us: 900, about: about.clone() };
    store.create_batch(batch).await.unwrap();
    let line = |n: u32| NewJob { kind: Kind::Batch, batch: Some("b1".into()), ..job(&format!("line-{n}"), "a") };
    store.enqueue((0..5).map(line).collect()).await.unwrap();
    assert_eq!(store.batches_in(BatchState::Validating, 9).await.unwrap()[0].total, 5);
    while store.release("b1", 2).await.unwrap() == 2 {}
    assert!(store.move_batch("b1", BatchState::Validating, BatchState::InProgress, None, 3).await.unwrap());
    assert!(!store.move_batch("b1", BatchState::Validating, BatchState::Failed, None, 3).await.unwrap());
    let claimed = store.claim(10, 3).await.unwrap();
    store.finish(&claimed[0].lease, outcome("x")).await.unwrap();
    store.finish(&claimed[1].lease, Outcome { state: State::Failed, ..outcome("x") }).await.unwrap();
    assert_eq!(store.cancel_jobs("b1", 100, 20).await.unwrap(), 3, "two that wait and one that runs");
    assert!(!store.finish(&claimed[2].lease, outcome("x")).await.unwrap());
    let batch = store.batch("b1", "a").await.unwrap().unwrap();
    assert_eq!((batch.total, batch.completed, batch.failed, batch.cancelled, batch.done()), (5, 1, 1, 3, 5));
    assert_eq!((batch.about, batch.ended_us), (about, None));
    assert_eq!(store.batch("b1", "b").await.unwrap(), None);
    let jobs = store.jobs_of("b1", "a", 3, 9).await.unwrap();
    assert_eq!(jobs.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), ["line-3", "line-4"]);
    assert_eq!(store.sweep(10_000, 1_000).await.unwrap().removed, 0, "its results may not lie in a file yet");
    store.move_batch("b1", BatchState::InProgress, BatchState::Cancelled, None, 30).await.unwrap();
    assert_eq!(store.drop_jobs("b1", 2).await.unwrap(), 2);
    while store.sweep(10_000, 1_000).await.unwrap().is_full() {}
    assert_eq!((store.batches("a", None, 9).await.unwrap().len(), store.counts().await.unwrap().bytes), (0, 0));
}
