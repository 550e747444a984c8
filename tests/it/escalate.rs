//! Answers below `min_confidence`: the next target is asked, both are paid for, and the one put aside is given if nobody has a better one.

use serde_json::{Value, json};

use crate::support::client::{chat, chat_stream};
use crate::support::gateway::run;
use crate::support::metrics::Metrics;
use crate::support::upstream::Request;
use crate::support::{Answer, Config, Gate, Gateway, Point, Response, Upstream, eventually, sse};

const JUDGED: &str = "{name: easy, try: [{model: small, min_confidence: 0.5}, frontier]}";
const REFUSAL: &str = "I'm sorry, but I can't help with that.";

fn judged(edge: &Upstream, cloud: &Upstream) -> Config {
    Config::new()
        .edge("lab", &[edge])
        .cloud("acme", cloud)
        .model("small", "lab", "id: qwen3-8b\nprice: {input: 10, output: 1000}")
        .model("frontier", "acme", "id: gpt-5\nprice: {input: 100, output: 10000}")
        .rules("auto", "", &[JUDGED])
}

async fn hybrid() -> (Upstream, Upstream, Gateway) {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&judged(&edge, &cloud)).await;
    (edge, cloud, gateway)
}

fn attempts(answer: &Response) -> &str {
    answer.header("x-tidegate-attempts")
}

/// `{token, logprob}` of each word, as llama-server tells them.
fn tokens(words: &[&str], logprob: f64) -> Value {
    let token = |word: &&str| {
        json!({"id": 1, "token": word, "bytes": word.as_bytes(), "logprob": logprob,
               "top_logprobs": [{"id": 1, "token": word, "bytes": word.as_bytes(), "logprob": logprob}]})
    };
    json!({"content": words.iter().map(token).collect::<Vec<_>>()})
}

/// A chat answer with that much certainty in each of its words.
fn certain(words: &[&str], logprob: f64) -> Answer {
    let message = json!({"role": "assistant", "content": words.concat()});
    let choice = json!({"index": 0, "finish_reason": "stop", "message": message, "logprobs": tokens(words, logprob)});
    Answer::json(200, &json!({"id": "c", "choices": [choice], "usage": {"prompt_tokens": 20, "completion_tokens": 5}}))
}

fn chunk(choice: &Value) -> String {
    format!("data: {}\n\n", json!({"id": "c", "choices": [choice]}))
}

/// The same as a stream, without usage unless it is asked for.
pub fn certain_stream(words: &[&str], logprob: f64, with_logprobs: bool) -> Vec<String> {
    let mut frames = vec![chunk(&json!({"index": 0, "delta": {"role": "assistant", "content": null}}))];
    for word in words {
        let mut choice = json!({"index": 0, "delta": {"content": word}});
        if with_logprobs {
            choice["logprobs"] = tokens(&[*word], logprob);
        }
        frames.push(chunk(&choice));
    }
    frames.push(chunk(&json!({"index": 0, "delta": {}, "finish_reason": "stop"})));
    frames.push("data: [DONE]\n\n".into());
    frames
}

#[tokio::test]
async fn a_certain_answer_is_given_as_it_would_be_without_the_question() {
    let (edge, cloud, gateway) = hybrid().await;
    edge.next([certain(&["It", " is", " Ulm", "."], -0.05)]);
    let answer = gateway.chat(&chat("auto", "hi")).send().await;
    assert_eq!((answer.status, attempts(&answer)), (200, "small:ok"), "{}", answer.text());
    assert!(answer.header("x-tidegate-confidence").parse::<f64>().unwrap() > 0.9);
    assert_eq!(answer.header("x-tidegate-escalation"), "");
    assert_eq!(edge.only_request().json()["top_logprobs"], 1);
    assert!(!answer.text().contains("logprob"), "{}", answer.text());
    assert_eq!(answer.content(), "It is Ulm.");
    assert!(cloud.requests().is_empty());
}

#[tokio::test]
async fn an_uncertain_answer_is_put_aside_and_both_are_paid_for() {
    let (edge, cloud, gateway) = hybrid().await;
    edge.next([certain(&["It", " is", " Ulm", "."], -3.0)]);
    let answer = gateway.chat(&chat("auto", "hi")).send().await;
    assert_eq!(
        (answer.content().as_str(), attempts(&answer)),
        ("hello from cloud", "small:low-confidence,frontier:ok")
    );
    assert_eq!(answer.header("x-tidegate-escalation"), "logprobs");
    assert_eq!(answer.header("x-tidegate-confidence"), "", "nobody judged the last one");
    assert!(cloud.only_request().json().get("logprobs").is_none(), "nobody judges it, nobody asks");
    let metrics = Metrics::parse(&gateway.admin("/metrics").send().await.text());
    let escalations = [("route", "auto"), ("reason", "logprobs")];
    assert_eq!(metrics.sum("tidegate_escalations_total", &escalations), 1.0);
    assert_eq!(metrics.sum("tidegate_confidence_count", &[("model", "small")]), 1.0);
    let id = answer.header("x-request-id").to_owned();
    let record = record(&gateway, &id).await;
    assert_eq!(record["attempts"][0]["outcome"], "low-confidence", "{record}");
    assert_eq!(record["attempts"][1]["role"], "escalation", "{record}");
    let notes = record["decision"]["notes"].to_string();
    assert!(notes.contains("escalated=small:0.") && notes.contains(":logprobs"), "{record}");
    let lines = usage(&gateway).await;
    let of = |model: &str, figure: &str| {
        lines.iter().filter(|line| line["model"] == model).filter_map(|line| line[figure].as_f64()).sum::<f64>()
    };
    let paid = |input: f64, output: f64, price: f64| (input * price + output * price * 100.0) / 1e6;
    assert!((of("small", "cost_usd") - paid(20.0, 5.0, 10.0)).abs() < 1e-9, "{lines:?}");
    assert!((of("frontier", "cost_usd") - paid(11.0, 7.0, 100.0)).abs() < 1e-9, "{lines:?}");
}

async fn record(gateway: &Gateway, id: &str) -> Value {
    eventually("the decision record", async || {
        let answer = gateway.admin(&format!("/api/requests/{id}")).send().await;
        (answer.status == 200).then(|| answer.json())
    })
    .await
}

async fn usage(gateway: &Gateway) -> Vec<Value> {
    let config = gateway.dir().join("tidegate.yaml");
    let arguments = ["usage", "--by", "model", "--format", "json", "-c", config.to_str().unwrap()];
    let told = run(gateway.dir(), &arguments).await;
    assert_eq!(told.code, Some(0), "{told:?}");
    serde_json::from_str::<Value>(&told.stdout).unwrap().as_array().unwrap().clone()
}

#[tokio::test]
async fn what_anybody_can_see_is_wrong_escalates_plain_and_streamed() {
    let (edge, _cloud, gateway) = hybrid().await;
    let form = |format: Value| json!({"response_format": format});
    let schema = json!({"type": "object", "required": ["city"]});
    let schema = form(json!({"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}));
    let tools = json!({"tools": [{"type": "function", "function": {"name": "weather"}}], "tool_choice": "required"});
    let cases = [
        ("refusal", REFUSAL.to_owned(), json!({})),
        ("repetition", "and then ".repeat(40), json!({})),
        ("invalid-json", "Sure, here you are: {}".to_owned(), form(json!({"type": "json_object"}))),
        ("schema", "{\"town\": 1}".to_owned(), schema),
        ("tool-call", "It is sunny.".to_owned(), tools),
        ("empty", " ".to_owned(), json!({})),
    ];
    for (reason, text, more) in cases {
        for mut body in [chat("auto", "hi"), chat_stream("auto", "hi")] {
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let words: Vec<&str> = text.split_inclusive(' ').collect();
            let streamed = body["stream"] == true;
            edge.next([if streamed { Answer::chat_stream(&words, true) } else { Answer::chat(&text) }]);
            let answer = gateway.chat(&body).send().await;
            assert_eq!(answer.header("x-tidegate-escalation"), reason, "streamed: {streamed}");
            assert_eq!(attempts(&answer), "small:low-confidence,frontier:ok", "{reason}");
            let text = if streamed { sse::text(&answer.events()) } else { answer.content() };
            assert_eq!(text, "hello from cloud", "{reason}");
        }
    }
}

#[tokio::test]
async fn a_certain_stream_goes_on_without_log_probabilities_byte_for_byte() {
    let (edge, cloud, gateway) = hybrid().await;
    let words: Vec<String> = (0..60).map(|i| format!(" word{i} \"logprobs\"")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let gate = Gate::new();
    // The gateway must not wait for the end: what comes behind the gate is not needed for a verdict.
    edge.next([Answer::sse(certain_stream(&words, -0.02, true)).gated(Point::AfterPiece(50), &gate)]);
    let mut live = gateway.chat(&chat_stream("auto", "hi")).stream().await;
    assert!(live.header("x-tidegate-confidence").parse::<f64>().unwrap() > 0.9);
    gate.open();
    let mut bytes = vec![];
    while let Some(chunk) = live.chunk().await {
        bytes.extend_from_slice(&chunk.unwrap());
    }
    let expected = certain_stream(&words, 0.0, false).concat();
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    assert!(cloud.requests().is_empty());
}

#[tokio::test]
async fn a_lost_stream_is_cancelled_after_a_few_tokens() {
    let (edge, cloud, gateway) = hybrid().await;
    let words: Vec<String> = (0..200).map(|i| format!(" word{i}")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    edge.next([Answer::sse(certain_stream(&words, -4.0, true)).stalled(Point::AfterPiece(12))]);
    let answer = gateway.chat(&chat_stream("auto", "hi")).send().await;
    assert_eq!(sse::text(&answer.events()), "hello from cloud");
    assert_eq!(attempts(&answer), "small:low-confidence,frontier:ok");
    eventually("the edge's stream is cancelled", async || (!edge.cancels().is_empty()).then_some(())).await;
    assert_eq!(cloud.requests().len(), 1);
    let id = answer.header("x-request-id").to_owned();
    let record = record(&gateway, &id).await;
    let tokens = record["attempts"][0]["completion"].as_u64().unwrap_or_default();
    assert!((8..=12).contains(&tokens), "{record}");
}

#[tokio::test]
async fn a_slow_stream_is_decided_on_what_is_there() {
    let (edge, _cloud, gateway) = hybrid().await;
    edge.next([Answer::sse(certain_stream(&["It", " is"], -0.05, true)).stalled(Point::AfterPiece(3))]);
    let live = gateway.chat(&chat_stream("auto", "hi")).stream().await;
    assert_eq!(live.header("x-tidegate-attempts"), "small:ok");
}

#[tokio::test]
async fn the_answer_put_aside_is_given_when_nobody_has_a_better_one() {
    let (edge, cloud, gateway) = hybrid().await;
    cloud.now_always(Answer::error(500, "server_error", "down"));
    edge.next([Answer::chat(REFUSAL)]);
    let answer = gateway.chat(&chat("auto", "hi")).send().await;
    assert_eq!((answer.status, answer.content().as_str()), (200, REFUSAL));
    assert_eq!(attempts(&answer), "frontier:upstream-failed,small:low-confidence");
    assert_eq!(answer.header("x-tidegate-confidence"), "0.10");
    assert_eq!(answer.header("x-tidegate-escalation"), "refusal");
    assert_eq!(answer.header("x-tidegate-model"), "small");
    let words: Vec<&str> = REFUSAL.split_inclusive(' ').collect();
    edge.next([Answer::chat_stream(&words, true)]);
    let answer = gateway.chat(&chat_stream("auto", "hi")).send().await;
    let events = answer.events();
    assert_eq!(sse::text(&events), REFUSAL);
    assert!(events.iter().all(|event| !event.is_error()) && events.last().unwrap().is_done(), "{events:?}");
    assert_eq!(attempts(&answer), "frontier:upstream-failed,small:low-confidence");
    assert_eq!(edge.requests().len(), 2, "it is not asked again");
    let lines = usage(&gateway).await;
    let small = lines.iter().find(|line| line["model"] == "small").unwrap();
    assert_eq!(small["requests"], 2, "{lines:?}");
}

/// An escalation is paid for, too: where the budget has no room for it, the answer that is there is given.
#[tokio::test]
async fn a_budget_is_not_overrun_by_escalations() {
    let (edge, cloud) = (Upstream::named("edge").await.always(Answer::chat(REFUSAL)), Upstream::named("cloud").await);
    let config = Config::new()
        .edge("lab", &[&edge])
        .cloud("acme", &cloud)
        .model("small", "lab", "price: {per_request: 0.01}")
        .model("frontier", "acme", "price: {per_request: 0.01}")
        .rules("auto", "", &[JUDGED])
        .tenant("poor", "budget: {usd: 0.01, per: month, then: reject}")
        .tenant("rich", "budget: {usd: 1, per: month, then: reject}");
    let gateway = Gateway::with(&config).await;
    let answer = gateway.chat(&chat("auto", "hi")).by("poor").send().await;
    assert_eq!((answer.content().as_str(), attempts(&answer)), (REFUSAL, "small:low-confidence"), "{}", answer.text());
    assert!(cloud.requests().is_empty());
    let answer = gateway.chat(&chat("auto", "hi")).by("rich").send().await;
    assert_eq!(attempts(&answer), "small:low-confidence,frontier:ok");
}

/// The last one left is not judged: there is nobody to ask.
#[tokio::test]
async fn nobody_is_judged_who_has_no_successor() {
    let (edge, cloud, gateway) = hybrid().await;
    edge.next([Answer::chat(REFUSAL)]);
    let call = gateway.chat(&chat("auto", "hi")).header("x-tidegate-placement", "only-edge");
    let answer = call.send().await;
    assert_eq!((answer.content().as_str(), attempts(&answer)), (REFUSAL, "small:ok"));
    assert_eq!(answer.header("x-tidegate-confidence"), "");
    assert!(edge.only_request().json().get("logprobs").is_none() && cloud.requests().is_empty());
}

#[tokio::test]
async fn a_client_who_asks_for_log_probabilities_gets_them() {
    let (edge, _cloud, gateway) = hybrid().await;
    let sent = certain(&["It", " is", " Ulm", "."], -0.05);
    edge.next([sent.clone()]);
    let mut body = chat("auto", "hi");
    body["logprobs"] = json!(true);
    let answer = gateway.chat(&body).send().await;
    assert_eq!(answer.body, sent.body());
    assert!(edge.only_request().json().get("top_logprobs").is_none());
}

#[tokio::test]
async fn completions_and_responses_are_judged_as_well() {
    let (edge, _cloud, gateway) = hybrid().await;
    let choice = json!({"index": 0, "text": " is", "finish_reason": "stop", "logprobs": tokens(&[" is", " it"], -3.0)});
    edge.next([Answer::json(200, &json!({"id": "c", "choices": [choice]}))]);
    let answer = gateway.post("/v1/completions").json(&json!({"model": "auto", "prompt": "What"})).send().await;
    assert_eq!(answer.header("x-tidegate-escalation"), "logprobs", "{}", answer.text());
    assert_eq!(edge.requests()[0].json()["logprobs"], 1);

    edge.next([Answer::response(REFUSAL)]);
    let body = json!({"model": "auto", "input": "hi", "include": ["reasoning.encrypted_content"]});
    let answer = gateway.post("/v1/responses").json(&body).send().await;
    assert_eq!(answer.header("x-tidegate-escalation"), "refusal", "{}", answer.text());
    let include = edge.requests()[1].json()["include"].clone();
    assert_eq!(include, json!(["message.output_text.logprobs", "reasoning.encrypted_content"]));

    let words: Vec<&str> = REFUSAL.split_inclusive(' ').collect();
    edge.next([Answer::response_stream(&words)]);
    let body = json!({"model": "auto", "input": "hi", "stream": true});
    let answer = gateway.post("/v1/responses").json(&body).send().await;
    assert_eq!(answer.header("x-tidegate-escalation"), "refusal", "{}", answer.text());
}

#[tokio::test]
async fn hidden_values_are_put_back_into_whichever_answer_is_given() {
    let echo = |request: &Request| {
        let said = request.json()["messages"][0]["content"].as_str().unwrap_or_default().to_owned();
        let text = format!("You wrote: {said}");
        if request.json()["stream"] == true { Answer::chat_stream(&[text.as_str()], true) } else { Answer::chat(&text) }
    };
    let edge = Upstream::named("edge").await.always(Answer::chat(REFUSAL));
    let cloud = Upstream::named("cloud").await.answering(echo);
    let config = judged(&edge, &cloud).top("pii: {redact: [EMAIL_ADDRESS]}");
    let gateway = Gateway::with(&config).await;
    let answer = gateway.chat(&chat("auto", "write to ann@example.com")).send().await;
    assert_eq!(answer.content(), "You wrote: write to ann@example.com");
    assert_eq!(attempts(&answer), "small:low-confidence,frontier:ok");
    assert!(!cloud.only_request().json().to_string().contains("ann@example.com"));
}

/// Log-probabilities are taken out of a stream whose values are put back, tokens split or not.
#[tokio::test]
async fn hidden_values_are_put_back_into_a_judged_stream() {
    let edge = Upstream::named("edge").await.answering(|request: &Request| {
        let said = request.json()["messages"][0]["content"].as_str().unwrap_or_default().to_owned();
        let words: Vec<&str> = said.split_inclusive(['_', ' ']).collect();
        Answer::sse(certain_stream(&words, -0.05, true))
    });
    let cloud = Upstream::named("cloud").await;
    let config = judged(&edge, &cloud).top("pii: {redact: [EMAIL_ADDRESS], for: [edge, cloud]}");
    let gateway = Gateway::with(&config).await;
    let answer = gateway.chat(&chat_stream("auto", "write to ann@example.com at once")).send().await;
    assert_eq!(attempts(&answer), "small:ok");
    assert_eq!(sse::text(&answer.events()), "write to ann@example.com at once");
    assert!(!answer.text().contains("logprobs") && !answer.text().contains("EMAIL"), "{}", answer.text());
    assert!(!edge.only_request().json().to_string().contains("ann@example.com"));
}

/// Nobody else gets an answer that nobody was sure of; one that was certain is kept without what was asked for beside it.
#[tokio::test]
async fn only_certain_answers_are_kept() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&judged(&edge, &cloud).top("cache: {exact: {}, coalesce: false}")).await;
    cloud.now_always(Answer::error(500, "server_error", "down"));
    for body in [chat("auto", "first"), chat_stream("auto", "second")] {
        for _ in 0..2 {
            let words: Vec<&str> = REFUSAL.split_inclusive(' ').collect();
            let streamed = body["stream"] == true;
            edge.next([if streamed { Answer::chat_stream(&words, true) } else { Answer::chat(REFUSAL) }]);
            let answer = gateway.chat(&body).send().await;
            assert_eq!((answer.status, answer.header("x-tidegate-cache")), (200, "miss"));
        }
    }
    edge.next([certain(&["It", " is", " Ulm", "."], -0.05)]);
    let asked = gateway.chat(&chat("auto", "third")).send().await;
    let kept = gateway.chat(&chat("auto", "third")).send().await;
    assert_eq!((asked.header("x-tidegate-cache"), kept.header("x-tidegate-cache")), ("miss", "hit"));
    assert_eq!(kept.content(), "It is Ulm.");
    assert!(!kept.text().contains("logprob"), "{}", kept.text());
}

/// Some models refuse log-probabilities altogether: the next target answers twice (one refusal may be about the request), then not.
#[tokio::test]
async fn a_model_that_refuses_log_probabilities_is_judged_without() {
    let first = Upstream::named("first").await.answering(|request: &Request| {
        if request.json().get("logprobs").is_some() {
            return Answer::error(
                400,
                "invalid_request_error",
                "You are not allowed to request logprobs from this model",
            );
        }
        Answer::chat("hello from first")
    });
    let second = Upstream::named("second").await;
    let config = Config::new()
        .cloud("one", &first)
        .cloud("two", &second)
        .model("small", "one", "")
        .model("frontier", "two", "")
        .rules("auto", "", &[JUDGED]);
    let gateway = Gateway::with(&config).await;
    for _ in 0..2 {
        let answer = gateway.chat(&chat("auto", "hi")).send().await;
        assert_eq!(answer.content(), "hello from second");
    }
    let answer = gateway.chat(&chat("auto", "hi")).send().await;
    assert_eq!((answer.content().as_str(), answer.header("x-tidegate-confidence")), ("hello from first", "0.75"));
}

#[tokio::test]
async fn explain_and_check_tell_of_bounds() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&judged(&edge, &cloud)).await;
    let told = gateway.admin_post("/api/explain", &chat("auto", "hi")).send().await.json();
    let notes = told["notes"].to_string();
    assert!(notes.contains("below 0.5") && notes.contains("`frontier` is asked"), "{told}");
    assert_eq!(told["targets"][0]["min_confidence"], 0.5);
    for (rule, expected) in [
        (JUDGED.replace("0.5", "1.5"), "min_confidence `1.5` is not from 0 to 1"),
        (JUDGED.replace(", frontier", ""), "`small` is the last target"),
    ] {
        let config = Config::new().edge("lab", &[&edge]).cloud("acme", &cloud).model("small", "lab", "");
        let config = config.model("frontier", "acme", "").rules("auto", "", &[&rule]);
        std::fs::write(gateway.dir().join("other.yaml"), config.yaml()).unwrap();
        let told = run(gateway.dir(), &["check", "-c", "other.yaml"]).await;
        assert!(told.text().contains(expected), "{}", told.text());
    }
}
