//! Changed files, as editors and Kubernetes change them. Time is paused.

use std::future::Future;
use std::os::unix::fs::symlink;
use std::task::{Context, Poll, Waker};

use super::*;

/// Whether a change is told within ten seconds (of paused time).
async fn told(watch: &mut Watch) -> bool {
    tokio::time::timeout(Duration::from_secs(10), watch.changed()).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn sees_a_rewrite_a_rename_and_a_removal_once_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.yaml");
    std::fs::write(&path, "a").unwrap();
    let mut watch = Watch::new(&path, &[]);
    assert!(!told(&mut watch).await);

    std::fs::write(&path, "ab").unwrap();
    assert!(told(&mut watch).await);
    assert!(!told(&mut watch).await);

    // As editors and `mv` do it; the same length, another inode.
    std::fs::write(folder.path().join("new"), "cd").unwrap();
    std::fs::rename(folder.path().join("new"), &path).unwrap();
    assert!(told(&mut watch).await);

    std::fs::remove_file(&path).unwrap();
    assert!(told(&mut watch).await);
    assert!(!told(&mut watch).await);
    std::fs::write(&path, "back").unwrap();
    assert!(told(&mut watch).await);
}

#[tokio::test(start_paused = true)]
async fn sees_a_config_maps_swap_of_links() {
    // tidegate.yaml -> ..data/tidegate.yaml, ..data -> ..1; the swap renames a new `..data` over the old one.
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    for version in ["..1", "..2"] {
        std::fs::create_dir(dir.join(version)).unwrap();
        std::fs::write(dir.join(version).join("tidegate.yaml"), "same length").unwrap();
    }
    symlink("..1", dir.join("..data")).unwrap();
    symlink("..data/tidegate.yaml", dir.join("tidegate.yaml")).unwrap();
    let mut watch = Watch::new(&dir.join("tidegate.yaml"), &[]);
    assert!(!told(&mut watch).await);

    symlink("..2", dir.join("..data_tmp")).unwrap();
    std::fs::rename(dir.join("..data_tmp"), dir.join("..data")).unwrap();
    assert!(told(&mut watch).await);
}

#[tokio::test(start_paused = true)]
async fn follows_the_files_of_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let [path, old, new] = ["t.yaml", "old", "new"].map(|name| folder.path().join(name));
    for file in [&path, &old, &new] {
        std::fs::write(file, "x").unwrap();
    }
    let mut watch = Watch::new(&path, std::slice::from_ref(&old));
    std::fs::write(&old, "xy").unwrap();
    assert!(told(&mut watch).await);

    // A change before `follow` of a file that stays watched is not lost.
    std::fs::write(&path, "changed meanwhile").unwrap();
    watch.follow(std::slice::from_ref(&new));
    assert!(told(&mut watch).await);
    std::fs::write(&old, "no longer watched").unwrap();
    assert!(!told(&mut watch).await);
    std::fs::write(&new, "xy").unwrap();
    assert!(told(&mut watch).await);
}

#[tokio::test(start_paused = true)]
async fn waits_until_a_file_stands_still() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.yaml");
    std::fs::write(&path, "").unwrap();
    let mut watch = Watch::new(&path, &[]);
    std::fs::write(&path, "a").unwrap();
    let mut changed = Box::pin(watch.changed());
    for length in 2..6 {
        assert_eq!(changed.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending);
        std::fs::write(&path, "a".repeat(length)).unwrap();
        tokio::time::advance(SETTLED_AFTER).await;
    }
    changed.await;
}
