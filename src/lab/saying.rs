//! The words of a simulated server in the shapes of the OpenAI protocol: chat completions, completions and responses, plain and streamed.
//!
//! What a reader could get wrong: each word is one token and, in a stream, one event.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::model::{Character, Kind};
use super::wire::Answer;

/// The endpoint that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Chat,
    Completion,
    Response,
}

impl Style {
    pub fn of(path: &str, asked: &Value) -> Option<Style> {
        match path {
            _ if !asked.is_object() => None,
            "/v1/chat/completions" => Some(Style::Chat),
            "/v1/completions" => Some(Style::Completion),
            "/v1/responses" => Some(Style::Response),
            _ => None,
        }
    }
}

/// One answer in the making.
pub(super) struct Saying<'a> {
    pub character: &'a Character,
    pub asked: &'a Value,
    pub style: Style,
    pub prompt_tokens: usize,
    pub cached: usize,
    pub reading: Duration,
}

impl Saying<'_> {
    /// The answer's words, each with the blank behind it.
    fn words(&self) -> Vec<String> {
        let name = &self.character.name;
        let text = format!("This is a simulated answer by {name} , which read your prompt and did not think about it.");
        let own = text.split_inclusive(' ').count();
        let asked = ["max_completion_tokens", "max_tokens", "max_output_tokens"]
            .iter()
            .find_map(|name| self.asked[*name].as_u64());
        let wanted = if self.character.answer_tokens == 0 { own } else { self.character.answer_tokens };
        let most = asked.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        let further = std::iter::repeat_n("more ", wanted.saturating_sub(own));
        text.split_inclusive(' ').chain(further).take(wanted.min(most)).map(str::to_owned).collect()
    }

    pub fn tokens(&self) -> usize {
        self.words().len()
    }

    fn usage(&self) -> Value {
        let (prompt, completion) = (self.prompt_tokens, self.tokens());
        let mut usage = json!({"total_tokens": prompt + completion});
        let (input, output) = match self.style {
            Style::Response => ("input_tokens", "output_tokens"),
            Style::Chat | Style::Completion => ("prompt_tokens", "completion_tokens"),
        };
        usage[input] = prompt.into();
        usage[output] = completion.into();
        usage[format!("{input}_details")] = json!({"cached_tokens": self.cached});
        usage[format!("{output}_details")] = json!({"reasoning_tokens": 0});
        usage
    }

    /// What llama-server adds.
    fn timings(&self) -> Value {
        let n = self.tokens();
        json!({"cache_n": self.cached, "prompt_n": self.prompt_tokens - self.cached, "prompt_ms": self.reading.as_secs_f64() * 1e3,
            "predicted_n": n, "predicted_ms": n as f64 / self.character.decode * 1e3})
    }

    /// Log-probabilities of these words, where they are asked for and known.
    fn logprobs(&self, words: &[String]) -> Value {
        let Some(logprob) = self.character.logprob.filter(|_| self.asked["logprobs"] == true) else {
            return Value::Null;
        };
        let content: Vec<Value> = words
            .iter()
            .map(|word| json!({"token": word, "logprob": logprob, "bytes": word.as_bytes(), "top_logprobs": []}))
            .collect();
        json!({"content": content, "refusal": null})
    }

    pub fn whole(&self) -> Answer {
        let words = self.words();
        let text = words.concat();
        let body = match self.style {
            Style::Chat => {
                let message = json!({"role": "assistant", "content": text});
                let choice =
                    json!({"index": 0, "message": message, "finish_reason": "stop", "logprobs": self.logprobs(&words)});
                self.object("chatcmpl-simulated", "chat.completion", &json!([choice]), Some(self.usage()))
            }
            Style::Completion => {
                let choice = json!({"index": 0, "text": text, "finish_reason": "stop", "logprobs": null});
                self.object("cmpl-simulated", "text_completion", &json!([choice]), Some(self.usage()))
            }
            Style::Response => self.response("completed", &text),
        };
        Answer::json(200, &body)
    }

    pub fn streamed(&self) -> Answer {
        if self.style == Style::Response {
            return Answer::sse(self.response_events());
        }
        let event = |choices: Value, usage| {
            let (id, object) = match self.style {
                Style::Completion => ("cmpl-simulated", "text_completion"),
                Style::Chat | Style::Response => ("chatcmpl-simulated", "chat.completion.chunk"),
            };
            Bytes::from(format!("data: {}\n\n", self.object(id, object, &choices, usage)))
        };
        let words = self.words();
        let chunk = |word: Option<&String>, finish: Value| {
            let logprobs = word.map_or(Value::Null, |word| self.logprobs(std::slice::from_ref(word)));
            let mut choice = json!({"index": 0, "finish_reason": finish, "logprobs": logprobs});
            match self.style {
                Style::Completion => choice["text"] = word.map_or("", String::as_str).into(),
                Style::Chat | Style::Response => {
                    choice["delta"] = word.map_or(json!({}), |word| json!({"content": word}));
                }
            }
            event(json!([choice]), None)
        };
        let mut events = vec![];
        if self.style == Style::Chat {
            let role = json!({"role": "assistant", "content": ""});
            events.push(event(json!([{"index": 0, "delta": role, "finish_reason": null}]), None));
        }
        events.extend(words.iter().map(|word| chunk(Some(word), Value::Null)));
        events.push(chunk(None, json!("stop")));
        if self.asked["stream_options"]["include_usage"] == true {
            events.push(event(json!([]), Some(self.usage())));
        }
        events.push(Bytes::from_static(b"data: [DONE]\n\n"));
        Answer::sse(events)
    }

    fn object(&self, id: &str, object: &str, choices: &Value, usage: Option<Value>) -> Value {
        let mut value =
            json!({"id": id, "object": object, "created": 0, "model": self.asked["model"], "choices": choices});
        if let Some(usage) = usage {
            value["usage"] = usage;
            if self.character.kind == Kind::LlamaServer {
                value["timings"] = self.timings();
            }
        }
        value
    }

    fn response(&self, status: &str, text: &str) -> Value {
        let is_complete = status == "completed";
        let output = if is_complete { json!([self.item(status, text)]) } else { json!([]) };
        let usage = if is_complete { self.usage() } else { Value::Null };
        json!({"id": "resp_simulated", "object": "response", "created_at": 0, "status": status, "model": self.asked["model"],
            "output": output, "usage": usage, "error": null, "incomplete_details": null, "parallel_tool_calls": true,
            "tool_choice": "auto", "tools": [], "metadata": {}})
    }

    fn item(&self, status: &str, text: &str) -> Value {
        let content = if text.is_empty() { json!([]) } else { json!([part(text)]) };
        json!({"type": "message", "id": "msg_simulated", "status": status, "role": "assistant", "content": content})
    }

    fn response_events(&self) -> Vec<Bytes> {
        let (words, place) = (self.words(), json!({"item_id": "msg_simulated", "output_index": 0, "content_index": 0}));
        let text = words.concat();
        let at = |kind: &str, more: Value| {
            let mut event = place.clone();
            event["type"] = kind.into();
            for (key, value) in more.as_object().into_iter().flatten() {
                event[key] = value.clone();
            }
            event
        };
        let item = |kind: &str, status: &str, text: &str| json!({"type": kind, "output_index": 0, "item": self.item(status, text)});
        let mut events = vec![
            json!({"type": "response.created", "response": self.response("in_progress", "")}),
            item("response.output_item.added", "in_progress", ""),
            at("response.content_part.added", json!({"part": part("")})),
        ];
        events
            .extend(words.iter().map(|word| at("response.output_text.delta", json!({"delta": word, "logprobs": []}))));
        events.extend([
            at("response.output_text.done", json!({"text": text, "logprobs": []})),
            at("response.content_part.done", json!({"part": part(&text)})),
            item("response.output_item.done", "completed", &text),
            json!({"type": "response.completed", "response": self.response("completed", &text)}),
        ]);
        let frame = |(number, mut event): (usize, Value)| {
            event["sequence_number"] = number.into();
            let kind = event["type"].as_str().unwrap_or_default().to_owned();
            Bytes::from(format!("event: {kind}\ndata: {event}\n\n"))
        };
        events.into_iter().enumerate().map(frame).collect()
    }
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}
