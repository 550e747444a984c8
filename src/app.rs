//! load → prepare → bind → serve → reload → drain: the life of the process.
//!
//! What a reader could get wrong: requests run on the workers; everything else (health checks, reloads, the watch on the file) runs on a control
//! thread of its own, so that a busy worker delays no health check, and a slow reload no request.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use http::{Request, Response};
use hyper::body::Incoming;

use crate::config::load::Loaded;
use crate::config::scalar::Secret;
use crate::config::watch::Watch;
use crate::gateway::deferred::executor::Executor;
use crate::gateway::{Body, Gateway};
use crate::server::pid_file::PidFile;
use crate::server::{self, Handle, Peer, Phase, Running, Signals, Sockets, upgrade};
use crate::state::admin::Admin;
use crate::state::reload::Reloader;
use crate::state::{
    Books, Controls, Conversations, Durable, Shadows, Shared, Snapshot, deferring, prepare, protection,
};
use crate::task;
use crate::telemetry::access::{AccessLog, FLUSH_EVERY};
use crate::telemetry::log::Format;
use crate::telemetry::metrics::Metrics;
use crate::tenant::Accounts;

/// How the process was started.
#[derive(Debug)]
pub struct Options {
    pub path: PathBuf,
    /// Take the sockets over from a running process.
    pub upgrade: bool,
    /// Write a line per request.
    pub access: Option<Format>,
}

/// Why the gateway did not run.
#[derive(Debug)]
pub enum Failure {
    /// The configuration holds, but cannot be used.
    Configuration(String),
    /// A port is taken, a folder cannot be written.
    Environment(String),
}

/// Runs the gateway until it is told to stop and has drained.
pub fn run(loaded: Loaded, options: Options) -> Result<(), Failure> {
    server::panics_without_payload();
    let signals = Signals::catch().map_err(environment)?;
    let data_dir = PathBuf::from(&loaded.file.data_dir);
    std::fs::create_dir_all(&data_dir)
        .map_err(|e| Failure::Environment(format!("data_dir {} cannot be made: {e}", data_dir.display())))?;
    let state = State::prepare(&loaded, &options, Some(&data_dir))?;
    let (sockets, handover) = sockets(&loaded, &data_dir, options.upgrade, state.workers)?;
    // Kept until the end: it removes the file.
    let _pid_file = match &handover {
        None => Some(PidFile::claim(&data_dir).map_err(environment)?),
        Some(_) => None,
    };
    let running = state.serve(&loaded, sockets, Some(data_dir.clone()))?;
    let _pid_file_after = handover.map(|handover| confirm(handover, &data_dir)).transpose()?;
    state.announce(&running, &loaded);
    let flusher = state.tend(&options.path, &loaded);
    let executor = state.execute(&running)?;
    let drained = signals.wait(running);
    // What was cut is cut here too; otherwise what had begun in the last moment may finish.
    executor.stop(drained.cut > 0);
    state.shared.durable.access.flush();
    if let Some(books) = &state.shared.durable.books {
        books.close();
    }
    drop(flusher);
    if drained.cut > 0 {
        tracing::warn!(cut = drained.cut, "the drain's deadline passed: requests were cut off");
    }
    match drained.crashed {
        0 => Ok(()),
        crashed => Err(Failure::Environment(format!("{crashed} workers crashed; this is a bug"))),
    }
}

/// A gateway that runs inside another program (the demo): no signals, no pid file, no watch on the file.
pub fn embedded(loaded: &Loaded) -> Result<(Running, Arc<Shared>), Failure> {
    let options = Options { path: PathBuf::new(), upgrade: false, access: None };
    let state = State::prepare(loaded, &options, None)?;
    let sockets = Sockets::bind(address(&loaded.file.listen)?, address(&loaded.file.admin)?, state.workers)
        .map_err(environment)?;
    let running = state.serve(loaded, sockets, None)?;
    Ok((running, state.shared))
}

/// The snapshot of a configuration that nothing runs on: for `explain`.
pub fn snapshot(loaded: &Loaded) -> Result<Arc<Snapshot>, String> {
    let options = Options { path: PathBuf::new(), upgrade: false, access: None };
    State::prepare(loaded, &options, None).map(|state| state.shared.snapshot()).map_err(|failure| match failure {
        Failure::Configuration(message) | Failure::Environment(message) => message,
    })
}

/// Everything but the sockets.
struct State {
    shared: Arc<Shared>,
    reloader: Arc<Reloader>,
    control: tokio::runtime::Handle,
    workers: usize,
}

impl State {
    /// `data_dir`: where the books are; none: nothing is recorded (the demo, `explain`).
    fn prepare(loaded: &Loaded, options: &Options, data_dir: Option<&Path>) -> Result<State, Failure> {
        let workers = server::Config::from(&loaded.file.server).workers;
        // One more for the executor of deferred work.
        let lanes = workers + 1;
        let books = data_dir.map(|dir| Books::open(&loaded.file, dir, lanes)).transpose();
        let books = books.map_err(Failure::Environment)?.flatten().map(Arc::new);
        let control = control_thread()?;
        let durable = Durable {
            metrics: Metrics::new().map_err(environment)?,
            access: AccessLog::new(options.access, lanes),
            nodes: Arc::default(),
            control: control.clone(),
            workers: lanes,
            accounts: Accounts::default(),
            thresholds: Controls::default(),
            conversations: Conversations::default(),
            shadows: Shadows::default(),
            data_dir: data_dir.map(Path::to_path_buf),
            pii_keys: protection::keys(data_dir).map_err(Failure::Environment)?,
            queue: OnceLock::new(),
            books,
        };
        // Damaged or sealed under another key, it is no fault of the file's.
        deferring::open(&loaded.file, &durable).map_err(Failure::Environment)?;
        let first = control.block_on(prepare::prepare(loaded, &durable, None)).map_err(Failure::Configuration)?;
        let shared = Arc::new(Shared::new(durable, first));
        let reloader = Arc::new(Reloader::new(Arc::clone(&shared), options.path.clone()));
        Ok(State { shared, reloader, control, workers })
    }

    fn serve(&self, loaded: &Loaded, sockets: Sockets, data_dir: Option<PathBuf>) -> Result<Running, Failure> {
        let mut config = server::Config::from(&loaded.file.server);
        config.data_dir = data_dir;
        if let Some(tls) = &loaded.file.tls {
            let client_ca = tls.client_ca.as_ref().map(Secret::expose);
            let made = server::tls::server_config(tls.cert.expose(), tls.key.expose(), client_ca);
            config.tls = Some(made.map_err(|e| Failure::Configuration(format!("tls: {e}")))?);
        }
        let shared = Arc::clone(&self.shared);
        let handler = move |worker| Worker(Arc::new(Gateway { shared: Arc::clone(&shared), worker }));
        let admin = Arc::new(AdminHandle {
            admin: Admin { shared: Arc::clone(&self.shared), reloader: Arc::clone(&self.reloader) },
            control: self.control.clone(),
        });
        server::start(config, sockets, handler, admin).map_err(environment)
    }

    /// Deferred work, on a thread of its own. When the drain begins, nothing more of it is begun; it waits for what runs.
    fn execute(&self, running: &Running) -> Result<Executor, Failure> {
        let held = Arc::clone(running.lifecycle());
        let hold = Box::new(move || Box::new(held.hold()) as Box<dyn Send>);
        let executor = Executor::start(Arc::clone(&self.shared), self.workers, hold).map_err(environment)?;
        let (finish, lifecycle) = (executor.drain(), Arc::clone(running.lifecycle()));
        let _runs_on_control = self.control.enter();
        drop(task::spawn("end of deferred work", async move {
            let by = match lifecycle.left_running().await {
                Phase::Draining { deadline } => deadline,
                Phase::Running | Phase::Done => tokio::time::Instant::now(),
            };
            finish(by);
        }));
        Ok(executor)
    }

    /// The lines that a supervisor, a test or a person waits for.
    fn announce(&self, running: &Running, loaded: &Loaded) {
        for note in &loaded.notes {
            tracing::info!("{note}");
        }
        for warning in &loaded.warnings {
            tracing::warn!(line = warning.line, "{}", warning.message);
        }
        tracing::info!(listener = "public", addr = %running.public_address(), "listening");
        tracing::info!(listener = "admin", addr = %running.admin_address(), "listening");
        tracing::info!(generation = self.shared.snapshot().generation, workers = self.workers, "ready");
    }

    /// Reloads on SIGHUP and when the file changes; writes the request log out.
    fn tend(&self, path: &Path, loaded: &Loaded) -> tokio::task::JoinHandle<()> {
        let _runs_on_control = self.control.enter();
        let mut watch = Watch::new(path, &loaded.further_files);
        let reloader = Arc::clone(&self.reloader);
        task::spawn("reload on change", async move {
            loop {
                watch.changed().await;
                if let Ok(further_files) = reloader.reload_told().await {
                    watch.follow(&further_files);
                }
            }
        });
        let reloader = Arc::clone(&self.reloader);
        task::spawn("reload on SIGHUP", async move {
            let Ok(mut hangup) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()) else { return };
            while hangup.recv().await.is_some() {
                // Told by the reloader, to log and metrics.
                let _ = reloader.reload_told().await;
            }
        });
        let shared = Arc::clone(&self.shared);
        task::spawn("request log", async move {
            let mut tick = tokio::time::interval(FLUSH_EVERY);
            loop {
                tick.tick().await;
                shared.durable.access.flush();
            }
        })
    }
}

/// The public listener's handler.
#[derive(Clone)]
struct Worker(Arc<Gateway>);

impl Handle for Worker {
    type Body = Body;

    async fn call(&self, request: Request<Incoming>, _: Peer) -> Response<Body> {
        self.0.handle(request).await
    }
}

/// The admin listener's view of the state, where reloading may block.
struct AdminHandle {
    admin: Admin,
    control: tokio::runtime::Handle,
}

impl server::AdminState for AdminHandle {
    fn metrics(&self) -> String {
        self.admin.metrics()
    }

    fn ready(&self) -> Result<(), String> {
        self.admin.ready()
    }

    fn upstreams(&self) -> serde_json::Value {
        self.admin.upstreams()
    }

    fn drain(&self, upstream: &str, node: &str, drain: bool) -> Result<serde_json::Value, (u16, String)> {
        self.admin.drain(upstream, node, drain)
    }

    fn config(&self) -> serde_json::Value {
        self.admin.config()
    }

    fn reload(&self) -> Result<u64, String> {
        self.control.block_on(self.admin.reload())
    }

    fn usage(&self, parameters: &str) -> Result<(&'static str, String), String> {
        self.admin.usage(parameters)
    }

    fn requests(&self, query: &str) -> Result<serde_json::Value, (u16, String)> {
        self.admin.shared.requests(query)
    }

    fn request(&self, id: &str) -> Result<serde_json::Value, (u16, String)> {
        self.admin.shared.request(id)
    }

    fn deferred(&self) -> Result<serde_json::Value, (u16, String)> {
        self.admin.shared.deferred()
    }

    fn purge(&self, body: &[u8]) -> Result<serde_json::Value, (u16, String)> {
        self.admin.shared.purge(body)
    }

    fn feedback(&self, body: &[u8]) -> Result<serde_json::Value, (u16, String)> {
        self.admin.shared.feedback(body)
    }

    fn explain(&self, body: &[u8]) -> Result<serde_json::Value, String> {
        let snapshot = self.admin.shared.snapshot();
        let request = crate::gateway::explain::Asked::from_api(body).map_err(|e| e.to_string())?;
        let explanation = crate::gateway::explain::explain(&snapshot, &request).map_err(|e| e.to_string())?;
        serde_json::to_value(explanation).map_err(|e| e.to_string())
    }
}

/// A thread whose runtime lives as long as the process.
fn control_thread() -> Result<tokio::runtime::Handle, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(environment)?;
    let handle = runtime.handle().clone();
    let body = move || runtime.block_on(std::future::pending::<()>());
    std::thread::Builder::new().name("control".into()).spawn(body).map_err(environment)?;
    Ok(handle)
}

fn sockets(
    loaded: &Loaded,
    data_dir: &Path,
    upgrade: bool,
    workers: usize,
) -> Result<(Sockets, Option<upgrade::Handover>), Failure> {
    let (listen, admin) = (address(&loaded.file.listen)?, address(&loaded.file.admin)?);
    if !upgrade {
        return Ok((Sockets::bind(listen, admin, workers).map_err(environment)?, None));
    }
    let mut handover = upgrade::receive(data_dir).map_err(environment)?;
    let mut notes = Vec::new();
    let sockets = Sockets::take_over(&mut handover, listen, admin, workers, &mut notes).map_err(environment)?;
    for note in notes {
        tracing::warn!("{note}");
    }
    Ok((sockets, Some(handover)))
}

/// From here on the old process drains.
fn confirm(handover: upgrade::Handover, data_dir: &Path) -> Result<PidFile, Failure> {
    let pid_file = PidFile::replace(data_dir).map_err(environment)?;
    handover.confirm().map_err(environment)?;
    tracing::info!("took over from the running process, which now drains");
    Ok(pid_file)
}

fn address(text: &str) -> Result<SocketAddr, Failure> {
    text.parse().map_err(|_| Failure::Configuration(format!("`{text}` is no address; write it as 127.0.0.1:4141")))
}

fn environment(error: impl std::fmt::Display) -> Failure {
    Failure::Environment(error.to_string())
}
