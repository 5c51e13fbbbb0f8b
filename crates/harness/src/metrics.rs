//! What `/metrics` says.

use std::collections::BTreeMap;

/// The samples of `/metrics`, by their text form (`name{label="value"}`).
pub type Metrics = BTreeMap<String, f64>;

/// The sum of a metric's samples that carry all of these labels.
pub fn sum(metrics: &Metrics, name: &str, labels: &[(&str, &str)]) -> f64 {
    let wanted: Vec<String> = labels
        .iter()
        .map(|(label, value)| format!("{label}=\"{value}\""))
        .collect();
    let matching = metrics.iter().filter(|(sample, _)| {
        let (its_name, its_labels) = sample.split_once('{').unwrap_or((sample, ""));
        let its_labels = its_labels.trim_end_matches('}');
        its_name == name && wanted.iter().all(|w| its_labels.split(',').any(|l| l == w))
    });
    matching.map(|(_, value)| value).sum()
}

/// Reads the text format of Prometheus.
pub(crate) fn parse_metrics(text: &str) -> Metrics {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let parsed = samples.filter_map(|line| {
        let (sample, value) = line.rsplit_once(' ')?;
        Some((sample.to_owned(), value.parse().ok()?))
    });
    parsed.collect()
}
