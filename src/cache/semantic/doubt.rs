//! What has been seen of the verifier's mistakes, by route and tenant (nobody can make another one's questions doubtful): answers to questions in other words that were asked for upstream all the same.
//!
//! The verifier's probability is shifted by an offset on the logistic scale, which is learnt from each comparison (Platt scaling with
//! its slope held at one, by stochastic gradient): a wrong answer pushes it up by nearly a whole step, right ones bring it down by as much as
//! they were doubted. It comes to rest where the shifted probabilities are right on average. Then the threshold that was learnt offline for
//! the operator's bound means what it says again, on this route's traffic (the idea of a bound that the user sets: vCache, arXiv 2502.03771).
//!
//! What a reader could get wrong: the offset only ever makes stricter (it is never below 0): good luck in a small sample is no reason to be
//! bolder than offline.

use std::collections::HashMap;

use parking_lot::Mutex;

/// How far one wrong answer moves the offset.
const STEP: f64 = 0.5;
/// Beyond this nothing is accepted any more; one who wants to know more changes the route.
const MOST: f64 = 12.0;

/// Offsets by route and tenant.
#[derive(Debug, Default)]
pub struct Doubts(Mutex<HashMap<String, HashMap<String, f64>>>);

/// Whose questions.
#[derive(Debug, Clone, Copy)]
pub struct Whose<'w> {
    pub route: &'w str,
    pub tenant: &'w str,
}

impl Doubts {
    /// The probability as it is believed there.
    pub fn believed(&self, whose: Whose<'_>, probability: f64) -> f64 {
        let offsets = self.0.lock();
        let offset = offsets.get(whose.route).and_then(|tenants| tenants.get(whose.tenant)).copied();
        shifted(probability, offset.unwrap_or(0.0))
    }

    /// An answer that was, or would have been, given with this probability (the verifier's own) was right, or wrong.
    pub fn learn(&self, whose: Whose<'_>, probability: f64, was_right: bool) {
        let mut offsets = self.0.lock();
        let offset = offsets.entry(whose.route.to_owned()).or_default().entry(whose.tenant.to_owned()).or_default();
        let believed = shifted(probability, *offset);
        let right = if was_right { 1.0 } else { 0.0 };
        *offset = (*offset + STEP * (believed - right)).clamp(0.0, MOST);
    }

    /// The verifier's own probability from which on a question is answered on this route, where it is strictest; `threshold` was learnt
    /// offline.
    pub fn threshold(&self, route: &str, threshold: f64) -> f64 {
        let offsets = self.0.lock();
        let most = offsets.get(route).into_iter().flat_map(HashMap::values).copied().fold(0.0, f64::max);
        shifted(threshold, -most)
    }
}

fn shifted(probability: f64, offset: f64) -> f64 {
    if offset == 0.0 {
        return probability;
    }
    let p = probability.clamp(1e-9, 1.0 - 1e-9);
    let logit = libm::log(p / (1.0 - p)) - offset;
    1.0 / (1.0 + libm::exp(-logit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HERE: Whose<'_> = Whose { route: "r", tenant: "a" };

    #[test]
    fn mistakes_make_stricter_and_right_answers_forgive() {
        let doubts = Doubts::default();
        assert_eq!((doubts.believed(HERE, 0.97), doubts.threshold("r", 0.95)), (0.97, 0.95));
        doubts.learn(HERE, 0.97, true);
        assert_eq!(doubts.believed(HERE, 0.97), 0.97, "never bolder than offline");
        for _ in 0..4 {
            doubts.learn(HERE, 0.97, false);
        }
        assert!(doubts.believed(HERE, 0.97) < 0.9 && doubts.believed(Whose { tenant: "b", ..HERE }, 0.97) == 0.97);
        for _ in 0..2000 {
            doubts.learn(HERE, 0.97, true);
        }
        assert!(doubts.believed(HERE, 0.97) > 0.96);
    }

    #[test]
    fn it_rests_where_what_is_believed_is_so() {
        // Of a hundred answers that the verifier gives 0.99, ten are wrong here.
        let doubts = Doubts::default();
        for round in 0..5000 {
            doubts.learn(HERE, 0.99, round % 10 != 0);
        }
        let believed = doubts.believed(HERE, 0.99);
        assert!((0.8..0.96).contains(&believed), "{believed}");
    }

    proptest! {
        #[test]
        fn it_is_a_probability_and_keeps_the_order(p in 0.0..=1.0f64, q in 0.0..=1.0f64, wrongs in 0usize..50) {
            let doubts = Doubts::default();
            (0..wrongs).for_each(|_| doubts.learn(HERE, 0.99, false));
            let (a, b) = (doubts.believed(HERE, p), doubts.believed(HERE, q));
            prop_assert!((0.0..=1.0).contains(&a));
            prop_assert!((p <= q) == (a <= b) || (p - q).abs() < 1e-8);
            // Believed enough is the same as above the threshold.
            let threshold = doubts.threshold("r", 0.95);
            prop_assert!((doubts.believed(HERE, p) >= 0.95) == (p >= threshold) || (p - threshold).abs() < 1e-6);
        }
    }
}
