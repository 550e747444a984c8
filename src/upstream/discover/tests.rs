//! Finding nodes without a network.

use super::*;
use crate::upstream::pool::Plan;

fn finder(sources: Vec<Source>) -> Finder {
    let plan = Plan { upstream: "lab".into(), sources, workers: 1, ..Plan::default() };
    Finder::new(&plan, Arc::default())
}

fn file(path: &std::path::Path) -> Source {
    Source::File { path: path.to_owned(), base: String::new() }
}

fn nodes(backends: &BTreeSet<Backend>) -> Vec<Arc<Node>> {
    backends.iter().filter_map(|backend| backend.ext.get::<Arc<Node>>().cloned()).collect()
}

fn labels(backends: &BTreeSet<Backend>) -> Vec<String> {
    nodes(backends).iter().map(|node| node.label.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_file_is_followed_and_a_broken_one_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("nodes");
    std::fs::write(&path, "http://127.0.0.1:1001\nhttp://127.0.0.1:1002 weight=3\n").unwrap();
    let finder = finder(vec![file(&path)]);
    finder.look().await;
    let first = finder.backends();
    assert_eq!(labels(&first), ["d0", "d1"]);
    assert_eq!(nodes(&first)[1].load.weight(), 3000);
    for broken in ["http://127.0.0.1:1001\nhttp://127", "nonsense"] {
        std::fs::write(&path, broken.replace("http://127\n", "ftp://x\n") + " weight=x").unwrap();
        tokio::time::advance(READ_EVERY + RETRY).await;
        finder.look().await;
        assert_eq!(labels(&finder.backends()), ["d0", "d1"], "{broken}");
    }
    std::fs::remove_file(&path).unwrap();
    tokio::time::advance(RETRY).await;
    finder.look().await;
    assert_eq!(labels(&finder.backends()).len(), 2);
    // The first has gone, another has come: the second keeps its name, the new one gets the free one.
    std::fs::write(&path, "http://127.0.0.1:1002 drain\nhttp://127.0.0.1:1003\n").unwrap();
    tokio::time::advance(RETRY).await;
    finder.look().await;
    let second = nodes(&first)[1].clone();
    drop(first);
    let now = finder.backends();
    assert_eq!(labels(&now), ["d1", "d0"]);
    assert!(Arc::ptr_eq(&nodes(&now)[0], &second) && second.load.is_draining());
}

#[tokio::test(start_paused = true)]
async fn sources_are_asked_when_they_are_due_and_a_listed_node_keeps_its_settings() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("nodes");
    std::fs::write(&path, "http://127.0.0.1:1001 drain\n").unwrap();
    let (address, _) = Address::parse("http://127.0.0.1:1001").unwrap();
    let listed = Source::Listed { place: 0, address, weight: 2000, drain: false };
    let finder = finder(vec![listed, file(&path)]);
    assert!(finder.due() <= Instant::now());
    finder.look().await;
    let backends = finder.backends();
    assert_eq!(labels(&backends), ["0"]);
    let node = &nodes(&backends)[0];
    assert!(node.load.weight() == 2000 && !node.load.is_draining());
    assert_eq!(finder.due(), Instant::now() + READ_EVERY);
    // Not read before it is due.
    std::fs::write(&path, "http://127.0.0.1:1002\n").unwrap();
    finder.look().await;
    assert_eq!(finder.backends().len(), 1);
    tokio::time::advance(READ_EVERY).await;
    finder.look().await;
    assert_eq!(finder.backends().len(), 2);
}
