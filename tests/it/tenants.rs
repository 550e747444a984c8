//! Who may ask: keys, scopes, limits, where a tenant's data may go.

use serde_json::json;

use crate::support::client::{chat, chat_stream};
use crate::support::config::{hash, key};
use crate::support::gateway::run;
use crate::support::{Answer, Call, Config, Gate, Gateway, Point, Upstream, eventually};

async fn hybrid(more: impl FnOnce(Config) -> Config) -> (Upstream, Upstream, Gateway) {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&more(Config::hybrid(&edge, &cloud))).await;
    (edge, cloud, gateway)
}

fn ask(gateway: &Gateway) -> Call {
    gateway.chat(&chat("auto", "hi"))
}

#[tokio::test]
async fn a_key_is_asked_for_and_goes_no_further() {
    let (edge, _, gateway) = hybrid(|config| config.tenant("acme", "").tenant("other", "")).await;
    for (header, value) in [
        ("x-none", String::new()),
        ("authorization", "Bearer sk-proj-0123".into()),
        ("authorization", format!("Basic {}", key("acme"))),
        ("authorization", format!("Bearer {}", &key("acme")[..70])),
        ("x-api-key", key("nobody")),
    ] {
        let answer = ask(&gateway).header(header, &value).send().await;
        assert_eq!(answer.expect_error(401)["code"], "invalid_api_key", "{header}: {value}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert!(!answer.text().contains("0123"), "{}", answer.text());
    }
    assert_eq!(edge.requests().len(), 0);
    assert_eq!(gateway.get("/v1/models").send().await.status, 401);
    assert_eq!(gateway.get("/v1/files").send().await.status, 401);

    assert_eq!(ask(&gateway).by("acme").send().await.status, 200);
    assert_eq!(ask(&gateway).header("x-api-key", &key("other")).send().await.status, 200);
    for request in edge.requests() {
        for name in ["authorization", "x-api-key"] {
            assert_eq!(request.header(name), None, "the client's key stays here");
        }
    }
    gateway.eventually_metric("tidegate_requests_total", &[("tenant", "acme"), ("outcome", "ok")], 1.0).await;
    gateway.eventually_metric("tidegate_requests_total", &[("tenant", "other"), ("outcome", "ok")], 1.0).await;
    let log = gateway.log().text();
    assert!(!log.contains("sk-tg-") && !log.contains("sk-proj"), "{log}");
}

#[tokio::test]
async fn who_is_refused_at_the_head_learns_of_it_whatever_he_sends() {
    let (edge, _cloud, gateway) = hybrid(|config| config.tenant("acme", "")).await;
    for _ in 0..20 {
        let (call, body) = gateway.post("/v1/chat/completions").streamed_body("application/json");
        let sending = tokio::spawn(async move {
            // The head is there long before the body.
            tokio::task::yield_now().await;
            let _ = body.send(vec![b' '; 300 << 10].into()).await;
        });
        assert_eq!(call.send().await.expect_error(401)["code"], "invalid_api_key");
        sending.await.unwrap();
    }
    assert_eq!(edge.requests().len(), 0);
}

#[tokio::test]
async fn keys_are_rotated_revoked_and_end_with_a_reload() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let with = |keys: &[&str]| Config::hybrid(&edge, &cloud).tenant_with("acme", keys, "");
    let gateway = Gateway::with(&with(&["old"])).await;
    let status = async |key: &str| ask(&gateway).header("x-api-key", key).send().await.status;
    assert_eq!((status("old").await, status("new").await), (200, 401));
    gateway.reload_now(&with(&["old", "new"])).await;
    assert_eq!((status("old").await, status("new").await), (200, 200));
    gateway.reload_now(&with(&["new"])).await;
    assert_eq!((status("old").await, status("new").await), (401, 200));

    let ended = format!(
        "{}tenants: {{acme: {{keys: [{{hash: \"{}\", until: 2020-01-01}}]}}}}\n",
        Config::hybrid(&edge, &cloud).yaml(),
        hash("late")
    );
    let gateway = Gateway::with_yaml(&ended).await;
    let answer = ask(&gateway).header("x-api-key", "late").send().await;
    assert!(answer.expect_error(401)["message"].as_str().unwrap().contains("2020-01-01"));
}

#[tokio::test]
async fn a_removed_tenant_finishes_what_he_has_begun() {
    let gate = Gate::new();
    let edge =
        Upstream::named("edge").await.always(Answer::chat_stream(&["a", "b"], true).gated(Point::AfterPiece(2), &gate));
    let cloud = Upstream::named("cloud").await;
    let with = |tenant: &str| Config::hybrid(&edge, &cloud).tenant(tenant, "");
    let gateway = Gateway::with(&with("acme")).await;
    let mut stream = gateway.chat(&chat_stream("auto", "hi")).by("acme").stream().await;
    assert!(stream.event().await.is_some());
    gateway.reload_now(&with("other")).await;
    assert_eq!(ask(&gateway).by("acme").send().await.status, 401);
    gate.open();
    let rest = stream.events().await;
    assert!(rest.iter().any(|event| event.data == "[DONE]"), "{rest:?}");
}

#[tokio::test]
async fn models_outside_the_tenants_list_are_refused_and_not_listed() {
    let (edge, cloud, gateway) = hybrid(|config| config.tenant("acme", "models: [gpt-4o, frontier]")).await;
    let error = ask(&gateway).by("acme").send().await.expect_error(403);
    assert_eq!((error["code"].as_str(), error["param"].as_str()), (Some("model_not_allowed"), Some("model")));
    assert_eq!(
        gateway.chat(&chat("nothing", "x")).by("acme").send().await.expect_error(404)["code"],
        "model_not_found"
    );
    for model in ["gpt-4o", "frontier"] {
        assert_eq!(gateway.chat(&chat(model, "x")).by("acme").send().await.status, 200, "{model}");
    }
    let listed = gateway.get("/v1/models").by("acme").send().await.json();
    let ids: Vec<_> = listed["data"].as_array().unwrap().iter().map(|entry| entry["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["gpt-4o", "frontier"]);
    assert_eq!(gateway.get("/v1/models/auto").by("acme").send().await.status, 404);
    assert_eq!((edge.requests().len(), cloud.requests().len()), (1, 1));
    let image = gateway.post("/v1/images/generations").by("acme").json(&json!({"prompt": "x", "model": "dall-e-3"}));
    assert_eq!(
        image.send().await.expect_error(403)["code"],
        "model_not_allowed",
        "a list of models is no list of paths"
    );
    assert_eq!(gateway.get("/v1/files").by("acme").send().await.status, 200);
}

#[tokio::test]
async fn requests_a_minute_are_refused_with_the_time_to_wait() {
    let (edge, _, gateway) =
        hybrid(|config| config.tenant("acme", "limits: {requests_per_minute: 3}").tenant("other", "")).await;
    for left in ["2", "1", "0"] {
        let answer = ask(&gateway).by("acme").send().await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-ratelimit-limit-requests"), "3");
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), left);
        assert!(!answer.header("x-ratelimit-reset-requests").is_empty());
    }
    let refused = ask(&gateway).by("acme").send().await;
    let error = refused.expect_error(429);
    assert_eq!(error["code"], "rate_limit_exceeded");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=20).contains(&wait), "one request flows back every 20 s: {wait}");
    assert_eq!(ask(&gateway).by("other").send().await.status, 200, "the limit is the tenant's own");
    assert_eq!(edge.requests().len(), 4);
    gateway
        .eventually_metric("tidegate_rate_limited_total", &[("tenant", "acme"), ("limit", "requests_per_minute")], 1.0)
        .await;
}

#[tokio::test]
async fn tokens_a_minute_are_estimated_and_then_corrected() {
    // The mock says 9 + 12 tokens, the estimate is higher: the difference is given back.
    let (_edge, _cloud, gateway) = hybrid(|config| config.tenant("acme", "limits: {tokens_per_minute: 1000}")).await;
    let mut body = chat("auto", "hi");
    body["max_tokens"] = json!(900);
    let first = gateway.chat(&body).by("acme").send().await;
    assert_eq!(first.status, 200);
    let left: u64 = first.header("x-ratelimit-remaining-tokens").parse().unwrap();
    assert!(left < 100, "900 for the answer are taken at first: {left}");
    let second = async || (gateway.chat(&body).by("acme").send().await.status == 200).then_some(());
    eventually("what was not used is given back", second).await;
    body["max_tokens"] = json!(2000);
    let error = gateway.chat(&body).by("acme").send().await;
    assert_eq!(error.expect_error(429)["code"], "rate_limit_exceeded");
    assert_eq!(error.header("x-should-retry"), "false", "it would never fit");
}

#[tokio::test]
async fn tokens_of_a_request_that_was_refused_are_given_back() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let config = Config::hybrid(&edge, &cloud)
        .tenant("acme", "limits: {tokens_per_minute: 1000}\nbudget: {usd: 0}")
        .model("dear", "acme", "price: {input: 1, output: 1}")
        .route("only-dear", "", &["dear"]);
    let gateway = Gateway::with(&config).await;
    let mut body = chat("only-dear", "hi");
    body["max_tokens"] = json!(600);
    for _ in 0..4 {
        let refused = gateway.chat(&body).by("acme").send().await;
        assert_eq!(refused.expect_error(429)["code"], "insufficient_quota", "not the limit of tokens");
    }
}

#[tokio::test]
async fn requests_at_once_are_limited_for_tenants_apps_and_users() {
    let gate = Gate::new();
    let edge = Upstream::named("edge").await.always(Answer::chat("x").gated(Point::BeforeHead, &gate));
    let cloud = Upstream::named("cloud").await;
    let config = Config::hybrid(&edge, &cloud).tenant(
        "acme",
        "limits: {in_flight: 3}\nuser_limits: {in_flight: 1}\napps: {chat: {limits: {in_flight: 2}}, other: {}}",
    );
    let gateway = Gateway::with(&config).await;
    let call =
        |user: &str, app: &str| ask(&gateway).by("acme").header("x-tidegate-user", user).header("x-tidegate-app", app);
    let held: Vec<_> = [("a", "chat"), ("b", "chat"), ("c", "other")]
        .map(|(user, app)| tokio::spawn(call(user, app).send()))
        .into_iter()
        .collect();
    eventually("three are under way", async || (edge.in_flight() == 3).then_some(())).await;
    for (user, app, limit) in [("a", "other", "1 requests"), ("d", "chat", "2 requests"), ("d", "other", "3 requests")]
    {
        let error = call(user, app).send().await.expect_error(429);
        assert!(error["message"].as_str().unwrap().contains(limit), "{user} {app}: {error}");
    }
    assert_eq!(call("d", "unknown").send().await.expect_error(403)["code"], "app_not_allowed");
    gate.open();
    for answer in held {
        assert_eq!(answer.await.unwrap().status, 200);
    }
    assert_eq!(call("a", "chat").send().await.status, 200, "places are given back");
}

#[tokio::test]
async fn tiers_and_regions_keep_a_tenants_data_where_it_may_be() {
    let (edge, eu, us) = (Upstream::named("edge").await, Upstream::named("eu").await, Upstream::named("us").await);
    let config = Config::new()
        .edge("lab", &[&edge])
        .cloud_with("europe", &eu, "region: eu")
        .cloud_with("america", &us, "region: us")
        .model("small", "lab", "")
        .model("sovereign", "europe", "")
        .model("frontier", "america", "")
        .route("auto", "", &["frontier", "sovereign", "small"])
        .route("abroad", "", &["frontier"])
        .top("passthrough: america")
        .tenant("european", "regions: [eu]")
        .tenant("local", "privacy: local-only")
        .tenant("free", "");
    let gateway = Gateway::with(&config).await;
    let model = async |tenant: &str, model: &str| gateway.chat(&chat(model, "x")).by(tenant).send().await;
    assert_eq!(model("free", "auto").await.header("x-tidegate-model"), "frontier");
    assert_eq!(model("european", "auto").await.header("x-tidegate-model"), "sovereign");
    assert_eq!(model("local", "auto").await.header("x-tidegate-model"), "small");
    for (tenant, constraint) in [("european", "region"), ("local", "privacy")] {
        let error = model(tenant, "abroad").await.expect_error(503);
        assert_eq!(error["code"], "no_eligible_target");
        assert!(error["message"].as_str().unwrap().contains(constraint), "{error}");
        let passed = gateway.get("/v1/files").by(tenant).send().await;
        assert_eq!(passed.expect_error(503)["code"], "no_eligible_target", "passed-through paths are no way around");
    }
    let loosened = gateway.chat(&chat("auto", "x")).by("local").header("x-tidegate-privacy", "retained").send().await;
    assert_eq!(loosened.header("x-tidegate-model"), "small", "a request can only tighten");
    assert_eq!((us.requests().len(), eu.requests().len()), (1, 1));
}

#[tokio::test]
async fn rules_read_the_tenant() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let rules = ["{name: special, when: 'tenant == \"acme\"', try: [frontier]}", "{name: rest, try: [small]}"];
    let config = Config::new()
        .edge("lab", &[&edge])
        .cloud("acme", &cloud)
        .model("small", "lab", "")
        .model("frontier", "acme", "")
        .rules("auto", "", &rules)
        .tenant("acme", "")
        .tenant("other", "");
    let gateway = Gateway::with(&config).await;
    for (tenant, rule) in [("acme", "special"), ("other", "rest")] {
        assert_eq!(ask(&gateway).by(tenant).send().await.header("x-tidegate-rule"), rule);
    }
}

#[tokio::test]
async fn with_tenants_a_public_listener_is_accepted() {
    let cloud = Upstream::named("cloud").await;
    let config = Config::cloud_only(&cloud).top("listen: 0.0.0.0:0").tenant("acme", "");
    let gateway = Gateway::with(&config).await;
    assert!(gateway.addr().ip().is_unspecified());
}

#[tokio::test]
async fn a_new_key_is_printed_with_the_hash_that_lets_it_in() {
    let made = run(&std::env::temp_dir(), &["keys", "new", "--tenant", "acme"]).await;
    let [new, its_hash] = made.stdout.lines().collect::<Vec<_>>()[..] else { panic!("{made:?}") };
    assert!(new.starts_with("sk-tg-") && new.len() > 64);
    assert_eq!(its_hash, hash(new));
    let (_edge, _cloud, gateway) = hybrid(|config| config.tenant_with("acme", &[new], "")).await;
    assert_eq!(ask(&gateway).header("authorization", &format!("bearer {new}")).send().await.status, 200);
}

#[tokio::test]
async fn a_noisy_tenant_does_not_keep_others_waiting() {
    let edge = Upstream::named("edge").await.always(Answer::chat("x").delayed(std::time::Duration::from_millis(10)));
    let config = Config::new()
        .edge_with("lab", &[&edge], "max_in_flight_per_node: 1\nmax_wait: 30s")
        .model("small", "lab", "")
        .route("auto", "", &["small"])
        .tenant("noisy", "")
        .tenant("quiet", "");
    let gateway = Gateway::with(&config).await;
    let noisy: Vec<_> = (0..60).map(|_| tokio::spawn(ask(&gateway).by("noisy").send())).collect();
    eventually("a line has formed", async || {
        (gateway.metrics().await.sum("tidegate_queue_depth", &[]) > 20.0).then_some(())
    })
    .await;
    let before = edge.requests().len();
    assert_eq!(ask(&gateway).by("quiet").send().await.status, 200);
    let passed = edge.requests().len() - before;
    assert!(passed <= 5, "{passed} requests were served before that of a tenant who had none waiting");
    for answer in noisy {
        assert_eq!(answer.await.unwrap().status, 200);
    }
    let waited = gateway.metrics().await.sum("tidegate_wait_seconds_count", &[("upstream", "lab")]);
    assert!(waited >= 50.0, "{waited}");
}
