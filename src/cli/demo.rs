//! `tidegate demo`: the main job with nothing else installed.
//!
//! What a reader could get wrong: the gateway is the real one, started as `serve` starts it; only the model servers behind it are simulated.

mod chaos;
mod client;
mod scenes;
mod show;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Runtime;

use super::{ENVIRONMENT, WRONG_INPUT};
use crate::app::{self, Failure};
use crate::config::load;
use crate::lab::{Character, Fault, Node, Pause};
use crate::server::Running;
use crate::state::{Shared, reload};
use scenes::{Scene, Stage};
use show::Totals;

/// Tokens a second of the simulated servers.
const EDGE_PACE: f64 = 250.0;
const CLOUD_PACE: f64 = 83.0;

/// Where the gateway listens unless told otherwise; with `once`, any free port will do.
const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 4141);

/// Runs the demo; gives the exit status: 1 when a scene did not go as it should.
pub fn run(listen: Option<SocketAddr>, once: bool, chaos: bool) -> u8 {
    let (host, port) = LISTEN;
    let listen = listen.unwrap_or_else(|| (host, if once { 0 } else { port }).into());
    let played = if chaos { chaos::play(listen, once) } else { play(listen, once) };
    match played {
        Ok(true) => 0,
        Ok(false) if chaos => {
            eprintln!("tidegate: a client saw an error that it should not have seen");
            WRONG_INPUT
        }
        Ok(false) => {
            eprintln!("tidegate: a scene did not go as it should");
            WRONG_INPUT
        }
        Err(message) => {
            eprintln!("tidegate: {message}");
            ENVIRONMENT
        }
    }
}

/// The servers of the stage.
struct Props {
    nodes: [Node; 2],
    provider: Node,
}

impl Props {
    async fn start() -> Result<Props, String> {
        let node = |name| Character { prefill: f64::INFINITY, decode: EDGE_PACE, ..Character::llama_server(name) };
        let provider = Character::provider("the frontier provider");
        let provider = Character { prefill: f64::INFINITY, decode: CLOUD_PACE, ..provider };
        Ok(Props {
            nodes: [server(node("edge node 1")).await?, server(node("edge node 2")).await?],
            provider: server(provider).await?,
        })
    }

    async fn set(&mut self, stage: Stage) -> Result<(), String> {
        let limited = if stage == Stage::CloudLimited { Fault::Limited(Pause::Untold) } else { Fault::None };
        self.provider.set(limited).await.map_err(|e| e.to_string())?;
        let dead = match stage {
            Stage::Quiet | Stage::CloudLimited => 0,
            Stage::OneNodeDown => 1,
            Stage::EdgeDown => 2,
        };
        for node in self.nodes.iter().take(dead) {
            node.set(Fault::Killed).await.map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    /// Everything is well again, for whoever tries it himself.
    async fn recover(&mut self) -> Result<(), String> {
        for server in self.nodes.iter().chain([&self.provider]) {
            server.set(Fault::None).await.map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    /// How often they were asked for an answer.
    fn calls(&self) -> usize {
        let asked: u64 = self.nodes.iter().chain([&self.provider]).map(|server| server.counts().asked).sum();
        usize::try_from(asked).unwrap_or(usize::MAX)
    }
}

async fn server(character: Character) -> Result<Node, String> {
    Node::start(character).await.map_err(|e| format!("a simulated server cannot start: {e}"))
}

/// The simulated servers and the clients have threads of their own: the gateway starts, and blocks, beside them.
fn runtime() -> Result<Runtime, String> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(|e| e.to_string())
}

/// The real gateway, in this process.
fn gateway(yaml: &str) -> Result<(Running, Arc<Shared>), String> {
    let loaded = load::parse(yaml, Path::new("."), &|_| None, reload::judges()).map_err(|p| p.to_string())?;
    app::embedded(&loaded).map_err(|(Failure::Configuration(m) | Failure::Environment(m))| m)
}

fn play(listen: SocketAddr, once: bool) -> Result<bool, String> {
    let runtime = runtime()?;
    let mut props = runtime.block_on(Props::start())?;
    let nodes = [props.nodes[0].url(), props.nodes[1].url()];
    let (gateway, _shared) = gateway(&scenes::configuration(&listen.to_string(), &nodes, &props.provider.url()))?;
    let address = gateway.public_address();
    show::introduce(address);
    let went_well = runtime.block_on(scenes(address, &mut props))?;
    if !once {
        runtime.block_on(props.recover())?;
        show::invite(address);
        // Without Ctrl-C to wait for there is nothing to wait for.
        let _ = runtime.block_on(tokio::signal::ctrl_c());
    }
    gateway.end_now();
    gateway.join();
    Ok(went_well)
}

async fn scenes(gateway: SocketAddr, props: &mut Props) -> Result<bool, String> {
    let mut totals = Totals::default();
    let mut went_well = true;
    for scene in scenes::all() {
        props.set(scene.stage).await?;
        let before = props.calls();
        let replies = client::ask_all(gateway, &scene).await?;
        let calls = props.calls() - before;
        show::row(&scene, &replies, calls, &mut totals);
        went_well &= as_expected(&scene, &replies, calls);
    }
    show::sum_up(&mut totals);
    Ok(went_well)
}

fn as_expected(scene: &Scene, replies: &[client::Reply], calls: usize) -> bool {
    let is_fine = |reply: &client::Reply| match scene.expected {
        "refused" => matches!(reply.status, 400 | 503),
        placement => reply.status == 200 && reply.header("x-tidegate-placement") == placement,
    };
    let cache = |reply: &client::Reply| scene.cache.is_empty() || reply.header("x-tidegate-cache") == scene.cache;
    match replies {
        [reply] => is_fine(reply) && cache(reply),
        // One of them has asked; one who came late enough found the answer in memory.
        all => calls == 1 && all.len() == scene.askers && all.iter().all(|reply| reply.status == 200),
    }
}
