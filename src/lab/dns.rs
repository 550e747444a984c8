//! A name server on a loopback port whose answers change: A and SRV records with their time to live, for tests of discovery.
//!
//! What a reader could get wrong: it answers one question per packet, over UDP only, in full (never truncated), and knows no compression but the
//! pointer to the question: enough for a resolver, not for the world (RFC 1035, RFC 2782).

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use crate::task;

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    A { address: Ipv4Addr, ttl: Duration },
    Srv { priority: u16, weight: u16, port: u16, target: String, ttl: Duration },
}

const TYPE_A: u16 = 1;
const TYPE_SRV: u16 = 33;
const CLASS_IN: u16 = 1;
const HEADER: usize = 12;
/// A pointer to the question's name, which stands right behind the header.
const TO_QUESTION: [u8; 2] = [0xc0, 12];

const NO_ERROR: u8 = 0;
const SERVER_FAILED: u8 = 2;
const NO_SUCH_NAME: u8 = 3;

/// A simulated name server; gone when dropped.
pub struct Dns {
    addr: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    names: Mutex<HashMap<String, Vec<Record>>>,
    asked: AtomicU64,
    failing: AtomicBool,
    silent: AtomicBool,
}

impl Dns {
    /// Starts one that knows no name.
    ///
    /// # Errors
    /// There is no free port on loopback.
    pub async fn start() -> io::Result<Dns> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = socket.local_addr()?;
        let shared = Arc::new(Shared::default());
        let task = task::spawn("simulated name server", serve(socket, Arc::clone(&shared)));
        Ok(Dns { addr, shared, task })
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// From now on the name stands for this; nothing: there is no such name.
    pub fn set(&self, name: &str, records: Vec<Record>) {
        let name = key(name);
        let mut names = self.shared.names.lock();
        if records.is_empty() {
            names.remove(&name)
        } else {
            names.insert(name, records)
        };
    }

    /// Addresses under one name, all with this time to live.
    pub fn set_addresses(&self, name: &str, addresses: &[Ipv4Addr], ttl: Duration) {
        self.set(name, addresses.iter().map(|address| Record::A { address: *address, ttl }).collect());
    }

    /// Whether every question is answered with SERVFAIL.
    pub fn set_failing(&self, failing: bool) {
        self.shared.failing.store(failing, SeqCst);
    }

    /// Whether no question is answered at all.
    pub fn set_silent(&self, silent: bool) {
        self.shared.silent.store(silent, SeqCst);
    }

    /// Questions so far.
    pub fn asked(&self) -> u64 {
        self.shared.asked.load(SeqCst)
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(socket: UdpSocket, shared: Arc<Shared>) {
    let mut packet = [0; 1500];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut packet).await else { continue };
        let Some(question) = packet.get(..length).and_then(Question::read) else { continue };
        shared.asked.fetch_add(1, SeqCst);
        if !shared.silent.load(SeqCst) {
            // Whoever asked asks again if this is lost.
            let _ = socket.send_to(&shared.answer(&question), from).await;
        }
    }
}

/// The first question of a packet.
struct Question<'p> {
    id: [u8; 2],
    recursion_wanted: bool,
    name: String,
    kind: u16,
    /// As it came, to be repeated in the answer.
    raw: &'p [u8],
}

impl<'p> Question<'p> {
    fn read(packet: &'p [u8]) -> Option<Question<'p>> {
        let id = [*packet.first()?, *packet.get(1)?];
        let (mut at, mut labels) = (HEADER, vec![]);
        loop {
            let length = usize::from(*packet.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            labels.push(String::from_utf8_lossy(packet.get(at..at + length)?).into_owned());
            at += length;
        }
        let kind = u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]);
        let raw = packet.get(HEADER..at + 4)?;
        Some(Question { id, recursion_wanted: packet.get(2)? & 1 == 1, name: key(&labels.join(".")), kind, raw })
    }
}

impl Shared {
    fn answer(&self, question: &Question<'_>) -> Vec<u8> {
        let names = self.names.lock();
        let records = names.get(&question.name);
        let code = match records {
            _ if self.failing.load(SeqCst) => SERVER_FAILED,
            Some(_) => NO_ERROR,
            None => NO_SUCH_NAME,
        };
        let fitting: Vec<&Record> = match code {
            NO_ERROR => records.into_iter().flatten().filter(|record| record.kind() == question.kind).collect(),
            _ => vec![],
        };
        let mut answer = question.id.to_vec();
        // An answer, authoritative; recursion is claimed to be there, or resolvers would not believe it.
        answer.extend([0x84 | u8::from(question.recursion_wanted), 0x80 | code]);
        for count in [1, u16::try_from(fitting.len()).unwrap_or(u16::MAX), 0, 0] {
            answer.extend(count.to_be_bytes());
        }
        answer.extend_from_slice(question.raw);
        for record in fitting {
            record.write(&mut answer);
        }
        answer
    }
}

impl Record {
    fn kind(&self) -> u16 {
        match self {
            Record::A { .. } => TYPE_A,
            Record::Srv { .. } => TYPE_SRV,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let (ttl, data) = match self {
            Record::A { address, ttl } => (ttl, address.octets().to_vec()),
            Record::Srv { priority, weight, port, target, ttl } => {
                let mut data: Vec<u8> = [priority, weight, port].iter().flat_map(|n| n.to_be_bytes()).collect();
                for label in key(target).split('.').filter(|label| !label.is_empty()) {
                    data.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
                    data.extend_from_slice(label.as_bytes());
                }
                data.push(0);
                (ttl, data)
            }
        };
        out.extend(TO_QUESTION);
        out.extend(self.kind().to_be_bytes());
        out.extend(CLASS_IN.to_be_bytes());
        out.extend(u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend(u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend(data);
    }
}

/// Names are compared without case and without the dot of the root.
fn key(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(name: &str, kind: u16) -> Vec<u8> {
        let mut packet = vec![7, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            packet.push(label.len() as u8);
            packet.extend_from_slice(label.as_bytes());
        }
        packet.push(0);
        packet.extend(kind.to_be_bytes());
        packet.extend(CLASS_IN.to_be_bytes());
        packet
    }

    async fn ask(dns: &Dns, name: &str, kind: u16) -> Vec<u8> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        socket.send_to(&query(name, kind), dns.addr()).await.unwrap();
        let mut packet = [0; 1500];
        let length = socket.recv(&mut packet).await.unwrap();
        packet[..length].to_vec()
    }

    /// Code and number of answers.
    fn head(answer: &[u8]) -> (u8, u16) {
        (answer[3] & 15, u16::from_be_bytes([answer[6], answer[7]]))
    }

    #[tokio::test]
    async fn answers_change_and_failures_are_told() {
        let dns = Dns::start().await.unwrap();
        assert_eq!(head(&ask(&dns, "pool.lab", TYPE_A).await), (NO_SUCH_NAME, 0));
        dns.set_addresses("pool.lab.", &[Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2)], Duration::from_secs(5));
        let answer = ask(&dns, "Pool.lab", TYPE_A).await;
        assert_eq!((head(&answer), &answer[..2]), ((NO_ERROR, 2), &[7, 9][..]));
        assert!(answer.ends_with(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 127, 0, 0, 2]));
        assert_eq!(head(&ask(&dns, "pool.lab", TYPE_SRV).await), (NO_ERROR, 0), "a name without such records");
        dns.set_failing(true);
        assert_eq!(head(&ask(&dns, "pool.lab", TYPE_A).await), (SERVER_FAILED, 0));
        assert_eq!(dns.asked(), 4);
    }

    #[tokio::test]
    async fn services_carry_port_and_target() {
        let dns = Dns::start().await.unwrap();
        let target = "a.lab".to_owned();
        let service = Record::Srv { priority: 1, weight: 2, port: 8080, target, ttl: Duration::from_secs(1) };
        dns.set("_llama._tcp.lab", vec![service]);
        let answer = ask(&dns, "_llama._tcp.lab", TYPE_SRV).await;
        assert_eq!(head(&answer), (NO_ERROR, 1));
        assert!(answer.ends_with(&[0, 1, 0, 2, 0x1f, 0x90, 1, b'a', 3, b'l', b'a', b'b', 0]));
    }
}
