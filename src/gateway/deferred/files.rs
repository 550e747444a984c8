//! `/v1/files`, as far as files are the gateway's own: those that batches read and write.
//!
//! What a reader could get wrong: a list shows the gateway's own files first, and then, behind the last of them, what the upstream lists: on
//! pages of its own, as it wrote them.

use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Request, StatusCode, Uri};
use hyper::body::Incoming;

use super::content::Content;
use super::retrieve::off;
use super::upload::upload;
use crate::deferred::drive::FilePage;
use crate::deferred::{File, Store};
use crate::error::{Error, Kind, Result};
use crate::gateway::admit::Sight;
use crate::gateway::answer::{Answered, Flow};
use crate::gateway::record::Record;
use crate::gateway::{Gateway, passthrough};
use crate::openai::files::{self, FileObject};
use crate::openai::list::{self, Page};

/// Files on a page, at most and where nothing is said (OpenAI's figure).
const PAGE: usize = 10_000;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Files {
    Upload,
    List,
    Retrieve(String),
    Content(String),
    Delete(String),
}

impl Files {
    /// What a path asks for, if the gateway has to look at it; not yet whether the answer is its own.
    ///
    /// # Errors
    /// The path is of a file of ours, the method is none for it.
    pub fn named(method: &Method, path: &str) -> Option<Result<Files>> {
        let rest = path.strip_prefix("/v1/files")?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.is_empty() {
            return match *method {
                Method::POST => Some(Ok(Files::Upload)),
                Method::GET => Some(Ok(Files::List)),
                _ => None,
            };
        }
        let (id, tail) = rest.strip_prefix('/')?.split_once('/').unwrap_or((&rest[1..], ""));
        if !id.starts_with(files::PREFIX) {
            return None;
        }
        let id = id.to_owned();
        Some(match (tail, method) {
            ("", &Method::GET) => Ok(Files::Retrieve(id)),
            ("", &Method::DELETE) => Ok(Files::Delete(id)),
            ("content", &Method::GET) => Ok(Files::Content(id)),
            ("", _) => Err(Error::method_not_allowed("GET, DELETE")),
            ("content", _) => Err(Error::method_not_allowed("GET")),
            _ => Err(Error::client(Kind::NotFound, "a file has no such path")),
        })
    }
}

impl Files {
    /// It is about a file of ours that is there, and not its content, which may be large.
    pub fn is_own(&self) -> bool {
        matches!(self, Files::Retrieve(_) | Files::Delete(_))
    }
}

/// Answers, or passes on what is not the gateway's.
///
/// # Errors
/// There is no such file of this tenant, the queue cannot be used, or what the upstream says.
pub async fn run(gateway: &Gateway, what: Files, request: Request<Incoming>, record: &mut Record) -> Result<Answered> {
    let id = match what {
        Files::Upload => return Box::pin(upload(gateway, request, record)).await,
        Files::List => return Box::pin(list(gateway, request, record)).await,
        Files::Retrieve(ref id) | Files::Content(ref id) | Files::Delete(ref id) => id,
    };
    record.seen.endpoint = "files";
    let store = record.snapshot.deferred.as_ref().ok_or_else(off)?.store.clone();
    let tenant = record.tenant_name().to_owned();
    let sight = record.admission.sight();
    let found = record.waiting(store.file(id, &tenant)).await?.filter(|file| sight.sees(file.app.as_deref()));
    let file = found.ok_or_else(|| missing(id))?;
    match what {
        Files::Content(_) => Ok(content(&store, &file)),
        Files::Delete(_) => {
            let reading = record.waiting(store.read_by(&file.id, &tenant)).await?;
            if let Some(batch) = reading {
                let message = format!(
                    "the file is being read by `{}`: wait until that batch is in progress, or cancel it",
                    batch.id
                );
                return Err(Error::client(Kind::InvalidRequest, message));
            }
            record.waiting(store.delete_file(&file.id, &tenant)).await?;
            Ok(answered(files::deleted(&file.id)))
        }
        _ => Ok(answered(object(&file).body())),
    }
}

async fn list(gateway: &Gateway, request: Request<Incoming>, record: &mut Record) -> Result<Answered> {
    let Some(store) = record.snapshot.deferred.as_ref().map(|deferring| deferring.store.clone()) else {
        return passthrough::run(gateway, request, record).await;
    };
    let page = Page::of_query(request.uri().query(), 1..=PAGE, PAGE);
    // What is to the upstream's taste only is for the upstream to say.
    let is_theirs = |page: &Page| {
        let after = page.after.as_deref().is_some_and(|after| !after.starts_with(files::PREFIX));
        after || page.purpose.as_deref().is_some_and(|purpose| !files::is_ours(purpose))
    };
    let page = match page {
        Ok(page) if !is_theirs(&page) => page,
        Err(error) if record.snapshot.passthrough.is_none() => return Err(error),
        _ => return passthrough::run(gateway, request, record).await,
    };
    let tenant = record.tenant_name().to_owned();
    let asked = FilePage {
        after: page.after.clone(),
        ascending: page.ascending,
        purpose: page.purpose.clone(),
        limit: page.limit + 1,
    };
    let sight = record.admission.sight();
    let mut found = record.waiting(page_of(&store, &tenant, &sight, asked)).await?;
    let has_more = found.len() > page.limit;
    found.truncate(page.limit);
    let follows = page.purpose.is_none() && passthrough::destination(request.headers(), record).is_ok();
    if found.is_empty() && follows {
        let theirs = passthrough::run(gateway, without_after(request), record).await?;
        return Ok(if has_none(&theirs) { answered(list::body::<FileObject>(&[], false)) } else { theirs });
    }
    record.seen.endpoint = "files";
    let objects: Vec<FileObject> = found.iter().map(object).collect();
    Ok(answered(list::body(&objects, has_more || follows)))
}

/// As many as are asked for of those that the key may see.
async fn page_of(store: &Store, tenant: &str, sight: &Sight, mut asked: FilePage) -> Result<Vec<File>> {
    let mut seen = vec![];
    loop {
        let page = store.files_page(tenant, asked.clone()).await?;
        let is_last = page.len() < asked.limit;
        asked.after = page.last().map(|file| file.id.clone());
        seen.extend(page.into_iter().filter(|file| sight.sees(file.app.as_deref())));
        if is_last || seen.len() >= asked.limit {
            seen.truncate(asked.limit);
            return Ok(seen);
        }
    }
}

/// The upstream knows no such list: whoever goes from page to page has come to the end of ours.
pub(super) fn has_none(theirs: &Answered) -> bool {
    matches!(theirs.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED)
}

/// The upstream's list from its start: it knows nothing of our files.
pub(super) fn without_after(mut request: Request<Incoming>) -> Request<Incoming> {
    let query = request.uri().query().unwrap_or("");
    let rest: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("after=")).collect();
    let path = request.uri().path();
    let target = if rest.is_empty() { path.to_owned() } else { format!("{path}?{}", rest.join("&")) };
    // Parts of a URI that was read are one again.
    if let Ok(target) = target.parse::<PathAndQuery>() {
        *request.uri_mut() = Uri::from(target);
    }
    request
}

fn content(store: &Store, file: &File) -> Answered {
    let mut headers = HeaderMap::with_capacity(24);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    let name: String =
        file.name.chars().map(|c| if c.is_ascii_graphic() && !"\"\\/".contains(c) { c } else { '_' }).collect();
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    headers.extend(disposition.ok().map(|value| (CONTENT_DISPOSITION, value)));
    Answered { status: StatusCode::OK, headers, flow: Flow::Content(Content::of(store, file)) }
}

/// A file as its client sees it.
pub(super) fn object(file: &File) -> FileObject {
    let seconds = |us: i64| us.div_euclid(1_000_000);
    let object = FileObject::new(
        file.id.clone(),
        file.length,
        seconds(file.created_us),
        file.name.clone(),
        file.purpose.clone(),
    );
    object.expires_at(file.expires_us.map(seconds))
}

/// JSON.
pub(super) fn answered(body: bytes::Bytes) -> Answered {
    let mut headers = HeaderMap::with_capacity(24);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Answered { status: StatusCode::OK, headers, flow: Flow::Whole(body) }
}

fn missing(id: &str) -> Error {
    let shown: String = id.chars().take(100).collect();
    Error::client(Kind::NotFound, format!("there is no file `{shown}`, or no longer")).with_param("id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_our_own_files_are_found() {
        let named = |method: Method, path: &str| Files::named(&method, path).map(|named| named.map_err(|e| e.kind));
        assert_eq!(named(Method::POST, "/v1/files"), Some(Ok(Files::Upload)));
        assert_eq!(named(Method::GET, "/v1/files/"), Some(Ok(Files::List)));
        assert_eq!(named(Method::PUT, "/v1/files"), None);
        assert_eq!(named(Method::GET, "/v1/files/file-tg1"), Some(Ok(Files::Retrieve("file-tg1".into()))));
        assert_eq!(named(Method::GET, "/v1/files/file-tg1/content"), Some(Ok(Files::Content("file-tg1".into()))));
        assert_eq!(named(Method::DELETE, "/v1/files/file-tg1/"), Some(Ok(Files::Delete("file-tg1".into()))));
        assert_eq!(named(Method::POST, "/v1/files/file-tg1"), Some(Err(Kind::MethodNotAllowed)));
        assert_eq!(named(Method::GET, "/v1/files/file-tg1/x"), Some(Err(Kind::NotFound)));
        for other in ["/v1/files/file-1", "/v1/files/file-1/content", "/v1/filesystem", "/v1/batches", "/v1/files//x"] {
            assert_eq!(named(Method::GET, other), None, "{other}");
        }
    }
}
