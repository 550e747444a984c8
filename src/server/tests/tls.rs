//! ALPN over a real handshake.

use rustls_pki_types::ServerName;

use super::*;

#[tokio::test]
async fn alpn_chooses_the_protocol() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let tls = crate::server::tls::server_config(&made.cert.pem(), &made.signing_key.serialize_pem(), None).unwrap();
    let server = Server::start(Config { tls: Some(tls), ..config() });
    for (offered, spoken) in [(&["h2", "http/1.1"][..], "HTTP/2.0"), (&["http/1.1"], "HTTP/1.1"), (&[], "HTTP/1.1")] {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut client = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.alpn_protocols = offered.iter().map(|p| p.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(server.running().public_address()).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = tokio_rustls::TlsConnector::from(Arc::new(client)).connect(name, stream).await.unwrap();
        let io = TokioIo::new(stream);
        let request = Request::get("http://localhost/peer").body(String::new()).unwrap();
        let answer = if spoken == "HTTP/2.0" {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), io).await.unwrap();
            crate::task::spawn("client", async move { drop(connection.await) });
            sender.send_request(request).await
        } else {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
            crate::task::spawn("client", async move { drop(connection.await) });
            sender.send_request(request).await
        };
        let body = answer.unwrap().into_body().frame().await.unwrap().unwrap().into_data().unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains("is_tls: true") && body.ends_with(spoken), "{body}");
    }
}

#[tokio::test]
async fn a_handshake_that_never_comes_is_cut() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let tls = crate::server::tls::server_config(&made.cert.pem(), &made.signing_key.serialize_pem(), None).unwrap();
    let server = Server::start(Config { tls: Some(tls), client_timeout: Duration::from_millis(40), ..config() });
    assert_eq!(server.connect().await.rest().await, "");
}
