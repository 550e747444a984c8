//! `/v1/batches`, as far as they read files of ours; and who drives them.
//!
//! What a reader could get wrong: making a batch checks its own fields only. Its lines are read afterwards, in the background, and what is
//! wrong with them stands in the batch.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Method, Request};
use hyper::body::Incoming;

use super::files::{answered, has_none, without_after};
use super::retrieve::off;
use super::upload::may_be_kept;
use super::{accept, now_us};
use crate::deferred::drive::about::object;
use crate::deferred::drive::{self, About, Driver};
use crate::deferred::{Batch, BatchState, JobId, NewBatch, Store};
use crate::error::{Error, Kind, Result};
use crate::gateway::admit::Sight;
use crate::gateway::answer::Answered;
use crate::gateway::passthrough::{self, Sent};
use crate::gateway::read;
use crate::gateway::record::Record;
use crate::gateway::{Gateway, admit};
use crate::openai::batch::{self, Create, Line, Object, create};
use crate::openai::files;
use crate::openai::list::{self, Page};
use crate::signals::Hints;
use crate::state::{Deferring, Shared, Snapshot};
use crate::task;

/// Batches on a page (OpenAI's figures).
const MOST_PER_PAGE: usize = 100;
const PER_PAGE: usize = 20;
/// Batches of a tenant that have not ended: each of them may be looked at four times a second.
const MOST_OPEN: u64 = 100;
/// What a line has around its request.
const AROUND: u64 = 4 << 10;

const PLACEMENT: HeaderName = HeaderName::from_static("x-tidegate-placement");
const CACHE: HeaderName = HeaderName::from_static("x-tidegate-cache");
const TAGS: HeaderName = HeaderName::from_static("x-tidegate-tags");

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Batches {
    Create,
    List,
    Retrieve(String),
    Cancel(String),
}

impl Batches {
    /// What a path asks for, if the gateway has to look at it; not yet whether the answer is its own.
    ///
    /// # Errors
    /// The path is of a batch of ours, the method is none for it.
    pub fn named(method: &Method, path: &str) -> Option<Result<Batches>> {
        let rest = path.strip_prefix("/v1/batches")?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.is_empty() {
            return match *method {
                Method::POST => Some(Ok(Batches::Create)),
                Method::GET => Some(Ok(Batches::List)),
                _ => None,
            };
        }
        let (id, tail) = rest.strip_prefix('/')?.split_once('/').unwrap_or((&rest[1..], ""));
        if !id.starts_with(batch::PREFIX) {
            return None;
        }
        let id = id.to_owned();
        Some(match (tail, method) {
            ("", &Method::GET) => Ok(Batches::Retrieve(id)),
            ("cancel", &Method::POST) => Ok(Batches::Cancel(id)),
            ("", _) => Err(Error::method_not_allowed("GET")),
            ("cancel", _) => Err(Error::method_not_allowed("POST")),
            _ => Err(Error::client(Kind::NotFound, "a batch has no such path")),
        })
    }
}

impl Batches {
    /// It is about a batch of ours that is there.
    pub fn is_own(&self) -> bool {
        matches!(self, Batches::Retrieve(_) | Batches::Cancel(_))
    }
}

/// Answers, or passes on what is not the gateway's.
///
/// # Errors
/// There is no such batch of this tenant, it cannot be made, the queue cannot be used, or what the upstream says.
pub async fn run(
    gateway: &Gateway,
    what: Batches,
    request: Request<Incoming>,
    record: &mut Record,
) -> Result<Answered> {
    let store = record.snapshot.deferred.as_ref().map(|deferring| deferring.store.clone());
    let tenant = record.tenant_name().to_owned();
    match (what, store) {
        (Batches::Create, Some(store)) => Box::pin(make(gateway, &store, request, record)).await,
        (Batches::List, Some(store)) => Box::pin(list(gateway, &store, request, record)).await,
        (Batches::Create | Batches::List, None) => Box::pin(passthrough::run(gateway, request, record)).await,
        (Batches::Retrieve(id), store) => {
            record.seen.endpoint = "batches";
            let store = store.ok_or_else(off)?;
            let sight = record.admission.sight();
            let found = record.waiting(store.batch(&id, &tenant)).await?.filter(|batch| sees(&sight, batch));
            Ok(answered(object(&found.ok_or_else(|| missing(&id))?).body()))
        }
        (Batches::Cancel(id), store) => {
            record.seen.endpoint = "batches";
            let store = store.ok_or_else(off)?;
            let sight = record.admission.sight();
            record.waiting(cancel(&store, &id, &tenant, &sight)).await
        }
    }
}

async fn make(gateway: &Gateway, store: &Store, request: Request<Incoming>, record: &mut Record) -> Result<Answered> {
    let server = record.snapshot.server.clone();
    let (parts, incoming) = request.into_parts();
    let body = record.waiting(read::collect(incoming, server.max_body.0, server.body_timeout.0)).await?;
    let is_theirs = create::input_file(&body).is_some_and(|id| !id.starts_with(files::PREFIX));
    if is_theirs {
        return passthrough::run_read(gateway, parts, Sent::Whole(body), record).await;
    }
    record.seen.endpoint = "batches";
    let asked = Create::read(&body)?;
    let of_body =
        asked.hints.as_ref().map_or(Ok(Hints::default()), |hints| Hints::from_body(hints.get().as_bytes()))?;
    let hints = Hints::from_headers(&parts.headers)?.merge(of_body)?;
    admit::hinted(&hints, record)?;
    record.privacy = record.admission.privacy(&hints);
    may_be_kept(record.privacy)?;
    let tenant = record.tenant_name().to_owned();
    let sight = record.admission.sight();
    let input = record.waiting(store.file(&asked.input_file, &tenant)).await?;
    let input = input.filter(|file| sight.sees(file.app.as_deref()));
    let wrong = |message: &str| Error::client(Kind::InvalidRequest, message.to_owned()).with_param("input_file_id");
    let input = input.ok_or_else(|| wrong("there is no file of this id, or no longer"))?;
    if input.purpose != "batch" {
        return Err(wrong("the input of a batch must have been uploaded with the purpose `batch`"));
    }
    if record.waiting(store.open_batches(&tenant)).await? >= MOST_OPEN {
        let message = format!("{MOST_OPEN} batches are under way already; wait until one has ended");
        return Err(Error::client(Kind::LimitReached, message));
    }
    let id = JobId::new(batch::PREFIX).to_string();
    let mut headers = parts.headers;
    if asked.hints.is_some() {
        hint(&mut headers, &hints)?;
    }
    tag(&mut headers, &id);
    let about = About {
        input_file: asked.input_file,
        endpoint: format!("/v1{}", asked.endpoint.path()),
        completion_window: asked.completion_window,
        metadata: asked.metadata,
        output_expires_after: asked.output_expires_after,
        app: record.admission.app.clone(),
        user: record.admission.user.clone(),
        models: record.admission.key_models(),
        headers: accept::kept(&headers),
        ..About::default()
    };
    let now = now_us();
    let window = i64::try_from(asked.window.as_micros()).unwrap_or(i64::MAX);
    let (created_us, expires_us) = (now, now.saturating_add(window));
    let new = NewBatch { id, tenant, created_us, expires_us, about: about.bytes() };
    let made = as_made(&new);
    record.waiting(store.create_batch(new)).await?;
    store.batches_moved();
    Ok(answered(object(&made).body()))
}

/// A batch as it stands when it has just been made; by now it may have moved on.
fn as_made(new: &NewBatch) -> Batch {
    Batch {
        id: new.id.clone(),
        tenant: new.tenant.clone(),
        state: BatchState::Validating,
        created_us: new.created_us,
        expires_us: new.expires_us,
        ended_us: None,
        total: 0,
        completed: 0,
        failed: 0,
        cancelled: 0,
        expired: 0,
        about: new.about.clone(),
    }
}

/// What the batch's own body says holds for each of its requests, which have only the headers of it.
fn hint(headers: &mut http::HeaderMap, hints: &Hints) -> Result<()> {
    let tags: Vec<String> = hints.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    for (name, value) in [
        (PLACEMENT, hints.placement.map(|hint| hint.name().to_owned())),
        (CACHE, hints.cache.map(|hint| hint.name().to_owned())),
        (TAGS, Some(tags.join(",")).filter(|tags| !tags.is_empty())),
    ] {
        let Some(value) = value else { continue };
        let value = HeaderValue::try_from(value).ok().filter(|value| value.to_str().is_ok()).ok_or_else(|| {
            let message = "tags of a batch must be ASCII; put others into its lines";
            Error::client(Kind::InvalidRequest, message).with_param("tidegate.tags")
        })?;
        headers.insert(name, value);
    }
    // A comma within a value would be read as another tag.
    let same = Hints::from_headers(headers).is_ok_and(|read| read.tags == hints.tags);
    if same {
        return Ok(());
    }
    let message = "tags of a batch must have no comma; put others into its lines";
    Err(Error::client(Kind::InvalidRequest, message).with_param("tidegate.tags"))
}

/// The batch's name is on each of its requests, in ledger and records; unless the client has used up the tags.
fn tag(headers: &mut http::HeaderMap, id: &str) {
    let before = headers.clone();
    if let Ok(tag) = HeaderValue::try_from(format!("batch={id}")) {
        headers.append(TAGS, tag);
    }
    if Hints::from_headers(headers).is_err() {
        *headers = before;
    }
}

async fn list(gateway: &Gateway, store: &Store, request: Request<Incoming>, record: &mut Record) -> Result<Answered> {
    let page = Page::of_query(request.uri().query(), 1..=MOST_PER_PAGE, PER_PAGE);
    let is_theirs = |page: &Page| page.after.as_deref().is_some_and(|after| !after.starts_with(batch::PREFIX));
    let page = match page {
        Ok(page) if !is_theirs(&page) => page,
        Err(error) if record.snapshot.passthrough.is_none() => return Err(error),
        _ => return passthrough::run(gateway, request, record).await,
    };
    let tenant = record.tenant_name().to_owned();
    let sight = record.admission.sight();
    let mut found = record.waiting(page_of(store, &tenant, &sight, page.after, page.limit + 1)).await?;
    let has_more = found.len() > page.limit;
    found.truncate(page.limit);
    let follows = passthrough::destination(request.headers(), record).is_ok();
    if found.is_empty() && follows {
        let theirs = passthrough::run(gateway, without_after(request), record).await?;
        return Ok(if has_none(&theirs) { answered(list::body::<Object>(&[], false)) } else { theirs });
    }
    record.seen.endpoint = "batches";
    let objects: Vec<Object> = found.iter().map(object).collect();
    Ok(answered(list::body(&objects, has_more || follows)))
}

fn sees(sight: &Sight, batch: &Batch) -> bool {
    sight.sees(About::read(&batch.about).and_then(|about| about.app).as_deref())
}

/// As many as are asked for of those that the key may see.
async fn page_of(
    store: &Store,
    tenant: &str,
    sight: &Sight,
    mut after: Option<String>,
    limit: usize,
) -> Result<Vec<Batch>> {
    let mut seen = vec![];
    loop {
        let page = store.batches(tenant, after.as_deref(), limit).await?;
        let is_last = page.len() < limit;
        after = page.last().map(|batch| batch.id.clone());
        seen.extend(page.into_iter().filter(|batch| sees(sight, batch)));
        if is_last || seen.len() >= limit {
            seen.truncate(limit);
            return Ok(seen);
        }
    }
}

/// Marks the batch; whoever drives it does the rest.
async fn cancel(store: &Store, id: &str, tenant: &str, sight: &Sight) -> Result<Answered> {
    loop {
        let found = store.batch(id, tenant).await?.filter(|batch| sees(sight, batch));
        let found = found.ok_or_else(|| missing(id))?;
        let state = found.state;
        match state {
            BatchState::Validating | BatchState::InProgress => {}
            BatchState::Cancelling | BatchState::Cancelled => return Ok(answered(object(&found).body())),
            _ => {
                let message = format!("a batch that is `{}` cannot be cancelled", state.label());
                return Err(Error::client(Kind::InvalidRequest, message));
            }
        }
        let mut about = About::read(&found.about).unwrap_or_default();
        about.cancelling_us = Some(now_us());
        // It may have moved on since it was looked at; then it is looked at again.
        if store.move_batch(id, state, BatchState::Cancelling, Some(about.bytes()), now_us()).await? {
            store.batches_moved();
        }
    }
}

/// Drives batches from now on, on this worker, for as long as it runs.
pub(super) fn drive(shared: &Arc<Shared>, deferring: &Deferring) {
    let longest = shared.snapshot().server.max_body.0.saturating_add(AROUND);
    let shared = Arc::clone(shared);
    let refuses = move |batch: &Batch, about: &About, line: &Line| {
        let (snapshot, lists) = (shared.snapshot(), about.models.as_deref());
        if let Some(error) = admit::refuses(&snapshot, &batch.tenant, lists, &line.model) {
            let code = if error.kind == Kind::ModelNotFound { "model_not_found" } else { "model_not_allowed" };
            return Some((code, "body.model", error.message.into_owned()));
        }
        let message = hints_refused(&snapshot, &batch.tenant, about.app.as_deref(), line.hints.as_deref())?;
        Some(("invalid_body", "body.tidegate", message))
    };
    let longest = usize::try_from(longest).unwrap_or(usize::MAX);
    drop(task::spawn("batches", drive::run(Driver::new(deferring.store.clone(), longest, Arc::new(refuses)))));
}

/// Why a line with these hints cannot be run; `None`: it can. `app`: the batch's.
fn hints_refused(snapshot: &Snapshot, tenant: &str, app: Option<&str>, hints: Option<&[u8]>) -> Option<String> {
    let hints = match Hints::from_body(hints.unwrap_or(b"null")) {
        Ok(hints) => hints,
        Err(error) => return Some(error.message.into_owned()),
    };
    if let (Some(own), Some(named)) = (app, &hints.app)
        && own != named
    {
        return Some(format!("the batch is the app `{own}`'s, and so are all of its lines"));
    }
    let tier = admit::tier(snapshot, tenant, app, &hints);
    may_be_kept(tier).err().map(|error| error.message.into_owned())
}

fn missing(id: &str) -> Error {
    let shown: String = id.chars().take(100).collect();
    Error::client(Kind::NotFound, format!("there is no batch `{shown}`, or no longer")).with_param("batch_id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_our_own_batches_are_found() {
        let named = |method: Method, path: &str| Batches::named(&method, path).map(|named| named.map_err(|e| e.kind));
        assert_eq!(named(Method::POST, "/v1/batches"), Some(Ok(Batches::Create)));
        assert_eq!(named(Method::GET, "/v1/batches/"), Some(Ok(Batches::List)));
        assert_eq!(named(Method::GET, "/v1/batches/batch_tg1"), Some(Ok(Batches::Retrieve("batch_tg1".into()))));
        assert_eq!(named(Method::POST, "/v1/batches/batch_tg1/cancel"), Some(Ok(Batches::Cancel("batch_tg1".into()))));
        assert_eq!(named(Method::DELETE, "/v1/batches/batch_tg1"), Some(Err(Kind::MethodNotAllowed)));
        assert_eq!(named(Method::GET, "/v1/batches/batch_tg1/cancel"), Some(Err(Kind::MethodNotAllowed)));
        assert_eq!(named(Method::GET, "/v1/batches/batch_tg1/x"), Some(Err(Kind::NotFound)));
        for other in ["/v1/batches/batch_1", "/v1/batches/batch_1/cancel", "/v1/batchesx", "/v1/files"] {
            assert_eq!(named(Method::POST, other), None, "{other}");
        }
    }

    #[test]
    fn every_request_of_a_batch_is_tagged_with_it() {
        let mut headers = http::HeaderMap::new();
        headers.insert(TAGS, HeaderValue::from_static("team=search"));
        tag(&mut headers, "batch_tg1");
        let tags = Hints::from_headers(&headers).unwrap().tags;
        assert_eq!(tags, [("team".to_owned(), "search".to_owned()), ("batch".into(), "batch_tg1".into())]);
        tag(&mut headers, "batch_tg2");
        assert_eq!(Hints::from_headers(&headers).unwrap().tags, tags, "one that is named twice would be refused");
    }
}
