//! What OpenAI-compatible servers say, as constructors of `Answer`, and `usual`: the answer to a request by its path.
//!
//! What a reader could get wrong: answers carry members that no OpenAI type knows (`x_extra`, `timings`), on purpose: the gateway has
//! to keep them.

use std::fmt::Write as _;

use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::{Answer, Framing};
use super::http::Request;

/// The words of a usual stream, each one chunk; `name` of the upstream comes last.
pub const WORDS: [&str; 4] = ["hello", " from", " ", ""];

/// The figures of `usage` in every usual answer.
pub const PROMPT_TOKENS: u64 = 11;
/// See `PROMPT_TOKENS`.
pub const COMPLETION_TOKENS: u64 = 7;

impl Answer {
    pub fn json(status: u16, body: &Value) -> Answer {
        Answer::new(status, "application/json", Framing::Length, vec![body.to_string().into()])
    }

    /// Server-sent events, each frame one chunk and one write.
    pub fn sse<F: Into<Bytes>>(frames: impl IntoIterator<Item = F>) -> Answer {
        let frames = frames.into_iter().map(Into::into).collect();
        Answer::new(200, "text/event-stream", Framing::Chunked, frames)
    }

    /// An error in OpenAI's shape.
    pub fn error(status: u16, kind: &str, message: &str) -> Answer {
        Answer::json(status, &json!({"error": {"message": message, "type": kind, "param": null, "code": null}}))
    }

    /// 429 with the pause that is asked for.
    pub fn rate_limited(retry_after: &str) -> Answer {
        Answer::error(429, "rate_limit_exceeded", "slow down").header("retry-after", retry_after)
    }

    /// What llama-server answers on every path while it loads its model.
    pub fn loading() -> Answer {
        let body = json!({"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}});
        Answer::json(503, &body)
    }

    /// Not HTTP.
    pub fn garbage() -> Answer {
        Answer::raw(&b"\x16\x03\x01 this is no http\r\n\x00\xff\r\n\r\n"[..])
    }

    /// A chat answer with that text.
    pub fn chat(text: &str) -> Answer {
        Answer::json(
            200,
            &json!({
                "id": "chatcmpl-mock", "object": "chat.completion", "created": 1_795_209_165, "model": "mock",
                "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
                "usage": usage(), "timings": {"predicted_ms": 39.985}, "x_extra": {"kept": [1, 2.50, "\u{e9}"]}
            }),
        )
    }

    /// A chat stream: a role chunk, one per word, a finishing chunk, usage if `with_usage`, `[DONE]`.
    pub fn chat_stream(words: &[&str], with_usage: bool) -> Answer {
        let mut frames = vec![frame(&chat_chunk(&json!({"role": "assistant", "content": null}), Value::Null))];
        frames.extend(words.iter().map(|word| frame(&chat_chunk(&json!({"content": word}), Value::Null))));
        frames.push(frame(&chat_chunk(&json!({}), json!("stop"))));
        if with_usage {
            frames.push(frame(&usage_chunk()));
        }
        frames.push("data: [DONE]\n\n".into());
        Answer::sse(frames)
    }

    /// A stream with one tool call whose arguments come in pieces.
    pub fn tool_stream(name: &str, arguments: &[&str], with_usage: bool) -> Answer {
        let call = json!({"index": 0, "id": "call_1", "type": "function", "function": {"name": name, "arguments": ""}});
        let mut frames =
            vec![frame(&chat_chunk(&json!({"role": "assistant", "content": null, "tool_calls": [call]}), Value::Null))];
        frames.extend(arguments.iter().map(|piece| {
            let delta = json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]});
            frame(&chat_chunk(&delta, Value::Null))
        }));
        frames.push(frame(&chat_chunk(&json!({}), json!("tool_calls"))));
        if with_usage {
            frames.push(frame(&usage_chunk()));
        }
        frames.push("data: [DONE]\n\n".into());
        Answer::sse(frames)
    }

    /// A stream whose first event is an error, as some providers answer 200 and fail then.
    pub fn sse_error_first() -> Answer {
        Answer::sse([
            "data: {\"error\":{\"message\":\"The server is overloaded\",\"type\":\"server_error\",\"code\":500}}\n\n",
        ])
    }

    /// A Responses API answer.
    pub fn response(text: &str) -> Answer {
        Answer::json(200, &response_object("completed", text))
    }

    /// The events of a Responses API stream, with their names.
    pub fn response_stream(words: &[&str]) -> Answer {
        let mut frames: Vec<Bytes> = vec![named(&json!({
            "type": "response.created", "sequence_number": 0, "response": response_object("in_progress", "")
        }))];
        for (index, word) in words.iter().enumerate() {
            frames.push(named(&json!({
                "type": "response.output_text.delta", "sequence_number": index + 1, "item_id": "msg_1",
                "output_index": 0, "content_index": 0, "delta": word
            })));
        }
        frames.push(named(&json!({
            "type": "response.completed", "sequence_number": words.len() + 1,
            "response": response_object("completed", &words.concat())
        })));
        Answer::sse(frames)
    }

    /// An embeddings answer with one vector per input.
    pub fn embeddings(inputs: usize) -> Answer {
        let data: Vec<Value> =
            (0..inputs).map(|i| json!({"object": "embedding", "index": i, "embedding": [0.25, -0.5, 1.0]})).collect();
        let usage = json!({"prompt_tokens": PROMPT_TOKENS, "total_tokens": PROMPT_TOKENS});
        Answer::json(200, &json!({"object": "list", "data": data, "model": "mock", "usage": usage}))
    }

    /// Says yes to a WebSocket upgrade (with the key of RFC 6455's example) and echoes whatever comes through.
    pub fn websocket_echo() -> Answer {
        Answer::new(101, "", Framing::None, vec![])
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            .at(super::Point::AfterHead, super::Act::Echo)
    }

    /// The request's body, as it came, with its content type.
    pub fn echo(request: &Request) -> Answer {
        let kind = request.header("content-type").unwrap_or("application/octet-stream");
        Answer::new(200, kind, Framing::Length, vec![request.body.clone()])
    }
}

/// What an upstream called `name` answers when it is well.
pub fn usual(name: &str, request: &Request) -> Answer {
    let body = request.json();
    let streamed = body["stream"] == json!(true);
    let words: Vec<&str> = WORDS.iter().map(|word| if word.is_empty() { name } else { word }).collect();
    match request.path() {
        "/v1/chat/completions" if streamed => {
            Answer::chat_stream(&words, body["stream_options"]["include_usage"] == json!(true))
        }
        "/v1/chat/completions" => Answer::chat(&words.concat()),
        "/v1/completions" => Answer::json(200, &completion(&words.concat())),
        "/v1/responses" if streamed => Answer::response_stream(&words),
        "/v1/responses" => Answer::response(&words.concat()),
        "/v1/embeddings" => Answer::embeddings(body["input"].as_array().map_or(1, Vec::len)),
        "/v1/models" => Answer::json(200, &json!({"object": "list", "data": [{"id": "mock", "object": "model"}]})),
        _ => Answer::echo(request),
    }
}

/// `data: …` and an empty line.
pub fn frame(data: &Value) -> Bytes {
    format!("data: {data}\n\n").into()
}

/// A chunk of a chat stream.
pub fn chat_chunk(delta: &Value, finish: Value) -> Value {
    json!({
        "id": "chatcmpl-mock", "object": "chat.completion.chunk", "created": 1_795_209_165, "model": "mock",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "x_extra": true
    })
}

/// The chunk that carries usage when it is asked for.
pub fn usage_chunk() -> Value {
    json!({
        "id": "chatcmpl-mock", "object": "chat.completion.chunk", "created": 1_795_209_165, "model": "mock",
        "choices": [], "usage": usage()
    })
}

fn usage() -> Value {
    json!({
        "prompt_tokens": PROMPT_TOKENS, "completion_tokens": COMPLETION_TOKENS,
        "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS, "prompt_tokens_details": {"cached_tokens": 3}
    })
}

fn completion(text: &str) -> Value {
    json!({
        "id": "cmpl-mock", "object": "text_completion", "created": 1_795_209_165, "model": "mock",
        "choices": [{"index": 0, "text": text, "finish_reason": "stop", "logprobs": null}], "usage": usage()
    })
}

fn response_object(status: &str, text: &str) -> Value {
    let content = json!([{"type": "output_text", "annotations": [], "logprobs": [], "text": text}]);
    let output = json!([{
        "type": "message", "id": "msg_1", "status": status, "role": "assistant", "content": content
    }]);
    json!({
        "id": "resp_mock", "object": "response", "created_at": 1_795_209_165, "status": status, "model": "mock",
        "output": if status == "completed" { output } else { json!([]) },
        "usage": {
            "input_tokens": PROMPT_TOKENS, "output_tokens": COMPLETION_TOKENS,
            "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
            "input_tokens_details": {"cached_tokens": 3}, "output_tokens_details": {"reasoning_tokens": 0}
        }
    })
}

fn named(event: &Value) -> Bytes {
    let mut text = String::new();
    let _ = write!(text, "event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default());
    text.into()
}
