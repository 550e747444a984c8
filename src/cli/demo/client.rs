//! The clients of the demo: as many at once as a scene says.

use std::net::SocketAddr;

use super::scenes::Scene;
use crate::lab::client;
use crate::task;

pub use crate::lab::client::Reply;

const PATH: &str = "/v1/chat/completions";

/// Asks the gateway, as many at once as the scene says.
pub async fn ask_all(gateway: SocketAddr, scene: &Scene) -> Result<Vec<Reply>, String> {
    let (told, mut replies) = tokio::sync::mpsc::channel(scene.askers.max(1));
    for _ in 0..scene.askers {
        let (told, body, headers) = (told.clone(), scene.body.clone(), scene.headers);
        task::spawn("demo client", async move {
            // Whoever listens is there until all have told.
            let _ = told.send(client::ask(gateway, PATH, headers, body).await).await;
        });
    }
    drop(told);
    let mut all = Vec::with_capacity(scene.askers);
    while let Some(reply) = replies.recv().await {
        all.push(reply?);
    }
    Ok(all)
}
