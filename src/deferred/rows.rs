//! Rows and their texts: sealed on the way in, opened on the way out; and whether there is room for another.
//!
//! What a reader could get wrong: where a text belongs (job, part, number) is authenticated with it: a row that was put in another's
//! place does not open.

use bytes::Bytes;
use rusqlite::{Connection, Row, params};

use super::fault::Fault;
use super::job::{Asked, Job, JobId, Kind, NewJob, Part, State};
use super::lanes::lane;
use super::store::Limits;
use crate::openai::error;
use crate::seal::Sealer;

/// The columns that [`job`] reads.
pub(super) const JOB: &str = "id, kind, tenant, batch, state, attempts, created_us, started_us, completed_us, not_before_us, \
     expires_us, asked, status, model, placement, prompt_tokens, completion_tokens, next_event";

/// A job out of a row of [`JOB`].
pub(super) fn job(row: &Row<'_>, sealer: &Sealer) -> Result<Job, Fault> {
    let id = JobId::named(&row.get::<_, String>(0)?);
    Ok(Job {
        kind: Kind::of(row.get(1)?),
        tenant: row.get(2)?,
        batch: row.get(3)?,
        state: State::of(row.get(4)?),
        attempts: row.get(5)?,
        created_us: row.get(6)?,
        started_us: row.get(7)?,
        completed_us: row.get(8)?,
        not_before_us: row.get(9)?,
        expires_us: row.get(10)?,
        // What cannot be read any more is shown all the same, as what it came to.
        asked: readable(asked(sealer, id.as_str(), row.get(11)?))?.unwrap_or_default(),
        status: row.get(12)?,
        model: row.get(13)?,
        placement: row.get(14)?,
        prompt_tokens: row.get::<_, i64>(15)? as u64,
        completion_tokens: row.get::<_, i64>(16)? as u64,
        next_event: row.get(17)?,
        id,
    })
}

pub(super) fn asked(sealer: &Sealer, id: &str, sealed: Vec<u8>) -> Result<Asked, Fault> {
    let text = opened(sealer, &format!("asked {id}"), sealed)?;
    postcard::from_bytes(&text).map_err(|_| Fault::Unreadable("how a job was asked cannot be read".into()))
}

/// Where a text belongs: it opens nowhere else.
pub(super) fn place(id: &str, part: Part) -> String {
    format!("text {} {id}", part as u8)
}

pub(super) fn sealed(sealer: &Sealer, place: &str, text: &[u8]) -> Result<Vec<u8>, Fault> {
    let none = || Fault::Broken("the system has no random bytes to give".into());
    sealer.seal(place.as_bytes(), text).ok_or_else(none)
}

pub(super) fn opened(sealer: &Sealer, place: &str, sealed: Vec<u8>) -> Result<Bytes, Fault> {
    let changed = || Fault::Unreadable("a text was changed, or sealed under another key".into());
    sealer.open(place.as_bytes(), sealed).map(Bytes::from).ok_or_else(changed)
}

/// `None`: it cannot be read any more.
pub(super) fn readable<T>(text: Result<T, Fault>) -> Result<Option<T>, Fault> {
    match text {
        Ok(text) => Ok(Some(text)),
        Err(Fault::Unreadable(_)) => Ok(None),
        Err(broken) => Err(broken),
    }
}

/// What clients are told of a request that cannot be read any more.
pub(super) fn unreadable() -> Bytes {
    error::object(
        "the request cannot be read any more: it was damaged on disk",
        "server_error",
        None,
        Some("unreadable"),
    )
}

/// Whether a tenant may have so much more.
pub(super) fn has_room(db: &Connection, limits: &Limits, tenant: &str, jobs: u64, bytes: u64) -> Result<(), Fault> {
    let sums =
        |of: &str| format!("SELECT coalesce(sum(rows * (state <= 2)), 0), coalesce(sum(bytes), 0) FROM totals {of}");
    let get = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?.max(0) as u64, row.get::<_, i64>(1)?.max(0) as u64));
    let own = db.prepare_cached(&sums("WHERE tenant = ?1"))?.query_row([tenant], get)?;
    let all = db.prepare_cached(&sums(""))?.query_row([], get)?;
    let full = |what: String| {
        Err(Fault::Full(format!("{what}; wait until some are done, or delete what is no longer needed")))
    };
    if own.0 + jobs > limits.jobs_per_tenant {
        return full(format!("more than {} deferred requests of this tenant would be waiting", limits.jobs_per_tenant));
    }
    if all.0 + jobs > limits.jobs {
        return full("more deferred requests than the gateway can keep would be waiting".into());
    }
    if own.1 + bytes > limits.bytes_per_tenant {
        return full(format!(
            "deferred requests, answers and files of this tenant would take more than {} bytes",
            limits.bytes_per_tenant
        ));
    }
    if all.1 + bytes > limits.bytes {
        return full("deferred requests, answers and files would take more space than the gateway has for them".into());
    }
    Ok(())
}

pub(super) fn insert(db: &Connection, sealer: &Sealer, limits: &Limits, job: &NewJob) -> Result<(), Fault> {
    let id = job.id.as_str();
    let text =
        postcard::to_stdvec(&job.asked).map_err(|_| Fault::Broken("how a job was asked cannot be written".into()))?;
    let asked = sealed(sealer, &format!("asked {id}"), &text)?;
    let texts = [(Part::Request, Some(&job.body)), (Part::Edge, job.edge.as_ref())];
    let bytes = asked.len() + texts.iter().filter_map(|(_, text)| text.map(Bytes::len)).sum::<usize>();
    has_room(db, limits, &job.tenant, 1, bytes as u64)?;
    let state = if job.batch.is_some() { State::Held } else { State::Queued };
    // 0, not the time of now: a clock that is set back must not keep it waiting.
    let not_before_us = if job.not_before_us <= job.created_us { 0 } else { job.not_before_us };
    db.prepare_cached(
        "INSERT INTO jobs (id, kind, tenant, batch, state, created_us, not_before_us, expires_us, bytes, asked, lane) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        id,
        job.kind as i64,
        job.tenant,
        job.batch,
        state as i64,
        job.created_us,
        not_before_us,
        job.expires_us,
        bytes as i64,
        asked,
        lane(&job.tenant, job.kind, &job.asked, &job.body)
    ])?;
    let n = db.last_insert_rowid();
    for (part, text) in texts {
        if let Some(text) = text {
            put_text(db, sealer, id, n, part, text)?;
        }
    }
    Ok(())
}

pub(super) fn put_text(
    db: &Connection,
    sealer: &Sealer,
    id: &str,
    n: i64,
    part: Part,
    text: &[u8],
) -> Result<(), Fault> {
    let sealed = sealed(sealer, &place(id, part), text)?;
    db.prepare_cached("INSERT INTO texts VALUES (?1, ?2, ?3)")?.execute(params![n, part as i64, sealed])?;
    Ok(())
}
