//! The dozen prompts of the demo, each chosen to show one decision, and the configuration they run under.

use serde_json::{Value, json};

type Headers = &'static [(&'static str, &'static str)];

/// What happens before a scene: the pool loses its nodes, the provider hits its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Quiet,
    /// One edge node is gone.
    OneNodeDown,
    /// Both edge nodes are gone.
    EdgeDown,
    /// The provider answers 429.
    CloudLimited,
}

/// One prompt of the demo.
#[derive(Debug)]
pub struct Scene {
    /// What the table calls it.
    pub title: &'static str,
    /// What it shows, in one line.
    pub shows: &'static str,
    pub stage: Stage,
    /// `edge`, `cloud` or `refused`.
    pub expected: &'static str,
    pub headers: Headers,
    pub body: Value,
}

/// US dollars per million tokens, as in `configuration`: what "saved" is counted against.
pub const FRONTIER_INPUT: f64 = 1.25;
pub const FRONTIER_OUTPUT: f64 = 10.0;
pub const SMALL_INPUT: f64 = 0.02;
pub const SMALL_OUTPUT: f64 = 0.02;

/// The configuration of the demo: what an operator would write, with the simulated servers' addresses.
pub fn configuration(listen: &str, nodes: &[String; 2], provider: &str) -> String {
    let [first, second] = nodes;
    format!(
        r#"listen: {listen}
admin: 127.0.0.1:0
upstreams:
  lab:
    placement: edge
    kind: llama-server
    nodes: [{first}, {second}]
    balance: least-load
    health: {{interval: 200ms, timeout: 500ms, unhealthy_after: 1, healthy_after: 1}}
    timeouts: {{connect: 300ms, first_token: 5s, between_tokens: 5s, total: 30s}}
  frontier-cloud:
    placement: cloud
    kind: openai
    base_url: {provider}/v1
    api_key: sk-simulated
    timeouts: {{connect: 1s, first_token: 10s, between_tokens: 5s, total: 30s}}
models:
  small:
    upstream: lab
    id: simulated-8b
    context: 4096
    modalities: [text]
    price: {{input: {SMALL_INPUT}, output: {SMALL_OUTPUT}}}
  frontier:
    upstream: frontier-cloud
    id: simulated-frontier
    context: 400000
    modalities: [text, image]
    price: {{input: {FRONTIER_INPUT}, output: {FRONTIER_OUTPUT}}}
routes:
  auto:
    aliases: [gpt-4o, gpt-4o-mini]
    rules:
      - name: tools-need-the-best
        when: has_tools
        try: [frontier, small]
      - name: long-talks-go-up
        when: turns > 3
        try: [frontier, small]
      - name: long-prompts-go-up
        when: input_tokens > 2000
        try: [frontier, small]
      - name: everyday
        try: [small, frontier]
"#
    )
}

fn ask(text: &str) -> Value {
    json!({"model": "gpt-4o-mini", "stream": true, "max_tokens": 64, "messages": [{"role": "user", "content": text}]})
}

fn talk(turns: usize) -> Value {
    let turn = |i: usize| {
        [
            json!({"role": "user", "content": format!("Step {i}: what next?")}),
            json!({"role": "assistant", "content": "Go on."}),
        ]
    };
    let mut messages: Vec<Value> = (1..turns).flat_map(turn).collect();
    messages.push(json!({"role": "user", "content": "And now sum it all up."}));
    json!({"model": "auto", "stream": true, "max_tokens": 64, "messages": messages})
}

/// The scenes, in order.
pub fn all() -> Vec<Scene> {
    let tool = json!([{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]);
    let mut with_tools = ask("What is the weather in Oslo?");
    with_tools["tools"] = tool;
    let picture = json!([
        {"type": "text", "text": "What is in this picture?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    ]);
    let image = json!({"model": "gpt-4o", "stream": true, "messages": [{"role": "user", "content": picture}]});
    let long = ask(&format!("Summarise this contract: {}", "the parties agree that ".repeat(450)));
    let mut direct = ask("Ask the frontier model by its own name.");
    direct["model"] = "frontier".into();
    let home: Headers = &[("x-tidegate-privacy", "local-only")];
    let edge: Headers = &[("x-tidegate-placement", "only-edge")];
    let cloud: Headers = &[("x-tidegate-placement", "prefer-cloud")];
    let quiet =
        |title, shows, expected, headers, body| Scene { title, shows, stage: Stage::Quiet, expected, headers, body };
    let at = |stage, title, shows, expected, headers, body| Scene { title, shows, stage, expected, headers, body };
    vec![
        quiet(
            "capital of Norway",
            "everyday questions stay at the edge",
            "edge",
            &[],
            ask("What is the capital of Norway?"),
        ),
        quiet("translate a line", "so does the next, on the other node", "edge", &[], ask("Translate 'good morning'.")),
        quiet("a long contract", "a rule sends long prompts up", "cloud", &[], long),
        quiet("weather, with a tool", "tools go where they are called best", "cloud", &[], with_tools),
        quiet("what is in the picture", "constraint: the edge model sees no images", "cloud", &[], image),
        quiet("the fifth turn", "long conversations go up", "cloud", &[], talk(5)),
        quiet("a medical note", "local-only: no cloud, whatever happens", "edge", home, ask("Summarise: headaches.")),
        quiet("a poem, please", "the client prefers the cloud", "cloud", cloud, ask("Write two lines about the tide.")),
        quiet("a model by its name", "asked for directly, no rule between", "cloud", &[], direct),
        at(Stage::CloudLimited, "the provider says 429", "the edge covers for the cloud", "edge", cloud, ask("Busy?")),
        at(Stage::OneNodeDown, "an edge node dies", "the other one answers", "edge", &[], ask("Still there?")),
        at(Stage::EdgeDown, "the whole edge dies", "the cloud covers for it", "cloud", &[], ask("And now?")),
        at(Stage::EdgeDown, "… but it must stay", "private stays private", "refused", edge, ask("A secret.")),
    ]
}
