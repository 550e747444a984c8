//! What is made of answers and refusals, and who may ask.

use http_body_util::{BodyExt as _, Empty};

use super::*;

async fn heard(body: &'static str) -> Heard {
    Heard::of(Full::new(Bytes::from_static(body.as_bytes())), Instant::now()).await.unwrap()
}

#[tokio::test]
async fn streams_and_answers_in_one_piece_are_heard_alike() {
    let stream = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n\
        data: {\"choices\":[{\"delta\":{\"content\":\"It is \"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"42\"}}]}\n\n\
        data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5}}\n\ndata: [DONE]\n\n";
    let whole = "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"It is 42\"}}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5}}";
    for body in [stream, whole] {
        let heard = heard(body).await;
        assert_eq!((heard.text.as_str(), heard.usage.prompt, heard.usage.completion), ("It is 42", 3, 5));
        assert!(heard.first.is_some() && heard.broken.is_none() && heard.error.is_none());
    }
}

#[tokio::test]
async fn what_broke_off_is_no_answer() {
    let cut = heard("data: {\"choices\":[{\"delta\":{\"content\":\"It\"}}]}\n\n").await;
    assert_eq!(cut.broken.as_deref(), Some("the answer broke off"));
    let error = heard(
        "data: {\"choices\":[{\"delta\":{\"content\":\"It\"}}]}\n\nevent: error\ndata: {\"error\":{\"message\":\"gone\",\"code\":500}}\n\n",
    );
    assert_eq!(error.await.broken.as_deref(), Some("the answer broke off: gone"));
    assert_eq!(heard("<html>").await.broken.as_deref(), Some("the answer is no chat completion"));
    for body in [heard("<html>").await, cut] {
        assert!(refused(StatusCode::OK, HeaderMap::new(), body).is_err());
    }
}

#[tokio::test]
async fn only_what_passes_is_asked_again() {
    let of = async |status: u16, retry_after: Option<&str>, code: &'static str| {
        let mut headers = HeaderMap::new();
        if let Some(pause) = retry_after {
            headers.insert("retry-after", pause.parse().unwrap());
        }
        let body = format!("{{\"error\":{{\"message\":\"m\",\"code\":\"{code}\"}}}}");
        let heard = heard(Box::leak(body.into_boxed_str())).await;
        refused(StatusCode::from_u16(status).unwrap(), headers, heard).err().map(|r| (r.pause, r.why.hopeless)).unwrap()
    };
    let seconds = Duration::from_secs;
    assert_eq!(of(429, Some("3"), "rate_limit_exceeded").await, (Some(Some(seconds(3))), false));
    assert_eq!(of(429, Some("3600"), "rate_limit_exceeded").await, (Some(Some(LONGEST_PAUSE)), false));
    assert_eq!(of(503, None, "overloaded").await, (Some(None), false));
    assert_eq!(of(503, None, "no_eligible_target").await, (None, false));
    assert_eq!(of(429, None, "insufficient_quota").await, (None, true));
    assert_eq!(of(400, None, "context_length_exceeded").await, (None, false));
    assert_eq!(of(401, None, "invalid_api_key").await, (None, true));
    assert_eq!(of(504, None, "timeout").await, (None, false));
    assert_eq!((backoff(1), backoff(3), backoff(60)), (seconds(1), seconds(4), LONGEST_PAUSE));
}

/// Provider keys stand behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nobody_else_may_ask() {
    let yaml = "upstreams: {lab: {placement: edge, kind: vllm, nodes: [http://127.0.0.1:9]}}\n\
        models: {small: {upstream: lab}}\nroutes: {auto: {rules: [{name: all, try: [small]}]}}";
    let base = std::path::Path::new(".");
    let loaded = crate::config::load::parse(yaml, base, &|_| None, crate::state::reload::judges());
    let asked = tokio::task::spawn_blocking(|| Asked::start(loaded.unwrap()).unwrap()).await.unwrap();
    let status = async |key: Option<&str>| {
        let stream = tokio::net::TcpStream::connect(asked.running.public_address()).await.unwrap();
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        drop(task::spawn("test client", async move { _ = connection.await }));
        let mut request = Request::get("/v1/models").header("host", "x");
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let answer = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
        let (head, mut body) = answer.into_parts();
        while body.frame().await.is_some() {}
        head.status.as_u16()
    };
    assert_eq!((status(None).await, status(Some("sk-tg-other")).await), (401, 401));
    assert_eq!(status(Some(&asked.key)).await, 200);
    tokio::task::spawn_blocking(|| asked.end()).await.unwrap();
}
