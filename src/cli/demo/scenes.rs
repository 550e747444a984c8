//! The dozen prompts of the demo, each chosen to show one decision, and the configuration they run under.

use serde_json::{Value, json};

use crate::lab::client::Headers;

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
    /// `edge`, `cloud`, `cache` or `refused`.
    pub expected: &'static str,
    /// What the cache should have been to it (`x-tidegate-cache`); empty: that is not what the scene is about.
    pub cache: &'static str,
    /// How many ask this at the same time.
    pub askers: usize,
    pub headers: Headers,
    pub body: Value,
}

/// US dollars per million tokens, as in `configuration`: what "saved" is counted against.
pub const FRONTIER_INPUT: f64 = 1.25;
pub const FRONTIER_OUTPUT: f64 = 10.0;
pub const SMALL_INPUT: f64 = 0.02;
pub const SMALL_OUTPUT: f64 = 0.02;

/// Where easy ends in the demo: a little below the difficulty of its hard prompts. (Difficulty is a probability, and few prompts are beyond a quarter.)
pub const THRESHOLD: f64 = 0.08;

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
pii: {{restore: true}}
cache:
  semantic: {{max_error: 0.01}}
routes:
  auto:
    aliases: [gpt-4o, gpt-4o-mini]
    threshold: {THRESHOLD}
    rules:
      - name: sensitive-at-home
        when: pii.severity == 2
        try: [small]
      - name: tools-need-the-best
        when: has_tools
        try: [frontier, small]
      - name: fresh-knowledge
        when: needs_fresh_knowledge > 0.7
        try: [frontier, small]
      - name: easy
        when: difficulty < threshold
        try: [small, frontier]
      - name: hard
        try: [frontier, small]
"#
    )
}

fn ask(text: &str) -> Value {
    json!({"model": "gpt-4o-mini", "stream": true, "max_tokens": 64, "messages": [{"role": "user", "content": text}]})
}

const HARD: &str = "Prove that there are infinitely many primes congruent to 3 modulo 4, without quoting Dirichlet.";

const LETTER: &str = "Write a kind letter to our customer Maria Lindqvist, maria.lindqvist@example.org.";
/// The number is one that card networks give out for tests.
const CARD: &str = "Was the card 4111 1111 1111 1111 charged twice?";

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
    let minutes = "The meeting began at nine. Anna told about the garden, Ben about the kitchen, and everybody liked the new cups. ";
    let long = ask(&format!("Please summarise this text in one sentence:\n\n{}", minutes.repeat(12)));
    let mut direct = ask("Ask the frontier model by its own name.");
    direct["model"] = "frontier".into();
    let mut key = ask(&format!("Why does this token not work? ghp_{}", "16C7e42F292c6912E7710c838347Ae178B4a"));
    key["model"] = "frontier".into();
    let home: Headers = &[("x-tidegate-privacy", "local-only")];
    let cloud: Headers = PREFER_CLOUD;
    let quiet = |title, shows, expected, headers, body| scene(Stage::Quiet, title, shows, expected, headers, body);
    vec![
        quiet("a timer", "everyday commands stay at the edge", "edge", &[], ask(TIMER)),
        quiet(
            "translate a line",
            "so does the next, on the other node",
            "edge",
            &[],
            ask("Translate 'good morning' into German."),
        ),
        quiet("a long text, easy", "long is not hard: summarising stays", "edge", &[], long),
        quiet("a short one, hard", "one line can be hard", "cloud", &[], ask(HARD)),
        quiet(
            "today's news",
            "needs what no model has learnt yet",
            "cloud",
            &[],
            ask("What did the central bank decide about interest rates today?"),
        ),
        quiet("weather, with a tool", "tools go where they are called best", "cloud", &[], with_tools),
        quiet("what is in the picture", "constraint: the edge model sees no images", "cloud", &[], image),
        quiet("a medical note", "local-only: no cloud, whatever happens", "edge", home, ask("Summarise: headaches.")),
        quiet("a poem, please", "the client prefers the cloud", "cloud", cloud, ask("Write two lines about the tide.")),
        quiet("a letter, by name", "the cloud sees labels, you the names", "cloud", cloud, ask(LETTER)),
        quiet("a card number", "sensitive data does not leave", "edge", &[], ask(CARD)),
        quiet("a pasted key", "a secret is sent to no cloud", "refused", &[], key),
        quiet("a model by its name", "asked for directly, no rule between", "cloud", &[], direct),
    ]
    .into_iter()
    .chain(remembered())
    .chain(failures())
    .collect()
}

fn scene(
    stage: Stage,
    title: &'static str,
    shows: &'static str,
    expected: &'static str,
    headers: Headers,
    body: Value,
) -> Scene {
    Scene { title, shows, stage, expected, cache: "", askers: 1, headers, body }
}

const TIMER: &str = "Set a timer for ten minutes, please.";

/// What is answered from memory, and what is not.
fn remembered() -> Vec<Scene> {
    let again = |title, shows, cache, body| {
        let expected = if cache == "miss" { "edge" } else { "cache" };
        Scene { cache, ..scene(Stage::Quiet, title, shows, expected, &[], body) }
    };
    let mut whole = ask(TIMER);
    whole["stream"] = false.into();
    let crowd = again(
        "20 ask at once",
        "one call upstream, 20 answers",
        "coalesced",
        ask("Translate 'high water at noon' into Spanish."),
    );
    vec![
        again("the timer again", "the same question: from memory, for nothing", "hit", ask(TIMER)),
        again("… without a stream", "kept once, told in either form", "hit", whole),
        again("… in other words", "a verifier says that it means the same", "semantic", ask(TIMER_AGAIN)),
        again("… one number changed", "alike is not the same: asked anew", "miss", ask(OTHER_TIMER)),
        Scene { askers: 20, ..crowd },
    ]
}

const TIMER_AGAIN: &str = "Please set a timer for ten minutes.";
const OTHER_TIMER: &str = "Set a timer for two minutes, please.";

const PREFER_CLOUD: Headers = &[("x-tidegate-placement", "prefer-cloud")];

/// What happens when servers fail.
fn failures() -> Vec<Scene> {
    let (edge, cloud): (Headers, Headers) = (&[("x-tidegate-placement", "only-edge")], PREFER_CLOUD);
    vec![
        scene(
            Stage::CloudLimited,
            "the provider says 429",
            "the edge covers for the cloud",
            "edge",
            cloud,
            ask("Write two lines about the moon."),
        ),
        scene(
            Stage::OneNodeDown,
            "an edge node dies",
            "the other one answers",
            "edge",
            &[],
            ask("Translate 'good night' into French."),
        ),
        scene(
            Stage::EdgeDown,
            "the whole edge dies",
            "the cloud covers for it",
            "cloud",
            &[],
            ask("Spell the word necessary."),
        ),
        scene(
            Stage::EdgeDown,
            "… but it must stay",
            "private stays private",
            "refused",
            edge,
            ask("Shorten this note: I owe Ann five euros."),
        ),
    ]
}
