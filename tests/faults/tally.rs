//! What was done, and what came of it, over all tests of a run.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// The figures.
#[derive(Default)]
pub struct Tally {
    pub starts: AtomicU64,
    pub stops: AtomicU64,
    pub kills: AtomicU64,
    pub stalls: AtomicU64,
    pub broker_stops: AtomicU64,
    pub broker_kills: AtomicU64,
    pub cut_connections: AtomicU64,
    pub half_open: AtomicU64,
    pub lost_answers: AtomicU64,
    pub lost_requests: AtomicU64,
    /// As the instances told, until they ended: what one did after it was last asked is missing.
    pub rebalances: AtomicU64,
    /// Batches that a newer owner, or a newer generation of the group, put an end to. Logs are sparing: at least these.
    pub fencings: AtomicU64,
    pub aborted: AtomicU64,
    pub unknown: AtomicU64,
    pub committed: AtomicU64,
    pub records: AtomicU64,
    pub comparisons: AtomicU64,
    /// Tests and rounds that could not be judged, see [`keyfold_harness::lost_markers`].
    pub forgotten: AtomicU64,
    pub snapshots: AtomicU64,
    pub dead_letters: AtomicU64,
}

pub static TALLY: Tally = Tally {
    starts: AtomicU64::new(0),
    stops: AtomicU64::new(0),
    kills: AtomicU64::new(0),
    stalls: AtomicU64::new(0),
    broker_stops: AtomicU64::new(0),
    broker_kills: AtomicU64::new(0),
    cut_connections: AtomicU64::new(0),
    half_open: AtomicU64::new(0),
    lost_answers: AtomicU64::new(0),
    lost_requests: AtomicU64::new(0),
    rebalances: AtomicU64::new(0),
    fencings: AtomicU64::new(0),
    aborted: AtomicU64::new(0),
    unknown: AtomicU64::new(0),
    committed: AtomicU64::new(0),
    records: AtomicU64::new(0),
    comparisons: AtomicU64::new(0),
    forgotten: AtomicU64::new(0),
    snapshots: AtomicU64::new(0),
    dead_letters: AtomicU64::new(0),
};

/// Counts one.
pub fn count(figure: &AtomicU64) {
    add(figure, 1);
}

pub fn add(figure: &AtomicU64, more: u64) {
    figure.fetch_add(more, Ordering::Relaxed);
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        writeln!(
            f,
            "processors: {} started, {} stopped, {} killed, {} stalled",
            n(&self.starts),
            n(&self.stops),
            n(&self.kills),
            n(&self.stalls)
        )?;
        writeln!(
            f,
            "brokers: {} stopped, {} killed",
            n(&self.broker_stops),
            n(&self.broker_kills)
        )?;
        writeln!(
            f,
            "connections: {} cut, {} half open; EndTxn: {} answers and {} requests lost",
            n(&self.cut_connections),
            n(&self.half_open),
            n(&self.lost_answers),
            n(&self.lost_requests)
        )?;
        writeln!(
            f,
            "seen: {} rebalances, {} fencings; transactions: {} committed, {} aborted, {} unknown",
            n(&self.rebalances),
            n(&self.fencings),
            n(&self.committed),
            n(&self.aborted),
            n(&self.unknown)
        )?;
        write!(
            f,
            "{} records; {} comparisons of {} snapshots and {} dead letters, 0 differences; {} not judged",
            n(&self.records),
            n(&self.comparisons),
            n(&self.snapshots),
            n(&self.dead_letters),
            n(&self.forgotten)
        )
    }
}
