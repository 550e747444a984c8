//! Clients that ask for too much or are too slow.

use super::*;

#[tokio::test]
async fn a_head_over_the_limit_is_a_431_in_the_openai_shape() {
    let server = Server::start(config());
    let mut client = server.connect().await;
    let get = |size: usize| format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "x".repeat(size));
    client.send(&get(7 << 10)).await;
    assert!(client.until(&chunked("ok")).await.starts_with("HTTP/1.1 200"));
    client.send(&get(9 << 10)).await;
    let answer = client.until("}}").await;
    assert!(answer.starts_with("HTTP/1.1 431 ") && answer.contains("x-request-id: "), "{answer}");
    assert_eq!(error_code(&answer), "headers_too_large");
    // The connection is in order and goes on.
    client.get("/", "ok").await;
    // Twice the limit is not read to its end.
    client.send(&get(64 << 10)[..17 << 10]).await;
    assert!(client.until("\r\n\r\n").await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn a_head_over_the_limit_by_http2() {
    let server = Server::start(config());
    let stream = TcpStream::connect(server.running().public_address()).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    crate::task::spawn("client", async move { connection.await.unwrap() });
    let request = Request::get("http://x/").header("x-long", "x".repeat(9 << 10)).body(String::new()).unwrap();
    assert_eq!(sender.send_request(request).await.unwrap().status(), 431);
}

#[tokio::test]
async fn a_head_that_drips_is_cut_however_often_it_drips() {
    let server = Server::start(Config { client_timeout: Duration::from_millis(80), ..config() });
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: x\r\n").await;
    let dripping = async {
        let mut interval = tokio::time::interval(Duration::from_millis(10));
        loop {
            interval.tick().await;
            if client.0.write_all(b"x-drip: 1\r\n").await.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), dripping).await.expect("still served after a hundred deadlines");
}

#[tokio::test]
async fn idle_and_silent_connections_are_closed() {
    let server = Server::start(Config { client_timeout: Duration::from_millis(80), ..config() });
    let mut silent = server.connect().await;
    let mut idle = server.connect().await;
    idle.get("/", "ok").await;
    assert_eq!(silent.rest().await, "");
    assert_eq!(idle.rest().await, "");
}

#[tokio::test]
async fn waiting_for_the_handler_is_not_idling() {
    let server = Server::start(Config { client_timeout: Duration::from_millis(40), ..config() });
    let stream = server.stream();
    let mut busy = server.connect().await;
    busy.send("GET /stream HTTP/1.1\r\nhost: x\r\n\r\n").await;
    busy.until("\r\n\r\n").await;
    // Three connections in a row live their idle lives; the stream outlives them all.
    for _ in 0..3 {
        assert_eq!(server.connect().await.rest().await, "");
    }
    stream.send("late".into()).await.unwrap();
    drop(stream);
    busy.until(&chunked("late")).await;
}

#[tokio::test]
async fn a_client_that_stops_reading_is_cut() {
    let server = Server::start(Config { client_timeout: Duration::from_millis(80), ..config() });
    let mut client = server.connect().await;
    client.send("GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await;
    client.until("\r\n\r\n").await;
    while server.running().lifecycle().in_flight() > 0 {
        assert_eq!(server.connect().await.rest().await, "");
    }
}

#[tokio::test]
async fn over_max_in_flight_is_shed() {
    let server = Server::start(Config { max_in_flight: 1, ..config() });
    let (stream, mut first, mut second) = (server.stream(), server.connect().await, server.connect().await);
    first.send("GET /stream HTTP/1.1\r\nhost: x\r\n\r\n").await;
    first.until("\r\n\r\n").await;
    second.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let answer = second.until("}}").await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 1\r\n"), "{answer}");
    assert_eq!(error_code(&answer), "overloaded");
    assert_eq!(server.running().lifecycle().shed(), 1);
    // The answer's end frees the place, not its head.
    drop(stream);
    first.until("0\r\n\r\n").await;
    second.get("/", "ok").await;
}

#[tokio::test]
async fn over_max_connections_waits_for_a_place() {
    let server = Server::start(Config { max_connections: 1, ..config() });
    let (stream, mut first) = (server.stream(), server.connect().await);
    first.send("GET /stream HTTP/1.1\r\nhost: x\r\n\r\n").await;
    first.until("\r\n\r\n").await;
    let mut second = server.connect().await;
    second.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    stream.send("held".into()).await.unwrap();
    first.until("held\r\n").await;
    let mut byte = [0];
    assert!(
        tokio::time::timeout(Duration::from_millis(50), second.0.read(&mut byte)).await.is_err(),
        "answered while the only place was taken"
    );
    drop(first);
    assert!(second.until(&chunked("ok")).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_is_still_sending() {
    let server = Server::start(config());
    let mut client = server.connect().await;
    let size = 8 << 20;
    client.send(&format!("POST /refuse HTTP/1.1\r\nhost: x\r\ncontent-length: {size}\r\n\r\n")).await;
    // As a simple client does: all of the body first, then a look at the answer. Without lingering this is a reset.
    client.0.write_all(&vec![b'x'; size]).await.unwrap();
    client.0.shutdown().await.unwrap();
    let answer = client.rest().await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.ends_with(&chunked("too large")), "{answer}");
}
