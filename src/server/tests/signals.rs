//! Signals, in processes of their own: this test binary run again as a server.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::*;
use crate::server::pid_file::PidFile;
use crate::server::upgrade;

const DATA_DIR: &str = "TIDEGATE_TEST_DATA_DIR";
const LISTEN: &str = "TIDEGATE_TEST_LISTEN";

/// The server process; does nothing unless started by a test below.
#[test]
fn as_a_process() {
    let Some(data_dir) = std::env::var_os(DATA_DIR).map(PathBuf::from) else { return };
    let any = LOOPBACK.parse().unwrap();
    let config = Config { data_dir: Some(data_dir.clone()), drain_grace: Duration::ZERO, ..config() };
    let (sockets, handover) = match std::env::var(LISTEN) {
        Err(_) => (Sockets::bind(any, any, 2).unwrap(), None),
        Ok(listen) => {
            let mut handover = upgrade::receive(&data_dir).unwrap();
            let sockets = Sockets::take_over(&mut handover, listen.parse().unwrap(), any, 2, &mut Vec::new()).unwrap();
            (sockets, Some(handover))
        }
    };
    let signals = Signals::catch().unwrap();
    let mut server = Server::start_on(config, sockets);
    let _pid_file = match handover {
        None => PidFile::claim(&data_dir).unwrap(),
        Some(handover) => {
            let pid_file = PidFile::replace(&data_dir).unwrap();
            handover.confirm().unwrap();
            pid_file
        }
    };
    println!("\nlistens {}", server.running().public_address());
    let drained = signals.wait(server.running.take().unwrap());
    println!("\ncut {}", drained.cut);
}

struct Process {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
    address: SocketAddr,
}

impl Process {
    async fn start(data_dir: &std::path::Path, take_over: Option<SocketAddr>) -> Process {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "server::tests::signals::as_a_process", "--nocapture"]).env(DATA_DIR, data_dir);
        if let Some(address) = take_over {
            command.env(LISTEN, address.to_string());
        }
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = said(&mut output, "listens ").await.parse().unwrap();
        Process { child, output, address }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.child.id().unwrap() as i32).unwrap(), signal).unwrap();
    }

    async fn ended(mut self) -> String {
        let cut = said(&mut self.output, "cut ").await;
        assert!(self.child.wait().await.unwrap().success());
        cut
    }
}

/// The rest of the next line that begins with `word`.
async fn said(output: &mut Lines<BufReader<ChildStdout>>, word: &str) -> String {
    loop {
        let line = output.next_line().await.unwrap().unwrap_or_else(|| panic!("ended before it said {word:?}"));
        if let Some(rest) = line.strip_prefix(word) {
            return rest.to_owned();
        }
    }
}

async fn busy(process: &Process) -> Client {
    let mut client = Client(TcpStream::connect(process.address).await.unwrap());
    client.send("GET /tunnel HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n").await;
    client.until("open").await;
    client
}

/// Waits until nothing is accepted any more.
async fn refuses(process: &Process) {
    while TcpStream::connect(process.address).await.is_ok() {}
}

#[tokio::test]
async fn sigterm_drains_and_a_second_one_cuts() {
    let dir = tempfile::tempdir().unwrap();
    let process = Process::start(dir.path(), None).await;
    let mut client = busy(&process).await;
    process.signal(Signal::TERM);
    refuses(&process).await;
    client.send("x").await;
    assert_eq!(client.until("x").await, "x");
    drop(client);
    assert_eq!(process.ended().await, "0");
    assert!(!dir.path().join("tidegate.pid").exists());

    let process = Process::start(dir.path(), None).await;
    let _client = busy(&process).await;
    process.signal(Signal::INT);
    refuses(&process).await;
    process.signal(Signal::TERM);
    assert_eq!(process.ended().await, "1");
}

#[tokio::test]
async fn sigquit_hands_over_to_a_new_process() {
    let dir = tempfile::tempdir().unwrap();
    let old = Process::start(dir.path(), None).await;
    let mut client = busy(&old).await;
    // Nobody has asked for the sockets: it serves on.
    old.signal(Signal::QUIT);
    Client(TcpStream::connect(old.address).await.unwrap()).get("/", "ok").await;

    let new = Process::start(dir.path(), Some(old.address)).await;
    assert_eq!(new.address, old.address);
    // The old one still has its tunnel, and ends with it.
    client.send("x").await;
    assert_eq!(client.until("x").await, "x");
    drop(client);
    assert_eq!(old.ended().await, "0");
    Client(TcpStream::connect(new.address).await.unwrap()).get("/", "ok").await;
    assert!(dir.path().join("tidegate.pid").exists(), "the old process removed the new one's file");
    new.signal(Signal::TERM);
    assert_eq!(new.ended().await, "0");
}
