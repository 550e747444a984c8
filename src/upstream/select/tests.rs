//! Orders of nodes with real loads and trees.

use super::*;
use crate::upstream::node::Address;

fn selection(balance: Balance, nodes: usize) -> Arc<Selection> {
    let backends = (0..nodes)
        .map(|i| {
            let (address, _) = Address::parse(&format!("http://127.0.0.1:{}", 1000 + i)).unwrap();
            let mut backend = Backend::new(&format!("127.0.0.1:{}", 1000 + i)).unwrap();
            backend.ext.insert(Arc::new(Node::new(i.to_string(), address, None, 1)));
            backend
        })
        .collect();
    Arc::new(Selection::build_with_config(&backends, &Balancing { balance, ..Balancing::default() }))
}

fn key(texts: &[&str]) -> Key {
    let blocks = Blocks::of(texts.iter().map(|text| (0, text.as_bytes())));
    let tokens = blocks.bytes() as u64 / 4;
    Key::of(&blocks, tokens, "m")
}

fn first_of(selection: &Selection, key: &Key) -> u16 {
    selection.order(key.bytes())[0]
}

#[test]
fn least_load_offers_the_idlest_node_first_and_every_node_once() {
    let selection = selection(Balance::LeastLoad, 3);
    let _busy = (selection.backends[0].node.acquire(None), selection.backends[2].node.acquire(None));
    for _ in 0..4 {
        let mut order = selection.order(b"");
        assert_eq!(order[0], 1);
        order.sort();
        assert_eq!(order[..], [0, 1, 2]);
    }
    // What others have sent there counts as well.
    let told = super::super::load::report::Report { running: Some(3), ..Default::default() };
    selection.backends[1].node.load.told(told, 0);
    assert_ne!(selection.order(b"")[0], 1);
}

#[test]
fn equal_loads_take_turns_as_often_as_their_weights_say() {
    for balance in [Balance::LeastLoad, Balance::RoundRobin] {
        let selection = selection(balance, 3);
        let firsts: BTreeSet<u16> = (0..3).map(|_| selection.order(b"")[0]).collect();
        assert_eq!(firsts.len(), 3);
        selection.backends[2].node.load.plan(4000, 0, false);
        let heavy = (0..600).filter(|_| selection.order(b"")[0] == 2).count();
        assert!((395..=405).contains(&heavy), "{heavy} of 600 for four parts of six");
        selection.backends[2].node.load.plan(4000, 1, false);
        assert!((0..9).all(|_| selection.order(b"")[2] == 2), "a higher tier is last");
    }
}

#[test]
fn a_conversation_stays_with_the_node_that_served_it_until_that_is_overloaded() {
    let selection = selection(Balance::Prefix, 4);
    let (system, question) = ("s".repeat(2000), "q".repeat(600));
    let turn = key(&[&system, &question]);
    let home = first_of(&selection, &turn);
    selection.backends[usize::from(home)].node.load.serve(turn.prompt().unwrap());
    let next = key(&[&system, &question, &"a".repeat(600), &"another question".repeat(20)]);
    assert!((0..20).all(|_| first_of(&selection, &next) == home));
    let node = &selection.backends[usize::from(home)].node;
    let busy: Vec<_> = (0..9).map(|_| node.acquire(None)).collect();
    assert_ne!(first_of(&selection, &next), home);
    drop(busy);
    node.load.forget();
    assert!((0..20).any(|_| first_of(&selection, &next) == home), "the home is the same: its hash has not changed");
}

#[test]
fn nodes_that_tell_nothing_are_taken_to_have_the_places_that_one_of_them_filled() {
    let selection = selection(Balance::Prefix, 3);
    let places = || {
        selection
            .backends
            .iter()
            .map(|it| selection.standing(it, None, None, selection.seen()).slots)
            .collect::<Vec<_>>()
    };
    assert_eq!(places(), [USUAL_PLACES; 3]);
    let node = |place: usize| &selection.backends[place].node;
    let busy: Vec<_> = (0..20).map(|_| node(1).acquire(None).unwrap()).collect();
    assert_eq!(places(), [USUAL_PLACES; 3], "they may wait there");
    for place in &busy {
        place.answering();
    }
    node(2).load.plan(2 * WHOLE, 0, false);
    assert_eq!(places(), [20, 20, 40]);
    let told = super::super::load::report::Report { slots: Some(4), ..Default::default() };
    node(1).load.told(told, 0);
    assert_eq!(places(), [20, 4, 40], "its own word counts more");
}

#[test]
fn beginnings_spread_over_all_nodes_and_are_the_same_in_every_process() {
    let (selection, other) = (selection(Balance::Prefix, 4), selection(Balance::Prefix, 4));
    let homes: BTreeSet<u16> = (0..64).map(|i| first_of(&selection, &key(&[&format!("{i:04}").repeat(100)]))).collect();
    assert_eq!(homes.len(), 4);
    let prompt = key(&[&"system".repeat(100)]);
    assert_eq!(first_of(&selection, &prompt), first_of(&other, &prompt));
}

#[test]
fn another_model_is_another_cache() {
    let blocks = Blocks::of([(0, "x".repeat(1000).as_bytes())]);
    let (one, two) = (Key::of(&blocks, 250, "one"), Key::of(&blocks, 250, "two"));
    let selection = selection(Balance::Prefix, 2);
    let load = &selection.backends[0].node.load;
    load.serve(one.prompt().unwrap());
    assert!(load.matched(one.prompt().unwrap()) > 0 && load.matched(two.prompt().unwrap()) == 0);
}

#[test]
fn beginnings_are_remembered_within_bounds() {
    let beginnings = Beginnings::default();
    (0..BEGINNINGS as u64 + 10).for_each(|i| beginnings.remember(i));
    assert!(!beginnings.is_known(9) && beginnings.is_known(10));
}
