//! demo
pub fn run(_listen: std::net::SocketAddr, _once: bool) -> u8 {
    0
}
mod scenes;
