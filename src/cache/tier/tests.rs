//! The tiers together: which is asked first, and that what is asked for may move between threads.

use std::sync::Arc;

use super::*;

fn key(n: u8) -> Key {
    Key([n; 32])
}

fn kept(n: u8) -> Kept {
    let labels = Labels { route: 1, tenant: 2, model: 3 };
    Kept { made_us: 1, until_us: i64::MAX, labels, bytes: Bytes::from(vec![n; 100]) }
}

fn is_send<T: Send>(value: T) -> T {
    value
}

#[tokio::test]
async fn without_tiers_nothing_is_found_and_nothing_fails() {
    let tiers = Tiers::default();
    assert!(tiers.is_empty());
    tiers.put(&key(1), &kept(1));
    assert_eq!(tiers.get(&key(1)).await, None);
    assert_eq!(tiers.purge(Purge::Everything).await, Purged { disk: None, shared: None });
    tiers.finish().await;
}

#[tokio::test]
async fn a_shared_tier_that_is_down_leaves_the_disk_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let secret = secret::load_or_make(folder.path()).unwrap();
    let seal = Arc::new(Seal::new(secret.bytes()));
    let url = format!("unix://{}", folder.path().join("nobody").display());
    let on = tokio::runtime::Handle::current();
    let shared = Shared::connect(&url, Arc::clone(&seal), shared::Settings::default(), &on).unwrap();
    let disk = Disk::open(folder.path(), seal, 1 << 20).unwrap();
    let tiers = Tiers { disk: Some(disk), shared: Some(shared) };
    tiers.put(&key(1), &kept(1));
    let purged = is_send(tiers.purge(Purge::Key(key(2)))).await;
    assert_eq!(purged.disk, Some(Ok(0)));
    let message = purged.shared.unwrap().unwrap_err();
    assert_eq!(message, "the shared cache could not be purged (skipped); try again when it is up");
    assert_eq!(is_send(tiers.get(&key(1))).await, Some((kept(1), Tier::Disk)));
    assert_eq!(tiers.get(&key(3)).await, None);
    let figures = tiers.shared.as_ref().unwrap().figures();
    assert_eq!((figures.lookups(Outcome::Skipped), figures.writes(Write::Failed)), (1, 1));
    is_send(tiers.finish()).await;
    assert_eq!((Tier::Disk.label(), Tier::Shared.label()), ("disk", "shared"));
    assert_eq!(format!("{:?}", key(1)), "Key", "which requests are alike is not told");
}
