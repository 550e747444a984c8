//! Seats, the call that they share, and what becomes of it when one of them goes.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::task::noop_waker;
use tokio::sync::mpsc;

use super::*;
use crate::error::Kind;

type Test = Flight<&'static str, u32>;

/// A stream that gives what the test sends.
struct Sent {
    from: mpsc::UnboundedReceiver<Bytes>,
    /// Its last words have come.
    over: bool,
    ended: Arc<Mutex<Option<Option<usize>>>>,
}

impl Source for Sent {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
        self.from.poll_recv(cx).map(|bytes| {
            let bytes = bytes?;
            self.over |= bytes == "last words";
            Some(Piece { bytes, has_usage: false })
        })
    }

    fn is_over(&mut self) -> bool {
        self.over
    }

    fn ended(&mut self, log: Option<Vec<Bytes>>, _: Arc<dyn Any + Send + Sync>) {
        *self.ended.lock() = Some(log.map(|log| log.len()));
    }
}

struct Rig {
    send: Option<mpsc::UnboundedSender<Bytes>>,
    ended: Arc<Mutex<Option<Option<usize>>>>,
}

fn flowing(window: usize) -> (Seat<&'static str, u32>, Rig) {
    let (send, from) = mpsc::unbounded_channel();
    let ended = Arc::new(Mutex::new(None));
    let source = Sent { from, over: false, ended: Arc::clone(&ended) };
    let seat =
        Test::begin(Box::pin(async move { Landed::Flowing("head", Box::new(source) as Box<dyn Source>) }), window);
    (seat, Rig { send: Some(send), ended })
}

impl Rig {
    fn says(&self, text: &'static str) {
        self.send.as_ref().unwrap().send(Bytes::from_static(text.as_bytes())).unwrap();
    }
}

fn poll(seat: &mut Seat<&'static str, u32>) -> Poll<Next> {
    seat.poll_next(&mut Context::from_waker(&noop_waker()))
}

fn text(next: Poll<Next>) -> String {
    match next {
        Poll::Ready(Next::Piece(piece)) => String::from_utf8(piece.bytes.to_vec()).unwrap(),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn a_late_joiner_is_told_everything_and_the_leader_may_go() {
    let (mut leader, mut rig) = flowing(1000);
    assert!(matches!(leader.told().await, Told::Flowing(head) if *head == "head"));
    rig.says("one ");
    assert_eq!(text(poll(&mut leader)), "one ");
    let mut late = Seat::join(leader.flight()).unwrap();
    assert!(matches!(late.told().await, Told::Flowing(_)));
    assert_eq!(text(poll(&mut late)), "one ");
    drop(leader);
    rig.says("two ");
    assert_eq!(text(poll(&mut late)), "two ");
    rig.send = None;
    let mut last = Seat::join(late.flight()).unwrap();
    assert_eq!(poll(&mut late), Poll::Ready(Next::End));
    assert_eq!(*rig.ended.lock(), Some(Some(2)));
    assert_eq!(last.whole(1000).await.unwrap().concat(), b"one two ");
}

/// Clients leave at the last words, before the connection they came on has ended.
#[tokio::test]
async fn who_leaves_with_all_of_the_answer_leaves_it_to_be_kept() {
    for (words, kept) in [("last words", Some(Some(1))), ("first words", None)] {
        let (mut seat, rig) = flowing(1000);
        seat.told().await;
        rig.says(words);
        assert_eq!(text(poll(&mut seat)), words);
        seat.leaves();
        assert_eq!(*rig.ended.lock(), kept);
    }
}

#[tokio::test]
async fn whoever_sleeps_is_woken_by_what_another_one_polls() {
    let (mut leader, mut rig) = flowing(1000);
    leader.told().await;
    let seats: Vec<_> = (0..20).map(|_| Seat::join(leader.flight()).unwrap()).collect();
    let done = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = seats
        .into_iter()
        .map(|mut seat| {
            let done = Arc::clone(&done);
            #[allow(clippy::disallowed_methods, reason = "a test")]
            tokio::spawn(async move {
                assert_eq!(seat.whole(1000).await.unwrap().concat(), b"abc");
                done.fetch_add(1, Ordering::Relaxed);
            })
        })
        .collect();
    // The leader polled last and never takes anything in again.
    assert!(poll(&mut leader).is_pending());
    for said in ["a", "b", "c"] {
        rig.says(said);
        tokio::task::yield_now().await;
    }
    rig.send = None;
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(done.load(Ordering::Relaxed), 20);
    drop(leader);
}

#[tokio::test]
async fn a_slow_follower_is_left_behind_and_memory_stays_bounded() {
    let (mut leader, rig) = flowing(10);
    leader.told().await;
    let mut slow = Seat::join(leader.flight()).unwrap();
    for _ in 0..100 {
        rig.says("1234");
        assert_eq!(text(poll(&mut leader)), "1234");
    }
    assert!(leader.flight().log.lock().kept() <= 12);
    assert_eq!(poll(&mut slow), Poll::Ready(Next::LeftBehind));
    assert!(Seat::join(leader.flight()).is_none());
    drop(rig);
    assert_eq!(poll(&mut leader), Poll::Ready(Next::End));
}

#[tokio::test]
async fn the_last_one_to_go_drops_the_call() {
    let (leader, rig) = flowing(10);
    let follower = Seat::join(leader.flight()).unwrap();
    drop(leader);
    assert!(!rig.send.as_ref().unwrap().is_closed());
    drop(follower);
    assert!(rig.send.as_ref().unwrap().is_closed());
}

#[tokio::test]
async fn an_error_goes_to_all_or_to_the_leader_alone() {
    for is_shared in [true, false] {
        let error = Error::upstream(Kind::Timeout, "late");
        let mut leader = Test::begin(Box::pin(async move { Landed::Failed { error, is_shared, own: 7 } }), 10);
        let mut follower = Seat::join(leader.flight()).unwrap();
        let told = follower.told().await;
        assert_eq!(matches!(told, Told::Failed(error) if error.kind == Kind::Timeout), is_shared);
        leader.told().await;
        assert_eq!(leader.own(), Some(7));
        assert_eq!(follower.own(), None);
    }
}

#[tokio::test]
async fn flights_are_found_as_long_as_they_are_listed() {
    let flights = Arc::new(Flights::default());
    let key = Key([1; 32]);
    let (open, wait) = tokio::sync::oneshot::channel::<()>();
    let begin = |(), listed: Listed| {
        Test::begin(
            Box::pin(async move {
                let _ = wait.await;
                drop(listed);
                Landed::Whole("head", Bytes::from_static(b"{}"))
            }),
            10,
        )
    };
    let mut leader = flights.join_or_begin(key, (), begin).unwrap();
    let (mut follower, load) =
        flights.join_or_begin::<&'static str, u32, _>(key, "load", |_, _| unreachable!()).unwrap_err();
    assert_eq!(load, "load");
    open.send(()).unwrap();
    assert!(matches!(follower.told().await, Told::Whole(..)));
    assert!(matches!(leader.told().await, Told::Whole(..)));
    assert_eq!(flights.len(), 0);
    // Dropped before it has landed, it is listed no more.
    let begin = |(), listed: Listed| {
        let asking = async move {
            std::future::pending::<()>().await;
            drop(listed);
            Landed::Alone(1)
        };
        Test::begin(Box::pin(asking), 10)
    };
    let seat = flights.join_or_begin(key, (), begin).unwrap();
    assert_eq!(flights.len(), 1);
    drop(seat);
    assert_eq!(flights.len(), 0);
}
