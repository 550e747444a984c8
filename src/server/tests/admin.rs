//! The admin listener.

use super::*;

async fn ask(server: &Server, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut client = Client(TcpStream::connect(server.running().admin_address()).await.unwrap());
    let length = body.len();
    client
        .send(&format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
        .await;
    let answer = client.rest().await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

#[tokio::test]
async fn pages_and_their_methods() {
    let server = Server::start(config());
    let cases = [
        ("GET", "/livez", 200, "ok\n"),
        ("GET", "/readyz", 200, "ok\n"),
        ("HEAD", "/readyz", 200, ""),
        ("GET", "/metrics", 200, "tidegate_config_generation 1\n"),
        ("GET", "/api/upstreams", 200, r#"{"lab":{"placement":"edge"}}"#),
        ("GET", "/api/config", 200, r#"{"api_key":"***"}"#),
        ("POST", "/api/explain", 200, "{}"),
        ("POST", "/api/reload", 200, r#"{"generation":2}"#),
    ];
    for (method, path, status, body) in cases {
        let sent = if path == "/api/explain" { "{}" } else { "" };
        assert_eq!(ask(&server, method, path, sent).await, (status, body.to_owned()), "{method} {path}");
    }
    let (status, page) = ask(&server, "GET", "/", "").await;
    assert!(status == 200 && page.contains("/api/explain") && page.contains(env!("CARGO_PKG_VERSION")));
    for (method, path, status) in [
        ("GET", "/nothing", 404),
        ("POST", "/livez", 405),
        ("GET", "/api/reload", 405),
        ("POST", "/api/reload", 400),
        ("POST", "/api/explain", 400),
    ] {
        let (answered, body) = ask(&server, method, path, "").await;
        assert_eq!(answered, status, "{method} {path}");
        assert!(serde_json::from_str::<serde_json::Value>(&body).unwrap()["error"]["message"].is_string());
    }
    assert_eq!(ask(&server, "POST", "/api/explain", &" ".repeat((8 << 20) + 1)).await.0, 413);
}

#[tokio::test]
async fn readiness_tells_the_reason_and_outlives_the_drain() {
    let server = Server::start(config());
    *server.status.unready.lock() = Some("no target is available".into());
    assert_eq!(ask(&server, "GET", "/readyz", "").await, (503, "no target is available\n".into()));
    *server.status.unready.lock() = None;
    let mut busy = server.connect().await;
    busy.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    server.shared.entered.notified().await;
    server.running().begin_drain();
    assert_eq!(ask(&server, "GET", "/readyz", "").await, (503, "draining\n".into()));
    assert_eq!(ask(&server, "GET", "/livez", "").await, (200, "ok\n".into()));
    let admin = server.running().admin_address();
    drop(busy);
    server.joined().await;
    assert!(TcpStream::connect(admin).await.is_err());
}
