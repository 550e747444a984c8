//! Fits a linear model with a penalty on its squares: Newton steps, each solved by conjugate gradients.
//!
//! What a reader could get wrong: sums run in the order of the rows, in one thread, with `libm`'s exponential; that is what makes the
//! shipped models the same bytes on every machine.

/// What is fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Loss {
    /// Targets are any numbers.
    Squares,
    /// Targets are probabilities.
    Logistic,
}

/// One row of the design: its columns that are not zero, with their values.
pub(super) type Columns = Vec<(u32, f32)>;

/// Rows to fit.
pub(super) struct Problem<'p> {
    pub rows: &'p [&'p Columns],
    pub targets: &'p [f64],
    pub weights: &'p [f64],
    /// Per column.
    pub penalties: &'p [f64],
    pub loss: Loss,
}

const NEWTON_STEPS: usize = 12;
const GRADIENT_STEPS: usize = 150;
/// Of the squared gradient, where a step's solution is exact enough.
const EXACT: f64 = 1e-10;
const CONVERGED: f64 = 1e-9;

impl Problem<'_> {
    /// The coefficients, one per column.
    pub fn solve(&self) -> Vec<f64> {
        let mut coefficients = vec![0.0; self.penalties.len()];
        let steps = if self.loss == Loss::Squares { 1 } else { NEWTON_STEPS };
        let mut first = None;
        for _ in 0..steps {
            let (gradient, curvature) = self.derivatives(&coefficients);
            let size = dot(&gradient, &gradient);
            if size <= CONVERGED * *first.get_or_insert(size) {
                break;
            }
            let step = self.newton_step(&gradient, &curvature);
            coefficients.iter_mut().zip(&step).for_each(|(coefficient, step)| *coefficient += step);
        }
        coefficients
    }

    /// The gradient by column, and each row's second derivative.
    fn derivatives(&self, coefficients: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let mut gradient: Vec<f64> = coefficients.iter().zip(self.penalties).map(|(c, penalty)| c * penalty).collect();
        let mut curvature = Vec::with_capacity(self.rows.len());
        for ((row, target), weight) in self.rows.iter().zip(self.targets).zip(self.weights) {
            let value = predict(row, coefficients);
            let (slope, curve) = match self.loss {
                Loss::Squares => (value - target, 1.0),
                Loss::Logistic => {
                    let p = logistic(value);
                    (p - target, (p * (1.0 - p)).max(1e-6))
                }
            };
            add(row, weight * slope, &mut gradient);
            curvature.push(weight * curve);
        }
        (gradient, curvature)
    }

    /// Solves (Xᵀ C X + penalties) step = -gradient.
    fn newton_step(&self, gradient: &[f64], curvature: &[f64]) -> Vec<f64> {
        let mut diagonal = self.penalties.to_vec();
        for (row, curve) in self.rows.iter().zip(curvature) {
            row.iter().for_each(|(column, x)| diagonal[*column as usize] += curve * f64::from(*x) * f64::from(*x));
        }
        let mut step = vec![0.0; gradient.len()];
        let mut residual: Vec<f64> = gradient.iter().map(|g| -g).collect();
        let scaled = |residual: &[f64]| residual.iter().zip(&diagonal).map(|(r, d)| r / d).collect::<Vec<f64>>();
        let mut preconditioned = scaled(&residual);
        let mut direction = preconditioned.clone();
        let mut size = dot(&residual, &preconditioned);
        let enough = EXACT * size;
        for _ in 0..GRADIENT_STEPS {
            if size <= enough {
                break;
            }
            let mut image: Vec<f64> = direction.iter().zip(self.penalties).map(|(d, penalty)| d * penalty).collect();
            for (row, curve) in self.rows.iter().zip(curvature) {
                add(row, curve * predict(row, &direction), &mut image);
            }
            let along = size / dot(&direction, &image);
            step.iter_mut().zip(&direction).for_each(|(s, d)| *s += along * d);
            residual.iter_mut().zip(&image).for_each(|(r, i)| *r -= along * i);
            preconditioned = scaled(&residual);
            let next = dot(&residual, &preconditioned);
            let back = next / size;
            direction.iter_mut().zip(&preconditioned).for_each(|(d, p)| *d = p + back * *d);
            size = next;
        }
        step
    }
}

/// A row's value under a model.
pub(super) fn predict(row: &Columns, coefficients: &[f64]) -> f64 {
    row.iter().map(|(column, x)| f64::from(*x) * coefficients[*column as usize]).sum()
}

pub(super) fn logistic(odds: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-odds))
}

fn add(row: &Columns, times: f64, to: &mut [f64]) {
    row.iter().for_each(|(column, x)| to[*column as usize] += times * f64::from(*x));
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Numbers that look random and are the same everywhere (splitmix64).
pub(super) struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// The fold, 0 to `folds` - 1, of each of `rows` rows; folds differ in size by one at most.
    pub fn folds(&mut self, rows: usize, folds: usize) -> Vec<usize> {
        let mut fold: Vec<usize> = (0..rows).map(|row| row % folds).collect();
        for last in (1..rows).rev() {
            fold.swap(last, (self.next() % (last as u64 + 1)) as usize);
        }
        fold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(loss: Loss, targets: &[f64], penalty: f64) -> Vec<f64> {
        let rows: Vec<Columns> = (0..targets.len()).map(|x| vec![(0, 1.0), (1, x as f32)]).collect();
        let rows: Vec<&Columns> = rows.iter().collect();
        let weights = vec![1.0; targets.len()];
        Problem { rows: &rows, targets, weights: &weights, penalties: &[1e-9, penalty], loss }.solve()
    }

    #[test]
    fn a_line_is_found() {
        let found = fit(Loss::Squares, &[1.0, 3.0, 5.0, 7.0], 1e-9);
        assert!((found[0] - 1.0).abs() < 1e-4 && (found[1] - 2.0).abs() < 1e-4, "{found:?}");
        assert!(fit(Loss::Squares, &[1.0, 3.0, 5.0, 7.0], 100.0)[1] < 0.2, "a penalty flattens it");
    }

    #[test]
    fn probabilities_are_found() {
        let odds = |x: f64| logistic(-1.0 + 0.5 * x);
        let targets: Vec<f64> = (0..8).map(|x| odds(f64::from(x))).collect();
        let found = fit(Loss::Logistic, &targets, 1e-9);
        assert!((found[0] + 1.0).abs() < 1e-3 && (found[1] - 0.5).abs() < 1e-3, "{found:?}");
    }

    #[test]
    fn folds_are_even_and_shuffled() {
        let folds = Random(7).folds(11, 5);
        let sizes: Vec<usize> = (0..5).map(|fold| folds.iter().filter(|f| **f == fold).count()).collect();
        assert_eq!(sizes.iter().sum::<usize>(), 11);
        assert!(sizes.iter().all(|size| (2..=3).contains(size)), "{sizes:?}");
        assert_eq!(folds, Random(7).folds(11, 5));
        assert_ne!(folds, Random(8).folds(11, 5));
    }
}
