//! `POST /v1/files`: an upload is looked at until it is known whose it is. What is a batch's is kept here, sealed; everything else goes on to
//! the upstream as if nobody had looked.
//!
//! What a reader could get wrong: the purpose may come behind the file. So much of the form is held back as [`HELD`] says; a longer file whose
//! purpose has not come by then is a batch's if it looks like one.

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

use super::files::{answered, object};
use super::now_us;
use crate::config::file::{Privacy, Server};
use crate::deferred::{File, JobId, NewFile, Store};
use crate::error::{Error, Kind, Result};
use crate::gateway::Gateway;
use crate::gateway::answer::Answered;
use crate::gateway::passthrough::{self, Sent};
use crate::gateway::record::Record;
use crate::openai::batch::MOST_BYTES;
use crate::openai::upload::Upload;
use crate::openai::{files, form};
use crate::signals::Hints;
use crate::task;

/// So much of a form is held in memory until its purpose is known.
const HELD: usize = 256 << 10;
/// A piece of a file on disk.
const PIECE: usize = 512 << 10;
/// How long OpenAI keeps files of batches where nothing is said.
const KEPT_SECONDS: u64 = 30 * 86_400;
/// What no other file has: the name of a batch's request.
const TELLTALE: &[u8] = b"\"custom_id\"";

/// Takes an upload in, or passes it on.
///
/// # Errors
/// It is a batch's, and may not be kept, is too large, or is no form; or what the upstream says.
pub async fn upload(gateway: &Gateway, request: Request<Incoming>, record: &mut Record) -> Result<Answered> {
    let Some(deferring) = record.snapshot.deferred.clone() else {
        return passthrough::run(gateway, request, record).await;
    };
    let Some(boundary) = form_boundary(request.headers()) else {
        return passthrough::run(gateway, request, record).await;
    };
    let hints = Hints::from_headers(request.headers())?;
    let server = record.snapshot.server.clone();
    let (parts, incoming) = request.into_parts();
    let mut arriving =
        Arriving { upload: Upload::new(&boundary), file: vec![], incoming, left: limit(&server), server };
    let mut held = Held::default();
    let is_ours = loop {
        match arriving.upload.purpose() {
            Some(purpose) => break files::is_ours(purpose),
            None if held.bytes > HELD => break arriving.looks_like_a_batch(),
            None => {}
        }
        let Some(frame) = record.waiting(arriving.frame()).await? else { break false };
        held.bytes += frame.len();
        held.frames.push(frame.clone());
        match arriving.take_in(&frame) {
            Err(error) if arriving.upload.is_double() => return Err(error),
            // What is no form is the upstream's to refuse.
            Err(_) => break false,
            Ok(()) => {}
        }
    };
    if !is_ours {
        let sent = Sent::Streamed(held.frames, arriving.incoming);
        return passthrough::run_read(gateway, parts, sent, record).await;
    }
    drop(held);
    record.privacy = record.admission.privacy(&hints);
    may_be_kept(record.privacy)?;
    if arriving.upload.purpose() == Some("batch_output") {
        let message = "the purpose `batch_output` is of files that the gateway writes; the input of a batch has the purpose `batch`";
        return Err(Error::client(Kind::InvalidRequest, message).with_param("purpose"));
    }
    if arriving.incoming.size_hint().lower() > arriving.left {
        return Err(too_large(&arriving.server));
    }
    let tenant = record.tenant_name().to_owned();
    let app = record.admission.app.clone();
    let kept = record.waiting(keep(&deferring.store, &tenant, app, arriving)).await?;
    Ok(answered(object(&kept).body()))
}

fn form_boundary(headers: &HeaderMap) -> Option<String> {
    if headers.contains_key(CONTENT_ENCODING) {
        return None;
    }
    form::boundary(headers.get(CONTENT_TYPE)?.to_str().ok()?)
}

/// Bytes that the whole form may have: the file's own limit, and some for what is around it.
fn limit(server: &Server) -> u64 {
    server.max_upload.0.min(MOST_BYTES + HELD as u64)
}

fn too_large(server: &Server) -> Error {
    let most = limit(server).min(MOST_BYTES);
    let message =
        format!("the upload is larger than {most} bytes, which is the most for a batch (see server.max_upload)");
    Error::client(Kind::RequestTooLarge, message).with_param("file")
}

/// Files and batches lie on disk.
pub(super) fn may_be_kept(privacy: Privacy) -> Result<()> {
    if privacy == Privacy::Retained {
        return Ok(());
    }
    let tier = privacy.name();
    let message = format!(
        "files and batches are kept on disk, which the privacy tier `{tier}` forbids: send each request by itself"
    );
    Err(Error::client(Kind::InvalidRequest, message).with_param("purpose"))
}

#[derive(Default)]
struct Held {
    frames: Vec<Bytes>,
    bytes: usize,
}

/// An upload on its way in.
struct Arriving {
    upload: Upload,
    /// What of the file has come and is not put away.
    file: Vec<Bytes>,
    incoming: Incoming,
    /// Bytes that may come yet.
    left: u64,
    server: Server,
}

impl Arriving {
    /// The next bytes; `None`: that was all.
    async fn frame(&mut self) -> Result<Option<Bytes>> {
        loop {
            let next = tokio::time::timeout(self.server.body_timeout.0, self.incoming.frame()).await;
            let slow = |_| Error::client(Kind::RequestTimeout, "the upload paused for longer than server.body_timeout");
            let Some(frame) = next.map_err(slow)? else { return Ok(None) };
            let gone = |error| Error::client(Kind::ClientGone, "the upload broke off").with_source(error);
            let Ok(data) = frame.map_err(gone)?.into_data() else { continue };
            self.left = self.left.checked_sub(data.len() as u64).ok_or_else(|| too_large(&self.server))?;
            return Ok(Some(data));
        }
    }

    fn take_in(&mut self, frame: &[u8]) -> Result<()> {
        let Arriving { upload, file, .. } = self;
        upload.feed(frame, |data| file.push(data))
    }

    /// A `custom_id` in what has come of the file.
    fn looks_like_a_batch(&self) -> bool {
        memchr::memmem::find(&self.file.concat(), TELLTALE).is_some()
    }
}

/// Puts a file away piece by piece; nothing is left of one that did not come to its end.
async fn keep(store: &Store, tenant: &str, app: Option<String>, arriving: Arriving) -> Result<File> {
    let id = JobId::new(files::PREFIX).to_string();
    let unfinished = Unfinished { store: store.clone(), id, tenant: tenant.to_owned(), kept: false };
    let mut unfinished = unfinished;
    let file = put(store, &unfinished.id, tenant, app, arriving).await?;
    unfinished.kept = true;
    Ok(file)
}

async fn put(store: &Store, id: &str, tenant: &str, app: Option<String>, mut arriving: Arriving) -> Result<File> {
    let now = now_us();
    let after = |seconds: u64| now.saturating_add_unsigned(seconds.saturating_mul(1_000_000));
    let (mut begun, mut length) = (false, 0);
    let mut buffer = BytesMut::with_capacity(PIECE);
    loop {
        if let Some(name) = arriving.upload.filename().filter(|_| !begun) {
            let (id, tenant, purpose) = (id.to_owned(), tenant.to_owned(), "batch".to_owned());
            let expires_us = Some(after(KEPT_SECONDS));
            let (app, name) = (app.clone(), name.to_owned());
            store.begin_file(NewFile { id, tenant, app, name, purpose, created_us: now, expires_us }).await?;
            begun = true;
        }
        for piece in std::mem::take(&mut arriving.file) {
            length += piece.len() as u64;
            if length > MOST_BYTES {
                return Err(too_large(&arriving.server));
            }
            buffer.extend_from_slice(&piece);
            while buffer.len() >= PIECE {
                put_piece(store, id, tenant, buffer.split_to(PIECE).freeze()).await?;
            }
        }
        let Some(frame) = arriving.frame().await? else { break };
        arriving.take_in(&frame)?;
    }
    let described = arriving.upload.described()?;
    if described.purpose != "batch" {
        let message = "the file looks like the input of a batch, and its `purpose`, which came behind it, is another: \
            send `purpose` before `file`, or `batch` as purpose";
        return Err(Error::client(Kind::InvalidRequest, message).with_param("purpose"));
    }
    if !buffer.is_empty() {
        put_piece(store, id, tenant, buffer.freeze()).await?;
    }
    if let Some(seconds) = described.expires_after {
        store.set_file_expiry(id, tenant, after(seconds)).await?;
    }
    store.end_file(id, tenant).await?.ok_or_else(taken)
}

async fn put_piece(store: &Store, id: &str, tenant: &str, piece: Bytes) -> Result<()> {
    match store.put_chunk(id, tenant, piece).await? {
        true => Ok(()),
        false => Err(taken()),
    }
}

fn taken() -> Error {
    Error::gateway(Kind::Internal, "the file was taken away while it was put down; send it again")
}

/// Removes what there is of a file whose upload failed or broke off.
struct Unfinished {
    store: Store,
    id: String,
    tenant: String,
    kept: bool,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Outside of a runtime the gateway is ending, and the sweep has it later.
        if self.kept || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let (store, id, tenant) = (self.store.clone(), std::mem::take(&mut self.id), std::mem::take(&mut self.tenant));
        // Where it fails, the sweep has it after a day.
        drop(task::spawn("unfinished upload", async move {
            let _swept_later = store.delete_file(&id, &tenant).await;
        }));
    }
}
