//! Boosted trees as learned: the file that ships, and a pair's score, of two models multiplied.
//!
//! What a reader could get wrong: a file holds a hash of the features' names; with other features it is no model, and nothing is ever the same.

use super::features::{COUNT, Features, at, name};
use super::words::hash;

const MAGIC: &[u8; 4] = b"TGV2";
/// In place of a feature.
pub const LEAF: u8 = u8::MAX;

/// For a negation that only one side has.
const NEGATED: f64 = 1.5;
/// Added to the second: what nothing speaks against is settled by the first alone, or each further word of a paraphrase would count against it.
pub const EASE: f64 = 2.5;
/// For the cosine: trees trained mostly on near misses, all of which are near, would leave it too little.
const LIKENESS: f64 = 3.0;
/// For numbers or identifiers that differ on both sides.
const OTHER_NUMBER: f64 = 5.0;
/// For "half" where the other has 0.3.
const OTHER_SHARE: f64 = 2.5;
/// For numbers of which each side has one more often.
const MORE_NUMBER: f64 = 4.0;
/// For a number that only one side has.
const LONE_NUMBER: f64 = 1.5;

/// A split, or a leaf with its value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Node {
    pub feature: u8,
    /// Up to this, left; a leaf's value in log odds.
    pub value: f32,
    /// Places in the same tree, always further on.
    pub left: u8,
    pub right: u8,
}

/// Points of a line that rises: from one measure to another.
pub type Line = Vec<(f32, f32)>;

/// Trees whose values are added.
pub type Trees = Vec<Vec<Node>>;

/// A model.
#[derive(Debug, Clone, Default)]
pub struct Forest {
    /// Whether two questions are about the same, as against others of the field.
    pub alike: Trees,
    /// Whether nothing that matters was changed, as against the same with one change.
    pub unchanged: Trees,
    /// From score to probability.
    pub calibration: Line,
    /// From the error that is allowed to the probability that holds it.
    pub thresholds: Line,
}

impl Forest {
    /// None where the bytes are no model of these features.
    pub fn parse(bytes: &[u8]) -> Option<Forest> {
        let mut from = Bytes(bytes);
        if from.take(4)? != MAGIC || from.u32()? != signature() {
            return None;
        }
        let (alike, unchanged) = (from.trees()?, from.trees()?);
        Some(Forest { alike, unchanged, calibration: from.line()?, thresholds: from.line()? })
    }

    /// What `parse` reads.
    pub fn write(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(signature().to_le_bytes());
        for trees in [&self.alike, &self.unchanged] {
            out.extend(u16::try_from(trees.len()).unwrap_or(u16::MAX).to_le_bytes());
            for tree in trees {
                out.push(u8::try_from(tree.len()).unwrap_or(u8::MAX));
                for node in tree {
                    out.push(node.feature);
                    out.extend(node.value.to_le_bytes());
                    out.extend([node.left, node.right]);
                }
            }
        }
        for line in [&self.calibration, &self.thresholds] {
            out.push(u8::try_from(line.len()).unwrap_or(u8::MAX));
            line.iter().for_each(|(x, y)| out.extend([x.to_le_bytes(), y.to_le_bytes()].concat()));
        }
        out
    }

    /// The product of both probabilities in log odds, not calibrated.
    pub fn score(&self, features: &Features) -> f64 {
        let [alike, unchanged] = self.parts(features);
        product(alike, unchanged + EASE)
    }

    /// Both in log odds. What is certain weighs the same whatever the trees have seen: no wording makes 3 apples 4.
    pub fn parts(&self, features: &Features) -> [f64; 2] {
        let has = |feature: usize| f64::from(features.get(feature).copied().unwrap_or_default().min(1.0));
        let sum = |trees: &Trees| trees.iter().map(|tree| f64::from(leaf(tree, features))).sum::<f64>();
        let alike = sum(&self.alike) + LIKENESS * has(at::COSINE);
        let unchanged = sum(&self.unchanged)
            - (OTHER_NUMBER * has(at::NUMBER_CLASH).max(has(at::CODE_CLASH)))
                .max(OTHER_SHARE * has(at::NUMBER_SOFT))
                .max(MORE_NUMBER * has(at::NUMBER_MORE))
            - LONE_NUMBER * has(at::NUMBER_ALONE)
            - NEGATED * has(at::NEGATION);
        [alike, unchanged]
    }
}

/// Of two probabilities in log odds, their product in log odds; finite for finite values.
pub fn product(one: f64, two: f64) -> f64 {
    // ln(1 / (1 + e^-x)), without overflow.
    let log = |x: f64| if x > 0.0 { -libm::log1p(libm::exp(-x)) } else { x - libm::log1p(libm::exp(x)) };
    let both = log(one) + log(two);
    both - libm::log((-libm::expm1(both)).max(1e-300))
}

fn leaf(tree: &[Node], features: &Features) -> f32 {
    let mut at = 0;
    // A child stands further on than its parent, so this ends.
    while let Some(node) = tree.get(at) {
        let Some(value) = features.get(usize::from(node.feature)) else { return node.value };
        at = usize::from(if *value <= node.value { node.left } else { node.right });
    }
    0.0
}

/// Between the points by a straight line, beyond them level; 0 without points.
pub fn along(line: &[(f32, f32)], x: f64) -> f64 {
    let wide = |point: &(f32, f32)| (f64::from(point.0), f64::from(point.1));
    let after = line.partition_point(|point| f64::from(point.0) < x);
    match (after.checked_sub(1).and_then(|before| line.get(before)).map(wide), line.get(after).map(wide)) {
        (Some((x0, y0)), Some((x1, y1))) if x1 > x0 => y0 + (y1 - y0) * (x - x0) / (x1 - x0),
        (_, Some((_, y))) | (Some((_, y)), None) => y,
        (None, None) => 0.0,
    }
}

fn signature() -> u32 {
    (0..COUNT).fold(0, |sum: u32, feature| sum.rotate_left(7) ^ hash(&name(feature)))
}

struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    fn f32(&mut self) -> Option<f32> {
        self.take(4)?.try_into().ok().map(f32::from_le_bytes)
    }

    fn trees(&mut self) -> Option<Trees> {
        let count = self.u16()?;
        let mut trees = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            let nodes = self.u8()?;
            let mut tree = Vec::with_capacity(usize::from(nodes));
            for place in 0..nodes {
                let node = Node { feature: self.u8()?, value: self.f32()?, left: self.u8()?, right: self.u8()? };
                let is_split = node.feature != LEAF;
                let goes_on = |to: u8| to > place && to < nodes;
                if is_split && !(usize::from(node.feature) < COUNT && goes_on(node.left) && goes_on(node.right)) {
                    return None;
                }
                tree.push(node);
            }
            trees.push(tree);
        }
        Some(trees)
    }

    fn line(&mut self) -> Option<Line> {
        let count = self.u8()?;
        (0..count).map(|_| Some((self.f32()?, self.f32()?))).collect()
    }
}
