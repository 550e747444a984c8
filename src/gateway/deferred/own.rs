//! Ids of the gateway's own in a request: no provider knows them, so they are never passed on.
//!
//! What a reader could get wrong: a response of ours that is not this client's gets the same 404 as one that never was.

use super::RESPONSE;
use super::retrieve::missing;
use crate::deferred::JobId;
use crate::error::{Error, Kind, Result};
use crate::gateway::read::Read;
use crate::gateway::record::Record;
use crate::openai::view::decode_string;

/// What responses are called that have a draft: by their request.
const PROGRESSIVE: &str = "resp_req";

/// Refuses a request that goes on from a response of ours, or reads a file of ours. A response is not translated into its provider's:
/// the next request may go to another one.
///
/// # Errors
/// It names one; or the queue cannot be read.
pub async fn may_name(read: &Read, record: &mut Record) -> Result<()> {
    if read.view.own_file {
        let message = "a file whose id begins with `file-tg` is kept by this gateway for batches, and no provider knows it; \
            upload it with another purpose than `batch`, such as `user_data`";
        return Err(Error::client(Kind::InvalidRequest, message).with_param("file_id"));
    }
    let named = read.view.previous.clone().and_then(|range| decode_string(read.body.get(range)?));
    if named.as_ref().is_some_and(|id| id.starts_with(PROGRESSIVE)) {
        let message = "this response was told together with its draft by this gateway, so no provider can go on from it; \
            send its input and its `output` along in `input` instead";
        return Err(Error::client(Kind::InvalidRequest, message).with_param("previous_response_id"));
    }
    let Some(named) = named.filter(|id| id.starts_with(RESPONSE)) else { return Ok(()) };
    let id = JobId::named(&named);
    let found = match record.snapshot.deferred.as_ref().map(|deferring| deferring.store.clone()) {
        Some(store) => {
            let tenant = record.tenant_name().to_owned();
            record.waiting(store.get(&id, &tenant)).await?
        }
        None => None,
    };
    let sight = record.admission.sight();
    if !found.is_some_and(|job| sight.sees(job.asked.app.as_deref())) {
        return Err(missing(&id).with_param("previous_response_id"));
    }
    let message = "this response was made in the background and is kept by this gateway, so no provider can go on from it; \
        send its input and its `output` along in `input` instead";
    Err(Error::client(Kind::InvalidRequest, message).with_param("previous_response_id"))
}
