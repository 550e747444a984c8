//! What nodes say of themselves: llama-server's `/slots` and `/props`, the metrics of llama-server, vLLM and SGLang, anybody's `/v1/models`.
//!
//! What a reader could get wrong: everything is optional. A server with a feature off answers 501, others 404; then nothing is known, and
//! nothing is assumed.

use serde::Deserialize;

use crate::config::file::UpstreamKind;

/// What a node has told of itself at its last check.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Requests that it works on.
    pub running: Option<u32>,
    /// Requests that wait there.
    pub waiting: Option<u32>,
    /// Requests that it works on at once.
    pub slots: Option<u32>,
    /// Part of its KV cache that is in use, 0 to 1.
    pub cache_used: Option<f64>,
    /// Tokens that its KV cache holds.
    pub cache_tokens: Option<u64>,
    /// When the process started, in whatever unit it tells: differs after a restart.
    pub started: Option<u64>,
}

impl Report {
    /// Requests there, at work or waiting.
    pub fn requests(&self) -> u32 {
        self.running.unwrap_or(0).saturating_add(self.waiting.unwrap_or(0))
    }

    /// It told something.
    pub fn is_something(&self) -> bool {
        *self != Report::default()
    }

    /// Takes in llama-server's `/slots`.
    pub fn read_slots(&mut self, body: &[u8]) {
        #[derive(Deserialize)]
        struct Slot {
            #[serde(default)]
            n_ctx: u64,
            #[serde(default)]
            is_processing: bool,
        }
        let Ok(slots) = serde_json::from_slice::<Vec<Slot>>(body) else { return };
        let count = |slots: usize| u32::try_from(slots).unwrap_or(u32::MAX);
        self.slots = Some(count(slots.len())).filter(|slots| *slots > 0);
        self.running = Some(count(slots.iter().filter(|slot| slot.is_processing).count()));
        self.cache_tokens = Some(slots.iter().map(|slot| slot.n_ctx).sum()).filter(|tokens| *tokens > 0);
    }

    /// Takes in llama-server's `/props`, where `/slots` is off.
    pub fn read_props(&mut self, body: &[u8]) {
        #[derive(Deserialize)]
        struct Props {
            total_slots: u32,
            default_generation_settings: Option<Settings>,
        }
        #[derive(Deserialize)]
        struct Settings {
            n_ctx: Option<u64>,
        }
        let Ok(props) = serde_json::from_slice::<Props>(body) else { return };
        self.slots = Some(props.total_slots).filter(|slots| *slots > 0);
        let each = props.default_generation_settings.and_then(|settings| settings.n_ctx);
        self.cache_tokens = each.map(|each| each * u64::from(props.total_slots)).filter(|tokens| *tokens > 0);
    }

    /// Takes in metrics in Prometheus' text format, of whichever server.
    pub fn read_metrics(&mut self, text: &str) {
        let mut sums = Sums::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            sums.read(line);
        }
        let whole = |number: f64| number.max(0.0) as u32;
        self.running = sums.running.map(whole).or(self.running);
        self.waiting = sums.waiting.map(whole).or(self.waiting);
        self.cache_used = sums.cache_used.or(self.cache_used);
        self.cache_tokens = sums.cache_tokens.map(|tokens| tokens as u64).or(self.cache_tokens);
        self.started = sums.started.map(|at| (at * 1e3) as u64).or(self.started);
    }
}

/// Over all engines of a server (data parallel ranks have a label each).
#[derive(Default)]
struct Sums {
    running: Option<f64>,
    waiting: Option<f64>,
    cache_used: Option<f64>,
    cache_tokens: Option<f64>,
    started: Option<f64>,
}

impl Sums {
    fn read(&mut self, line: &str) {
        let Some((series, value)) = line.rsplit_once(' ') else { return };
        let name = series.split(['{', ' ']).next().unwrap_or_default();
        let Some(value) = value.parse::<f64>().ok().filter(|value| value.is_finite()) else { return };
        let add = |sum: &mut Option<f64>, value: f64| *sum = Some(sum.unwrap_or(0.0) + value);
        match name {
            "llamacpp:requests_processing" | "vllm:num_requests_running" | "sglang:num_running_reqs" => {
                add(&mut self.running, value);
            }
            "llamacpp:requests_deferred" | "vllm:num_requests_waiting" | "sglang:num_queue_reqs" => {
                add(&mut self.waiting, value);
            }
            "vllm:kv_cache_usage_perc" | "vllm:gpu_cache_usage_perc" | "sglang:token_usage" => {
                self.cache_used = Some(self.cache_used.map_or(value, |used| used.max(value)));
            }
            "vllm:cache_config_info" => {
                if let (Some(blocks), Some(size)) = (label(series, "num_gpu_blocks"), label(series, "block_size")) {
                    add(&mut self.cache_tokens, blocks * size);
                }
            }
            "sglang:max_total_num_tokens" => add(&mut self.cache_tokens, value),
            "process_start_time_seconds" => self.started = Some(value),
            _ => {}
        }
    }
}

/// The number in a label's value.
fn label(series: &str, name: &str) -> Option<f64> {
    let labels = series.split_once('{')?.1;
    let value = labels.split(',').find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix("=\""))?;
    value.split('"').next()?.parse().ok()
}

/// The models that a node lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Models(Vec<String>);

impl Models {
    /// What `/v1/models` says, if it says which names are served and which are not. A llama-server with one model answers to every name.
    pub fn read(kind: UpstreamKind, body: &[u8]) -> Option<Models> {
        #[derive(Deserialize)]
        struct List {
            data: Vec<Card>,
        }
        #[derive(Deserialize)]
        struct Card {
            id: String,
            #[serde(default)]
            aliases: Vec<String>,
            status: Option<serde::de::IgnoredAny>,
        }
        let list: List = serde_json::from_slice(body).ok()?;
        let is_router = list.data.iter().any(|card| card.status.is_some()) || list.data.len() > 1;
        if kind == UpstreamKind::LlamaServer && !is_router {
            return None;
        }
        let mut names: Vec<String> =
            list.data.into_iter().flat_map(|card| std::iter::once(card.id).chain(card.aliases)).collect();
        names.sort_unstable();
        names.dedup();
        Some(Models(names))
    }

    /// `llama3` is `llama3:latest`, as Ollama reads it.
    pub fn has(&self, model: &str) -> bool {
        let latest = |name: &String| name.strip_suffix(":latest") == Some(model);
        self.0.iter().any(|name| name == model || latest(name))
    }

    pub fn names(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llama_servers_slots_props_and_metrics() {
        let mut report = Report::default();
        report.read_slots(br#"[{"id":0,"n_ctx":2048,"is_processing":true,"params":{"seed":1}},{"id":1,"n_ctx":2048}]"#);
        assert_eq!((report.slots, report.running, report.cache_tokens), (Some(2), Some(1), Some(4096)));
        report.read_metrics("# TYPE x gauge\nllamacpp:requests_processing 1\nllamacpp:requests_deferred 2\n");
        assert_eq!((report.running, report.waiting, report.requests()), (Some(1), Some(2), 3));
        let mut props = Report::default();
        props.read_props(br#"{"default_generation_settings":{"n_ctx":2048},"total_slots":4,"model_alias":"m"}"#);
        assert_eq!((props.slots, props.cache_tokens), (Some(4), Some(8192)));
        let mut nothing = Report::default();
        nothing.read_slots(br#"{"error":{"code":501,"message":"This server does not support slots"}}"#);
        assert!(!nothing.is_something());
    }

    #[test]
    fn vllm_and_sglang_metrics_are_summed_over_engines() {
        let mut vllm = Report::default();
        vllm.read_metrics(
            "vllm:num_requests_running{engine=\"0\",model_name=\"m\"} 3.0\n\
             vllm:num_requests_running{engine=\"1\",model_name=\"m\"} 2.0\n\
             vllm:num_requests_waiting{engine=\"0\",model_name=\"m\"} 1.0\n\
             vllm:num_requests_waiting_by_reason{engine=\"0\",reason=\"capacity\"} 9.0\n\
             vllm:gpu_cache_usage_perc{engine=\"0\"} 0.5\nvllm:kv_cache_usage_perc{engine=\"1\"} 0.75\n\
             vllm:cache_config_info{block_size=\"16\",enable_prefix_caching=\"True\",num_gpu_blocks=\"1000\"} 1.0\n\
             process_start_time_seconds 1.7e9\n",
        );
        assert_eq!((vllm.running, vllm.waiting, vllm.cache_used), (Some(5), Some(1), Some(0.75)));
        assert_eq!((vllm.cache_tokens, vllm.started), (Some(16_000), Some(1_700_000_000_000)));
        let mut sglang = Report::default();
        sglang.read_metrics(
            "sglang:num_running_reqs{tp_rank=\"0\"} 4\nsglang:num_queue_reqs 2\nsglang:token_usage NaN\n",
        );
        assert_eq!((sglang.running, sglang.waiting, sglang.cache_used), (Some(4), Some(2), None));
    }

    #[test]
    fn only_a_list_that_means_it_rules_models_out() {
        let one = br#"{"models":[],"object":"list","data":[{"id":"edge-tiny","aliases":["edge-tiny"],"meta":{}}]}"#;
        assert_eq!(Models::read(UpstreamKind::LlamaServer, one), None, "it answers to any name");
        let vllm = Models::read(UpstreamKind::Vllm, one).unwrap();
        assert!(vllm.has("edge-tiny") && !vllm.has("other"));
        let router = br#"{"data":[{"id":"a","aliases":["x"],"status":{"value":"loaded"}},{"id":"b","status":{"value":"unloaded"}}]}"#;
        let router = Models::read(UpstreamKind::LlamaServer, router).unwrap();
        assert!(router.has("a") && router.has("b") && router.has("x") && !router.has("c"));
        let ollama =
            Models::read(UpstreamKind::Ollama, br#"{"object":"list","data":[{"id":"llama3:latest"}]}"#).unwrap();
        assert!(ollama.has("llama3") && ollama.has("llama3:latest") && !ollama.has("llama"));
        assert_eq!(Models::read(UpstreamKind::Vllm, b"<html>"), None);
    }
}
