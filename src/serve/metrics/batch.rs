//! What one worker observes until its batch is committed.

use prometheus::local::LocalHistogram;
use prometheus::{Histogram, HistogramVec};

/// What one worker observes while a batch is open. Observing touches no shared memory.
///
/// [`flush`](Self::flush) it when the commit is confirmed, [`clear`](Self::clear) it when the batch
/// is dropped. Dropping the value discards what was not flushed.
pub struct BatchHistograms {
    latency: LocalHistogram,
    vec: HistogramVec,
    /// There are at most five sources, so a scan is cheaper than a map.
    lateness: Vec<(String, LocalHistogram)>,
}

impl BatchHistograms {
    pub(super) fn new(latency: &Histogram, lateness: &HistogramVec) -> BatchHistograms {
        BatchHistograms {
            latency: latency.local(),
            vec: lateness.clone(),
            lateness: Vec::new(),
        }
    }

    /// Observes one record's way from its timestamp to the commit, in seconds. A clock that runs
    /// ahead gives 0; NaN is ignored.
    pub fn latency(&mut self, seconds: f64) {
        if !seconds.is_nan() {
            self.latency.observe(seconds.max(0.0));
        }
    }

    /// Observes how far an event lies behind the newest known of its customer, in seconds. An event
    /// that is itself the newest gives 0; NaN is ignored.
    pub fn lateness(&mut self, source: &str, seconds: f64) {
        if seconds.is_nan() {
            return;
        }
        let seconds = seconds.max(0.0);
        if let Some((_, local)) = self.lateness.iter().find(|(name, _)| name == source) {
            local.observe(seconds);
        } else {
            let local = self.vec.with_label_values(&[source]).local();
            local.observe(seconds);
            self.lateness.push((source.to_owned(), local));
        }
    }

    /// Adds everything to the metrics and starts anew.
    pub fn flush(&mut self) {
        self.latency.flush();
        for (_, local) in &self.lateness {
            local.flush();
        }
    }

    /// Forgets everything since the last flush.
    pub fn clear(&mut self) {
        self.latency.clear();
        for (_, local) in &self.lateness {
            local.clear();
        }
    }
}

impl Drop for BatchHistograms {
    fn drop(&mut self) {
        // The library's local histograms flush when dropped, which would count an aborted batch.
        self.clear();
    }
}
