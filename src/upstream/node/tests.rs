//! Places, silence and what a node is remembered by.

use super::*;

fn node() -> Arc<Node> {
    let (address, _) = Address::parse("http://127.0.0.1:1").unwrap();
    Arc::new(Node::new("0".into(), address, None, 1))
}

#[test]
fn addresses_are_read_or_refused_with_the_remedy() {
    let (address, path) = Address::parse("https://api.openai.com/v1/").unwrap();
    assert_eq!((address.host.as_str(), address.port, path.as_str()), ("api.openai.com", 443, "/v1"));
    let (address, path) = Address::parse("http://[::1]:8080").unwrap();
    assert_eq!((address.host.as_str(), address.port, path.as_str()), ("::1", 8080, ""));
    for wrong in ["ftp://x", "127.0.0.1:80", "http://u:p@h", ""] {
        assert!(Address::parse(wrong).unwrap_err().contains("http://HOST:PORT"), "{wrong}");
    }
}

#[test]
fn places_are_bounded_and_given_back() {
    let node = node();
    let first = node.acquire(Some(1)).unwrap();
    assert!(node.acquire(Some(1)).is_none());
    drop(first);
    assert!(node.acquire(Some(1)).is_some());
}

#[test]
fn tokens_to_read_are_given_back_once() {
    let node = node();
    let (one, two) = (node.acquire(None).unwrap(), node.acquire(None).unwrap());
    one.reads(100);
    two.reads(7);
    assert_eq!(node.load.pending(), 107);
    one.answering();
    one.answering();
    assert_eq!((node.load.pending(), node.load.seen()), (7, 1));
    drop((one, two));
    assert_eq!((node.load.pending(), node.in_flight()), (0, 0));
}

#[test]
fn a_node_leaves_after_the_configured_failures_and_returns_by_itself() {
    let node = node();
    assert_eq!(node.checked(false, 2, 1), None);
    assert!(node.is_up());
    assert_eq!(node.checked(false, 2, 1), Some(false));
    assert!(!node.is_up());
    assert_eq!(node.checked(true, 2, 2), None);
    assert_eq!(node.checked(true, 2, 2), Some(true));
    assert!(node.is_up());
}

#[test]
fn a_failed_request_rests_the_node_until_a_good_check() {
    let node = node();
    node.failed(Duration::from_secs(60));
    assert!(!node.is_up());
    node.checked(true, 2, 1);
    assert!(node.is_up());
}
