//! All evidence into one number.
//!
//! ```text
//! z = 3.0 + 2.5·mean − 2.0·unsure + 0.35·weakest − hedges        confidence = min(1 / (1 + e^−z), cap)
//! ```
//!
//! over the content tokens of the answer (those with a letter or a digit in them): `mean` is the mean of their log-probabilities (so that
//! e^−mean is the perplexity), `unsure` the share of them with a probability below one half, `weakest` the lowest mean of four in a row,
//! `hedges` 1.0 for each hedging phrase at the beginning (two at most). Without log-probabilities z is 1.1 less the hedges: 0.75, "nothing
//! is known against it". What anybody can see to be wrong puts a cap on it, whatever the model thought of it.
//!
//! A server that forces JSON by a grammar tells what the model thought before it was forced: one that would rather have said something else
//! is as unsure as it looks.
//!
//! What a reader could get wrong: the weights are set by hand. They were chosen so that an answer in which one token in twenty is unsure
//! (mean −0.15) has 0.9, one at perplexity 2 with three in ten unsure 0.55, and one at perplexity 4.5 below 0.1.

use super::tokens::Tokens;

const BIAS: f64 = 3.0;
const MEAN: f64 = 2.5;
const UNSURE: f64 = -2.0;
const WEAKEST: f64 = 0.35;
/// z of an answer of which no log-probabilities are known.
const UNKNOWN: f64 = 1.1;
/// Each hedging phrase, at most so many.
const HEDGE: f64 = 1.0;
const HEDGES: u32 = 2;

/// What spoke most against an answer; also the value of the label `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The model was unsure of its words.
    Logprobs,
    /// It says that it cannot or will not, or hedges.
    Refusal,
    /// It says the same again and again.
    Repetition,
    /// JSON was asked for, and this is none.
    InvalidJson,
    /// It is JSON, but not as the schema says.
    Schema,
    /// A tool call that nobody can carry out, or none where one was required.
    ToolCall,
    /// It was cut off, and not because the client wanted it short.
    Truncated,
    /// It is over and says nothing.
    Empty,
}

/// How far an answer can be trusted, and what spoke most against it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// 0 to 1.
    pub confidence: f64,
    pub reason: Reason,
}

impl Reason {
    /// Every reason, for metrics that must be there before the first event.
    pub const ALL: [Reason; 8] = [
        Reason::Logprobs,
        Reason::Refusal,
        Reason::Repetition,
        Reason::InvalidJson,
        Reason::Schema,
        Reason::ToolCall,
        Reason::Truncated,
        Reason::Empty,
    ];

    /// The metric label and the word in headers and records.
    pub fn label(self) -> &'static str {
        match self {
            Reason::Logprobs => "logprobs",
            Reason::Refusal => "refusal",
            Reason::Repetition => "repetition",
            Reason::InvalidJson => "invalid-json",
            Reason::Schema => "schema",
            Reason::ToolCall => "tool-call",
            Reason::Truncated => "truncated",
            Reason::Empty => "empty",
        }
    }

    /// The most that an answer can have with this against it.
    pub fn cap(self) -> f64 {
        match self {
            Reason::Logprobs => 1.0,
            Reason::Empty => 0.02,
            Reason::InvalidJson | Reason::ToolCall | Reason::Repetition => 0.05,
            Reason::Refusal | Reason::Schema => 0.1,
            Reason::Truncated => 0.2,
        }
    }
}

/// The verdict on what is known so far. `hard`: what anybody can see. `margin`: log-probability that is added to the mean, for a bound of
/// the estimate instead of the estimate.
pub(super) fn verdict(tokens: &Tokens, hedges: u32, hard: Option<Reason>, margin: f64) -> Verdict {
    let own = match tokens.figures() {
        Some(f) => BIAS + MEAN * (f.mean + margin).min(0.0) + UNSURE * f.unsure + WEAKEST * f.weakest,
        None => UNKNOWN,
    };
    let penalty = HEDGE * f64::from(hedges.min(HEDGES));
    let soft = logistic(own - penalty);
    match hard {
        Some(reason) if reason.cap() < soft => Verdict { confidence: reason.cap(), reason },
        // Sure of its words, but they hedge.
        _ if hedges > 0 && own >= 0.0 => Verdict { confidence: soft, reason: Reason::Refusal },
        _ => Verdict { confidence: soft, reason: Reason::Logprobs },
    }
}

fn logistic(z: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-z))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(logprobs: &[f64]) -> Verdict {
        let mut tokens = Tokens::default();
        logprobs.iter().for_each(|logprob| tokens.add("word", *logprob));
        verdict(&tokens, 0, None, 0.0)
    }

    /// The anchors that the weights were chosen by.
    #[test]
    fn the_weights_are_what_the_documentation_says() {
        let sure: Vec<f64> = (0..20).map(|i| if i == 10 { -0.9 } else { -0.11 }).collect();
        let half: Vec<f64> = (0..20).map(|i| if i % 10 < 3 { -1.6 } else { -0.3 }).collect();
        let lost: Vec<f64> = (0..20).map(|i| if i % 10 < 6 { -2.2 } else { -0.45 }).collect();
        assert!((0.87..0.95).contains(&of(&sure).confidence), "{:?}", of(&sure));
        assert!((0.5..0.6).contains(&of(&half).confidence), "{:?}", of(&half));
        assert!(of(&lost).confidence < 0.1, "{:?}", of(&lost));
        let unknown = verdict(&Tokens::default(), 0, None, 0.0);
        assert!((unknown.confidence - 0.75).abs() < 0.005, "{unknown:?}");
    }

    #[test]
    fn what_is_seen_to_be_wrong_caps_what_the_model_thinks() {
        for reason in Reason::ALL.into_iter().filter(|reason| *reason != Reason::Logprobs) {
            let verdict = verdict(&Tokens::default(), 0, Some(reason), 0.0);
            assert_eq!((verdict.confidence, verdict.reason), (reason.cap(), reason));
        }
        let hedged = verdict(&Tokens::default(), 1, None, 0.0);
        assert!(hedged.confidence < 0.6 && hedged.reason == Reason::Refusal, "{hedged:?}");
    }

    proptest! {
        /// Less sure words never make an answer more certain, and nothing leaves 0 to 1.
        #[test]
        fn it_falls_with_every_token(logprobs in prop::collection::vec(-12.0f64..0.0, 1..40), at in 0usize..40, by in 0.0f64..5.0) {
            let before = of(&logprobs);
            let mut less = logprobs;
            let at = at % less.len();
            less[at] -= by;
            let after = of(&less);
            prop_assert!(after.confidence <= before.confidence + 1e-12);
            prop_assert!((0.0..=1.0).contains(&after.confidence));
        }
    }
}
