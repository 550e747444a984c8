//! What a model thought of its own words: sums over the log-probabilities of its tokens, kept up token by token.
//!
//! What a reader could get wrong: only tokens with a letter or a digit count. Punctuation and white space are easy to predict, and the token
//! that ends an answer (empty in llama-server's) says nothing about its content.

/// Below it nobody can tell one unlikely token from another; OpenAI says −9999 for what it does not rank.
const LOWEST: f64 = -9.21;
/// A token below one half has a rival.
const UNSURE: f64 = -std::f64::consts::LN_2;
/// So many in a row make a passage.
const PASSAGE: usize = 4;

/// Sums over the content tokens of an answer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tokens {
    /// All tokens, those without content too.
    pub(super) all: u32,
    count: u32,
    sum: f64,
    squares: f64,
    unsure: u32,
    last: [f64; PASSAGE],
    weakest: f64,
}

/// What the formula reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figures {
    /// Of the log-probabilities.
    pub(super) mean: f64,
    /// The share of tokens below one half.
    pub(super) unsure: f64,
    /// The lowest mean of [`PASSAGE`] in a row; the mean of all where there are fewer.
    pub(super) weakest: f64,
    /// The standard error of the mean.
    pub(super) error: f64,
}

impl Tokens {
    /// One more token and its log-probability (natural logarithm).
    pub(super) fn add(&mut self, token: &str, logprob: f64) {
        self.all = self.all.saturating_add(1);
        if !token.bytes().any(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii()) || logprob.is_nan() {
            return;
        }
        let logprob = logprob.clamp(LOWEST, 0.0);
        if let Some(place) = self.last.get_mut(self.count as usize % PASSAGE) {
            *place = logprob;
        }
        self.count = self.count.saturating_add(1);
        self.sum += logprob;
        self.squares += logprob * logprob;
        self.unsure += u32::from(logprob < UNSURE);
        if self.count as usize >= PASSAGE {
            let passage = self.last.iter().sum::<f64>() / PASSAGE as f64;
            self.weakest = self.weakest.min(passage);
        }
    }

    /// `None`: nothing is known.
    pub(super) fn figures(&self) -> Option<Figures> {
        let count = f64::from(self.count);
        if self.count == 0 {
            return None;
        }
        let mean = self.sum / count;
        // An answer of few tokens has no error that is worth estimating; it is over, or more will come.
        let variance = (self.squares / count - mean * mean).max(0.0);
        let weakest = if self.count as usize >= PASSAGE { self.weakest } else { mean };
        Some(Figures { mean, unsure: f64::from(self.unsure) / count, weakest, error: libm::sqrt(variance / count) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_counts_and_the_rest_does_not() {
        let mut tokens = Tokens::default();
        for (token, logprob) in [("Yes", -0.5), (".", -8.0), ("", -8.0), (" \n", -8.0), ("né", -1.5), ("好", f64::NAN)]
        {
            tokens.add(token, logprob);
        }
        let figures = tokens.figures().unwrap();
        assert_eq!((tokens.all, figures.mean, figures.unsure), (6, -1.0, 0.5));
        assert!((figures.error - 0.5 / 2f64.sqrt()).abs() < 1e-9);
        assert!(Tokens::default().figures().is_none());
    }

    #[test]
    fn the_weakest_passage_is_found_wherever_it_is() {
        let mut tokens = Tokens::default();
        let logprobs = [-0.1, -0.1, -3.0, -3.0, -3.0, -3.0, -0.1, -0.1, -9999.0];
        logprobs.iter().for_each(|logprob| tokens.add("a", *logprob));
        assert_eq!(tokens.figures().unwrap().weakest, -3.1025);
    }
}
