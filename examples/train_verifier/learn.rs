//! Gradient boosted trees over binned features, with directions that a feature may not be used against.
//!
//! What a reader could get wrong: sums run in the order of the rows and in float64, exponentials come from libm, so the same rows give the same bits.

use tidegate::cache::semantic::verify::features::{COUNT, Features, direction};
use tidegate::cache::semantic::verify::forest::{LEAF, Node};

use crate::random::Random;

const BINS: usize = 48;
/// The least weight of rows in a leaf, as the sum of second derivatives.
const LEAST: f64 = 4.0;
const RIDGE: f64 = 2.0;

/// How to learn.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub trees: usize,
    pub depth: usize,
    pub rate: f64,
    pub seed: u64,
}

/// What to learn from.
pub struct Row {
    pub features: Features,
    pub same: bool,
    /// For each of the two models.
    pub weights: [f64; 2],
}

struct Bins {
    edges: Vec<Vec<f32>>,
    /// Row after row.
    of: Vec<[u8; COUNT]>,
}

/// Learns.
pub fn learn(rows: &[&Row], which: usize, plan: Plan) -> Vec<Vec<Node>> {
    let bins = bin(rows);
    let mut random = Random(plan.seed);
    let total: f64 = rows.iter().map(|row| row.weights[which]).sum();
    let positive: f64 = rows.iter().filter(|row| row.same).map(|row| row.weights[which]).sum();
    let prior = libm::log(positive.max(1e-9) / (total - positive).max(1e-9));
    let mut trees = vec![vec![Node { feature: LEAF, value: prior as f32, left: 0, right: 0 }]];
    let mut scores = vec![f64::from(prior as f32); rows.len()];
    for _ in 0..plan.trees {
        let (mut slope, mut curve) = (vec![0.0; rows.len()], vec![0.0; rows.len()]);
        let mut used = Vec::with_capacity(rows.len());
        for (place, row) in rows.iter().enumerate() {
            let p = 1.0 / (1.0 + libm::exp(-scores[place]));
            slope[place] = (f64::from(u8::from(row.same)) - p) * row.weights[which];
            curve[place] = (p * (1.0 - p)).max(1e-6) * row.weights[which];
            if random.percent(60) {
                used.push(place as u32);
            }
        }
        let columns: Vec<bool> = (0..COUNT).map(|_| random.percent(70)).collect();
        let mut grower = Grower { bins: &bins, slope: &slope, curve: &curve, columns: &columns, plan, tree: vec![] };
        grower.grow(used, 0, -1e9, 1e9);
        let tree = grower.tree;
        for (place, row) in rows.iter().enumerate() {
            scores[place] += f64::from(value(&tree, &row.features));
        }
        trees.push(tree);
    }
    trees
}

fn value(tree: &[Node], features: &Features) -> f32 {
    let mut at = 0;
    loop {
        let node = tree[at];
        if node.feature == LEAF {
            return node.value;
        }
        at = usize::from(if features[usize::from(node.feature)] <= node.value { node.left } else { node.right });
    }
}

fn bin(rows: &[&Row]) -> Bins {
    let mut edges = Vec::with_capacity(COUNT);
    for feature in 0..COUNT {
        let mut values: Vec<f32> = rows.iter().map(|row| row.features[feature]).collect();
        values.sort_by(f32::total_cmp);
        let mut own: Vec<f32> = (1..BINS).map(|bin| values[bin * (values.len() - 1) / BINS]).collect();
        // Rare counts lie beyond every quantile.
        own.extend([0.0, 1.0, 2.0].into_iter().filter(|edge| *edge < values[values.len() - 1]));
        own.sort_by(f32::total_cmp);
        own.dedup();
        own.retain(|edge| *edge < values[values.len() - 1]);
        edges.push(own);
    }
    let of = rows
        .iter()
        .map(|row| {
            let mut bins = [0; COUNT];
            for feature in 0..COUNT {
                bins[feature] = edges[feature].partition_point(|edge| *edge < row.features[feature]) as u8;
            }
            bins
        })
        .collect();
    Bins { edges, of }
}

struct Grower<'g> {
    bins: &'g Bins,
    slope: &'g [f64],
    curve: &'g [f64],
    columns: &'g [bool],
    plan: Plan,
    tree: Vec<Node>,
}

struct Split {
    gain: f64,
    feature: usize,
    bin: usize,
    left: f64,
    right: f64,
}

impl Grower<'_> {
    /// Grows a node whose value must lie between `low` and `high`; its place.
    fn grow(&mut self, rows: Vec<u32>, depth: usize, low: f64, high: f64) -> u8 {
        let place = self.tree.len();
        let slope: f64 = rows.iter().map(|row| self.slope[*row as usize]).sum();
        let curve: f64 = rows.iter().map(|row| self.curve[*row as usize]).sum();
        let own = (slope / (curve + RIDGE)).clamp(low, high);
        self.tree.push(Node { feature: LEAF, value: (own * self.plan.rate) as f32, left: 0, right: 0 });
        if depth < self.plan.depth {
            if let Some(split) = self.best(&rows, slope, curve, low, high) {
                let goes_left = |row: &u32| usize::from(self.bins.of[*row as usize][split.feature]) <= split.bin;
                let (left, right): (Vec<u32>, Vec<u32>) = rows.into_iter().partition(goes_left);
                let middle = (split.left + split.right) / 2.0;
                let (left_bounds, right_bounds) = match direction(split.feature) {
                    1 => ((low, middle), (middle, high)),
                    -1 => ((middle, high), (low, middle)),
                    _ => ((low, high), (low, high)),
                };
                let value = self.bins.edges[split.feature][split.bin];
                let left = self.grow(left, depth + 1, left_bounds.0, left_bounds.1);
                let right = self.grow(right, depth + 1, right_bounds.0, right_bounds.1);
                self.tree[place] = Node { feature: split.feature as u8, value, left, right };
            }
        }
        place as u8
    }

    fn best(&self, rows: &[u32], slope: f64, curve: f64, low: f64, high: f64) -> Option<Split> {
        let mut sums = vec![[(0.0, 0.0); BINS + 4]; COUNT];
        for row in rows {
            let (slope, curve) = (self.slope[*row as usize], self.curve[*row as usize]);
            for (feature, bin) in self.bins.of[*row as usize].iter().enumerate() {
                let sum = &mut sums[feature][usize::from(*bin)];
                sum.0 += slope;
                sum.1 += curve;
            }
        }
        let worth = |slope: f64, curve: f64, value: f64| 2.0 * slope * value - (curve + RIDGE) * value * value;
        let whole = worth(slope, curve, (slope / (curve + RIDGE)).clamp(low, high));
        let mut best: Option<Split> = None;
        for feature in (0..COUNT).filter(|feature| self.columns[*feature]) {
            let (mut left_slope, mut left_curve) = (0.0, 0.0);
            for bin in 0..self.bins.edges[feature].len() {
                left_slope += sums[feature][bin].0;
                left_curve += sums[feature][bin].1;
                let (right_slope, right_curve) = (slope - left_slope, curve - left_curve);
                if left_curve < LEAST || right_curve < LEAST {
                    continue;
                }
                let left = (left_slope / (left_curve + RIDGE)).clamp(low, high);
                let right = (right_slope / (right_curve + RIDGE)).clamp(low, high);
                if (right - left) * f64::from(direction(feature)) < 0.0 {
                    continue;
                }
                let gain = worth(left_slope, left_curve, left) + worth(right_slope, right_curve, right) - whole;
                if gain > best.as_ref().map_or(1e-3, |best| best.gain) {
                    best = Some(Split { gain, feature, bin, left, right });
                }
            }
        }
        best
    }
}
