//! Bodies, headers, models and errors on their way through: what must arrive unchanged, what must never arrive.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::support::client::chat;
use crate::support::config::PROVIDER_KEY;
use crate::support::upstream::Request;
use crate::support::{Answer, Config, Gateway, Upstream};

/// A body of a megabyte in a form that no serialiser writes: odd whitespace, escapes, unknown members, numbers beyond doubles.
fn odd_body(model: &str) -> String {
    let text = r"\u00e9\/ caf\u00E9 \ud83d\ude00 \t snow ☃ ".repeat(24_000);
    assert!(text.len() > 1 << 20);
    format!(
        "\r\n {{ \"z_unknown\" :[ 1.0e+10 ,-0.0, 123456789012345678901234567890 ,{{\"model\":\"auto\"}} ] ,\t\"model\"  :\n \
         \"{model}\"   ,\"messages\" : [{{\"role\":\"user\",\"content\":\"{text}\",\"x\":{{ }}}}],\"a\\u0062c\":null }} \n"
    )
}

#[tokio::test]
async fn a_megabyte_arrives_byte_identical_but_for_the_model() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&Config::hybrid(&edge, &cloud)).await;
    let answer = gateway.post("/v1/chat/completions").body("application/json", odd_body("auto")).send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(edge.only_request().body == odd_body("qwen3-8b"), "more or less than the model was changed");
}

#[tokio::test]
async fn a_body_that_needs_no_change_is_forwarded_as_it_is() {
    let cloud = Upstream::named("cloud").await;
    let config = Config::new().cloud("acme", &cloud).model("gpt-5", "acme", "").route("auto", "", &["gpt-5"]);
    let gateway = Gateway::with(&config).await;
    for path in ["/v1/chat/completions", "/v1/embeddings", "/v1/completions", "/v1/responses"] {
        let body = r#"{ "input" :"a\u0020b", "prompt":"x" ,"messages":[ ],"model":"gpt-5", "n" : 1.000 }"#;
        let answer = gateway.post(path).body("application/json", body).send().await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let request = cloud.requests().pop().expect("a request");
        assert_eq!((request.path(), &request.body), (path, &Bytes::from(body)));
    }
}

#[tokio::test]
async fn every_byte_of_the_answer_survives() {
    let edge = Upstream::named("edge").await;
    let odd = Bytes::from_static(br#" {"x_extra" : [1.50, 1e400, "\u00e9\/"],"choices":[ ], "usage":null} "#);
    let config = Config::new().edge("lab", &[&edge]).model("small", "lab", "").route("auto", "", &["small"]);
    let gateway = Gateway::with(&config).await;
    for upstream_says in [Answer::chat("hi"), Answer::new(200, "application/json", odd_framing(), vec![odd])] {
        edge.next([upstream_says.clone().header("x-ratelimit-remaining-requests", "7")]);
        let answer = gateway.chat(&chat("auto", "hi")).send().await;
        assert_eq!((answer.status, &answer.body), (200, &upstream_says.body()));
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), "7");
    }
}

fn odd_framing() -> crate::support::upstream::Framing {
    crate::support::upstream::Framing::Chunked
}

#[tokio::test]
async fn an_encoded_answer_keeps_its_encoding() {
    let cloud = Upstream::named("cloud").await;
    let zipped = Bytes::from_static(b"\x1f\x8b\x08\x00not really gzip\x00\xff");
    cloud
        .next([Answer::new(200, "application/json", odd_framing(), vec![zipped.clone()])
            .header("content-encoding", "gzip")]);
    let gateway = Gateway::with(&Config::cloud_only(&cloud)).await;
    let answer = gateway.chat(&chat("auto", "hi")).header("accept-encoding", "gzip").send().await;
    assert_eq!((answer.status, answer.body.clone()), (200, zipped));
    assert_eq!(answer.header("content-encoding"), "gzip");
}

#[tokio::test]
async fn a_malformed_body_is_refused_and_goes_nowhere() {
    let cloud = Upstream::named("cloud").await;
    let gateway = Gateway::with(&Config::cloud_only(&cloud)).await;
    let deep = format!(r#"{{"model":"auto","x":{}"#, "[".repeat(200_000));
    let cases: [&[u8]; 14] = [
        b"",
        b"hello",
        b"[]",
        b"\"auto\"",
        b"null",
        br#"{"model":"auto""#,
        br#"{"model":"auto","messages":[{"role":"us"#,
        br#"{"model":"auto","messages":[]} trailing"#,
        br#"{"model":"auto","messages":[],}"#,
        br#"{'model':'auto'}"#,
        br#"{"model":"auto","x":NaN}"#,
        b"{\"model\":\"auto\",\"x\":\"\xff\xfe\"}",
        b"{\"model\":\"auto\",\"x\":\"line\nbreak\"}",
        deep.as_bytes(),
    ];
    for body in cases {
        let answer =
            gateway.post("/v1/chat/completions").body("application/json", Bytes::copy_from_slice(body)).send().await;
        let error = answer.expect_error(400);
        assert_eq!(error["type"], "invalid_request_error");
    }
    for (body, case) in
        [(json!({"messages": []}), "none"), (json!({"model": 7}), "a number"), (json!({"model": null}), "null")]
    {
        let error = gateway.chat(&body).send().await.expect_error(400);
        assert_eq!(error["param"], "model", "{case}");
    }
    assert_eq!(cloud.requests().len(), 0);
}

#[tokio::test]
async fn strange_json_is_refused_or_passes_unharmed() {
    let cloud = Upstream::named("cloud").await;
    let gateway = Gateway::with(&Config::cloud_only(&cloud)).await;
    let nested = format!(r#"{{"model":"auto","x":{}1{}}}"#, "[".repeat(100), "]".repeat(100));
    let cases = [
        r#"{"model":"auto","x":"\ud800 alone"}"#,
        r#"{"model":"auto","x":"\udc00\ud800"}"#,
        r#"{"model":"auto","x":1,"x":2}"#,
        r#"{"model":"auto","x":"\u0000"}"#,
        r#"{"model":"auto","x":1e999999,"y":-1E-999999,"z":99999999999999999999999999999999}"#,
        r#"{"model":"auto","":{"":[]}}"#,
        "{\"model\":\"auto\",\"x\":\"\u{2028}\u{feff}\u{10ffff}\"}",
        &nested,
    ];
    for body in cases {
        let before = cloud.requests().len();
        let answer = gateway.post("/v1/chat/completions").body("application/json", body.to_owned()).send().await;
        let seen = cloud.requests();
        match answer.status {
            200 => assert_eq!(seen.last().expect("a request").body, body.replace("\"auto\"", "\"gpt-5\""), "{body}"),
            _ => {
                answer.expect_error(400);
                assert_eq!(seen.len(), before, "{body}");
            }
        }
    }
}

/// What one parser reads as the first and another as the last must not let a request slip past what was decided on.
#[tokio::test]
async fn two_models_in_one_body_cannot_reach_an_undecided_one() {
    let cloud = Upstream::named("cloud").await;
    let gateway = Gateway::with(&Config::cloud_only(&cloud)).await;
    for body in [r#"{"model":"auto","model":"other"}"#, r#"{"model":"other","mod\u0065l":"auto"}"#] {
        let answer = gateway.post("/v1/chat/completions").body("application/json", body).send().await;
        if answer.status == 200 {
            let sent = cloud.requests().pop().expect("a request");
            assert!(!sent.body.windows(5).any(|word| word == b"other"), "{:?}", sent.body);
        } else {
            assert!([400, 404].contains(&answer.status), "{}", answer.text());
        }
    }
}

#[tokio::test]
async fn an_unknown_model_is_not_found() {
    let cloud = Upstream::named("cloud").await;
    let gateway = Gateway::with(&Config::cloud_only(&cloud)).await;
    let error = gateway.chat(&chat("gpt-77", "hi")).send().await.expect_error(404);
    assert_eq!((&error["code"], &error["type"]), (&json!("model_not_found"), &json!("invalid_request_error")));
    assert!(error["message"].as_str().unwrap().contains("gpt-77"), "{error}");
    assert_eq!(cloud.requests().len(), 0);
}

#[tokio::test]
async fn routes_aliases_and_models_can_be_asked_for() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&Config::hybrid(&edge, &cloud)).await;
    let list = gateway.get("/v1/models").send().await.json();
    assert_eq!(list["object"], "list");
    let ids: Vec<&str> = list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    for (name, content) in
        [("auto", "hello from edge"), ("gpt-4o", "hello from edge"), ("frontier", "hello from cloud")]
    {
        assert!(ids.contains(&name), "{name} in {ids:?}");
        let model = gateway.get(&format!("/v1/models/{name}")).send().await.json();
        assert_eq!((&model["id"], &model["object"]), (&json!(name), &json!("model")));
        assert!(model["created"].is_u64() && model["owned_by"].is_string(), "{model}");
        assert_eq!(gateway.chat(&chat(name, "hi")).send().await.content(), content);
    }
    assert_eq!(cloud.only_request().json()["model"], "gpt-5");
    let error = gateway.get("/v1/models/nope").send().await.expect_error(404);
    assert_eq!(error["code"], "model_not_found");
}

#[tokio::test]
async fn the_wrong_method_and_the_wrong_path_are_told() {
    let cloud = Upstream::named("cloud").await;
    let gateway = Gateway::with(&Config::cloud_only(&cloud)).await;
    for (method, path) in
        [(Method::PUT, "/v1/chat/completions"), (Method::GET, "/v1/embeddings"), (Method::POST, "/v1/models")]
    {
        let answer = gateway.call(method, path).send().await;
        answer.expect_error(405);
        assert!(!answer.header("allow").is_empty());
    }
    for path in ["/", "/metrics", "/v2/chat/completions", "/api/reload"] {
        gateway.get(path).send().await.expect_error(404);
    }
    assert_eq!(cloud.requests().len(), 0);
}

#[tokio::test]
async fn the_clients_key_stays_here_and_the_providers_is_used() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&Config::hybrid(&edge, &cloud)).await;
    for model in ["small", "frontier"] {
        let call = gateway.chat(&chat(model, "hi")).header("authorization", "Bearer sk-client-secret");
        let call = call.header("x-api-key", "sk-client-secret").header("api-key", "sk-client-secret");
        let call = call.header("cookie", "session=sk-client-secret").header("x-tidegate-user", "sk-client-secret");
        assert_eq!(call.header("x-custom", "goes on").send().await.status, 200);
    }
    let (at_edge, at_cloud) = (edge.only_request(), cloud.only_request());
    assert_eq!(at_edge.header("authorization"), None);
    assert_eq!(at_cloud.header("authorization"), Some(format!("Bearer {PROVIDER_KEY}").as_str()));
    for request in [at_edge, at_cloud] {
        assert!(!contains(&request, "sk-client-secret"), "{:?}", request.headers);
        assert!(request.headers.iter().all(|(name, _)| !name.to_ascii_lowercase().starts_with("x-tidegate-")));
    }
}

fn contains(request: &Request, word: &str) -> bool {
    String::from_utf8_lossy(&request.raw_head).contains(word)
}

#[tokio::test]
async fn the_host_upstream_is_the_upstreams_own() {
    let cloud = Upstream::named("cloud").await;
    let gateway = Gateway::with(&Config::cloud_only(&cloud)).await;
    let call = gateway.chat(&chat("auto", "hi")).header("host", "gateway.example").header("connection", "x-hop, close");
    assert_eq!(call.header("x-hop", "1").header("te", "trailers").send().await.status, 200);
    let request = cloud.only_request();
    assert_eq!(request.header("host"), Some(cloud.addr().to_string().as_str()));
    assert_eq!(request.header("x-hop"), None, "a hop-by-hop header went on");
}

#[tokio::test]
async fn an_upstreams_refusal_is_passed_on_in_openais_shape() {
    let cloud = Upstream::named("cloud").await;
    let gateway = Gateway::with(&Config::cloud_only(&cloud)).await;
    let bodies = [
        json!({"error": {"message": "the words", "type": "invalid_request_error", "param": "messages", "code": "c"}}),
        json!({"error": {"message": "the words", "type": "BadRequestError", "code": 400}}),
        json!({"object": "error", "message": "the words", "type": "BadRequest", "param": null, "code": 400}),
        json!({"error": "the words"}),
    ];
    for body in bodies {
        cloud.next([Answer::json(422, &body)]);
        let error = gateway.chat(&chat("auto", "hi")).send().await.expect_error(422);
        assert_eq!(error["message"], "the words", "{body}");
    }
    for odd in
        [Answer::new(400, "text/html", odd_framing(), vec!["<h1>Bad</h1>".into()]), Answer::json(400, &Value::Null)]
    {
        cloud.next([odd]);
        gateway.chat(&chat("auto", "hi")).send().await.expect_error(400);
    }
}

#[tokio::test]
async fn an_upstreams_error_does_not_leak_its_key_or_address() {
    let cloud = Upstream::named("cloud").await;
    let gateway = Gateway::with(&Config::cloud_only(&cloud)).await;
    let (url, addr) = (cloud.url(), cloud.addr());
    let words = format!("Incorrect API key provided: {PROVIDER_KEY}. See {url}/v1/keys or ask {addr}");
    for status in [400, 401, 403, 404, 429, 500, 503] {
        cloud.now_always(
            Answer::error(status, "invalid_request_error", &words).header("x-served-by", &addr.to_string()),
        );
        let answer = gateway.chat(&chat("auto", "hi")).send().await;
        assert!(answer.status >= 400);
        let all = format!("{:?} {}", answer.headers, answer.text());
        assert!(!all.contains(PROVIDER_KEY) && !all.contains(&addr.to_string()), "{status}: {all}");
    }
    let log = gateway.log().text();
    assert!(!log.contains(PROVIDER_KEY) && !log.contains(&addr.to_string()), "{log}");
}

#[tokio::test]
async fn answers_carry_the_contracts_headers() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&Config::hybrid(&edge, &cloud)).await;
    for streamed in [false, true] {
        let mut body = chat("gpt-4o", "hi");
        body["stream"] = json!(streamed);
        let answer = gateway.chat(&body).send().await;
        let expected = [
            ("x-tidegate-placement", "edge"),
            ("x-tidegate-upstream", "lab"),
            ("x-tidegate-model", "small"),
            ("x-tidegate-route", "auto"),
            ("x-tidegate-rule", "all"),
            ("x-tidegate-attempts", "small:ok"),
        ];
        for (name, value) in expected {
            assert_eq!(answer.header(name), value, "{name}");
        }
        assert!(answer.header("x-tidegate-overhead-us").parse::<u64>().is_ok(), "{:?}", answer.headers);
        assert!(!answer.header("x-request-id").is_empty());
        let timing = answer.header("server-timing");
        assert!(["decide", "wait", "upstream"].iter().all(|phase| timing.contains(phase)), "{timing}");
    }
}
