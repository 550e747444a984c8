//! How well scores tell the same from the different: area under the curve, recall at a share of false hits, calibration, bounds.
//!
//! What a reader could get wrong: recall at 1 % counts only what lies strictly above the threshold, so ties are no gain.

/// A score and whether the pair is the same.
pub type Scored = (f64, bool);

/// Area under the curve.
pub fn auc(scored: &[Scored]) -> f64 {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut ranks, mut place) = (0.0, 0);
    while place < sorted.len() {
        let tie = sorted[place..].iter().take_while(|pair| pair.0 == sorted[place].0).count();
        let rank = place as f64 + (tie as f64 + 1.0) / 2.0;
        ranks += rank * sorted[place..place + tie].iter().filter(|pair| pair.1).count() as f64;
        place += tie;
    }
    let same = scored.iter().filter(|pair| pair.1).count() as f64;
    let other = scored.len() as f64 - same;
    if same == 0.0 || other == 0.0 { f64::NAN } else { (ranks - same * (same + 1.0) / 2.0) / (same * other) }
}

/// Share of the same that scores above all but `share` of the different.
pub fn recall(scored: &[Scored], share: f64) -> f64 {
    let mut other: Vec<f64> = scored.iter().filter(|pair| !pair.1).map(|pair| pair.0).collect();
    other.sort_by(|a, b| b.total_cmp(a));
    let allowed = (other.len() as f64 * share).floor() as usize;
    let bar = other.get(allowed).copied().unwrap_or(f64::NEG_INFINITY);
    let same: Vec<f64> = scored.iter().filter(|pair| pair.1).map(|pair| pair.0).collect();
    same.iter().filter(|score| **score > bar).count() as f64 / same.len().max(1) as f64
}

/// Isotonic regression of outcome on score, as points of a line; each of the two classes is weighed to the stated `prior`.
pub fn calibrate(scored: &[Scored], prior: f64) -> Vec<(f32, f32)> {
    let same = scored.iter().filter(|pair| pair.1).count() as f64;
    let weight = |is_same: bool| if is_same { prior / same } else { (1.0 - prior) / (scored.len() as f64 - same) };
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Weight, weight of the same, sum of weighted scores.
    let mut blocks: Vec<[f64; 3]> = vec![];
    let chunk = (sorted.len() / 400).max(1);
    for some in sorted.chunks(chunk) {
        let mut block = [0.0; 3];
        for (score, is_same) in some {
            let weight = weight(*is_same);
            block[0] += weight;
            block[1] += if *is_same { weight } else { 0.0 };
            block[2] += weight * score;
        }
        blocks.push(block);
        while let [.., before, last] = &mut blocks[..] {
            if before[1] / before[0] < last[1] / last[0] {
                break;
            }
            (0..3).for_each(|part| before[part] += last[part]);
            blocks.pop();
        }
    }
    let step = (blocks.len() / 200).max(1);
    let point = |block: &[f64; 3]| ((block[2] / block[0]) as f32, (block[1] / block[0]).clamp(0.001, 0.995) as f32);
    blocks.iter().step_by(step).map(point).collect()
}

/// For each error, the least score above which the share of the different is below it at the upper end of the 95 % interval (Wilson), at the prior.
pub fn threshold(scored: &[Scored], prior: f64, error: f64) -> Option<f64> {
    let same = scored.iter().filter(|pair| pair.1).count() as f64;
    let other = scored.len() as f64 - same;
    // One of the different counts for so many of the same.
    let ratio = (1.0 - prior) / other / (prior / same);
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut good, mut bad, mut best) = (0.0, 0.0, None);
    for (place, (score, is_same)) in sorted.iter().enumerate() {
        if *is_same {
            good += 1.0
        } else {
            bad += 1.0
        }
        let is_tie = sorted.get(place + 1).is_some_and(|next| next.0 == *score);
        let upper = upper(bad, other) * other * ratio;
        if !is_tie && good > 0.0 && upper / (upper + good) <= error {
            best = Some(*score);
        }
    }
    best
}

/// The share of the different among what is accepted, at the prior, and of the same that is accepted.
pub fn at(scored: &[Scored], prior: f64, bar: f64) -> (f64, f64) {
    let share = |is_same: bool| {
        let own = scored.iter().filter(|pair| pair.1 == is_same);
        own.clone().filter(|pair| pair.0 >= bar).count() as f64 / own.count().max(1) as f64
    };
    let (good, bad) = (share(true) * prior, share(false) * (1.0 - prior));
    (bad / (good + bad).max(1e-12), share(true))
}

/// Upper end of Wilson's interval of a share.
fn upper(hits: f64, of: f64) -> f64 {
    let (z, p) = (1.645, hits / of);
    let middle = p + z * z / (2.0 * of);
    let width = z * (p * (1.0 - p) / of + z * z / (4.0 * of * of)).sqrt();
    (middle + width) / (1.0 + z * z / of)
}
