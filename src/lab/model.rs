//! What a simulated server is like, and what it says: a llama-server, a vLLM or an OpenAI-like provider, with invented answers each of which says
//! that it is simulated.
//!
//! What a reader could get wrong: tokens are counted as a quarter of the bytes of a prompt and as words of an answer, and time passes by configured
//! rates: nothing is computed. A slot is taken before the prompt is looked up in the cache, as in llama.cpp.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::fault::{Fault, http_date, lasting};
use super::prefix::{PrefixCache, TOKEN_BYTES, chain};
use super::saying::{Saying, Style};
use super::wire::{Answer, Behaviour, HEALTH, Point, Request};

/// What a simulated server pretends to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    LlamaServer,
    Vllm,
    /// An OpenAI-like provider: `x-ratelimit-*` in its answers, no view of its insides.
    Provider,
}

/// What a simulated server is like.
#[derive(Debug, Clone)]
pub struct Character {
    /// Stands in its answers.
    pub name: String,
    pub kind: Kind,
    /// What it calls its model in `/v1/models`.
    pub model: String,
    /// Requests worked on at once; further ones wait.
    pub slots: usize,
    /// Prompt tokens that it remembers, over all requests.
    pub cache_tokens: usize,
    /// Prompt tokens read in a second; infinite: no time.
    pub prefill: f64,
    /// Answer tokens written in a second.
    pub decode: f64,
    /// Length of its answers in tokens, unless a request asks for fewer; 0: one sentence.
    pub answer_tokens: usize,
    /// Log-probability of each token, told to those who ask for it.
    pub logprob: Option<f64>,
    /// Requests that a provider takes in a minute; more get 429.
    pub requests_per_minute: u64,
}

impl Character {
    /// A llama-server with four slots, quick enough for tests.
    pub fn llama_server(name: &str) -> Character {
        Character {
            name: name.into(),
            kind: Kind::LlamaServer,
            model: "simulated-8b".into(),
            slots: 4,
            cache_tokens: 32_768,
            prefill: 20_000.0,
            decode: 1_000.0,
            answer_tokens: 0,
            logprob: None,
            requests_per_minute: u64::MAX,
        }
    }

    /// An OpenAI-like provider without slots to wait for.
    pub fn provider(name: &str) -> Character {
        let (kind, model) = (Kind::Provider, "simulated-frontier".into());
        Character { kind, model, slots: 1024, requests_per_minute: 10_000, ..Character::llama_server(name) }
    }
}

/// What a server was asked and did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests for answers, health checks and the like not among them.
    pub asked: u64,
    /// Of those, which were left by the client before the end.
    pub left: u64,
    pub prompt_tokens: u64,
    /// Of the prompt tokens, which were in the cache.
    pub cached_tokens: u64,
    pub health_checks: u64,
}

/// A simulated model server.
pub(super) struct Model {
    pub character: Character,
    pub fault: Mutex<Fault>,
    /// Seconds by which its clock is wrong.
    pub skew: AtomicI64,
    cache: Mutex<PrefixCache>,
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
    counts: Mutex<Counts>,
    produced: AtomicU64,
    /// Requests since when, for a provider's limit.
    window: Mutex<(tokio::time::Instant, u64)>,
}

impl Model {
    pub fn new(character: Character) -> Model {
        Model {
            fault: Mutex::default(),
            skew: AtomicI64::new(0),
            cache: Mutex::new(PrefixCache::new(character.cache_tokens)),
            slots: Arc::new(Semaphore::new(character.slots.min(Semaphore::MAX_PERMITS))),
            waiting: AtomicUsize::new(0),
            counts: Mutex::default(),
            produced: AtomicU64::new(0),
            window: Mutex::new((tokio::time::Instant::now(), 0)),
            character,
        }
    }

    pub fn counts(&self) -> Counts {
        *self.counts.lock()
    }

    /// Forgets its cache, as a restart does.
    pub fn forget(&self) {
        self.cache.lock().clear();
    }

    fn processing(&self) -> usize {
        self.character.slots - self.slots.available_permits().min(self.character.slots)
    }

    /// What can be asked with GET.
    fn tell(&self, path: &str) -> Answer {
        let Character { kind, model, slots, .. } = &self.character;
        let is_llama = *kind == Kind::LlamaServer;
        match path {
            HEALTH => Answer::json(200, &json!({"status": "ok"})),
            "/v1/models" => {
                let listed = json!({"id": model, "object": "model", "created": 0, "owned_by": "simulated"});
                Answer::json(200, &json!({"object": "list", "data": [listed]}))
            }
            "/slots" if is_llama => {
                let busy = self.processing();
                let slot = |id| json!({"id": id, "id_task": id, "n_ctx": 4096, "speculative": false, "is_processing": id < busy});
                Answer::json(200, &(0..*slots).map(slot).collect())
            }
            "/props" if is_llama => {
                let props = json!({"total_slots": slots, "model_path": model, "build_info": "simulated", "modalities": {"vision": false}});
                Answer::json(200, &props)
            }
            "/metrics" if *kind != Kind::Provider => {
                let text = self.metrics();
                Answer::new(200, "text/plain; version=0.0.4", super::wire::Framing::Length, vec![text.into()])
            }
            _ => Answer::error(404, "not_found_error", "a simulated server has no such path"),
        }
    }

    fn metrics(&self) -> String {
        let (busy, waiting, counts) = (self.processing(), self.waiting.load(Relaxed), self.counts());
        if self.character.kind == Kind::Vllm {
            let usage = busy as f64 / self.character.slots.max(1) as f64;
            let label = format!("{{model_name=\"{}\",engine=\"0\"}}", self.character.model);
            return format!(
                "vllm:num_requests_running{label} {busy}\nvllm:num_requests_waiting{label} {waiting}\nvllm:kv_cache_usage_perc{label} {usage}\n"
            );
        }
        format!(
            "llamacpp:prompt_tokens_total {}\nllamacpp:tokens_predicted_total {}\nllamacpp:requests_processing {busy}\nllamacpp:requests_deferred {waiting}\n",
            counts.prompt_tokens,
            self.produced.load(Relaxed)
        )
    }

    /// Works on a request: waits for a slot, reads the prompt, writes the answer.
    async fn work(&self, request: &Request) -> Answer {
        let asked = request.json();
        let Some(style) = Style::of(request.path(), &asked) else {
            return Answer::error(404, "not_found_error", "a simulated server has no such path");
        };
        let prompt = prompt(&asked);
        let prompt_tokens = prompt.len() / TOKEN_BYTES;
        let waits = Count::up(&self.waiting);
        let permit = Arc::clone(&self.slots).acquire_owned().await;
        drop(waits);
        let cached = self.cache.lock().work(&chain(prompt.as_bytes())).min(prompt_tokens);
        {
            let mut counts = self.counts.lock();
            counts.prompt_tokens += prompt_tokens as u64;
            counts.cached_tokens += cached as u64;
        }
        let fault = *self.fault.lock();
        let Character { prefill, decode, .. } = self.character;
        let reading = lasting(prompt_tokens - cached, prefill, fault.slowness());
        let token = lasting(1, decode, fault.slowness());
        let saying = Saying { character: &self.character, asked: &asked, style, prompt_tokens, cached, reading };
        self.produced.fetch_add(saying.tokens() as u64, Relaxed);
        let answer = if asked["stream"] == true {
            saying.streamed().at(Point::BeforeHead, super::wire::Act::Wait(reading + token)).spaced(token)
        } else {
            let writing = token * u32::try_from(saying.tokens()).unwrap_or(u32::MAX);
            saying.whole().delayed(reading + writing)
        };
        fault.bend(answer).holding(permit)
    }

    /// A provider's headers; `None` when its limit is reached.
    fn within_limit(&self) -> Option<[(&'static str, String); 4]> {
        const MINUTE: Duration = Duration::from_secs(60);
        let limit = self.character.requests_per_minute;
        let mut window = self.window.lock();
        if window.0.elapsed() > MINUTE {
            *window = (tokio::time::Instant::now(), 0);
        }
        window.1 += 1;
        let remaining = limit.checked_sub(window.1)?;
        let reset = MINUTE.saturating_sub(window.0.elapsed()).as_secs();
        Some([
            ("x-ratelimit-limit-requests", limit.to_string()),
            ("x-ratelimit-remaining-requests", remaining.to_string()),
            ("x-ratelimit-reset-requests", format!("{reset}s")),
            ("date", http_date(self.skew.load(Relaxed))),
        ])
    }
}

impl Behaviour for Model {
    async fn answer(&self, request: &Request) -> Answer {
        let fault = *self.fault.lock();
        let is_asked = request.method == "POST";
        {
            let mut counts = self.counts.lock();
            counts.asked += u64::from(is_asked);
            counts.health_checks += u64::from(request.path() == HEALTH);
        }
        let everywhere = fault == Fault::Loading;
        let skew = self.skew.load(Relaxed);
        if let Some(answer) = fault.instead(skew).filter(|_| is_asked || everywhere) {
            return answer.header("date", &http_date(skew));
        }
        if !is_asked {
            return self.tell(request.path());
        }
        if self.character.kind != Kind::Provider {
            return self.work(request).await;
        }
        let Some(headers) = self.within_limit() else {
            let full = Fault::Limited(super::fault::Pause::Seconds(1));
            return full.instead(skew).unwrap_or_else(Answer::loading);
        };
        let mut answer = self.work(request).await;
        for (name, value) in &headers {
            answer = answer.header(name, value);
        }
        answer
    }

    fn cancelled(&self, request: &Request) {
        self.counts.lock().left += u64::from(request.method == "POST");
    }
}

/// What is read before the answer, in the order in which templates put it.
fn prompt(asked: &Value) -> String {
    let parts = ["tools", "instructions", "prompt", "messages", "input"].iter().map(|name| &asked[*name]);
    parts.filter(|part| !part.is_null()).map(Value::to_string).collect()
}

/// Counted as long as it lives.
struct Count<'a>(&'a AtomicUsize);

impl<'a> Count<'a> {
    fn up(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Relaxed);
        Count(count)
    }
}

impl Drop for Count<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
