//! Purge marks: a random number per label, kept in Redis and sealed into each entry; an entry whose marks are no longer in force is gone.
//! So a purge by label changes one number and looks for nothing.
//!
//! What a reader could get wrong: marks are remembered here for as long as the *epoch* (one more number, changed by every purge in the
//! same transaction) is what it was when they were read; each lookup reads the epoch with the entry. A mark that Redis has lost is
//! replaced by a new random one, never by a zero that old entries might have: losing marks forgets entries and never brings one back.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use parking_lot::Mutex;
use redis::{Cmd, Pipeline, Value};

use crate::cache::tier::seal::{Kind, Marks, Place, Seal};
use crate::cache::tier::{Labels, Purge};

/// Marks remembered at most: 40 bytes each.
const REMEMBERED: usize = 16_384;

/// What a mark is for.
type Subject = (Kind, u64);

/// The subjects of an entry's marks, in the order in which they are sealed.
pub fn subjects(labels: &Labels) -> [Subject; 4] {
    [(Kind::Everything, 0), (Kind::Route, labels.route), (Kind::Tenant, labels.tenant), (Kind::Model, labels.model)]
}

/// The subject of a purge; `None`: it is of one entry, which needs no mark.
pub fn subject(by: Purge) -> Option<Subject> {
    match by {
        Purge::Everything => Some((Kind::Everything, 0)),
        Purge::Route(route) => Some((Kind::Route, route)),
        Purge::Tenant(tenant) => Some((Kind::Tenant, tenant)),
        Purge::Model(model) => Some((Kind::Model, model)),
        Purge::Key(_) => None,
    }
}

/// What marks are called in Redis.
#[derive(Debug, Clone)]
pub struct Names {
    prefix: String,
    seal: std::sync::Arc<Seal>,
}

impl Names {
    pub fn new(prefix: &str, seal: std::sync::Arc<Seal>) -> Names {
        Names { prefix: prefix.to_owned(), seal }
    }

    pub fn epoch(&self) -> String {
        format!("{}epoch", self.prefix)
    }

    pub fn mark(&self, (kind, label): Subject) -> String {
        let word = match kind {
            Kind::Everything => return format!("{}gen:all", self.prefix),
            Kind::Route => "route",
            Kind::Tenant => "tenant",
            Kind::Model => "model",
        };
        format!("{}gen:{word}:{}", self.prefix, hex::encode(self.seal.label(Place::Shared, kind, label)))
    }

    /// Asks for the epoch and these marks, all as of one moment.
    pub fn ask(&self, subjects: &[Subject]) -> Cmd {
        let mut command = redis::cmd("MGET");
        command.arg(self.epoch());
        for subject in subjects {
            command.arg(self.mark(*subject));
        }
        command
    }

    /// What a server must answer to be asked at all. Two names, as in a lookup: a cluster, which keeps them apart, says so at once.
    pub fn probe(&self) -> Cmd {
        self.ask(&[(Kind::Everything, 0)])
    }

    /// Gives a mark to each that has none (`None` stands for the epoch), whatever others do at the same time.
    pub fn give(&self, missing: &[Option<Subject>], draw: &mut impl FnMut() -> Option<u64>) -> Option<Pipeline> {
        let mut pipeline = redis::pipe();
        for subject in missing {
            let name = subject.map_or_else(|| self.epoch(), |subject| self.mark(subject));
            pipeline.cmd("SET").arg(name).arg(&draw()?.to_le_bytes()).arg("NX").ignore();
        }
        Some(pipeline)
    }

    /// Changes a mark and the epoch at once.
    pub fn change(&self, subject: Subject, draw: &mut impl FnMut() -> Option<u64>) -> Option<Pipeline> {
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        pipeline.cmd("SET").arg(self.mark(subject)).arg(&draw()?.to_le_bytes()).ignore();
        pipeline.cmd("SET").arg(self.epoch()).arg(&draw()?.to_le_bytes()).ignore();
        Some(pipeline)
    }
}

/// A number that none was before.
pub fn draw() -> Option<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).ok()?;
    Some(u64::from_le_bytes(bytes))
}

/// The number in a mark; `None`: there is none, or it is not ours.
pub fn number(value: &Value) -> Option<u64> {
    match value {
        Value::BulkString(bytes) => Some(u64::from_le_bytes(bytes.as_slice().try_into().ok()?)),
        _ => None,
    }
}

/// The marks that are known to be in force.
#[derive(Debug, Default)]
pub struct Known(Mutex<(Option<u64>, HashMap<Subject, u64, RandomState>)>);

impl Known {
    /// An entry's marks as of `epoch`, if all are known.
    pub fn of(&self, epoch: u64, labels: &Labels) -> Option<Marks> {
        let known = self.0.lock();
        let mut marks = [0; 4];
        if known.0 != Some(epoch) {
            return None;
        }
        for (mark, subject) in marks.iter_mut().zip(subjects(labels)) {
            *mark = *known.1.get(&subject)?;
        }
        Some(marks)
    }

    /// Remembers what [`Names::ask`] was answered; what has no mark is returned, `None` standing for the epoch.
    pub fn learn(&self, subjects: &[Subject], answer: &[Value]) -> Vec<Option<Subject>> {
        let mut values = answer.iter();
        let epoch = values.next().and_then(number);
        let mut missing = vec![];
        if epoch.is_none() {
            missing.push(None);
        }
        let mut known = self.0.lock();
        if known.0 != epoch || known.1.len() + subjects.len() > REMEMBERED {
            known.1.clear();
            known.0 = epoch;
        }
        for (subject, value) in subjects.iter().zip(values) {
            match number(value) {
                Some(mark) => drop(known.1.insert(*subject, mark)),
                None => missing.push(Some(*subject)),
            }
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(number: u64) -> Value {
        Value::BulkString(number.to_le_bytes().to_vec())
    }

    #[test]
    fn marks_are_known_until_the_epoch_changes() {
        let known = Known::default();
        let labels = Labels { route: 1, tenant: 2, model: 3 };
        let subjects = subjects(&labels);
        assert_eq!(known.of(9, &labels), None);
        assert_eq!(known.learn(&subjects, &[mark(9), mark(10), mark(11), mark(12), mark(13)]), []);
        assert_eq!(known.of(9, &labels), Some([10, 11, 12, 13]));
        assert_eq!(known.of(8, &labels), None, "another epoch");
        assert_eq!(known.of(9, &Labels { route: 2, ..labels }), None, "another route");
        assert_eq!(known.learn(&subjects[..1], &[mark(8), mark(20)]), []);
        assert_eq!(known.of(8, &labels), None, "the others may have changed with the epoch");
    }

    #[test]
    fn what_is_missing_or_not_ours_is_told_and_not_known() {
        let known = Known::default();
        let labels = Labels { route: 1, tenant: 2, model: 3 };
        let subjects = subjects(&labels);
        let odd = Value::BulkString(b"17".to_vec());
        let missing = known.learn(&subjects, &[Value::Nil, mark(1), Value::Nil, odd, mark(4)]);
        assert_eq!(missing, [None, Some(subjects[1]), Some(subjects[2])]);
        assert_eq!(known.of(0, &labels), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let known = Known::default();
        for label in 0..40_000 {
            known.learn(&[(Kind::Tenant, label)], &[mark(1), mark(label)]);
            assert!(known.0.lock().1.len() <= REMEMBERED);
        }
    }

    #[test]
    fn no_name_is_told() {
        let names = Names::new("tg1:", std::sync::Arc::new(Seal::new(&[1; 32])));
        assert_eq!(names.mark((Kind::Everything, 0)), "tg1:gen:all");
        let tenant = names.mark((Kind::Tenant, 5));
        assert!(tenant.starts_with("tg1:gen:tenant:") && tenant.len() == "tg1:gen:tenant:".len() + 32, "{tenant}");
    }
}
