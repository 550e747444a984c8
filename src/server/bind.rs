//! Listening sockets: one per worker on the same address (`SO_REUSEPORT`), so that the kernel spreads connections and
//! no worker waits for another's accept.
//!
//! What a reader could get wrong: with `SO_REUSEPORT` a second process of the same user binds the same port without an
//! error and takes half of the connections. So a port is tried without it first.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use super::upgrade::Handover;

/// Connections that may wait to be accepted per socket; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Configuration keys, and the names of the listeners in a handover.
const LISTEN: &str = "listen";
const ADMIN: &str = "admin";
const PUBLIC: &str = "public";

/// The sockets that a server listens on.
#[derive(Debug)]
pub struct Sockets {
    /// The public listener's, all on one address; each worker polls one or several.
    pub public: Vec<TcpListener>,
    /// The admin listener's.
    pub admin: TcpListener,
}

/// A socket that could not be had: exit status 3.
#[derive(Debug)]
pub struct BindError {
    /// The configuration key of the listener: `listen` or `admin`.
    pub key: &'static str,
    pub address: SocketAddr,
    pub source: io::Error,
}

impl Sockets {
    /// Opens `workers` sockets on `listen` and one on `admin`.
    ///
    /// # Errors
    /// As [`bind`].
    pub fn bind(listen: SocketAddr, admin: SocketAddr, workers: usize) -> Result<Sockets, BindError> {
        Sockets::complete(Vec::new(), Vec::new(), listen, admin, workers)
    }

    /// Takes the sockets that another process handed over, opens those that are missing, and says in `notes` which
    /// addresses have changed since.
    ///
    /// # Errors
    /// As [`bind`].
    pub fn take_over(
        handover: &mut Handover,
        listen: SocketAddr,
        admin: SocketAddr,
        workers: usize,
        notes: &mut Vec<String>,
    ) -> Result<Sockets, BindError> {
        let public = still_wanted(handover.take(PUBLIC), LISTEN, listen, notes);
        let admins = still_wanted(handover.take(ADMIN), ADMIN, admin, notes);
        Sockets::complete(public, admins, listen, admin, workers)
    }

    fn complete(
        public: Vec<TcpListener>,
        mut admins: Vec<TcpListener>,
        listen: SocketAddr,
        admin: SocketAddr,
        workers: usize,
    ) -> Result<Sockets, BindError> {
        let public =
            if public.is_empty() { bind(LISTEN, listen, workers)? } else { extend(public, LISTEN, listen, workers)? };
        if admins.is_empty() {
            admins = bind(ADMIN, admin, 1)?;
        }
        let error = |kind: io::ErrorKind| BindError { key: ADMIN, address: admin, source: kind.into() };
        let admin = admins.pop().ok_or_else(|| error(io::ErrorKind::NotFound))?;
        Ok(Sockets { public, admin })
    }

    /// The public listener's address.
    pub(super) fn public_address(&self) -> io::Result<SocketAddr> {
        self.public.first().ok_or(io::ErrorKind::NotFound)?.local_addr()
    }

    /// Copies for a new process, keyed as `take_over` reads them.
    pub(super) fn copies(&self) -> io::Result<Vec<(String, TcpListener)>> {
        let public = self.public.iter().enumerate().map(|(index, socket)| (format!("{PUBLIC}#{index}"), socket));
        public
            .chain([(format!("{ADMIN}#0"), &self.admin)])
            .map(|(key, socket)| Ok((key, socket.try_clone()?)))
            .collect()
    }
}

/// Those of `received` that are bound to the address now configured.
fn still_wanted(
    received: Vec<TcpListener>,
    key: &'static str,
    address: SocketAddr,
    notes: &mut Vec<String>,
) -> Vec<TcpListener> {
    let Some(before) = received.first().and_then(|socket| socket.local_addr().ok()) else {
        notes.push(format!("no socket for `{key}` was handed over, opening {address} anew"));
        return Vec::new();
    };
    if before != address && (before.ip() != address.ip() || address.port() != 0) {
        notes.push(format!("`{key}` was {before} and is {address} now, opening it anew"));
        return Vec::new();
    }
    received
}

/// Opens `workers` sockets on `address`. Port 0 picks a free port, the same for all.
///
/// # Errors
/// Another process listens there, the address is not this machine's, or the port needs a privilege.
pub fn bind(key: &'static str, address: SocketAddr, workers: usize) -> Result<Vec<TcpListener>, BindError> {
    let error = |source| BindError { key, address, source };
    if address.port() != 0 {
        open(address, Sharing::Alone).map_err(error)?;
    }
    extend(Vec::new(), key, address, workers)
}

/// Adds sockets on the same address to `listeners` until there are `workers`; what another process handed over is kept.
///
/// # Errors
/// As [`bind`].
pub fn extend(
    mut listeners: Vec<TcpListener>,
    key: &'static str,
    address: SocketAddr,
    workers: usize,
) -> Result<Vec<TcpListener>, BindError> {
    let error = |source| BindError { key, address, source };
    while listeners.len() < workers.max(1) {
        let address = match listeners.first() {
            Some(first) => first.local_addr().map_err(error)?,
            None => address,
        };
        listeners.push(open(address, Sharing::Port).map_err(error)?);
    }
    Ok(listeners)
}

#[derive(PartialEq)]
enum Sharing {
    /// To see whether the address is free.
    Alone,
    Port,
}

fn open(address: SocketAddr, sharing: Sharing) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a process before us may still be in TIME_WAIT.
    socket.set_reuse_address(true)?;
    if sharing == Sharing::Port {
        socket.set_reuse_port(true)?;
    }
    // Accepted sockets inherit it: no system call for each connection.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    if sharing == Sharing::Port {
        socket.listen(BACKLOG)?;
    }
    Ok(socket.into())
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BindError { key, address, source } = self;
        match source.kind() {
            io::ErrorKind::AddrInUse => write!(
                f,
                "cannot listen on {address}: another process already does; stop it, take over from it with --upgrade, or set `{key}` to \
                 another address"
            ),
            io::ErrorKind::AddrNotAvailable => {
                write!(
                    f,
                    "cannot listen on {address}: this machine has no such address; set `{key}` to one that it has"
                )
            }
            io::ErrorKind::PermissionDenied => write!(
                f,
                "cannot listen on {address}: port {} needs a privilege; set `{key}` to a port above 1023 or grant CAP_NET_BIND_SERVICE",
                address.port()
            ),
            _ => write!(f, "cannot listen on {address} (`{key}`): {source}"),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: &str = "127.0.0.1:0";

    #[test]
    fn port_0_is_picked_once_and_shared() {
        let listeners = bind("listen", ANY.parse().unwrap(), 3).unwrap();
        let ports: Vec<u16> = listeners.iter().map(|l| l.local_addr().unwrap().port()).collect();
        assert_eq!(ports, [ports[0]; 3]);
        assert_ne!(ports[0], 0);
    }

    #[test]
    fn a_port_that_we_share_with_ourselves_only() {
        let first = bind("listen", ANY.parse().unwrap(), 2).unwrap();
        let address = first[0].local_addr().unwrap();
        let error = bind("listen", address, 2).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
        assert_eq!(
            error.to_string(),
            format!(
                "cannot listen on {address}: another process already does; stop it, take over from it with --upgrade, or set `listen` to \
                 another address"
            )
        );
        assert_eq!(extend(first, "listen", address, 4).unwrap().len(), 4);
        bind("listen", address, 1).unwrap();
    }

    #[test]
    fn an_address_of_another_machine() {
        let error = bind("admin", "192.0.2.1:0".parse().unwrap(), 1).unwrap_err();
        assert!(error.to_string().contains("set `admin` to one that it has"), "{error}");
    }
}
