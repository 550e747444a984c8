//! A new process takes the listening sockets over from the running one: no connection is refused, not even one in the
//! kernel's queue.
//!
//! ```text
//! serve --upgrade                                   the running process
//!   read the pid file, listen on upgrade.sock
//!   SIGQUIT ──────────────────────────────────────▶ connects to upgrade.sock
//!   ◀───────────────── one packet per socket, "end"   still serving
//!   start the workers on them
//!   "serving" ────────────────────────────────────▶ stops accepting, drains, exits
//! ```
//!
//! What a reader could get wrong: until "serving" both accept, from the same queues. Should the new one die before, the
//! old one sees the channel end and goes on as if nothing had been.
//!
//! The calls are those of pingora-core's `server::Fds`, in rustix: `Fds` yields raw descriptors (adopting them takes
//! `unsafe`), panics on a path that it cannot bind, reads at most 32 sockets, waits in steps of a second, and gets no
//! word back from the receiver.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, SockAddr, Socket, Type};

use super::pid_file;

/// How long the running process has to answer its signal.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How long the new process has to start its workers.
const SERVE_WITHIN: Duration = Duration::from_secs(30);
/// Longest packet: a key, or a word of the protocol.
const LONGEST_PACKET: usize = 256;
const END: &[u8] = b"end";
const SERVING: &[u8] = b"serving";

/// Why sockets were not handed over.
#[derive(Debug)]
pub enum UpgradeError {
    /// No process holds the pid file of this data directory.
    NotRunning { pid_file: PathBuf },
    /// The running process could not be signalled.
    Signal { pid: i32, source: io::Error },
    /// The running process did not send its sockets in time.
    NoAnswer { pid: i32 },
    /// The channel failed or the other side ended it.
    Channel { path: PathBuf, source: io::Error },
}

/// Sockets received from the running process, which still serves.
#[derive(Debug)]
pub struct Handover {
    /// Each with its key, such as `public#0` or `admin#0`.
    pub sockets: Vec<(String, TcpListener)>,
    channel: Socket,
    path: PathBuf,
}

/// Asks the process that runs on `data_dir` for its sockets. Blocks, for at most ten seconds.
///
/// # Errors
/// Nothing runs there, or it does not answer. Nothing has changed for it.
pub fn receive(data_dir: &Path) -> Result<Handover, UpgradeError> {
    let pid =
        pid_file::running(data_dir).ok_or_else(|| UpgradeError::NotRunning { pid_file: pid_file::path(data_dir) })?;
    receive_after(data_dir, pid, ANSWER_WITHIN, || {
        let process = Pid::from_raw(pid).ok_or(io::ErrorKind::NotFound)?;
        Ok(kill_process(process, Signal::QUIT)?)
    })
}

fn receive_after(
    data_dir: &Path,
    pid: i32,
    within: Duration,
    signal: impl FnOnce() -> io::Result<()>,
) -> Result<Handover, UpgradeError> {
    let path = socket_path(data_dir);
    let failed = |source| UpgradeError::Channel { path: path.clone(), source };
    let listener = listen(&path, within).map_err(failed)?;
    let accepted = match signal() {
        Ok(()) => listener.accept().map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => UpgradeError::NoAnswer { pid },
            _ => failed(error),
        }),
        Err(source) => Err(UpgradeError::Signal { pid, source }),
    };
    // Gone in any case: one handover per listening.
    let _ = std::fs::remove_file(&path);
    let (channel, _) = accepted?;
    channel.set_read_timeout(Some(within)).map_err(failed)?;
    let mut sockets = Vec::new();
    loop {
        match receive_packet(&channel).map_err(failed)? {
            (key, Some(socket)) => sockets.push((key, TcpListener::from(socket))),
            (word, None) if word.as_bytes() == END => return Ok(Handover { sockets, channel, path }),
            _ => return Err(failed(io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

impl Handover {
    /// The sockets whose key begins with `listener#`, removed from here.
    pub fn take(&mut self, listener: &str) -> Vec<TcpListener> {
        let (taken, rest) = std::mem::take(&mut self.sockets)
            .into_iter()
            .partition::<Vec<_>, _>(|(key, _)| key.split_once('#').is_some_and(|(name, _)| name == listener));
        self.sockets = rest;
        taken.into_iter().map(|(_, socket)| socket).collect()
    }

    /// Tells the other process that this one serves: it stops accepting and drains.
    ///
    /// # Errors
    /// The other process is gone; this one serves all the same.
    pub fn confirm(self) -> Result<(), UpgradeError> {
        let Handover { channel, path, .. } = self;
        channel.send(SERVING).map(drop).map_err(|source| UpgradeError::Channel { path, source })
    }
}

/// Sends `sockets` to the process that waits at `data_dir`, and returns when that one serves. Blocks, for at most half
/// a minute.
///
/// # Errors
/// Nobody waits there, or it ended before it served: the caller goes on serving.
pub fn send(data_dir: &Path, sockets: &[(String, TcpListener)]) -> Result<(), UpgradeError> {
    let path = socket_path(data_dir);
    send_to(&path, sockets, SERVE_WITHIN).map_err(|source| UpgradeError::Channel { path, source })
}

fn send_to(path: &Path, sockets: &[(String, TcpListener)], within: Duration) -> io::Result<()> {
    let channel = Socket::new(Domain::UNIX, Type::SEQPACKET, None)?;
    channel.connect(&SockAddr::unix(path)?)?;
    channel.set_write_timeout(Some(within))?;
    channel.set_read_timeout(Some(within))?;
    for (key, socket) in sockets {
        send_packet(&channel, key.as_bytes(), socket)?;
    }
    channel.send(END)?;
    match receive_packet(&channel)? {
        (word, None) if word.as_bytes() == SERVING => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Packets keep their boundaries, so one socket and its key travel together.
fn listen(path: &Path, within: Duration) -> io::Result<Socket> {
    let _ = std::fs::remove_file(path);
    let listener = Socket::new(Domain::UNIX, Type::SEQPACKET, None)?;
    listener.bind(&SockAddr::unix(path)?)?;
    // Before `listen` nobody can connect: at no time can another user hand us his sockets.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    // SO_RCVTIMEO bounds accept(2) too.
    listener.set_read_timeout(Some(within))?;
    listener.listen(1)?;
    Ok(listener)
}

fn send_packet(channel: &Socket, key: &[u8], socket: &TcpListener) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let sockets = [socket.as_fd()];
    ancillary.push(SendAncillaryMessage::ScmRights(&sockets));
    sendmsg(channel, &[IoSlice::new(key)], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn receive_packet(channel: &Socket) -> io::Result<(String, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut packet = [0; LONGEST_PACKET];
    let received = recvmsg(channel, &mut [IoSliceMut::new(&mut packet)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let socket = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
        _ => None,
    });
    let packet = String::from_utf8_lossy(packet.get(..received.bytes).unwrap_or_default()).into_owned();
    Ok((packet, socket))
}

fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join("upgrade.sock")
}

impl std::fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            UpgradeError::NotRunning { pid_file } => write!(
                f,
                "nothing to upgrade: no tidegate holds {}; start without --upgrade, or check `data_dir`",
                pid_file.display()
            ),
            UpgradeError::Signal { pid, source } => {
                write!(f, "cannot signal the running tidegate (pid {pid}): {source}; run the upgrade as the same user")
            }
            UpgradeError::NoAnswer { pid } => write!(
                f,
                "the running tidegate (pid {pid}) did not hand its sockets over within {} s and keeps serving; see its log",
                ANSWER_WITHIN.as_secs()
            ),
            UpgradeError::Channel { path, source } => {
                write!(
                    f,
                    "handing sockets over at {} failed: {source}; the process that served keeps serving",
                    path.display()
                )
            }
        }
    }
}

impl std::error::Error for UpgradeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            UpgradeError::Signal { source, .. } | UpgradeError::Channel { source, .. } => Some(source),
            UpgradeError::NotRunning { .. } | UpgradeError::NoAnswer { .. } => None,
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
