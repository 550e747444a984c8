//! TLS towards upstreams: own authority, client certificate, HTTP/2 where it is offered; and towards clients.
//!
//! What a reader could get wrong: the mock's certificate signs itself, so it is its own authority and also serves as the client's.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::Gateway;
use crate::support::client::chat;

/// A certificate for `localhost` and its key, in PEM.
struct Identity {
    cert: String,
    key: String,
}

fn identity() -> Identity {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    Identity { cert: made.cert.pem(), key: made.signing_key.serialize_pem() }
}

/// A provider that speaks TLS only and answers with the protocol that was spoken. `alpn`: what it offers.
async fn secure_upstream(identity: &Identity, alpn: &[&str], client_ca: Option<&str>) -> SocketAddr {
    let made = tidegate::server::tls::server_config(&identity.cert, &identity.key, client_ca).unwrap();
    let mut config = Arc::unwrap_or_clone(made);
    config.alpn_protocols = alpn.iter().map(|p| p.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = service_fn(answer);
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    addr
}

async fn answer(request: Request<hyper::body::Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let version = format!("{:?}", request.version());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let asked: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let message = json!({"role": "assistant", "content": version});
    let answer = json!({"id": "c", "object": "chat.completion", "created": 0, "model": asked["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
    Ok(Response::builder().header("content-type", "application/json").body(answer.to_string().into()).unwrap())
}

fn indented(pem: &str) -> String {
    pem.lines().map(|line| format!("        {line}\n")).collect()
}

fn yaml(addr: SocketAddr, tls: &str) -> String {
    let port = addr.port();
    format!(
        "upstreams:\n  far:\n    placement: cloud\n    kind: openai\n    base_url: https://localhost:{port}/v1\n{tls}\
         models:\n  frontier: {{upstream: far}}\n"
    )
}

fn trusting(identity: &Identity) -> String {
    format!("    tls:\n      ca: |\n{}", indented(&identity.cert))
}

#[tokio::test]
async fn the_best_protocol_that_is_offered_is_spoken_under_the_own_authority() {
    let identity = identity();
    for (alpn, spoken) in [(&["h2", "http/1.1"][..], "HTTP/2.0"), (&["http/1.1"], "HTTP/1.1"), (&[], "HTTP/1.1")] {
        let addr = secure_upstream(&identity, alpn, None).await;
        let gateway = Gateway::with_yaml(&yaml(addr, &trusting(&identity))).await;
        for _ in 0..3 {
            let answer = gateway.chat(&chat("frontier", "hi")).send().await;
            assert_eq!((answer.status, answer.content().as_str()), (200, spoken), "{}", answer.text());
        }
    }
}

#[tokio::test]
async fn a_certificate_of_nobody_we_trust_is_refused() {
    let (theirs, ours) = (identity(), identity());
    let addr = secure_upstream(&theirs, &["h2"], None).await;
    let gateway = Gateway::with_yaml(&yaml(addr, &trusting(&ours))).await;
    let error = gateway.chat(&chat("frontier", "hi")).send().await.expect_error(502);
    assert!(error.to_string().contains("TLS handshake"), "{error}");
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_one_is_asked_for() {
    let (server, client) = (identity(), identity());
    let addr = secure_upstream(&server, &["http/1.1"], Some(&client.cert)).await;
    let bare = Gateway::with_yaml(&yaml(addr, &trusting(&server))).await;
    assert_eq!(bare.chat(&chat("frontier", "hi")).send().await.status, 502);
    let shown = format!(
        "{}      cert: |\n{}      key: |\n{}",
        trusting(&server),
        indented(&client.cert),
        indented(&client.key)
    );
    let gateway = Gateway::with_yaml(&yaml(addr, &shown)).await;
    assert_eq!(gateway.chat(&chat("frontier", "hi")).send().await.status, 200);
}
