//! The gateway under test: the real binary as a child process, on free ports, with its configuration in a directory of its own.
//!
//! It learns the bound addresses from the log (`--log-format json`: one line `"message":"listening"` per listener with `listener` and
//! `addr`, then `"message":"ready"`). What a reader could get wrong: stderr is kept in full, so that a failing test shows it, and so
//! that tests can say what must not stand in it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use http::Method;
use parking_lot::Mutex;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::metrics::Metrics;
use super::{Call, Config, eventually, within};

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_tidegate");

/// A running gateway; killed when dropped.
pub struct Gateway {
    child: Child,
    log: Log,
    public: SocketAddr,
    admin: SocketAddr,
    dir: Arc<TempDir>,
}

impl Drop for Gateway {
    /// A failed test shows the end of what its gateway had to say.
    fn drop(&mut self) {
        const LINES: usize = 30;
        if std::thread::panicking() {
            let lines = self.log.0.lock();
            eprintln!("gateway's log, last lines:\n{}", lines[lines.len().saturating_sub(LINES)..].join("\n"));
        }
    }
}

/// What the child wrote to stderr so far, line by line.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub fn text(&self) -> String {
        self.0.lock().join("\n")
    }

    /// The lines that are JSON.
    pub fn records(&self) -> Vec<Value> {
        self.0.lock().iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The first line with that message.
    pub fn find(&self, message: &str) -> Option<Value> {
        self.records().into_iter().find(|record| field(record, "message") == Some(message))
    }
}

/// A field of a log line, at its top or below `fields`, wherever the log format puts it.
pub fn field<'a>(record: &'a Value, name: &str) -> Option<&'a str> {
    record.get(name).or_else(|| record.get("fields")?.get(name)).and_then(Value::as_str)
}

impl Gateway {
    /// Starts with this configuration and waits until it is ready.
    pub async fn with(config: &Config) -> Gateway {
        Gateway::with_yaml(&config.yaml()).await
    }

    /// The same from YAML; `listen`, `admin` and `data_dir` are put in front.
    pub async fn with_yaml(yaml: &str) -> Gateway {
        let dir = Arc::new(tempfile::tempdir().expect("a temporary directory"));
        write_config(dir.path(), yaml);
        Gateway::start(dir, &[]).await
    }

    /// Starts in a directory that holds `tidegate.yaml`, and waits until it is ready.
    pub async fn start(dir: Arc<TempDir>, arguments: &[&str]) -> Gateway {
        let mut child = command(&config_path(dir.path()))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the gateway's binary starts");
        let log = Log::default();
        let stderr = child.stderr.take().expect("stderr is piped");
        let lines = log.clone();
        tokio::spawn(async move {
            let mut stderr = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = stderr.next_line().await {
                lines.0.lock().push(line);
            }
        });
        eventually("the gateway is ready", async || {
            if let Ok(Some(status)) = child.try_wait() {
                panic!("the gateway ended with {status} before it was ready:\n{}", log.text());
            }
            log.find("ready")
        })
        .await;
        let public = listener(&log, "public");
        let admin = listener(&log, "admin");
        Gateway { child, log, public, admin, dir }
    }

    /// Starts a second process that takes the listening sockets over from this one, and waits until it is ready.
    pub async fn upgrade(&self) -> Gateway {
        Gateway::start(self.dir.clone(), &["--upgrade"]).await
    }

    pub fn addr(&self) -> SocketAddr {
        self.public
    }

    /// The base URL for an SDK.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.public)
    }

    pub fn call(&self, method: Method, target: &str) -> Call {
        Call::new(self.public, method, target)
    }

    pub fn post(&self, target: &str) -> Call {
        self.call(Method::POST, target)
    }

    pub fn get(&self, target: &str) -> Call {
        self.call(Method::GET, target)
    }

    /// A chat completion.
    pub fn chat(&self, body: &Value) -> Call {
        self.post("/v1/chat/completions").json(body)
    }

    pub fn admin(&self, target: &str) -> Call {
        Call::new(self.admin, Method::GET, target)
    }

    pub fn admin_post(&self, target: &str, body: &Value) -> Call {
        Call::new(self.admin, Method::POST, target).json(body)
    }

    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The directory, for a second gateway in it.
    pub fn shared_dir(&self) -> Arc<TempDir> {
        Arc::clone(&self.dir)
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub async fn metrics(&self) -> Metrics {
        let answer = self.admin("/metrics").send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        Metrics::parse(&answer.text())
    }

    /// Polls a sum of the metrics until it is `expected`: an observation may come just behind the answer that it counts.
    pub async fn eventually_metric(&self, name: &str, labels: &[(&str, &str)], expected: f64) {
        let mut seen = f64::NAN;
        let mut probe = async || {
            seen = self.metrics().await.sum(name, labels);
            (seen == expected).then_some(())
        };
        eventually(&format!("{name}{labels:?} is {expected}"), &mut probe).await;
    }

    /// Writes the new configuration as editors do (a new file renamed over the old one), and waits until it is in force.
    pub async fn reload(&self, config: &Config) {
        let before = self.generation().await;
        write_config(self.dir.path(), &config.yaml());
        eventually("the new configuration is in force", async || (self.generation().await > before).then_some(()))
            .await;
    }

    /// Writes a configuration that does not validate, and waits until it is rejected.
    pub async fn reload_broken(&self, yaml: &str) {
        let before = self.rejected_reloads().await;
        write_config(self.dir.path(), yaml);
        let rejected = async || (self.rejected_reloads().await > before).then_some(());
        eventually("the broken configuration is rejected", rejected).await;
    }

    /// The same as `reload`, told by SIGHUP instead of waiting for the file's watcher.
    pub async fn reload_now(&self, config: &Config) {
        let before = self.generation().await;
        write_config(self.dir.path(), &config.yaml());
        self.signal("HUP");
        eventually("the new configuration is in force", async || (self.generation().await > before).then_some(()))
            .await;
    }

    pub async fn generation(&self) -> f64 {
        self.metrics().await.sum("tidegate_config_generation", &[])
    }

    pub async fn rejected_reloads(&self) -> f64 {
        self.metrics().await.sum("tidegate_config_reloads_total", &[("result", "rejected")])
    }

    /// `TERM`, `HUP`, `QUIT`, `KILL`.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let sent = std::process::Command::new("kill").args(["-s", name, &pid]).status().expect("kill(1) runs");
        assert!(sent.success(), "SIG{name} to {pid}");
    }

    pub fn pid(&self) -> u32 {
        self.child.id().expect("the gateway is running")
    }

    pub async fn wait_exit(&mut self) -> ExitStatus {
        within("the gateway ends", self.child.wait()).await.expect("an exit status")
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Resident memory in bytes.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the process is there");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
    }
}

/// The file that a gateway in `dir` reads.
pub fn config_path(dir: &Path) -> PathBuf {
    dir.join("tidegate.yaml")
}

/// Puts the listeners and the data directory in front of `yaml` (unless it names its own) and renames the file into its place.
pub fn write_config(dir: &Path, yaml: &str) {
    let new = dir.join(".tidegate.yaml.new");
    std::fs::write(&new, with_listeners(dir, yaml)).expect("the configuration is written");
    std::fs::rename(&new, config_path(dir)).expect("the configuration is in its place");
}

pub fn with_listeners(dir: &Path, yaml: &str) -> String {
    let data = format!("data_dir: {}\n", dir.join("data").display());
    let mut text = String::new();
    for line in ["listen: 127.0.0.1:0\n", "admin: 127.0.0.1:0\n", &data] {
        let key = line.split_inclusive(':').next().unwrap_or_default();
        if !yaml.lines().any(|own| own.starts_with(key)) {
            text.push_str(line);
        }
    }
    text + yaml
}

/// Runs the binary to its end in `dir`.
pub async fn run(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(arguments).current_dir(dir).stdin(Stdio::null()).kill_on_drop(true);
    let output = within("the command ends", command.output()).await.expect("the binary starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Output { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The same with something on its standard input.
pub async fn run_with(dir: &Path, arguments: &[&str], input: &str) -> Output {
    use tokio::io::AsyncWriteExt as _;

    let mut command = Command::new(BINARY);
    command.args(arguments).current_dir(dir).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).await.expect("the command reads");
    drop(stdin);
    let output = within("the command ends", child.wait_with_output()).await.expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Output { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// What a command left behind.
#[derive(Debug)]
pub struct Output {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Both streams, wherever the words are.
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// `tidegate serve` of that file.
pub fn command(config: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command.args(["serve", "--log-format", "json", "-c"]).arg(config);
    command
}

fn listener(log: &Log, name: &str) -> SocketAddr {
    let records = log.records();
    let line = records
        .iter()
        .find(|record| field(record, "message") == Some("listening") && field(record, "listener") == Some(name))
        .unwrap_or_else(|| panic!("no `listening` line for the {name} listener:\n{}", log.text()));
    field(line, "addr").and_then(|addr| addr.parse().ok()).unwrap_or_else(|| panic!("no address in {line}"))
}
