//! A list of faults and when they happen.
//!
//! What a reader could get wrong: steps follow each other: each waits for its own condition from the moment the step before it was done.

use std::io;
use std::time::Duration;

use super::load::Load;
use super::timeline::{Timeline, Tone, Who};
use super::{Fault, Node};

/// When a step's turn comes, counted from the step before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    After(Duration),
    /// That many more requests have come to an end.
    Requests(usize),
}

/// Something that happens.
#[derive(Debug, Clone)]
pub struct Step {
    pub when: When,
    /// The phase that begins, for the report; `None`: the one before goes on.
    pub phase: Option<usize>,
    /// Which servers get which fault.
    pub faults: Vec<(&'static str, Fault)>,
}

/// Plays the steps on the servers of these names.
///
/// # Errors
/// A server that is to come back finds its port taken.
pub async fn play(steps: &[Step], servers: &[Node], load: &Load, timeline: &Timeline) -> io::Result<()> {
    for step in steps {
        match step.when {
            When::After(time) => tokio::time::sleep(time).await,
            When::Requests(requests) => load.more(requests).await,
        }
        if let Some(phase) = step.phase {
            load.enter(phase);
        }
        for (name, fault) in &step.faults {
            for server in servers.iter().filter(|server| server.name() == *name) {
                server.set(*fault).await?;
            }
            let tone = if *fault == Fault::None { Tone::Good } else { Tone::Bad };
            timeline.add(Who::Lab, tone, format!("{name}: {}", fault.words()));
        }
    }
    Ok(())
}
