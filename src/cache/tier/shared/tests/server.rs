//! A real Redis for tests, reached through a socket in a folder of its own, and one that says what a test wants it to.
//!
//! What a reader could get wrong: where there is no Redis (Debian: `apt-get install redis-server`) the tests that need it are skipped,
//! and say so past the test runner's capture; nothing fails and nothing passes silently.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

pub struct Server {
    child: Child,
    folder: TempDir,
}

/// A server of one's own, or `None` with the reason printed; `settings` as `redis-server` takes them.
pub fn start(settings: &[&str]) -> Option<Server> {
    if program().is_none() {
        let name = std::thread::current().name().unwrap_or("a test").to_owned();
        let reason = "no Redis on this machine (Debian: apt-get install redis-server)";
        // Not `eprintln!`: the test runner would keep that to itself.
        let _ = writeln!(std::io::stderr(), "SKIPPED: {name}: {reason}");
        return None;
    }
    let folder = socket_folder();
    Some(Server { child: launch(folder.path(), settings), folder })
}

impl Server {
    pub fn url(&self) -> String {
        url(self.folder.path())
    }

    /// A connection of the test's own.
    pub fn client(&self, parameters: &str) -> redis::Connection {
        redis::Client::open(format!("{}{parameters}", self.url())).unwrap().get_connection().unwrap()
    }

    pub fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn start_again(&mut self) {
        self.child = launch(self.folder.path(), &[]);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Not in TMPDIR: the path of a socket holds about a hundred bytes.
pub fn socket_folder() -> TempDir {
    tempfile::Builder::new().prefix("tg-redis-").tempdir_in("/tmp").unwrap()
}

pub fn socket(folder: &Path) -> PathBuf {
    folder.join("s")
}

pub fn url(folder: &Path) -> String {
    format!("unix://{}", socket(folder).display())
}

fn program() -> Option<&'static str> {
    ["redis-server", "valkey-server"].into_iter().find(|name| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(name).exists())
    })
}

/// Waits until it accepts connections.
fn launch(folder: &Path, settings: &[&str]) -> Child {
    let mut command = Command::new(program().unwrap());
    command.args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"]).arg(socket(folder));
    command.arg("--dir").arg(folder).args(settings).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut all = String::new();
    while said.read_line(&mut all).unwrap() > 0 {
        if all.contains("ready to accept connections at") {
            // Read on, lest the pipe fills up.
            std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
            return child;
        }
    }
    let ended = child.wait();
    panic!("the server ended ({ended:?}): {all}")
}

/// Answers commands as `answer` says: its second argument is the command, its result the bytes sent; `None`: nothing is.
pub fn fake(folder: &Path, answer: impl Fn(&[String]) -> Option<Vec<u8>> + Send + Sync + Clone + 'static) {
    let listener = UnixListener::bind(socket(folder)).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, answer) = (stream.unwrap(), answer.clone());
            std::thread::spawn(move || serve(stream, &answer));
        }
    });
}

fn serve(stream: UnixStream, answer: &impl Fn(&[String]) -> Option<Vec<u8>>) -> Option<()> {
    let mut out = stream.try_clone().ok()?;
    let mut from = BufReader::new(stream);
    let number = |mark: char, from: &mut BufReader<UnixStream>| {
        let mut line = String::new();
        from.read_line(&mut line).ok()?;
        line.trim_end().strip_prefix(mark)?.parse::<usize>().ok()
    };
    loop {
        let mut command = vec![];
        for _ in 0..number('*', &mut from)? {
            let mut word = vec![0; number('$', &mut from)? + 2];
            from.read_exact(&mut word).ok()?;
            command.push(String::from_utf8_lossy(&word[..word.len() - 2]).into_owned());
        }
        if let Some(bytes) = answer(&command) {
            out.write_all(&bytes).ok()?;
        }
    }
}
