//! Results whose writing was interrupted, and is taken up again long afterwards.

use super::*;

const HOUR: i64 = 3_600_000_000;

fn now_us() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

/// A batch whose lines are all answered, `Finalizing` since a time that is long gone, with results that are kept for an hour.
async fn interrupted(driver: &Driver, lines: usize) -> Batch {
    made(driver, &input(lines)).await;
    let running = advance(driver).await;
    while execute(driver, 25).await > 0 {}
    let mut about = About::read(&running.about).unwrap();
    about.finalizing_us = Some(8_000_000);
    about.output_expires_after = Some(3_600);
    let (from, to) = (BatchState::InProgress, BatchState::Finalizing);
    assert!(driver.store.move_batch("batch_tg1", from, to, Some(about.bytes()), 8_000_000).await.unwrap());
    batch(driver).await
}

/// As the next start finds it: the executor tidies, and the batch is moved on.
async fn tidied(driver: &Driver, now_us: i64) {
    while driver.store.sweep(now_us, 1 << 60).await.unwrap().is_full() {}
}

async fn has_all_results(driver: &Driver, count: usize) {
    let ended = batch(driver).await;
    assert_eq!(ended.state, BatchState::Completed);
    tidied(driver, now_us()).await;
    let output = object(&ended).output_file_id.unwrap();
    assert_eq!(lines(driver, Some(&output)).await.len(), count);
    let file = driver.store.file(&output, "a").await.unwrap().unwrap();
    assert_eq!(file.expires_us, Some(file.created_us + HOUR), "an hour from its end on");
    assert!(file.created_us > now_us() - HOUR);
}

#[tokio::test]
async fn results_live_from_their_end_on_however_late_that_comes() {
    let (_folder, driver) = driver();
    interrupted(&driver, 20).await;
    tidied(&driver, now_us()).await;
    advance(&driver).await;
    has_all_results(&driver, 20).await;
}

#[tokio::test]
async fn a_file_that_was_whole_before_a_long_pause_lives_as_long_as_any() {
    let (folder, driver) = driver();
    let finalizing = interrupted(&driver, 20).await;
    let mut about = About::read(&finalizing.about).unwrap();
    driver.write_results(&finalizing, &mut about).await.unwrap();
    // Killed here; its time is nearly up when the next process comes to it.
    damage(&folder, &format!("UPDATE files SET expires_us = {} WHERE purpose = 'batch_output'", now_us() + HOUR / 60));
    advance(&driver).await;
    has_all_results(&driver, 20).await;
}

#[tokio::test]
async fn a_file_that_is_being_written_is_not_swept_away() {
    let (folder, driver) = driver();
    let finalizing = interrupted(&driver, 20).await;
    let about = About::read(&finalizing.about).unwrap();
    let mut writing = results::Writing::open(&driver.store, &finalizing, &about, "output").await.unwrap();
    writing.push(&[b'x'; 3_000]).await.unwrap();
    tidied(&driver, now_us() + 25 * HOUR).await;
    writing.push(&[b'x'; 3_000]).await.unwrap();
    // As an earlier version dated it.
    damage(&folder, "UPDATE files SET created_us = 1, expires_us = 2 WHERE purpose = 'batch_output'");
    tidied(&driver, now_us()).await;
    writing.push(&[b'x'; 3_000]).await.unwrap();
    assert!(writing.close().await.unwrap().is_some());
}

#[tokio::test]
async fn jobs_stay_until_their_results_are_a_file_that_lives() {
    let (folder, driver) = driver();
    let finalizing = interrupted(&driver, 20).await;
    let mut about = About::read(&finalizing.about).unwrap();
    driver.write_results(&finalizing, &mut about).await.unwrap();
    let store = &driver.store;
    let writing = results::Writing::open(store, &finalizing, &about, "output").await.unwrap();
    damage(&folder, "DELETE FROM files WHERE purpose = 'batch_output'");
    assert!(writing.close().await.is_err(), "it was there, and is not");
    assert_eq!(store.count_jobs("batch_tg1").await.unwrap(), 20);
    advance(&driver).await;
    has_all_results(&driver, 20).await;
}
