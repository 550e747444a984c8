//! `tidegate healthcheck`: asks the admin listener's `/livez`, for containers that have no curl.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use super::{ENVIRONMENT, WRONG_INPUT};
use crate::state::reload;

const TIMEOUT: Duration = Duration::from_secs(2);

/// 0 when it lives.
pub fn run(path: &Path) -> u8 {
    let admin = match reload::load(path) {
        Ok(loaded) => loaded.file.admin,
        Err(problems) => {
            eprint!("{problems}");
            return WRONG_INPUT;
        }
    };
    let alive = admin.parse::<SocketAddr>().map_err(std::io::Error::other).and_then(ask);
    match alive {
        Ok(true) => 0,
        Ok(false) => {
            eprintln!("tidegate: /livez at {admin} did not answer 200");
            ENVIRONMENT
        }
        Err(error) => {
            eprintln!("tidegate: no answer from {admin}: {error}");
            ENVIRONMENT
        }
    }
}

fn ask(mut address: SocketAddr) -> std::io::Result<bool> {
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut status = [0u8; 12];
    stream.read_exact(&mut status)?;
    Ok(status.ends_with(b"200"))
}
