//! A connection that has switched protocols (WebSocket, RFC 6455): bytes both ways until one side ends.
//!
//! What a reader could get wrong: the tunnel outlives the request's handler, so the record and the node's place are moved into its task.

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::record::Record;
use crate::error::Kind;
use crate::task;
use crate::upstream::send::Lease;

/// Both ends, before the switch is complete.
#[derive(Debug)]
pub struct Ends {
    pub client: OnUpgrade,
    pub upstream: OnUpgrade,
    pub lease: Lease,
}

/// Joins the two ends once both have switched.
pub fn open(ends: Ends, record: Box<Record>) {
    task::spawn("tunnel", async move {
        let Ends { client, upstream, lease } = ends;
        let outcome = match tokio::join!(client, upstream) {
            (Ok(client), Ok(upstream)) => {
                let (mut client, mut upstream) = (TokioIo::new(client), TokioIo::new(upstream));
                tokio::io::copy_bidirectional(&mut client, &mut upstream).await.err().map(|_| Kind::Broken)
            }
            (Err(_), _) => Some(Kind::ClientGone),
            (_, Err(_)) => Some(Kind::Broken),
        };
        record.close(outcome);
        drop(lease);
    });
}
