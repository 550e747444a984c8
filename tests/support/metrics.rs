//! A scrape of `/metrics`, parsed from the Prometheus text format.
//!
//! What a reader could get wrong: `sum` adds all series that carry the given labels, whatever others they have; a series that is not
//! there counts as 0, so a test that expects 0 should also know that the name exists (`names`).

use std::collections::{BTreeMap, BTreeSet};

/// All samples of one scrape.
#[derive(Debug, Default)]
pub struct Metrics {
    samples: Vec<Sample>,
    /// Type by family, from the `# TYPE` lines.
    pub types: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Metrics {
    /// Panics on a line that is no sample: the endpoint must be readable by Prometheus.
    pub fn parse(text: &str) -> Metrics {
        let mut metrics = Metrics::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a name and a type");
                metrics.types.insert(name.to_owned(), kind.to_owned());
            } else if !line.starts_with('#') {
                metrics.samples.push(sample(line).unwrap_or_else(|| panic!("no sample: {line}")));
            }
        }
        metrics
    }

    /// The sum of all series of `name` that carry these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.series(name, labels).map(|sample| sample.value).sum()
    }

    /// Every name that has a sample.
    pub fn names(&self) -> BTreeSet<&str> {
        self.samples.iter().map(|sample| sample.name.as_str()).collect()
    }

    /// The label names of the first series of `name`.
    pub fn label_names(&self, name: &str) -> BTreeSet<&str> {
        self.series(name, &[])
            .next()
            .map(|sample| sample.labels.keys().map(String::as_str).collect())
            .unwrap_or_default()
    }

    /// Every value that any label has.
    pub fn label_values(&self) -> BTreeSet<&str> {
        self.samples.iter().flat_map(|sample| sample.labels.values()).map(String::as_str).collect()
    }

    fn series(&self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| {
            sample.name == name
                && labels.iter().all(|(key, value)| sample.labels.get(*key).is_some_and(|found| found == value))
        })
    }
}

fn sample(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = match series.split_once('{') {
        Some((name, rest)) => (name, labels(rest.strip_suffix('}')?)?),
        None => (series, BTreeMap::new()),
    };
    Some(Sample { name: name.to_owned(), labels, value: value.parse().ok()? })
}

/// `a="b",c="d"`; escapes in values are left as they are.
fn labels(text: &str) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (key, after) = rest.split_once("=\"")?;
        let (value, after) = after.split_once('"')?;
        labels.insert(key.trim_start_matches(',').to_owned(), value.to_owned());
        rest = after.trim_start_matches(',');
    }
    Some(labels)
}

#[test]
fn sums_the_series_that_carry_the_labels() {
    let text =
        "# HELP a b\n# TYPE a counter\na{x=\"1\",y=\"2\"} 3\na{x=\"1\",y=\"3\"} 4.5\na{x=\"2\",y=\"2\"} 1\nb 7\n";
    let metrics = Metrics::parse(text);
    assert_eq!(metrics.sum("a", &[("x", "1")]), 7.5);
    assert_eq!(metrics.sum("a", &[]), 8.5);
    assert_eq!(metrics.sum("b", &[]), 7.0);
    assert_eq!(metrics.sum("c", &[]), 0.0);
    assert_eq!(metrics.types["a"], "counter");
    assert_eq!(metrics.label_names("a"), BTreeSet::from(["x", "y"]));
    assert!(metrics.names().contains("b") && metrics.label_values().contains("3"));
}
