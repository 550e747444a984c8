//! What a node was given to read lately: the newer part of its cache, and what has driven the older part out.
//!
//! What a reader could get wrong: it is no count but an average that fades, without a clock of its own: whoever asks tells the time, which is why
//! the simulation can use it too.

/// Milliseconds in which it fades to a third: within a minute or so people go on with a conversation, or do not.
const FADES_MS: f64 = 60_000.0;

/// Tokens, each weighing less the longer ago it was.
#[derive(Debug, Default, Clone, Copy)]
pub struct Recent {
    tokens: f64,
    at_ms: u64,
}

impl Recent {
    /// So many more, now.
    pub fn add(&mut self, tokens: u64, now_ms: u64) {
        self.tokens = self.faded(now_ms) + tokens as f64;
        self.at_ms = now_ms;
    }

    /// What is left of them.
    pub fn at(&self, now_ms: u64) -> u64 {
        self.faded(now_ms) as u64
    }

    fn faded(&self, now_ms: u64) -> f64 {
        self.tokens * (-(now_ms.saturating_sub(self.at_ms) as f64) / FADES_MS).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_fades_and_adds_up() {
        let mut recent = Recent::default();
        recent.add(1000, 5_000);
        assert_eq!((recent.at(0), recent.at(5_000), recent.at(65_000)), (1000, 1000, 367));
        recent.add(1000, 65_000);
        assert_eq!((recent.at(65_000), recent.at(6_000_000)), (1367, 0));
    }
}
