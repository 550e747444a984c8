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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Character;
    use crate::lab::load::{Kind, Pace, Plan};

    #[tokio::test]
    async fn faults_come_in_their_turn_and_requests_know_their_phase() {
        let node = Node::start(Character { decode: f64::INFINITY, ..Character::llama_server("node") }).await.unwrap();
        let kinds = vec![Kind { name: "any", model: "m", headers: &[], weight: 1, only_cloud: false }];
        let plan = Plan { gateway: node.addr(), clients: 2, pace: Pace::Closed, seed: 3, kinds, streams: 0.5 };
        let (load, timeline) = (Load::start(plan), Timeline::new(|_| {}));
        let step = |phase, fault| Step { when: When::Requests(20), phase: Some(phase), faults: vec![("node", fault)] };
        let steps = [
            step(1, Fault::Failing(500)),
            step(2, Fault::None),
            Step { when: When::Requests(20), phase: None, faults: vec![] },
        ];
        play(&steps, std::slice::from_ref(&node), &load, &timeline).await.unwrap();
        assert_eq!(load.phases().len(), 3);
        let outcomes = load.stop().await;
        assert!(outcomes.len() >= 60);
        // Two clients: that many requests may be under way when a phase begins.
        for (phase, fails) in [(0, false), (1, true), (2, false)] {
            let wrong = outcomes
                .iter()
                .filter(|outcome| outcome.phases == (phase, phase) && outcome.error.is_some() != fails)
                .count();
            assert!(wrong <= 2, "phase {phase}: {wrong}");
        }
        let told: Vec<String> = timeline.events().iter().map(|event| event.text.clone()).collect();
        assert_eq!(told, ["node: answers 500", "node: well again"]);
    }
}
