//! An averaged structured perceptron that must win by a margin.
//!
//! What a reader could get wrong: while learning, wrong labels get a bonus (`cost`), larger for missing a name than for inventing one, so that what
//! is learned is sure of itself and rather finds too much.

use tidegate::pii::tagger::feature::{AROUND, FEATURES, Outlook, features, survey};
use tidegate::pii::tagger::label::{LABELS, Label};
use tidegate::pii::tagger::lexicon::{CLASS, FIRM, NEVER, STREET, WORD};
use tidegate::pii::tagger::token::{Beside, Reader, Shape, Token};

use crate::generate::Example;
use crate::random::Random;
use crate::vocabulary::Flags;

/// Buckets of the table of weights.
pub const BUCKETS: usize = 1 << 17;

type Row = [f32; LABELS];

/// Words in a row with their features and labels.
#[derive(Debug, Clone)]
pub struct Stretch {
    pub features: Vec<[u32; FEATURES]>,
    pub labels: Vec<Label>,
    pub times: usize,
    /// Inventing something here is worse than elsewhere.
    pub strict: bool,
}

pub fn stretches(example: &Example, flags: &Flags) -> Vec<Stretch> {
    placed(example, flags).into_iter().map(|(_, _, stretch)| stretch).collect()
}

/// With where each begins and ends.
fn placed(example: &Example, flags: &Flags) -> Vec<(usize, usize, Stretch)> {
    let mut tokens = vec![Token::default(); AROUND];
    tokens.extend(Reader::new(&example.text).map(|token| {
        let known = if token.has_letters() { flags.get(&token.hash).copied().unwrap_or(0) } else { 0 };
        Token { flags: known, ..token }
    }));
    tokens.extend([Token::default(); AROUND]);
    let mut quiet = vec![];
    survey(&mut tokens, &mut Outlook::default(), &mut quiet);
    let mut made: Vec<(usize, usize, Stretch)> = vec![];
    let mut open = false;
    for (window, quiet) in tokens.array_windows().zip(&quiet[AROUND..]) {
        if *quiet {
            open = false;
            continue;
        }
        if !open {
            made.push((
                window[AROUND].start,
                0,
                Stretch { features: vec![], labels: vec![], times: example.times, strict: example.strict },
            ));
            open = true;
        }
        let cut = |feature: u32| feature & (BUCKETS as u32 - 1);
        if let Some((_, end, stretch)) = made.last_mut() {
            *end = window[AROUND].end;
            let label = label_of(&window[AROUND], example);
            let before = stretch.labels.last().copied().unwrap_or(Label::Nothing);
            // A name may begin with a word that is not looked at.
            let label = if before.allows(label) { label } else { begin_of(label) };
            stretch.labels.push(label);
            stretch.features.push(features(window).map(cut));
        }
    }
    made
}

/// Stretches of a text of which nothing is known but that words in lower case are no names where others have capitals; with `small`, of the same text
/// without capitals.
pub fn ordinary(text: &str, flags: &Flags, small: bool) -> Vec<Stretch> {
    if !text.contains(char::is_uppercase) {
        return vec![];
    }
    let mut unknown: Vec<(usize, usize)> = vec![];
    let mut stop = true;
    for token in Reader::new(text) {
        let known = flags.get(&token.hash).copied().unwrap_or(0);
        let fine = match token.shape {
            Shape::Lower => known & (CLASS & !(FIRM | STREET | WORD)) == 0,
            Shape::Initial => stop && known & NEVER != 0,
            Shape::Digit1 | Shape::Digit2 | Shape::Digit3 | Shape::Sign | Shape::Code => true,
            _ => false,
        };
        if !fine {
            unknown.push((token.start, token.end));
        }
        stop = !token.is_word() || token.behind == Beside::Edge;
    }
    let text = if small { text.to_ascii_lowercase() } else { text.to_owned() };
    let made = placed(&Example { text, times: 1, ..Example::default() }, flags).into_iter();
    let known = made.filter(|(start, end, _)| !unknown.iter().any(|(from, to)| from < end && start < to));
    known.map(|(_, _, stretch)| stretch).collect()
}

fn begin_of(label: Label) -> Label {
    Label::ALL.into_iter().find(|begin| begin.inside() == Some(label)).unwrap_or(label)
}

fn label_of(token: &Token, example: &Example) -> Label {
    let span = example.spans.iter().find(|(start, end, _)| *start < token.end && token.start < *end);
    match span {
        None => Label::Nothing,
        Some((start, _, label)) if token.start <= *start => *label,
        Some((_, _, label)) => label.inside().unwrap_or(*label),
    }
}

#[derive(Debug, Clone)]
pub struct Weights {
    pub buckets: Vec<Row>,
    pub steps: [Row; LABELS],
}

/// Never taken.
const FORBIDDEN: f32 = -1e6;

/// What a wrong label gets: for a name that is missed, invented, taken for another kind.
#[derive(Debug, Clone, Copy)]
pub struct Costs {
    pub missed: f32,
    pub invented: f32,
    pub confused: f32,
}

/// So many features in a hundred are not seen, each time others, so that none is relied upon alone.
const DROPPED: usize = 25;

pub fn learn(stretches: &[Stretch], epochs: usize, costs: Costs, seed: u64) -> Weights {
    let mut order: Vec<usize> =
        stretches.iter().enumerate().flat_map(|(place, stretch)| std::iter::repeat_n(place, stretch.times)).collect();
    let mut random = Random(seed);
    let mut weights = Weights { buckets: vec![[0.0; LABELS]; BUCKETS], steps: first_steps() };
    // Sums of each change times the moment it was made: the average is weights - sums / moments.
    let mut sums = Weights { buckets: vec![[0.0; LABELS]; BUCKETS], steps: [[0.0; LABELS]; LABELS] };
    let mut moment = 1.0_f32;
    let total = (order.len() * epochs) as f32;
    let mut scratch = Scratch::default();
    for _ in 0..epochs {
        random.shuffle(&mut order);
        for place in &order {
            let stretch = &stretches[*place];
            scratch.mask = (0..FEATURES).map(|place| u32::from(!random.percent(DROPPED)) << place).sum();
            scratch.decode(&weights, stretch, Some(costs));
            if scratch.labels != stretch.labels {
                update(&mut weights, stretch, &scratch, 1.0);
                update(&mut sums, stretch, &scratch, moment / total);
            }
            moment += 1.0;
        }
    }
    let average = |weight: &mut Row, sum: &Row| weight.iter_mut().zip(sum).for_each(|(weight, sum)| *weight -= sum);
    weights.buckets.iter_mut().zip(&sums.buckets).for_each(|(weight, sum)| average(weight, sum));
    weights.steps.iter_mut().zip(&sums.steps).for_each(|(weight, sum)| average(weight, sum));
    weights
}

fn first_steps() -> [Row; LABELS] {
    Label::ALL.map(|from| Label::ALL.map(|to| if from.allows(to) { 0.0 } else { FORBIDDEN }))
}

fn update(weights: &mut Weights, stretch: &Stretch, scratch: &Scratch, rate: f32) {
    let (mut before, mut found_before) = (Label::Nothing, Label::Nothing);
    for ((features, right), wrong) in stretch.features.iter().zip(&stretch.labels).zip(&scratch.labels) {
        if right != wrong {
            for feature in scratch.kept(features) {
                let row = &mut weights.buckets[feature as usize];
                row[*right as usize] += rate;
                row[*wrong as usize] -= rate;
            }
        }
        weights.steps[before as usize][*right as usize] += rate;
        weights.steps[found_before as usize][*wrong as usize] -= rate;
        (before, found_before) = (*right, *wrong);
    }
}

#[derive(Debug, Default)]
pub struct Scratch {
    back: Vec<[u8; LABELS]>,
    pub labels: Vec<Label>,
    /// A bit for each feature that is looked at.
    mask: u32,
}

impl Scratch {
    fn kept(&self, features: &[u32; FEATURES]) -> impl Iterator<Item = u32> {
        features.iter().enumerate().filter(|(place, _)| self.mask >> place & 1 == 1).map(|(_, feature)| *feature)
    }

    pub fn decode(&mut self, weights: &Weights, stretch: &Stretch, costs: Option<Costs>) {
        self.back.clear();
        self.labels.clear();
        let mut scores = [FORBIDDEN; LABELS];
        scores[0] = 0.0;
        for (features, right) in stretch.features.iter().zip(&stretch.labels) {
            let mut sum: Row = [0.0; LABELS];
            for feature in self.kept(features) {
                let row = &weights.buckets[feature as usize];
                sum.iter_mut().zip(row).for_each(|(sum, weight)| *sum += weight);
            }
            if let Some(costs) = costs {
                for (label, sum) in Label::ALL.iter().zip(&mut sum) {
                    *sum += cost(costs, *right, *label, stretch.strict);
                }
            }
            let mut best = [f32::MIN; LABELS];
            let mut from = [0; LABELS];
            for (label, (score, steps)) in (0_u8..).zip(scores.iter().zip(&weights.steps)) {
                for lane in 0..LABELS {
                    let reached = score + steps[lane];
                    if reached > best[lane] {
                        best[lane] = reached;
                        from[lane] = label;
                    }
                }
            }
            for lane in 0..LABELS {
                scores[lane] = best[lane] + sum[lane];
            }
            self.back.push(from);
        }
        let mut lane = 0;
        for other in 1..LABELS {
            if scores[other] + weights.steps[other][0] > scores[lane] + weights.steps[lane][0] {
                lane = other;
            }
        }
        for from in self.back.iter().rev() {
            self.labels.push(Label::of(lane as u8));
            lane = usize::from(from[lane]);
        }
        self.labels.reverse();
    }
}

/// How much worse it is to invent something where there is code.
const STRICT: f32 = 3.0;

fn cost(costs: Costs, right: Label, label: Label, strict: bool) -> f32 {
    match (right.entity(), label.entity()) {
        (Some(_), None) => costs.missed,
        (None, Some(_)) => costs.invented * if strict { STRICT } else { 1.0 },
        (one, other) if one != other => costs.confused,
        _ if right != label => costs.confused / 2.0,
        _ => 0.0,
    }
}
