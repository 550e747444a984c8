//! A real Postgres for tests: initialised in a folder of its own, reached through a socket there, gone with the last test that uses it.
//!
//! What a reader could get wrong: where there is no Postgres (Debian: `apt-get install postgresql`) the tests that need it are skipped,
//! and say so past the test runner's capture; nothing fails and nothing passes silently.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub struct Server {
    child: Mutex<Option<Child>>,
    folder: TempDir,
    programs: PathBuf,
    user: Option<(u32, u32)>,
    databases: AtomicU32,
}

/// The server that the tests of this process share, or `None` with the reason printed.
pub fn shared() -> Option<Arc<Server>> {
    static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(running) = shared.upgrade() {
        return Some(running);
    }
    let started = or_skipped(Server::start(&[]))?;
    *shared = Arc::downgrade(&started);
    Some(started)
}

/// Says why a test is skipped.
pub fn or_skipped<T>(result: Result<T, String>) -> Option<T> {
    result
        .map_err(|reason| {
            let name = std::thread::current().name().unwrap_or("a test").to_owned();
            // Not `eprintln!`: the test runner would keep that to itself.
            let _ = writeln!(std::io::stderr(), "SKIPPED: {name}: {reason}");
        })
        .ok()
}

impl Server {
    /// A server of one's own; `settings` as `postgres -c` takes them.
    pub fn start(settings: &[&str]) -> Result<Arc<Server>, String> {
        let programs = programs().ok_or("no Postgres on this machine (Debian: apt-get install postgresql)")?;
        // Not in TMPDIR: the path of a socket holds about a hundred bytes.
        let folder = tempfile::Builder::new().prefix("tg-pg-").tempdir_in("/tmp").map_err(|e| e.to_string())?;
        let user = unprivileged()?;
        if let Some((uid, gid)) = user {
            chown(folder.path(), Some(uid), Some(gid)).map_err(|e| e.to_string())?;
        }
        let server = Server { child: Mutex::new(None), folder, programs, user, databases: AtomicU32::new(0) };
        let made = server
            .command("initdb")
            .args(["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "-D"])
            .arg(server.data())
            .output()
            .map_err(|e| format!("initdb: {e}"))?;
        if !made.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr)));
        }
        server.run(settings)?;
        Ok(Arc::new(server))
    }

    /// Starts it (again) and waits until it accepts connections.
    pub fn run(&self, settings: &[&str]) -> Result<(), String> {
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(self.folder.path());
        for setting in ["listen_addresses=", "fsync=off", "shared_buffers=16MB", "max_connections=40"] {
            command.args(["-c", setting]);
        }
        for setting in settings {
            command.args(["-c", setting]);
        }
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(|e| e.to_string())?;
        let mut log = BufReader::new(child.stderr.take().ok_or("no log")?);
        let (mut said, mut line) = (String::new(), String::new());
        while !line.contains("ready to accept connections") {
            line.clear();
            if log.read_line(&mut line).map_err(|e| e.to_string())? == 0 {
                let _ = child.wait();
                return Err(format!("postgres did not start: {said}"));
            }
            said.push_str(&line);
        }
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        *self.child.lock().unwrap() = Some(child);
        Ok(())
    }

    /// Stops it at once, as a crash would.
    pub fn stop(&self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::QUIT);
            }
            let _ = child.wait();
        }
    }

    /// The URL of a new, empty database.
    pub fn database(&self) -> String {
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut client = postgres::Client::connect(&self.url("postgres"), postgres::NoTls).unwrap();
        client.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        self.url(&name)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Who owns the server's files, if not we.
    pub fn user(&self) -> Option<(u32, u32)> {
        self.user
    }

    fn url(&self, database: &str) -> String {
        let socket = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{socket}/{database}")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The folder with the newest server's programs, which Debian keeps out of the PATH.
fn programs() -> Option<PathBuf> {
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<f64>().ok();
    let mut installed: Vec<PathBuf> =
        fs::read_dir("/usr/lib/postgresql").ok().into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    installed.sort_by(|a, b| version(b).partial_cmp(&version(a)).unwrap_or(std::cmp::Ordering::Equal));
    let debian = installed.into_iter().map(|path| path.join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    debian.chain(std::env::split_paths(&path)).find(|folder| folder.join("initdb").exists())
}

/// Postgres refuses root: then it runs as its own user, or as nobody.
fn unprivileged() -> Result<Option<(u32, u32)>, String> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").map_err(|e| e.to_string())?;
    let ids = |name: &str| {
        let fields: Vec<&str> = users.lines().find(|line| line.split(':').next() == Some(name))?.split(':').collect();
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    ids("postgres").or_else(|| ids("nobody")).map(Some).ok_or_else(|| "no user to run Postgres as".into())
}
