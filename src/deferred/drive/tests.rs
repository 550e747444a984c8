//! Batches from file to files, with a queue on a disk, an executor that is told what to answer, and tasks that are cut off anywhere.
#![allow(clippy::future_not_send, reason = "tests run on one thread")]

mod late;

use std::collections::BTreeMap;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::about::object;
use super::*;
use crate::deferred::store::Limits;
use crate::deferred::{NewBatch, NewFile, Outcome, State};
use crate::openai::batch::Status;

const LIMITS: Limits = Limits { jobs_per_tenant: 1000, jobs: 5000, bytes_per_tenant: 1 << 30, bytes: 1 << 32 };

fn driver() -> (TempDir, Driver) {
    driver_within(LIMITS)
}

fn driver_within(limits: Limits) -> (TempDir, Driver) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), limits).unwrap();
    let refuses = |_: &Batch, about: &About, line: &Line| {
        assert_eq!(about.app.as_deref(), Some("desk"));
        (line.model == "gone").then(|| ("model_not_found", "body.model", "there is no such model".to_owned()))
    };
    (folder, Driver::new(store, 10_000, Arc::new(refuses)))
}

fn line(name: &str, model: &str) -> String {
    let body = json!({"model": model, "messages": [{"role": "user", "content": format!("the question of {name}")}]});
    json!({"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body}).to_string()
}

fn input(lines: usize) -> String {
    (0..lines).map(|n| line(&format!("line-{n}"), "auto") + "\n").collect()
}

/// A file and a batch over it, `Validating`.
async fn made(driver: &Driver, content: &str) -> Batch {
    let store = &driver.store;
    let (id, tenant) = ("file-tgin".to_owned(), "a".to_owned());
    let new = NewFile {
        id,
        tenant,
        app: Some("desk".into()),
        name: "x".into(),
        purpose: "batch".into(),
        created_us: 1,
        expires_us: None,
    };
    store.begin_file(new).await.unwrap();
    for piece in content.as_bytes().chunks(1_777) {
        assert!(store.put_chunk("file-tgin", "a", Bytes::copy_from_slice(piece)).await.unwrap());
    }
    store.end_file("file-tgin", "a").await.unwrap().unwrap();
    let about = About {
        input_file: "file-tgin".into(),
        endpoint: "/v1/chat/completions".into(),
        completion_window: "24h".into(),
        app: Some("desk".into()),
        ..About::default()
    };
    let new = NewBatch {
        id: "batch_tg1".into(),
        tenant: "a".into(),
        created_us: 2_000_000,
        expires_us: 90_000_000,
        about: about.bytes(),
    };
    store.create_batch(new).await.unwrap();
    batch(driver).await
}

async fn batch(driver: &Driver) -> Batch {
    driver.store.batch("batch_tg1", "a").await.unwrap().unwrap()
}

async fn advance(driver: &Driver) -> Batch {
    driver.advance(&batch(driver).await, 5_000_000).await.unwrap();
    batch(driver).await
}

/// Executes up to `most` jobs; those whose question ends in `fails` are refused.
async fn execute(driver: &Driver, most: usize) -> usize {
    let claimed = driver.store.claim(6_000_000, most).await.unwrap();
    for job in &claimed {
        let failed = String::from_utf8_lossy(&job.body).contains("fails");
        let outcome = Outcome {
            state: if failed { State::Failed } else { State::Completed },
            status: if failed { 400 } else { 200 },
            body: Bytes::from(json!({"echo": job.asked.custom_id}).to_string()),
            model: "frontier".into(),
            placement: "cloud".into(),
            prompt_tokens: 3,
            completion_tokens: 4,
            at_us: 7_000_000,
        };
        assert!(driver.store.finish(&job.lease, outcome).await.unwrap());
    }
    claimed.len()
}

/// Lines of a file by their `custom_id`; each is there once.
async fn lines(driver: &Driver, file: Option<&str>) -> BTreeMap<String, Value> {
    let Some(file) = file else { return BTreeMap::new() };
    let chunks = driver.store.file(file, "a").await.unwrap().unwrap().chunks;
    let mut content = vec![];
    for n in 0..chunks {
        content.extend_from_slice(&driver.store.chunk(file, "a", n).await.unwrap().unwrap());
    }
    let mut lines = BTreeMap::new();
    for line in String::from_utf8(content).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(lines.insert(line["custom_id"].as_str().unwrap().to_owned(), line).is_none(), "twice in {file}");
    }
    lines
}

#[tokio::test]
async fn a_batch_goes_from_file_to_files() {
    let (_folder, driver) = driver();
    let content = input(60) + &line("fails", "auto");
    made(&driver, &content).await;
    let running = advance(&driver).await;
    let seen = object(&running);
    assert_eq!((seen.status, seen.in_progress_at, seen.expires_at), (Status::InProgress, Some(5), Some(90)));
    assert_eq!((seen.request_counts.total, seen.request_counts.completed, seen.output_file_id), (61, 0, None));
    while execute(&driver, 25).await > 0 {
        assert!(!batch(&driver).await.state.is_final());
    }
    let seen = object(&advance(&driver).await);
    assert_eq!((seen.status, seen.finalizing_at, seen.completed_at), (Status::Completed, Some(5), Some(5)));
    assert_eq!((seen.request_counts.completed, seen.request_counts.failed), (60, 1));
    let output = lines(&driver, seen.output_file_id.as_deref()).await;
    assert_eq!(output.len(), 60);
    for (name, line) in &output {
        assert_eq!((&line["response"]["status_code"], &line["response"]["body"]["echo"]), (&json!(200), &json!(name)));
        assert!(line["error"].is_null() && line["id"].as_str().unwrap().starts_with("batch_req_"));
    }
    let errors = lines(&driver, seen.error_file_id.as_deref()).await;
    assert_eq!((errors.len(), &errors["fails"]["response"]["status_code"]), (1, &json!(400)));
    assert_eq!(driver.store.count_jobs("batch_tg1").await.unwrap(), 0, "results are not kept twice");
    let usage = serde_json::to_value(seen.usage).unwrap();
    assert_eq!((&usage["input_tokens"], &usage["total_tokens"]), (&json!(183), &json!(427)));
    // Once more changes nothing.
    assert_eq!(object(&advance(&driver).await).output_file_id, seen.output_file_id);
}

#[tokio::test]
async fn wrong_lines_fail_the_batch_before_anything_is_queued() {
    let (_folder, driver) = driver();
    let content = [line("a", "auto"), "{".into(), line("b", "gone"), String::new(), line("a", "auto")].join("\n");
    made(&driver, &content).await;
    let seen = object(&advance(&driver).await);
    assert_eq!((seen.status, seen.failed_at, seen.request_counts.total), (Status::Failed, Some(5), 0));
    let faults = seen.errors.unwrap().data;
    let found: Vec<_> = faults.iter().map(|fault| (fault.line.unwrap(), fault.code.as_str())).collect();
    assert_eq!(found, [(2, "invalid_json_line"), (3, "model_not_found"), (5, "duplicate_custom_id")]);
    assert_eq!(execute(&driver, 10).await, 0);
    assert_eq!((seen.output_file_id, seen.error_file_id), (None, None));
}

#[tokio::test]
async fn files_that_cannot_be_a_batch_fail_it() {
    let long = line("a", &"x".repeat(10_000));
    let many: String = "x\n".repeat(crate::openai::batch::MOST_LINES + 1);
    for (content, code) in [("\n \n", "empty_file"), (&long, "line_too_long"), (&many, "too_many_requests")] {
        let (_folder, driver) = driver();
        made(&driver, content).await;
        let seen = object(&advance(&driver).await);
        assert_eq!((seen.status, seen.errors.unwrap().data[0].code.as_str()), (Status::Failed, code));
    }
    let (_folder, driver) = driver();
    made(&driver, &input(3)).await;
    driver.store.delete_file("file-tgin", "a").await.unwrap();
    let seen = object(&advance(&driver).await);
    assert_eq!((seen.status, seen.errors.unwrap().data[0].code.as_str()), (Status::Failed, "file_not_found"));
}

#[tokio::test]
async fn one_that_does_not_fit_leaves_nothing_behind() {
    let (_folder, driver) = driver_within(Limits { jobs_per_tenant: 40, ..LIMITS });
    made(&driver, &input(60)).await;
    let seen = object(&advance(&driver).await);
    let fault = &seen.errors.unwrap().data[0];
    assert_eq!((seen.status, fault.code.as_str()), (Status::Failed, "queue_full"));
    assert!(fault.message.contains("40"), "{}", fault.message);
    assert_eq!(driver.store.count_jobs("batch_tg1").await.unwrap(), 0);
    assert_eq!(driver.store.counts().await.unwrap().jobs[State::Held as usize], 0);
}

#[tokio::test]
async fn a_cancelled_batch_gives_out_what_is_done() {
    let (_folder, driver) = driver();
    made(&driver, &input(9)).await;
    let running = advance(&driver).await;
    assert_eq!(execute(&driver, 4).await, 4);
    // One is under way: its answer comes too late.
    let late = driver.store.claim(6_000_000, 1).await.unwrap().pop().unwrap();
    let mut about = About::read(&running.about).unwrap();
    about.cancelling_us = Some(8_000_000);
    let store = &driver.store;
    assert!(
        store
            .move_batch("batch_tg1", BatchState::InProgress, BatchState::Cancelling, Some(about.bytes()), 8)
            .await
            .unwrap()
    );
    let seen = object(&batch(&driver).await);
    assert_eq!((seen.status, seen.cancelling_at, seen.output_file_id), (Status::Cancelling, Some(8), None));
    let seen = object(&advance(&driver).await);
    assert_eq!((seen.status, seen.cancelled_at, seen.cancelling_at), (Status::Cancelled, Some(5), Some(8)));
    let (output, errors) =
        (lines(&driver, seen.output_file_id.as_deref()).await, lines(&driver, seen.error_file_id.as_deref()).await);
    assert_eq!((output.len(), errors.len()), (4, 5));
    assert!(errors.values().all(|line| line["error"]["code"] == "batch_cancelled" && line["response"].is_null()));
    assert!(!store.holds(&late.lease).await.unwrap());
}

#[tokio::test]
async fn one_that_is_cancelled_while_it_is_read_never_begins() {
    let (_folder, driver) = driver();
    let read = made(&driver, &input(60)).await;
    let about = About::read(&read.about).unwrap();
    let store = &driver.store;
    assert_eq!(driver.check(&read, &about).await.unwrap(), Ok(60));
    assert_eq!(driver.put(&read, &about).await.unwrap(), validate::Put::All);
    assert!(store.move_batch("batch_tg1", BatchState::Validating, BatchState::Cancelling, None, 8).await.unwrap());
    assert_eq!(driver.put(&read, &about).await.unwrap(), validate::Put::Stopped);
    let seen = object(&advance(&driver).await);
    assert_eq!((seen.status, seen.request_counts.total, seen.error_file_id), (Status::Cancelled, 0, None));
    assert_eq!(store.count_jobs("batch_tg1").await.unwrap(), 0);
}

#[tokio::test]
async fn a_window_that_closes_leaves_part_of_the_output() {
    let (_folder, driver) = driver();
    made(&driver, &input(5)).await;
    advance(&driver).await;
    assert_eq!(execute(&driver, 2).await, 2);
    driver.store.sweep(90_000_001, 1 << 50).await.unwrap();
    let seen = object(&advance(&driver).await);
    assert_eq!((seen.status, seen.expired_at.is_some()), (Status::Expired, true));
    let errors = lines(&driver, seen.error_file_id.as_deref()).await;
    assert_eq!((lines(&driver, seen.output_file_id.as_deref()).await.len(), errors.len()), (2, 3));
    assert!(errors.values().all(|line| line["error"]["code"] == "batch_expired"));
}

/// A future that is dropped when it has been polled so often.
struct CutOff<F> {
    future: F,
    polls: usize,
}

impl<F: Future + Unpin> Future for CutOff<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.polls.checked_sub(1) {
            None => Poll::Ready(None),
            Some(left) => {
                self.polls = left;
                Pin::new(&mut self.future).poll(cx).map(Some)
            }
        }
    }
}

/// Wherever the work breaks off, and however often: what was put is there once, and what came of it, too.
#[tokio::test]
async fn cut_off_anywhere_each_line_comes_out_once() {
    for every in [1, 2, 3, 5, 8] {
        let (_folder, driver) = driver();
        made(&driver, &input(30)).await;
        let mut cuts = 0;
        loop {
            let now = batch(&driver).await;
            if now.state.is_final() {
                break;
            }
            // Longer each time, so that it comes to an end.
            let future = pin!(driver.advance(&now, 5_000_000));
            let cut = CutOff { future, polls: every + cuts * 3 }.await.is_none();
            cuts += usize::from(cut);
            if batch(&driver).await.state == BatchState::InProgress {
                execute(&driver, 7).await;
            }
        }
        assert!(cuts > 0, "nothing was cut off");
        let seen = object(&batch(&driver).await);
        assert_eq!((seen.status, seen.request_counts.completed), (Status::Completed, 30));
        let output = lines(&driver, seen.output_file_id.as_deref()).await;
        assert_eq!((output.len(), seen.error_file_id), (30, None), "cut off every {every}");
    }
}

/// As a disk does that goes bad.
fn damage(folder: &TempDir, sql: &str) {
    let db = rusqlite::Connection::open(folder.path().join("deferred/queue.sqlite")).unwrap();
    assert!(db.execute(sql, []).unwrap() > 0, "{sql}");
}

#[tokio::test]
async fn what_is_damaged_fails_and_the_rest_goes_on() {
    let (folder, driver) = driver();
    made(&driver, &input(6)).await;
    advance(&driver).await;
    damage(&folder, "UPDATE texts SET sealed = zeroblob(80) WHERE n = 2 AND part = 0");
    damage(&folder, "UPDATE jobs SET asked = zeroblob(80) WHERE n = 4");
    assert_eq!(execute(&driver, 9).await, 4, "what cannot be read is passed over");
    damage(&folder, "UPDATE texts SET sealed = zeroblob(80) WHERE n = 5 AND part = 1");
    let seen = object(&advance(&driver).await);
    assert_eq!((seen.status, seen.request_counts.completed, seen.request_counts.failed), (Status::Completed, 4, 2));
    assert_eq!(lines(&driver, seen.output_file_id.as_deref()).await.len(), 3);
    let errors = lines(&driver, seen.error_file_id.as_deref()).await;
    let told: Vec<_> = errors.iter().map(|(name, line)| (name.as_str(), line["error"]["code"].as_str())).collect();
    assert_eq!(told, [("", Some("unreadable")), ("line-1", Some("unreadable")), ("line-4", Some("unreadable"))]);
}

#[tokio::test]
async fn a_batch_that_cannot_be_read_is_given_up_and_the_others_are_not() {
    let (folder, driver) = driver();
    made(&driver, &input(3)).await;
    advance(&driver).await;
    let about = About { input_file: "file-tgin".into(), app: Some("desk".into()), ..About::default() };
    let (id, tenant) = ("batch_tg2".to_owned(), "a".to_owned());
    let new = NewBatch { id, tenant, created_us: 2_000_000, expires_us: 90_000_000, about: about.bytes() };
    driver.store.create_batch(new).await.unwrap();
    damage(&folder, "UPDATE batches SET about = zeroblob(80) WHERE id = 'batch_tg1'");
    assert_eq!(driver.store.batches("a", None, 9).await.unwrap().len(), 2);
    for state in [BatchState::InProgress, BatchState::Validating] {
        for batch in driver.store.batches_in(state, 9).await.unwrap() {
            driver.advance(&batch, 5_000_000).await.unwrap();
        }
    }
    let state = async |id| driver.store.batch(id, "a").await.unwrap().unwrap().state;
    assert_eq!((state("batch_tg1").await, state("batch_tg2").await), (BatchState::Failed, BatchState::InProgress));
    assert_eq!(execute(&driver, 9).await, 3, "nothing is done for a batch that is given up");
}

#[tokio::test]
async fn an_input_that_cannot_be_read_fails_its_batch() {
    let (folder, driver) = driver();
    made(&driver, &input(60)).await;
    damage(&folder, "UPDATE chunks SET sealed = zeroblob(80) WHERE chunk = 1");
    let seen = object(&advance(&driver).await);
    assert_eq!((seen.status, seen.errors.unwrap().data[0].code.as_str()), (Status::Failed, "file_unreadable"));
}

#[tokio::test]
async fn a_batch_whose_results_do_not_fit_comes_to_its_end() {
    // Room for the questions, and for the answers until they have grown a quarter beyond it; none for files beside them.
    let (_folder, driver) = driver();
    made(&driver, &input(60)).await;
    advance(&driver).await;
    let used = driver.store.counts().await.unwrap().bytes;
    driver.store.set_limits(Limits { bytes_per_tenant: used, bytes: used, ..LIMITS });
    while execute(&driver, 25).await > 0 {}
    let seen = object(&advance(&driver).await);
    assert_eq!((seen.status, seen.request_counts.completed), (Status::Completed, 60));
    assert_eq!(lines(&driver, seen.output_file_id.as_deref()).await.len(), 60);
    let new = NewFile {
        id: "file-tgmore".into(),
        tenant: "a".into(),
        name: "x".into(),
        app: None,
        purpose: "batch".into(),
        created_us: 1,
        expires_us: None,
    };
    driver.store.set_limits(Limits { bytes_per_tenant: 10, ..LIMITS });
    assert!(matches!(driver.store.begin_file(new).await, Err(Fault::Full(_))), "others have no such right");
}
