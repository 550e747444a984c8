//! What an eval set says of the models, side by side, and of the boundary between the best of the edge and the best of the cloud.
//!
//! What a reader could get wrong: only rows that a model has answered count for it, and only rows that both have answered for the boundary.

use std::fmt::Write as _;
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use super::curve::{Outcome, calibrate, point};
use super::results::Answer;
use super::set::Item;
use crate::signals::classifier::{Classifier, score};
use crate::signals::{Calibration, calibration::Point};

const HEAD: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();
const EDGE: Style = AnsiColor::Green.on_default();
const CLOUD: Style = AnsiColor::Blue.on_default();

/// A model's figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    pub model: String,
    /// `edge` or `cloud`.
    pub placement: String,
    pub answered: usize,
    /// The share of right answers, and its 95 % interval (Wilson).
    pub quality: f64,
    pub interval: (f64, f64),
    /// Milliseconds to the first of the text, and of a whole answer.
    pub first_p50: f64,
    pub p50: f64,
    pub p95: f64,
    pub tokens: (u64, u64),
    /// US dollars of all answers; `None`: a price is not known.
    pub cost: Option<f64>,
}

/// An answer and its mark.
#[derive(Debug, Clone, Copy)]
pub struct Graded<'r> {
    pub answer: &'r Answer,
    pub ok: bool,
}

/// A model and what it answered, row by row.
pub struct Asked<'r> {
    pub model: String,
    /// `edge` or `cloud`.
    pub placement: &'static str,
    pub answers: Vec<Option<&'r Answer>>,
}

/// All of it.
pub struct Comparison<'r> {
    pub figures: Vec<Figures>,
    items: &'r [Arc<Item>],
    /// Per model, per row.
    graded: Vec<Vec<Option<Graded<'r>>>>,
    model: Arc<Classifier>,
    /// Indices into `figures`.
    pair: Option<(usize, usize)>,
}

impl<'r> Comparison<'r> {
    pub fn new(items: &'r [Arc<Item>], asked: &[Asked<'r>], model: &Arc<Classifier>) -> Comparison<'r> {
        let grade = |(item, answer): (&Arc<Item>, &Option<&'r Answer>)| {
            answer.map(|answer| Graded { answer, ok: item.check.passes(&answer.answer) })
        };
        let graded: Vec<Vec<_>> = asked.iter().map(|of| items.iter().zip(&of.answers).map(grade).collect()).collect();
        let figures = asked.iter().zip(&graded).map(|(of, graded)| {
            let weighed = items.iter().zip(graded).filter_map(|(item, graded)| Some((item.weight, (*graded)?)));
            figures(&of.model, of.placement, &weighed.collect::<Vec<_>>())
        });
        Comparison { figures: figures.collect(), items, graded, model: Arc::clone(model), pair: None }
    }

    /// Chooses the two that the boundary runs between: those named, or the best of each placement.
    ///
    /// # Errors
    /// A name that is not among the models.
    pub fn between(mut self, edge: Option<&str>, cloud: Option<&str>) -> Result<Self, String> {
        let find = |named: Option<&str>, placement: &str| match named {
            Some(name) => match self.figures.iter().position(|figures| figures.model == name) {
                Some(at) => Ok(Some(at)),
                None => Err(format!("--{placement}: `{name}` is not among the models that were asked")),
            },
            None => {
                let fit = |(_, of): &(usize, &Figures)| of.placement == placement && of.answered > 0;
                let best = self.figures.iter().enumerate().filter(fit);
                // Of equals the cheaper one; what has no known price may cost anything.
                let cost = |of: &Figures| of.cost.map_or(f64::INFINITY, |cost| cost / of.answered as f64);
                let better = |a: &Figures, b: &Figures| {
                    a.quality.total_cmp(&b.quality).then_with(|| cost(b).total_cmp(&cost(a)))
                };
                Ok(best.max_by(|(_, a), (_, b)| better(a, b)).map(|(at, _)| at))
            }
        };
        let (edge, cloud) = (find(edge, "edge")?, find(cloud, "cloud")?);
        self.pair = edge.zip(cloud);
        Ok(self)
    }

    /// The rows that both of the pair have answered.
    fn both(&self) -> Vec<(&'r Item, Graded<'r>, Graded<'r>)> {
        let answers = |at: usize| self.graded.get(at).map(Vec::as_slice).unwrap_or_default();
        let Some((edge, cloud)) = self.pair.map(|(edge, cloud)| (answers(edge), answers(cloud))) else { return vec![] };
        let each = self.items.iter().zip(edge.iter().zip(cloud));
        each.filter_map(|(item, (edge, cloud))| Some((item.as_ref(), (*edge)?, (*cloud)?))).collect()
    }

    fn names(&self) -> Option<(&str, &str)> {
        let (edge, cloud) = self.pair?;
        Some((&self.figures.get(edge)?.model, &self.figures.get(cloud)?.model))
    }

    fn outcomes(&self) -> Vec<Outcome> {
        let outcome = |(item, edge, cloud): (&Item, Graded<'_>, Graded<'_>)| {
            let scores = score(Some(&self.model), None, &item.prompt.circumstances(), item.prompt.passages());
            Outcome {
                difficulty: scores.difficulty.unwrap_or_default().into(),
                edge_ok: edge.ok,
                cloud_ok: cloud.ok,
                weight: item.weight,
                edge_usd: edge.answer.cost_usd,
                cloud_usd: cloud.answer.cost_usd,
            }
        };
        self.both().into_iter().map(outcome).collect()
    }

    /// What thresholds are worth; `None`: there are not both an edge and a cloud model, or no row that both answered.
    pub fn calibration(&self) -> Option<Calibration> {
        let outcomes = self.outcomes();
        (!outcomes.is_empty()).then(|| calibrate(&outcomes, self.model.identity()))
    }

    /// Training rows, JSONL.
    pub fn rows(&self) -> String {
        let mut out = String::new();
        for (item, edge, cloud) in self.both() {
            let mut row = item.written.clone();
            row["edge_ok"] = edge.ok.into();
            row["cloud_ok"] = cloud.ok.into();
            let _ = writeln!(out, "{row}");
        }
        out
    }

    /// Edge alone, cloud alone, and at the threshold that the target needs.
    fn boundary(&self, target: f64) -> Option<[(String, Point); 3]> {
        let (outcomes, calibration) = (self.outcomes(), self.calibration()?);
        let at = |threshold| point(&outcomes, threshold, calibration.cloud_quality);
        // Beyond every difficulty, and below.
        let (edge, cloud) = (at(f64::INFINITY), at(0.0));
        let needed = calibration.threshold_for(target).map_or(cloud, at);
        let (edge_name, cloud_name) = self.names()?;
        Some([
            (format!("{edge_name} alone"), edge),
            (format!("{cloud_name} alone"), cloud),
            (format!("threshold {:.4}", needed.threshold), needed),
        ])
    }

    /// For programs.
    pub fn json(&self, target: f64) -> Value {
        let models: Vec<Value> = self.figures.iter().map(figures_json).collect();
        let boundary = self.boundary(target).map(|[edge, cloud, at]| {
            let row = |of: &Point| json!({"quality": of.quality, "cloud_share": of.cloud_share, "cost_usd": of.cost_usd});
            json!({"target_quality": target, "threshold": at.1.threshold, "at": row(&at.1), "edge": row(&edge.1), "cloud": row(&cloud.1)})
        });
        json!({"models": models, "boundary": boundary})
    }
}

fn figures_json(of: &Figures) -> Value {
    json!({
        "model": of.model, "placement": of.placement, "answered": of.answered, "quality": of.quality,
        "quality_from": of.interval.0, "quality_to": of.interval.1, "first_p50_ms": of.first_p50, "p50_ms": of.p50, "p95_ms": of.p95,
        "prompt_tokens": of.tokens.0, "completion_tokens": of.tokens.1, "cost_usd": of.cost,
    })
}

/// Of weights and marked answers.
fn figures(model: &str, placement: &str, of: &[(f64, Graded<'_>)]) -> Figures {
    let weight: f64 = of.iter().map(|(weight, _)| weight).sum();
    // The sum of none is -0, which would be shown.
    let right = of.iter().filter(|(_, graded)| graded.ok).fold(0.0, |sum, (weight, _)| sum + weight);
    let squares: f64 = of.iter().map(|(weight, _)| weight * weight).sum();
    let answers = || of.iter().map(|(_, graded)| graded.answer);
    let quality = if of.is_empty() { 0.0 } else { right / weight };
    Figures {
        model: model.to_owned(),
        placement: placement.to_owned(),
        answered: of.len(),
        quality,
        // Rows of unequal weight say as much as fewer equal ones (Kish).
        interval: wilson(quality, if of.is_empty() { 0.0 } else { weight * weight / squares }),
        first_p50: percentile(answers().map(|answer| answer.first_ms), 0.5),
        p50: percentile(answers().map(|answer| answer.ms), 0.5),
        p95: percentile(answers().map(|answer| answer.ms), 0.95),
        tokens: answers().fold((0, 0), |sum, answer| (sum.0 + answer.prompt_tokens, sum.1 + answer.completion_tokens)),
        cost: answers().map(|answer| answer.cost_usd).sum(),
    }
}

/// The nearest value to a part of the way through them; 0 of none.
fn percentile(values: impl Iterator<Item = f64>, part: f64) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(((values.len() as f64 - 1.0) * part).round() as usize).copied().unwrap_or(0.0)
}

/// Wilson's score interval for a share `p` of `n`, 95 % (Wilson, 1927).
fn wilson(p: f64, n: f64) -> (f64, f64) {
    const Z: f64 = 1.959_963_984_540_054;
    if n == 0.0 {
        return (0.0, 1.0);
    }
    let middle = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    ((middle - half) / scale, (middle + half) / scale)
}

/// For people, with colours.
pub fn table(comparison: &Comparison<'_>, target: f64) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_table(&mut out, comparison, target);
    out
}

fn write_table(out: &mut String, comparison: &Comparison<'_>, target: f64) -> std::fmt::Result {
    let width = comparison.figures.iter().map(|of| of.model.chars().count()).max().unwrap_or(0).max(5);
    writeln!(
        out,
        "{HEAD}{:<width$}  {:<9} {:>8} {:>8} {:>15} {:>8} {:>8} {:>10} {:>10} {:>11} {:>11}{HEAD:#}",
        "model",
        "placement",
        "answered",
        "quality",
        "95 % interval",
        "p50 ms",
        "p95 ms",
        "prompt",
        "output",
        "cost USD",
        "per 1,000"
    )?;
    for of in &comparison.figures {
        let style = if of.placement == "edge" { EDGE } else { CLOUD };
        let interval = format!("{:.1} to {:.1}", 100.0 * of.interval.0, 100.0 * of.interval.1);
        let money = |usd: Option<f64>| usd.map_or("unknown".into(), |usd| format!("{usd:.6}"));
        let each = of.cost.map(|cost| cost / of.answered.max(1) as f64 * 1e3);
        writeln!(
            out,
            "{:<width$}  {style}{:<9}{style:#} {:>8} {:>6.1} % {:>15} {:>8.0} {:>8.0} {:>10} {:>10} {:>11} {:>11}",
            of.model,
            of.placement,
            of.answered,
            100.0 * of.quality,
            interval,
            of.p50,
            of.p95,
            of.tokens.0,
            of.tokens.1,
            money(of.cost),
            money(each)
        )?;
    }
    let Some(boundary) = comparison.boundary(target) else {
        return writeln!(
            out,
            "\n{FAINT}no boundary: it takes an edge and a cloud model that answered the same rows{FAINT:#}"
        );
    };
    let rows = comparison.both().len();
    writeln!(
        out,
        "\n{HEAD}boundary{HEAD:#}  to keep {:.1} % of the cloud's quality, on {rows} rows that both answered",
        100.0 * target
    )?;
    let width = boundary.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    writeln!(out, "  {FAINT}{:<width$} {:>9} {:>12} {:>12}{FAINT:#}", "", "quality", "cloud share", "cost USD")?;
    for (name, at) in &boundary {
        let cost = at.cost_usd.map_or("unknown".into(), |usd| format!("{usd:.6}"));
        writeln!(out, "  {name:<width$} {:>7.1} % {:>10.1} % {cost:>12}", 100.0 * at.quality, 100.0 * at.cloud_share)?;
    }
    if rows < FEW_ROWS {
        writeln!(
            out,
            "  {FAINT}{rows} rows say little: the interval of a quality is {:.0} points wide{FAINT:#}",
            200.0 / (rows.max(1) as f64).sqrt()
        )?;
    }
    Ok(())
}

/// Below this a boundary is more noise than knowledge.
const FEW_ROWS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilsons_interval_is_the_textbooks() {
        let (from, to) = wilson(0.8, 10.0);
        assert!((from - 0.490).abs() < 0.001 && (to - 0.943).abs() < 0.001, "{from} {to}");
        assert_eq!(wilson(0.0, 0.0), (0.0, 1.0));
        assert!(wilson(0.0, 20.0).0.abs() < 1e-9 && wilson(1.0, 20.0).1 > 0.999_999);
    }

    fn answer(text: &str, cost: Option<f64>, ms: f64) -> Answer {
        Answer {
            row: "1".into(),
            model: "m".into(),
            question: "q".into(),
            answer: text.into(),
            ms,
            first_ms: ms / 2.0,
            prompt_tokens: 3,
            completion_tokens: 4,
            cost_usd: cost,
        }
    }

    fn items(lines: &[Value]) -> Vec<Arc<Item>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.jsonl");
        let text: Vec<String> = lines.iter().map(ToString::to_string).collect();
        std::fs::write(&path, text.join("\n")).unwrap();
        super::super::set::read(&path).unwrap().into_iter().map(Arc::new).collect()
    }

    #[test]
    fn weights_count_and_of_equals_the_cheaper_is_taken() {
        let items = items(&[
            json!({"prompt": "a", "expected": "yes", "weight": 3}),
            json!({"prompt": "b", "expected": "yes"}),
            json!({"prompt": "c", "expected": "yes"}),
        ]);
        let (yes, dear, no) =
            (answer("yes", Some(0.1), 10.0), answer("yes", Some(0.3), 30.0), answer("no", None, 20.0));
        let of = |model: &str, placement, answers| Asked { model: model.into(), placement, answers };
        let asked = [
            of("dear", "cloud", vec![Some(&dear), Some(&dear), None]),
            of("cheap", "cloud", vec![Some(&yes), Some(&yes), Some(&yes)]),
            of("edge", "edge", vec![Some(&yes), Some(&no), None]),
        ];
        let comparison = Comparison::new(&items, &asked, &Classifier::difficulty()).between(None, None).unwrap();
        assert_eq!(comparison.names(), Some(("edge", "cheap")));
        let [dear, cheap, edge] = comparison.figures.as_slice() else { panic!() };
        assert_eq!((edge.quality, edge.answered, edge.cost), (0.75, 2, None));
        assert_eq!((cheap.quality, cheap.answered, cheap.tokens), (1.0, 3, (9, 12)));
        assert_eq!((dear.p50, dear.first_p50), (30.0, 15.0));
        // Weights 3 and 1 are worth 1.6 rows.
        assert!((edge.interval.0 - wilson(0.75, 1.6).0).abs() < 1e-12);
        assert_eq!(comparison.both().len(), 2);
        assert_eq!(comparison.rows().lines().count(), 2);
    }
}
