//! Being told to stop, and handing over to another process.

use super::*;
use crate::server::upgrade;

#[tokio::test]
async fn in_flight_ends_in_peace_and_nothing_new_is_accepted() {
    let server = Server::start(config());
    let address = server.running().public_address();
    let (stream, mut busy, mut idle) = (server.stream(), server.connect().await, server.connect().await);
    idle.get("/", "ok").await;
    busy.send("GET /stream HTTP/1.1\r\nhost: x\r\n\r\n").await;
    busy.until("\r\n\r\n").await;
    server.running().begin_drain();
    // A request that was on its way is answered, and told that it was the last.
    let answer = idle.get("/", "ok").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("connection: close\r\n"), "{answer}");
    assert_eq!(idle.rest().await, "");
    while TcpStream::connect(address).await.is_ok() {}
    stream.send("still here".into()).await.unwrap();
    busy.until("still here\r\n").await;
    drop(stream);
    busy.until("0\r\n\r\n").await;
    drop(busy);
    assert_eq!(server.joined().await, Drained { cut: 0, crashed: 0 });
}

#[tokio::test]
async fn connections_in_the_kernels_queue_are_served() {
    let server = Server::start(Config { workers: 1, drain_grace: Duration::ZERO, ..config() });
    let (release, blocked) = std::sync::mpsc::channel();
    *server.shared.block.lock() = Some(blocked);
    let mut blocking = server.connect().await;
    blocking.send("GET /block HTTP/1.1\r\nhost: x\r\n\r\n").await;
    server.shared.entered.notified().await;
    // The only worker is stuck: these are accepted by the kernel alone.
    let mut queued = Vec::new();
    for _ in 0..10 {
        let mut client = server.connect().await;
        client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        queued.push(client);
    }
    server.running().begin_drain();
    release.send(()).unwrap();
    for mut client in queued {
        assert!(client.until(&chunked("ok")).await.contains("connection: close\r\n"));
    }
    assert_eq!(server.joined().await, Drained { cut: 0, crashed: 0 });
}

#[tokio::test]
async fn idle_connections_are_closed_after_the_grace() {
    let server = Server::start(Config { drain_grace: Duration::from_millis(20), ..config() });
    let mut idle = server.connect().await;
    idle.get("/", "ok").await;
    server.running().begin_drain();
    assert_eq!(idle.rest().await, "");
    assert_eq!(server.joined().await, Drained { cut: 0, crashed: 0 });
}

#[tokio::test]
async fn http2_clients_are_told_at_once() {
    let server = Server::start(config());
    let stream = TcpStream::connect(server.running().public_address()).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    let client = crate::task::spawn("client", async move { connection.await.unwrap() });
    let request = Request::get("http://x/").body(String::new()).unwrap();
    let _ = sender.send_request(request).await.unwrap().into_body().frame().await;
    server.running().begin_drain();
    // GOAWAY ends an idle connection; `sender` is still there, so nothing else does. The grace is a minute.
    client.await.unwrap();
    assert_eq!(server.joined().await, Drained { cut: 0, crashed: 0 });
}

#[tokio::test]
async fn the_deadline_cuts_and_counts() {
    let server = Server::start(Config { drain_timeout: Duration::from_millis(20), ..config() });
    let mut client = server.connect().await;
    client.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    server.shared.entered.notified().await;
    server.running().begin_drain();
    let shared = server.shared.clone();
    assert_eq!(server.joined().await, Drained { cut: 1, crashed: 0 });
    // No task is left behind: the handler was dropped.
    shared.dropped.notified().await;
    assert_eq!(client.0.read(&mut [0]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let server = Server::start(config());
    let mut client = server.connect().await;
    client.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    server.shared.entered.notified().await;
    server.running().begin_drain();
    server.running().end_now();
    assert_eq!(server.joined().await, Drained { cut: 1, crashed: 0 });
}

#[tokio::test]
async fn sockets_go_to_a_new_process_under_load() {
    let dir = tempfile::tempdir().unwrap();
    let old = Server::start(Config { data_dir: Some(dir.path().to_owned()), ..config() });
    let (listen, admin) = (old.running().public_address(), old.running().admin_address());
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let load = {
        let stop = stop.clone();
        tokio::task::spawn_blocking(move || {
            let mut served = 0;
            // Each request on a connection of its own: the ones that a clumsy handover resets.
            while !stop.load(Ordering::SeqCst) {
                let mut stream = std::net::TcpStream::connect(listen).expect("refused");
                io::Write::write_all(&mut stream, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
                let mut answer = String::new();
                io::Read::read_to_string(&mut stream, &mut answer).expect("reset");
                assert!(answer.ends_with(&chunked("ok")), "{answer}");
                served += 1;
            }
            served
        })
    };

    // Old and new with two and three workers; what SIGQUIT does is called here.
    let new = {
        let (path, copies) = (dir.path().to_owned(), old.running().sockets().unwrap());
        let mut handover = tokio::task::spawn_blocking(move || {
            let sender = path.clone();
            let mut sending = None;
            let handover = upgrade::tests::receive_after(&path, || {
                sending = Some(std::thread::spawn(move || upgrade::send(&sender, &copies)));
            });
            (handover, sending.unwrap())
        })
        .await
        .unwrap();
        let mut notes = Vec::new();
        let sockets = Sockets::take_over(&mut handover.0, listen, admin, 3, &mut notes).unwrap();
        assert_eq!(notes, [""; 0]);
        assert_eq!(sockets.public.len(), 3);
        let new = Server::start_on(Config { workers: 3, ..config() }, sockets);
        assert!(!handover.1.is_finished(), "the old one was told before the new one served");
        handover.0.confirm().unwrap();
        handover.1.join().unwrap().unwrap();
        new
    };
    old.running().begin_drain_upgraded();
    assert_eq!(old.joined().await, Drained { cut: 0, crashed: 0 });
    new.connect().await.get("/", "ok").await;
    stop.store(true, Ordering::SeqCst);
    assert!(load.await.unwrap() > 0);
}

#[tokio::test]
async fn a_worker_polls_all_that_it_was_dealt() {
    let any = LOOPBACK.parse().unwrap();
    let server = Server::start_on(Config { workers: 1, ..config() }, Sockets::bind(any, any, 4).unwrap());
    // The kernel spreads connections over the four sockets.
    for _ in 0..40 {
        server.connect().await.get("/", "ok").await;
    }
}

#[tokio::test]
async fn a_worker_that_panics_is_reported() {
    let any = LOOPBACK.parse().unwrap();
    let make_handler = |worker: usize| -> Echo { panic!("worker {worker} has no handler") };
    let sockets = Sockets::bind(any, any, 2).unwrap();
    let running = start(config(), sockets, make_handler, Arc::new(Status::default())).unwrap();
    running.workers_done().await;
    let drained = tokio::task::spawn_blocking(|| running.join()).await.unwrap();
    assert_eq!(drained, Drained { cut: 0, crashed: 2 });
}
