//! `tidegate demo`: the main job with nothing else installed.
//!
//! What a reader could get wrong: the gateway is the real one, started as `serve` starts it; only the model servers behind it are simulated.

mod client;
mod scenes;
mod show;
mod simulated;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::{ENVIRONMENT, WRONG_INPUT};
use crate::app::{self, Failure};
use crate::config::load;
use crate::server::Running;
use crate::state::reload;
use scenes::{Scene, Stage};
use show::Totals;
use simulated::Simulated;

const EDGE_PACE: Duration = Duration::from_millis(4);
const CLOUD_PACE: Duration = Duration::from_millis(12);

/// Where the gateway listens unless told otherwise; with `once`, any free port will do.
const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 4141);

/// Runs the demo; gives the exit status: 1 when a scene did not go as it should.
pub fn run(listen: Option<SocketAddr>, once: bool) -> u8 {
    let (host, port) = LISTEN;
    let listen = listen.unwrap_or_else(|| (host, if once { 0 } else { port }).into());
    match play(listen, once) {
        Ok(true) => 0,
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

/// The servers of the stage. A dead node is `None`.
struct Props {
    nodes: [Option<Simulated>; 2],
    provider: Simulated,
}

impl Props {
    fn set(&mut self, stage: Stage) {
        self.provider.limit(stage == Stage::CloudLimited);
        let dead = match stage {
            Stage::Quiet | Stage::CloudLimited => 0,
            Stage::OneNodeDown => 1,
            Stage::EdgeDown => 2,
        };
        self.nodes.iter_mut().take(dead).filter_map(Option::take).for_each(Simulated::kill);
    }

    /// How often those that are alive were asked for an answer.
    fn calls(&self) -> usize {
        self.nodes.iter().flatten().chain([&self.provider]).map(Simulated::calls).sum()
    }
}

fn play(listen: SocketAddr, once: bool) -> Result<bool, String> {
    let nodes = [Simulated::start("edge node 1", EDGE_PACE)?, Simulated::start("edge node 2", EDGE_PACE)?];
    let provider = Simulated::start("the frontier provider", CLOUD_PACE)?;
    let yaml = scenes::configuration(&listen.to_string(), &[nodes[0].url(), nodes[1].url()], &provider.url());
    let loaded = load::parse(&yaml, Path::new("."), &|_| None, reload::judges()).map_err(|p| p.to_string())?;
    let (gateway, _shared) =
        app::embedded(&loaded).map_err(|(Failure::Configuration(m) | Failure::Environment(m))| m)?;
    let address = gateway.public_address();
    let mut props = Props { nodes: nodes.map(Some), provider };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    show::introduce(address);
    let went_well = runtime.block_on(scenes(address, &mut props))?;
    if !once {
        show::invite(address);
        // Without Ctrl-C to wait for there is nothing to wait for.
        let _ = runtime.block_on(tokio::signal::ctrl_c());
    }
    end(gateway, props);
    Ok(went_well)
}

async fn scenes(gateway: SocketAddr, props: &mut Props) -> Result<bool, String> {
    let mut totals = Totals::default();
    let mut went_well = true;
    for scene in scenes::all() {
        props.set(scene.stage);
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

fn end(gateway: Running, props: Props) {
    gateway.end_now();
    gateway.join();
    props.nodes.into_iter().flatten().chain([props.provider]).for_each(Simulated::kill);
}
