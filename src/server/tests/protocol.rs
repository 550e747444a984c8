//! What a client sees in normal service.

use super::*;

#[tokio::test]
async fn keep_alive_and_pipelined_requests() {
    let server = Server::start(config());
    let mut client = server.connect().await;
    for _ in 0..3 {
        let answer = client.get("/", "ok").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(!answer.contains("connection: close"));
    }
    client.send(&"GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(20)).await;
    for _ in 0..20 {
        client.until(&chunked("ok")).await;
    }
}

#[tokio::test]
async fn http2_by_prior_knowledge() {
    let server = Server::start(config());
    let stream = TcpStream::connect(server.running().public_address()).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    crate::task::spawn("client", async move { connection.await.unwrap() });
    let answers = ["/peer", "/id", "/panic", "/peer"]
        .map(|path| sender.send_request(Request::get(format!("http://x{path}")).body(String::new()).unwrap()));
    let statuses: Vec<u16> =
        futures_util::future::join_all(answers).await.into_iter().map(|a| a.unwrap().status().as_u16()).collect();
    assert_eq!(statuses, [200, 200, 500, 200]);
    drop(sender);
}

#[tokio::test]
async fn a_preface_that_comes_byte_by_byte_and_one_that_is_none() {
    let server = Server::start(config());
    let mut client = server.connect().await;
    for byte in "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".chars() {
        client.send(&byte.to_string()).await;
    }
    // An empty SETTINGS frame; the server's own comes back: type 4 in the fourth byte of its head.
    client.0.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    let mut head = [0; 9];
    client.0.read_exact(&mut head).await.unwrap();
    assert_eq!(head[3], 4);
    // Begins like it, is HTTP/1.
    let mut client = server.connect().await;
    for part in ["P", "RI", "NT / HTTP/1.1\r\nhost: x\r\n", "\r\n"] {
        client.send(part).await;
    }
    assert!(client.until(&chunked("ok")).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn request_ids_are_kept_or_made() {
    let server = Server::start(config());
    let mut client = server.connect().await;
    client.send("GET /id HTTP/1.1\r\nhost: x\r\nx-request-id: mine-1\r\n\r\n").await;
    let answer = client.until(&chunked("mine-1")).await;
    assert!(answer.contains("x-request-id: mine-1\r\n"), "{answer}");
    for bad in ["", "with space", &"x".repeat(129)] {
        client.send(&format!("GET /id HTTP/1.1\r\nhost: x\r\nx-request-id: {bad}\r\n\r\n")).await;
        let answer = client.until("\r\n0\r\n\r\n").await;
        let (_, id) = answer.split_once("x-request-id: ").unwrap();
        let id = &id[..36];
        assert!(id.starts_with("req_") && id[4..].bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
        assert!(answer.ends_with(&chunked(id)), "the handler saw another one: {answer}");
    }
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_connection_lives() {
    let server = Server::start(config());
    let mut client = server.connect().await;
    client.send("GET /panic HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let answer = client.until("\"internal_error\"}}").await;
    assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains("x-request-id: req_"), "{answer}");
    assert!(!answer.contains("prompt"), "the payload leaked: {answer}");
    assert_eq!(error_code(&answer), "internal_error");
    client.get("/", "ok").await;
    assert_eq!(server.running().lifecycle().in_flight(), 0);
}

#[tokio::test]
async fn expect_100_continue() {
    let server = Server::start(config());
    let mut client = server.connect().await;
    let head = "POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n";
    client.send(head).await;
    assert_eq!(client.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("12345").await;
    assert!(client.until(&chunked("5")).await.starts_with("HTTP/1.1 200"));
    // One that is refused unread is not asked for.
    client.send(&head.replace("/length", "/refuse")).await;
    assert!(client.until("\r\n\r\n").await.starts_with("HTTP/1.1 413 "));
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_request() {
    let server = Server::start(config());
    let mut client = server.connect().await;
    client.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    server.shared.entered.notified().await;
    assert_eq!(server.running().lifecycle().in_flight(), 1);
    drop(client);
    server.shared.dropped.notified().await;
}

#[tokio::test]
async fn a_slow_reader_bounds_memory() {
    let server = Server::start(Config { workers: 1, ..config() });
    let mut client = server.connect().await;
    client.send("GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await;
    client.until("\r\n\r\n").await;
    // Nothing is read: the answer must come to a halt. Between two looks the only worker has served another client.
    let (mut taken, mut halted) = (0, 0);
    while halted < 20 {
        server.connect().await.get("/", "ok").await;
        let now = server.shared.asked.load(Ordering::SeqCst);
        // What hyper and the kernel's buffers of both ends hold.
        assert!(now < 32 << 20, "{now} bytes were taken for a client that reads none");
        halted = if now == taken { halted + 1 } else { 0 };
        taken = now;
    }
    assert!(taken > 0);
}

#[tokio::test]
async fn each_worker_serves() {
    let server = Server::start(config());
    let mut seen = std::collections::HashSet::new();
    for _ in 0..1_000 {
        let mut client = server.connect().await;
        client.send("GET /worker HTTP/1.1\r\nhost: x\r\n\r\n").await;
        seen.insert(client.until("\r\n0\r\n\r\n").await.chars().rev().nth(7).unwrap());
        if seen.len() == 2 {
            return;
        }
    }
    panic!("1,000 connections all went to the same worker: {seen:?}");
}

#[tokio::test]
async fn a_tunnel_is_in_flight_until_it_closes() {
    let server = Server::start(config());
    let mut client = server.connect().await;
    client.send("GET /tunnel HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n").await;
    client.until("open").await;
    client.send("a").await;
    assert_eq!(client.until("a").await, "a");
    assert_eq!(server.running().lifecycle().in_flight(), 1);
    server.running().begin_drain();
    client.send("b").await;
    assert_eq!(client.until("b").await, "b");
    drop(client);
    assert_eq!(server.joined().await, Drained { cut: 0, crashed: 0 });
}
