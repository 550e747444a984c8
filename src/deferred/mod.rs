//! Work that is done later: background responses, lines of batches, cloud answers that follow an edge answer. A queue on disk, and the
//! files that batches read and write.
//!
//! What a reader could get wrong: what this accepts is on the disk when the call returns (`synchronous=FULL`), and a job has one result
//! at most, whatever happens: a result is stored by one conditional transaction that only the holder of the job's present lease can
//! make. A job may be *executed* more than once (a crash, a lost connection); that is why upstreams get its id as idempotency key.

pub mod batches;
mod claims;
pub mod drive;
pub mod events;
pub mod fault;
pub mod files;
pub mod job;
mod lanes;
pub mod leases;
mod rows;
pub mod schema;
pub mod store;
pub mod sweep;
mod writer;

pub use batches::{Batch, BatchState, NewBatch};
pub use fault::Fault;
pub use files::{File, NewFile};
pub use job::{Asked, Back, Claimed, Job, JobId, Kind, Lease, NewJob, Outcome, Part, State};
pub use lanes::{LONGEST_PAUSE_US, hints_of, model_of};
pub use leases::Putting;
pub use store::{Changes, Counts, Limits, Store};

#[cfg(test)]
mod tests;
