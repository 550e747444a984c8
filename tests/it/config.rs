//! `check`, and reloads: a good file takes effect at once and whole, a bad one not at all.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use crate::support::client::{chat, chat_stream};
use crate::support::config::PROVIDER_KEY;
use crate::support::gateway::{Output, config_path, run, with_listeners, write_config};
use crate::support::load::Load;
use crate::support::{Answer, Config, Gate, Gateway, Point, Upstream, eventually, sse};

/// A complete configuration whose upstreams need not exist.
fn sound() -> Config {
    Config::hybrid(&Upstream::down("edge"), &Upstream::down("cloud"))
}

async fn check(yaml: &str) -> Output {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(config_path(dir.path()), yaml).unwrap();
    run(dir.path(), &["check", "-c", "tidegate.yaml"]).await
}

/// Asserts exit status 1 and that for each set of words some line has them all, together with the hint in the line below it.
async fn refused(yaml: &str, problems: &[&[&str]]) -> Output {
    let output = check(yaml).await;
    assert_eq!(output.code, Some(1), "{}", output.text());
    let text = output.text();
    let lines: Vec<&str> = text.lines().collect();
    for words in problems {
        let with_hint = |at: usize| [lines[at], lines.get(at + 1).copied().unwrap_or_default()].concat();
        let found = (0..lines.len())
            .any(|at| lines[at].contains(words[0]) && words.iter().all(|word| with_hint(at).contains(word)));
        assert!(found, "no problem with {words:?} in\n{text}");
    }
    output
}

#[tokio::test]
async fn a_sound_file_passes_and_what_is_off_is_told() {
    let output = check(&sound().yaml()).await;
    assert_eq!(output.code, Some(0), "{}", output.text());
    for off in ["pii", "cache", "tenants"] {
        let told = output.text().lines().any(|line| line.contains(off) && line.contains("off"));
        assert!(told, "{off} is not said to be off:\n{}", output.text());
    }
    assert!(!output.text().contains(PROVIDER_KEY));
}

#[tokio::test]
async fn every_problem_is_told_at_once_with_its_place() {
    let yaml = "upstreams:\n  lab:\n    placment: edge\n    placement: edge\n    kind: llama-server\n    nodes: [http://127.0.0.1:1]\n\
                models:\n  small:\n    upstream: lap\n\
                routes:\n  auto:\n    rules:\n      - name: easy\n        when: input_tokns < 5\n        try: [smal]\n";
    let output = refused(
        yaml,
        &[
            &["tidegate.yaml:3:5:", "placment", "placement"],
            &["tidegate.yaml:9:15:", "lap", "lab"],
            &["tidegate.yaml:14:15:", "input_tokns", "input_tokens"],
            &["tidegate.yaml:15:15:", "smal", "small"],
        ],
    )
    .await;
    assert!(!output.text().contains("panicked"), "{}", output.text());
}

#[tokio::test]
async fn a_condition_that_does_not_compile_is_told() {
    for when in ["'1 +'", "'turns > \"a\"'", "'turns'", "'nothing_like_it'"] {
        let rule = format!("{{name: odd, when: {when}, try: [small]}}");
        refused(&sound().rules("odd", "", &[&rule]).yaml(), &[&["tidegate.yaml:"]]).await;
    }
}

#[tokio::test]
async fn what_is_not_available_yet_is_refused() {
    let traced = sound().top("telemetry: {otlp: http://127.0.0.1:4317}");
    refused(&traced.yaml(), &[&["tidegate.yaml:1:", "otlp", "not available yet"]]).await;
}

#[tokio::test]
async fn broken_yaml_wrong_types_and_missing_things_have_a_place() {
    refused("upstreams: [", &[&["tidegate.yaml:", "YAML"]]).await;
    refused(&sound().top("server: {max_body: lots}").yaml(), &[&["tidegate.yaml:1:20:", "lots", "64KiB"]]).await;
    refused(
        &sound().top("data_dir: ${TIDEGATE_TEST_NOT_SET}").yaml(),
        &[&["tidegate.yaml:1:", "TIDEGATE_TEST_NOT_SET"]],
    )
    .await;
    let defaulted = check(&sound().top("data_dir: ${TIDEGATE_TEST_NOT_SET:-./data}").yaml()).await;
    assert_eq!(defaulted.code, Some(0), "{}", defaulted.text());
    let nowhere = run(Path::new("/"), &["check", "-c", "/no/such/tidegate.yaml"]).await;
    assert_eq!(nowhere.code, Some(1));
    assert!(nowhere.text().contains("/no/such/tidegate.yaml"), "{}", nowhere.text());
}

#[tokio::test]
async fn serve_refuses_what_check_refuses() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(config_path(dir.path()), "routs: {}\n").unwrap();
    let output = run(dir.path(), &["serve", "-c", "tidegate.yaml"]).await;
    assert_eq!(output.code, Some(1), "{}", output.text());
    assert!(output.stderr.contains("tidegate.yaml:1:1:") && output.stderr.contains("routes"), "{}", output.stderr);
}

#[tokio::test]
async fn a_changed_file_takes_effect() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gateway = Gateway::with(&Config::hybrid(&edge, &cloud)).await;
    assert_eq!(gateway.chat(&chat("auto", "hi")).send().await.content(), "hello from edge");
    gateway.reload(&Config::cloud_only(&cloud)).await;
    assert_eq!(gateway.chat(&chat("auto", "hi")).send().await.content(), "hello from cloud");
    gateway.chat(&chat("gpt-4o", "hi")).send().await.expect_error(404);
}

/// The configuration file stays as it is; only the secret's file changes.
#[tokio::test]
async fn sighup_reads_secrets_again() {
    let cloud = Upstream::named("cloud").await;
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "sk-old\n").unwrap();
    let yaml = Config::cloud_only(&cloud).yaml().replace(PROVIDER_KEY, &format!("file:{}", secret.path().display()));
    let gateway = Gateway::with_yaml(&yaml).await;
    assert_eq!(gateway.chat(&chat("auto", "hi")).send().await.status, 200);
    assert_eq!(cloud.requests()[0].header("authorization"), Some("Bearer sk-old"));
    std::fs::write(secret.path(), "sk-new\n").unwrap();
    gateway.signal("HUP");
    eventually("the new key is used", async || {
        gateway.chat(&chat("auto", "hi")).send().await;
        let last = cloud.requests().pop()?;
        (last.header("authorization") == Some("Bearer sk-new")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_broken_file_changes_nothing() {
    let cloud = Upstream::named("cloud").await;
    let config = Config::cloud_only(&cloud);
    let gateway = Gateway::with(&config).await;
    let generation = gateway.generation().await;
    for broken in ["routs: {}\n", "upstreams: [", "pii: {}\n"] {
        gateway.reload_broken(broken).await;
        assert_eq!(gateway.chat(&chat("auto", "hi")).send().await.status, 200);
    }
    assert_eq!(gateway.generation().await, generation);
    eventually("the place is logged", async || gateway.log().text().contains("tidegate.yaml:").then_some(())).await;
    assert_eq!(gateway.admin("/readyz").send().await.status, 200);
    gateway.reload(&config.model("more", "acme", "")).await;
    assert_eq!(gateway.chat(&chat("more", "hi")).send().await.status, 200);
}

#[tokio::test]
async fn a_request_in_flight_ends_under_the_rules_it_began_with() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let gate = Gate::new();
    edge.next([Answer::chat_stream(&["one", "two"], false).gated(Point::AfterPiece(2), &gate)]);
    let gateway = Gateway::with(&Config::hybrid(&edge, &cloud)).await;
    let mut stream = gateway.chat(&chat_stream("auto", "hi")).stream().await;
    stream.event().await.expect("the first event");
    gateway.reload(&Config::cloud_only(&cloud)).await;
    assert_eq!(gateway.chat(&chat("auto", "hi")).send().await.content(), "hello from cloud");
    gate.open();
    let events = stream.events().await;
    assert!(sse::text(&events).ends_with("two") && events.last().unwrap().is_done(), "{events:?}");
}

#[tokio::test]
async fn connections_and_health_carry_over() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    edge.set_sick(true);
    let config = Config::hybrid(&edge, &cloud).top("server: {workers: 1}");
    let gateway = Gateway::with(&config).await;
    gateway.eventually_metric("tidegate_upstream_up", &[("upstream", "lab")], 0.0).await;
    assert_eq!(gateway.chat(&chat("frontier", "hi")).send().await.status, 200);
    gateway.reload(&config.clone().model("more", "acme", "")).await;
    assert_eq!(gateway.metrics().await.sum("tidegate_upstream_up", &[("upstream", "lab")]), 0.0);
    assert_eq!(gateway.chat(&chat("frontier", "hi")).send().await.status, 200);
    assert_eq!(cloud.connections(), 1, "the connection was not kept over the reload");
}

#[tokio::test]
async fn a_hundred_reloads_under_load_fail_no_request() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let configs = [Config::hybrid(&edge, &cloud), Config::cloud_only(&cloud)];
    let gateway = Gateway::with(&configs[0]).await;
    let load = Load::start(gateway.addr(), 4);
    load.more(10).await;
    for round in 1..=100 {
        gateway.reload_now(&configs[round % 2]).await;
    }
    load.more(10).await;
    assert_eq!(load.stop().await, Vec::<String>::new());
    assert_eq!(gateway.rejected_reloads().await, 0.0);
}

/// As Kubernetes updates a mounted ConfigMap: `tidegate.yaml -> ..data/tidegate.yaml`, `..data -> ..v1`, and the latter is swapped.
#[tokio::test]
async fn a_swapped_symlink_takes_effect() {
    let (edge, cloud) = (Upstream::named("edge").await, Upstream::named("cloud").await);
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let root = dir.path();
    for (version, config) in [("..v1", Config::hybrid(&edge, &cloud)), ("..v2", Config::cloud_only(&cloud))] {
        std::fs::create_dir(root.join(version)).unwrap();
        let yaml = with_listeners(root, &config.yaml());
        std::fs::write(root.join(version).join("tidegate.yaml"), yaml).unwrap();
    }
    symlink("..v1", root.join("..data")).unwrap();
    symlink("..data/tidegate.yaml", config_path(root)).unwrap();
    let gateway = Gateway::start(dir.clone(), &[]).await;
    assert_eq!(gateway.chat(&chat("auto", "hi")).send().await.content(), "hello from edge");
    symlink("..v2", root.join("..data_tmp")).unwrap();
    std::fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
    std::fs::remove_dir_all(root.join("..v1")).unwrap();
    eventually("the swap is noticed", async || {
        (gateway.chat(&chat("auto", "hi")).send().await.content() == "hello from cloud").then_some(())
    })
    .await;
}

/// Listeners are bound once: a file that moves them is in force but for them, or is rejected; it never stops the gateway.
#[tokio::test]
async fn a_moved_listener_does_not_stop_the_gateway() {
    let cloud = Upstream::named("cloud").await;
    let gateway = Gateway::with(&Config::cloud_only(&cloud)).await;
    let reloads = async || gateway.metrics().await.sum("tidegate_config_reloads_total", &[]);
    let before = reloads().await;
    write_config(gateway.dir(), &Config::cloud_only(&cloud).top("listen: 127.0.0.1:1").yaml());
    eventually("the file is noticed", async || (reloads().await > before).then_some(())).await;
    assert_eq!(gateway.chat(&chat("auto", "hi")).send().await.status, 200);
}
