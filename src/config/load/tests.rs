//! From text to a configuration, and that no secret shows on the way.

use proptest::prelude::*;

use super::*;
use crate::config::file::Pricing;

fn good(_: &str) -> Result<(), (usize, String)> {
    Ok(())
}

const SMALLEST: &str = "upstreams: {a: {placement: edge, kind: vllm, nodes: [http://127.0.0.1:1]}}\n";

fn parsed(text: &str) -> Result<Loaded, Problems> {
    let env = |name: &str| (name == "KEY").then(|| "hunter2".to_owned());
    parse(text, Path::new("/nonexistent"), &env, Judges::of_rules(&good))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

#[test]
fn every_example_configuration_is_valid() {
    let mut files = vec![root().join("tidegate.yaml")];
    files.extend(std::fs::read_dir(root().join("examples")).unwrap().map(|entry| entry.unwrap().path()));
    assert_eq!(files.len(), 5);
    let env = |name: &str| (name == "AZURE_OPENAI_API_KEY").then(|| "key".to_owned());
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let loaded = parse(&text, &root(), &env, Judges::of_rules(&good))
            .unwrap_or_else(|problems| panic!("{}: {problems}", path.display()));
        assert_eq!(loaded.warnings, [], "{}", path.display());
    }
}

#[test]
fn the_main_example_means_what_it_says() {
    let loaded = load(&root().join("tidegate.yaml"), Judges::of_rules(&good)).unwrap();
    let file = &loaded.file;
    assert_eq!(file.upstreams["lab"].nodes.len(), 2);
    let Some(Pricing::Own(prices)) = &file.models["frontier"].price else { panic!("no price of its own") };
    assert_eq!(prices[0].cached_input, Some(0.125));
    assert_eq!(file.routes["auto"].rules.len(), 6);
    assert_eq!(file.routes["auto"].rules[1].when.as_deref(), Some("!edge.available"));
    assert_eq!(loaded.passthrough(), Some("openai"));
}

#[test]
fn passed_through_paths_go_to_the_cloud_first() {
    let second = "  b: {placement: cloud, kind: openai, base_url: https://b.example/v1}";
    let edge = "upstreams:\n  a: {placement: edge, kind: vllm, nodes: [http://127.0.0.1:1]}\n";
    let to = |text: &str| parsed(text).unwrap().passthrough().map(str::to_owned);
    assert_eq!(to(edge).as_deref(), Some("a"));
    assert_eq!(to(&format!("{edge}{second}")).as_deref(), Some("b"));
    assert_eq!(to(&format!("passthrough: a\n{edge}{second}")).as_deref(), Some("a"));
    assert_eq!(to(&format!("passthrough: off\n{edge}")), None);
}

#[test]
fn an_empty_file_replaces_nothing() {
    for text in ["", "\n# nothing\n", "---\n", "~"] {
        let problems = parsed(text).unwrap_err();
        assert!(problems.to_string().contains("the configuration is empty"), "{text:?}: {problems}");
    }
    insta::assert_snapshot!(parsed("upstreams:\n").unwrap_err(), @r"
    configuration:1:1: no `upstreams`: nothing could answer
        hint: add an edge pool or a provider
    ");
    insta::assert_snapshot!(parsed("listen: 127.0.0.1:0\n").unwrap_err(), @r"
    configuration:1:1: no `upstreams`: nothing could answer
        hint: add an edge pool or a provider
    ");
}

#[test]
fn the_hash_covers_what_counts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.yaml");
    let key = folder.path().join("key");
    std::fs::write(&key, "one").unwrap();
    let text = SMALLEST.replace("kind", "api_key: file:key, kind");
    let hash = |text: &str| {
        std::fs::write(&file, text).unwrap();
        load(&file, Judges::of_rules(&good)).unwrap().hash_hex()
    };
    let first = hash(&text);
    assert_eq!(first.len(), 64);
    assert_eq!(first, hash(&format!("# comment\n{text}\n")));
    assert_ne!(first, hash(&text.replace("vllm", "ollama")));
    std::fs::write(&key, "two").unwrap();
    assert_ne!(first, hash(&text));
}

#[test]
fn masks_secrets_and_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "hunter3").unwrap();
    let text = "server: {max_connections: 5}\n\
        upstreams:\n\
        \x20 a: {placement: edge, kind: vllm, nodes: [http://127.0.0.1:1], api_key: literal, region: '${KEY}'}\n\
        \x20 b: {placement: cloud, kind: openai, base_url: https://b.example/v1, api_key: file:key}\n";
    let env = |name: &str| (name == "KEY").then(|| "hunter2".to_owned());
    let loaded = parse(text, folder.path(), &env, Judges::of_rules(&good)).unwrap();
    assert_eq!(loaded.further_files, [folder.path().join("key")]);
    assert_eq!(
        loaded.masked,
        serde_json::json!({
            "server": {"max_connections": 5},
            "upstreams": {
                "a": {"placement": "edge", "kind": "vllm", "nodes": ["http://127.0.0.1:1"], "api_key": "***", "region": "***"},
                "b": {"placement": "cloud", "kind": "openai", "base_url": "https://b.example/v1", "api_key": "***"},
            },
        })
    );
    let everything = format!("{loaded:?}");
    assert!(!everything.contains("literal") && !everything.contains("hunter3"), "{everything}");
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let problems = |name: &str| {
        let problems = load(&folder.path().join(name), Judges::of_rules(&good)).unwrap_err().to_string();
        problems.replace(&folder.path().display().to_string(), "DIR")
    };
    std::fs::write(folder.path().join("latin1"), b"a: 1\nb: \xe4\n").unwrap();
    insta::assert_snapshot!(problems("none.yaml"), @r"
    DIR/none.yaml:1:1: cannot read `DIR/none.yaml`: there is no such file
        hint: name one with `-c FILE`; `tidegate demo` needs none
    ");
    insta::assert_snapshot!(problems("."), @r"
    DIR/.:1:1: cannot read `DIR/.`: is a directory
        hint: check the path and who may read it
    ");
    insta::assert_snapshot!(problems("latin1"), @r"
    DIR/latin1:2:4: not UTF-8 text
        hint: save the file as UTF-8
    ");
}

#[test]
fn a_byte_order_mark_is_no_key() {
    assert!(parsed(&format!("\u{feff}{SMALLEST}")).is_ok());
}

/// Pieces that a configuration is made of, so that random texts get beyond the YAML parser.
fn piece() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "upstreams",
        "models",
        "routes",
        "rules",
        "try",
        "when",
        "name",
        "tls",
        "key",
        "api_key",
        "server",
        "health",
        ": ",
        ":\n",
        "\n  ",
        "\n",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "'",
        "\"",
        "|",
        ">",
        "&a ",
        "*a",
        "!!str ",
        "? ",
        "#",
        "${KEY}",
        "${",
        "$$",
        "${A:-b}",
        "file:x",
        "vllm",
        "edge",
        "1",
        "-0.5",
        "1e999",
        "10s",
        "~",
        "\t",
        "---\n",
        "\u{10F040}",
        "ä",
        "https://u@h?q",
    ];
    prop_oneof![4 => prop::sample::select(WORDS).prop_map(str::to_owned), 1 => any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_never_panics_and_never_shows_a_secret(pieces in prop::collection::vec(piece(), 0..40)) {
        if let Err(problems) = parsed(&pieces.concat()) {
            prop_assert!(!problems.list.is_empty());
            prop_assert!(!problems.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn a_damaged_configuration_never_panics(at in 0usize..2400, with in piece(), cut in 0usize..30) {
        let text = include_str!("../../../config/tidegate.yaml");
        let mut chars: Vec<char> = text.chars().collect();
        let at = at.min(chars.len());
        chars.splice(at..(at + cut).min(chars.len()), with.chars());
        if let Err(problems) = parsed(&chars.into_iter().collect::<String>()) {
            prop_assert!(!problems.list.is_empty());
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parsed(&String::from_utf8_lossy(&bytes));
    }
}
