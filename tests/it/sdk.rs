//! The `async-openai` client with its base URL swapped: its own types must accept every answer and every error.
//!
//! The official Python and Node SDKs are tested under `tests/sdk`. What a reader could get wrong: this client retries 429 and
//! 5xx three times by itself and does not know `x-should-retry`, so errors of that kind are tested with other clients.

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::{ApiErrorResponse, OpenAIError};
use async_openai::types::chat::ChatCompletionMessageToolCalls;
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::support::client::{chat, chat_stream};
use crate::support::upstream::answers::COMPLETION_TOKENS;
use crate::support::{Answer, Config, Gate, Gateway, Point, Upstream, within};

async fn hybrid() -> (Upstream, Upstream, Gateway) {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&Config::hybrid(&edge, &cloud)).await;
    (edge, cloud, gateway)
}

fn client(gateway: &Gateway) -> Client<OpenAIConfig> {
    Client::with_config(OpenAIConfig::new().with_api_base(gateway.base_url()).with_api_key("sk-any"))
}

/// A request of the client's own type, from the JSON that it stands for.
fn request<T: DeserializeOwned>(body: Value) -> T {
    serde_json::from_value(body).expect("a request of the client's type")
}

fn refusal(error: OpenAIError) -> ApiErrorResponse {
    match error {
        OpenAIError::ApiError(error) => error,
        other => panic!("no error of the API: {other}"),
    }
}

#[tokio::test]
async fn chats() {
    let (_edge, _cloud, gateway) = hybrid().await;
    let answer =
        within("a chat", client(&gateway).chat().create(request(chat("gpt-4o", "hi")))).await.expect("an answer");
    assert_eq!(answer.choices[0].message.content.as_deref(), Some("hello from edge"));
    assert_eq!(u64::from(answer.usage.expect("usage").completion_tokens), COMPLETION_TOKENS);
}

#[tokio::test]
async fn streams_a_chat_from_either_side() {
    let (_edge, _cloud, gateway) = hybrid().await;
    for (model, expected) in [("auto", "hello from edge"), ("cloud-first", "hello from cloud")] {
        let stream = client(&gateway).chat().create_stream(request(chat_stream(model, "hi"))).await.expect("a stream");
        let chunks: Vec<_> = within("the stream's end", stream.collect::<Vec<_>>()).await;
        let text: String = chunks
            .iter()
            .flat_map(|chunk| &chunk.as_ref().expect("a chunk").choices)
            .filter_map(|choice| choice.delta.content.clone())
            .collect();
        assert_eq!(text, expected);
    }
}

#[tokio::test]
async fn a_broken_stream_is_an_error() {
    let (edge, _cloud, gateway) = hybrid().await;
    edge.next([Answer::chat_stream(&["one", "two"], false).reset(Point::AfterPiece(2))]);
    let stream = client(&gateway).chat().create_stream(request(chat_stream("auto", "hi"))).await.expect("a stream");
    let chunks: Vec<_> = within("the stream's end", stream.collect::<Vec<_>>()).await;
    assert!(chunks.iter().any(Result::is_ok), "what came before the break");
    assert!(chunks.last().expect("chunks").is_err(), "the break went by unseen");
}

#[tokio::test]
async fn calls_tools_plain_and_streamed() {
    let (edge, _cloud, gateway) = hybrid().await;
    let mut body = chat("auto", "weather?");
    body["tools"] = json!([{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]);
    let call = json!({"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Bern\"}"}});
    let message = json!({"role": "assistant", "content": null, "tool_calls": [call]});
    let mut plain: Value = serde_json::from_slice(&Answer::chat("").body()).unwrap();
    plain["choices"][0]["message"] = message;
    plain["choices"][0]["finish_reason"] = json!("tool_calls");
    edge.next([Answer::json(200, &plain), Answer::tool_stream("weather", &["{\"city\":", "\"Bern\"}"], true)]);
    let answer = client(&gateway).chat().create(request(body.clone())).await.expect("an answer");
    let calls = answer.choices[0].message.tool_calls.clone().expect("tool calls");
    let ChatCompletionMessageToolCalls::Function(call) = &calls[0] else { panic!("no function call: {calls:?}") };
    assert_eq!((call.function.name.as_str(), call.function.arguments.as_str()), ("weather", "{\"city\":\"Bern\"}"));
    body["stream"] = json!(true);
    let stream = client(&gateway).chat().create_stream(request(body)).await.expect("a stream");
    let chunks: Vec<_> = within("the stream's end", stream.collect::<Vec<_>>()).await;
    let arguments: String = chunks
        .into_iter()
        .flat_map(|chunk| chunk.expect("a chunk").choices)
        .flat_map(|choice| choice.delta.tool_calls.unwrap_or_default())
        .filter_map(|call| call.function?.arguments)
        .collect();
    assert_eq!(arguments, "{\"city\":\"Bern\"}");
}

#[tokio::test]
async fn embeds_and_completes() {
    let (_edge, _cloud, gateway) = hybrid().await;
    let client = client(&gateway);
    let inputs = json!({"model": "auto", "input": ["a", "b"]});
    let vectors = within("vectors", client.embeddings().create(request(inputs))).await.expect("vectors");
    assert_eq!((vectors.data.len(), vectors.data[1].embedding.as_slice()), (2, [0.25, -0.5, 1.0].as_slice()));
    let prompt = json!({"model": "auto", "prompt": "hi"});
    let answer = within("a completion", client.completions().create(request(prompt))).await.expect("a completion");
    assert_eq!(answer.choices[0].text, "hello from edge");
}

#[tokio::test]
async fn speaks_the_responses_api() {
    let (_edge, _cloud, gateway) = hybrid().await;
    let client = client(&gateway);
    let body = json!({"model": "auto", "input": "hi"});
    let answer = within("a response", client.responses().create(request(body.clone()))).await.expect("a response");
    assert_eq!(answer.output_text().as_deref(), Some("hello from edge"));
    let mut streamed = body;
    streamed["stream"] = json!(true);
    let stream = client.responses().create_stream(request(streamed)).await.expect("a stream");
    let events: Vec<_> = within("the stream's end", stream.collect::<Vec<_>>()).await;
    let kinds: Vec<String> = events
        .iter()
        .map(|event| {
            serde_json::to_value(event.as_ref().expect("an event")).unwrap()["type"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(
        (kinds.first().unwrap().as_str(), kinds.last().unwrap().as_str()),
        ("response.created", "response.completed")
    );
}

#[tokio::test]
async fn takes_a_draft_beside_the_answer() {
    let (_edge, cloud, gateway) = hybrid().await;
    let config = OpenAIConfig::new().with_api_base(gateway.base_url()).with_api_key("sk-any");
    let client = Client::with_config(config.with_header("x-tidegate-mode", "progressive").expect("a header"));
    let held = Gate::new();
    cloud.next([Answer::chat_stream(&["answer"], false).gated(Point::BeforeHead, &held)]);
    let mut stream = client.chat().create_stream(request(chat_stream("auto", "hi"))).await.expect("a stream");
    let first = within("the draft", stream.next()).await.expect("a chunk").expect("of the client's type");
    assert_eq!(first.choices.iter().map(|choice| choice.index).collect::<Vec<_>>(), [0, 1]);
    held.open();
    let chunks: Vec<_> = within("the stream's end", stream.collect::<Vec<_>>()).await;
    let choices = chunks.into_iter().flat_map(|chunk| chunk.expect("a chunk").choices);
    let said: String = choices.filter(|c| c.index == 0).filter_map(|choice| choice.delta.content).collect();
    assert_eq!(said, "answer");

    let held = Gate::new();
    cloud.next([Answer::response_stream(&["answer"]).gated(Point::BeforeHead, &held)]);
    let body = json!({"model": "auto", "input": "hi", "stream": true});
    let mut stream = client.responses().create_stream(request(body)).await.expect("a stream");
    let created = within("the beginning", stream.next()).await.expect("an event").expect("of the client's type");
    assert_eq!(serde_json::to_value(created).unwrap()["type"], "response.created");
    held.open();
    let events: Vec<_> = within("the stream's end", stream.collect::<Vec<_>>()).await;
    let last = serde_json::to_value(events.last().unwrap().as_ref().expect("an event")).unwrap();
    assert_eq!(
        (&last["type"], &last["response"]["output"][0]["type"]),
        (&json!("response.completed"), &json!("reasoning"))
    );
    assert!(events.iter().all(Result::is_ok), "{events:?}");
}

#[tokio::test]
async fn lists_and_retrieves_models() {
    let (_edge, _cloud, gateway) = hybrid().await;
    let client = client(&gateway);
    let models = within("the list", client.models().list()).await.expect("a list");
    assert!(models.data.iter().any(|model| model.id == "auto"));
    assert_eq!(within("a model", client.models().retrieve("gpt-4o")).await.expect("a model").id, "gpt-4o");
}

#[tokio::test]
async fn errors_have_the_clients_type() {
    let (edge, cloud, gateway) = hybrid().await;
    let client = client(&gateway);
    let ask =
        async |body| refusal(within("an error", client.chat().create(request(body))).await.expect_err("an error"));
    let unknown = ask(chat("no-such-model", "hi")).await;
    assert_eq!((unknown.status_code.as_u16(), unknown.api_error.code.as_deref()), (404, Some("model_not_found")));
    edge.next([Answer::error(400, "invalid_request_error", "the words")]);
    let refused = ask(chat("auto", "hi")).await;
    assert_eq!((refused.status_code.as_u16(), refused.api_error.message.as_str()), (400, "the words"));
    assert_eq!((edge.requests().len(), cloud.requests().len()), (1, 0));
}
