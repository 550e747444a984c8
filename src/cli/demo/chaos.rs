//! `tidegate demo --chaos`: simulated servers are broken one after the other under a light load, and a timeline shows what the gateway does about it.
//!
//! What a reader could get wrong: servers, faults and clients are simulated; the gateway is the real one, and its times are measured on this machine.

mod scenario;
mod table;

use std::net::SocketAddr;

use anstream::println;

use super::{gateway, runtime, server, show};
use crate::lab::load::{Load, Outcome};
use crate::lab::timeline::Timeline;
use crate::lab::watch::Watch;
use crate::lab::{Character, Node, script};

/// Plays the script; true if no client saw an error that it should not have seen.
pub fn play(listen: SocketAddr, once: bool) -> Result<bool, String> {
    let runtime = runtime()?;
    let servers = runtime.block_on(servers())?;
    let (gateway, _shared) = gateway(&scenario::configuration(&listen.to_string(), &servers))?;
    let (public, admin) = (gateway.public_address(), gateway.admin_address());
    table::introduce(public);
    let (outcomes, began) = runtime.block_on(storm(public, admin, &servers))?;
    let went_well = table::print(&outcomes, &began);
    if !once {
        show::invite(public);
        // Without Ctrl-C to wait for there is nothing to wait for.
        let _ = runtime.block_on(tokio::signal::ctrl_c());
    }
    gateway.end_now();
    gateway.join();
    Ok(went_well)
}

async fn servers() -> Result<Vec<Node>, String> {
    let mut servers = vec![];
    for name in scenario::NODES {
        servers.push(server(Character { decode: scenario::PACE, ..Character::llama_server(name) }).await?);
    }
    for name in scenario::PROVIDERS {
        servers.push(server(Character { decode: scenario::PACE, ..Character::provider(name) }).await?);
    }
    Ok(servers)
}

/// What came of all requests, and when each phase began.
async fn storm(
    public: SocketAddr,
    admin: SocketAddr,
    servers: &[Node],
) -> Result<(Vec<Outcome>, Vec<std::time::Duration>), String> {
    let kinds = scenario::kinds();
    let timeline = Timeline::new(|event| println!("{event}"));
    let load = Load::start(scenario::load(public));
    let watch = Watch { admin, load: &load, servers, labels: &scenario::LABELS, kinds: &kinds, timeline: &timeline };
    let steps = scenario::script();
    tokio::select! {
        played = script::play(&steps, servers, &load, &timeline) => played.map_err(|e| e.to_string())?,
        () = watch.run() => {}
    }
    let began = load.phases();
    Ok((load.stop().await, began))
}
