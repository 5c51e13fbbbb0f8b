//! Reports on one worker: counts its committed batches, and shows its state, what it owns and how far that is behind.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::record_log::{Kind, RecordLog};
use crate::engine::batch::Ledger;
use crate::engine::status::Nearness;
use crate::engine::{Engine, Settings};
use crate::kafka::consumer::GroupConsumer;
use crate::model::record::Location;
use crate::registry::CachedSchemas;
use crate::serve::board::DeadLetter;
use crate::serve::metrics::lag::{self, Lag};
use crate::serve::metrics::{RegistryResult, StateShare, TransactionResult, WorkerState};
use crate::serve::{Board, Health, Metrics, Readiness};

/// Minimum time between two updates of the figures that take a while to collect, such as the size of the state.
const REFRESH_INTERVAL: Duration = Duration::from_millis(500);
/// Time between two log lines about the progress of a restore.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

/// Partitions whose next record cannot be read.
pub(crate) struct StuckPartitions {
    pub(crate) count: usize,
    /// Why the first of them cannot be read.
    pub(crate) reason: String,
}

pub(crate) struct Reporter {
    worker: usize,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    board: Arc<Board>,
    settings: Arc<Settings>,
    /// `None`: no source is Avro.
    schemas: Option<Arc<CachedSchemas>>,
    /// State partitions whose restore progress is in the metrics.
    restores: BTreeSet<i32>,
    refreshed: Option<Instant>,
    /// Whether the worker was ready at the last refresh.
    was_ready: bool,
    /// How many state partitions the worker owned at the last tick.
    owned: usize,
    /// When the restore progress was last logged, and how many records remained then.
    progress: Option<(Instant, i64)>,
    stuck: Option<StuckPartitions>,
    record_log: RecordLog,
    /// How large the states of the worker's customers were at the last refresh.
    nearness: Nearness,
}

impl Reporter {
    pub(crate) fn new(
        worker: usize,
        metrics: Arc<Metrics>,
        health: Arc<Health>,
        board: Arc<Board>,
        settings: Arc<Settings>,
        schemas: Option<Arc<CachedSchemas>>,
    ) -> Reporter {
        metrics.worker_state(worker, WorkerState::Starting);
        Reporter {
            worker,
            metrics,
            health,
            board,
            settings,
            schemas,
            restores: BTreeSet::new(),
            refreshed: None,
            was_ready: false,
            owned: 0,
            progress: None,
            stuck: None,
            record_log: RecordLog::new(),
            nearness: Nearness::default(),
        }
    }

    /// The number of the worker.
    pub(crate) fn worker(&self) -> usize {
        self.worker
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Counts a batch whose commit is confirmed.
    pub(crate) fn committed(&mut self, ledger: &Ledger, took: Duration) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        self.metrics.transaction(TransactionResult::Committed);
        self.metrics.commit(took, now.as_secs_f64());
        self.count_records(ledger);
        self.show_dead_letters(ledger, now.as_millis() as i64);
        self.observe_times(ledger, now.as_millis() as i64);
        self.log_records(Instant::now());
    }

    fn count_records(&mut self, ledger: &Ledger) {
        let metrics = &self.metrics;
        for (&(label, outcome), &count) in &ledger.outcomes {
            metrics.records(label, outcome, count);
        }
        for (&(label, source, code), rejected) in &ledger.rejections {
            let (records, last) = (rejected.records, rejected.last.clone());
            metrics.rejections(label, code, records);
            self.record_log
                .add(Kind::Rejected, source, code, records, last);
        }
        for (&(source, code), &warned) in &ledger.warnings {
            metrics.warnings(source, code, warned.records);
            let last = Location {
                topic: self.settings.topic_name(warned.place).to_owned(),
                partition: warned.place.partition,
                offset: warned.offset,
            };
            self.record_log
                .add(Kind::Warned, source, code, warned.records, last);
        }
        metrics.snapshots(ledger.snapshots, ledger.tombstones);
    }

    /// Shows the newest dead letters; `now` in milliseconds since 1970.
    fn show_dead_letters(&self, ledger: &Ledger, now: i64) {
        let newest = ledger.newest_rejections.iter();
        let letters = newest.map(|rejected| DeadLetter {
            at: now,
            topic: rejected.at.topic.clone(),
            partition: rejected.at.partition,
            offset: rejected.at.offset,
            source: rejected.source.name(),
            stage: rejected.code.stage().name(),
            code: rejected.code.name(),
            pointer: rejected.pointer.clone(),
        });
        self.board.add_dead_letters(letters);
    }

    /// Observes latency and lateness; `now` in milliseconds since 1970.
    fn observe_times(&self, ledger: &Ledger, now: i64) {
        let timestamps = ledger.timestamps.iter();
        self.metrics.latencies(timestamps.map(|&(at, times)| {
            let millis = now.saturating_sub(at);
            (millis as f64 / 1000.0, times)
        }));
        let lateness = ledger.lateness.iter();
        let lateness = lateness.map(|&((label, seconds), times)| (label, seconds, times));
        self.metrics.lateness(lateness);
    }

    /// Must be called in every turn of the worker's loop, as a sign that the worker is alive. At intervals it also
    /// refreshes the metrics and the readiness. `away`: no broker can be reached.
    pub(crate) fn tick(&mut self, worker: &Engine, consumer: &GroupConsumer, away: bool) {
        let now = Instant::now();
        self.health.heartbeat(self.worker, now);
        self.log_records(now);
        // Two changes are shown at once, without waiting for the interval: that the worker has become ready, and what
        // it owns, because another worker may report the same partitions.
        let became_ready = !self.was_ready && !away && worker.unready().is_none();
        let owned = std::mem::replace(&mut self.owned, worker.owned_states());
        let changed = became_ready || owned != self.owned;
        if changed || self.refreshed.is_none_or(|at| now - at >= REFRESH_INTERVAL) {
            self.refreshed = Some(now);
            self.refresh(worker, consumer, away, now);
        }
    }

    fn refresh(&mut self, worker: &Engine, consumer: &GroupConsumer, away: bool, now: Instant) {
        let unready = match away {
            true => Some("no broker can be reached".to_owned()),
            false => worker.unready(),
        };
        let registry = self.refresh_registry(worker);
        let state = if away || worker.is_retrying() || registry.is_some() {
            WorkerState::Retrying
        } else if worker.is_restoring() {
            WorkerState::Restoring
        } else if unready.is_some() {
            WorkerState::Joining
        } else {
            WorkerState::Running
        };
        self.metrics.worker_state(self.worker, state);
        self.refresh_state_size(worker);
        self.refresh_restore(worker, now);
        self.refresh_lag(worker, consumer);
        // The readiness is set last, so that the metrics are up to date once it is visible.
        self.was_ready = unready.is_none();
        let stuck = self.stuck.as_ref().map(|stuck| stuck.reason.clone());
        // A partition that cannot be read may be why a restore makes no progress, so it comes first.
        let reasons: Vec<String> = [stuck, unready, registry].into_iter().flatten().collect();
        let readiness = match reasons.is_empty() {
            true => Readiness::Ready,
            false => Readiness::NotReady(reasons.join("; ")),
        };
        self.health.readiness(self.worker, readiness);
    }

    fn log_records(&mut self, now: Instant) {
        self.record_log.log_due(self.worker, &self.nearness, now);
    }

    /// The reason why the worker is not ready, if its records wait for a registry that is away.
    fn refresh_registry(&self, worker: &Engine) -> Option<String> {
        let schemas = self.schemas.as_ref()?;
        let waiting = worker.waiting_for_schemas();
        let requests = schemas.requests();
        let metrics = &self.metrics.schema_registry;
        metrics.waiting(self.worker, waiting);
        metrics.requests(RegistryResult::Ok, requests.ok);
        metrics.requests(RegistryResult::NotFound, requests.not_found);
        metrics.requests(RegistryResult::Failed, requests.failed);
        let trouble = schemas.failure().filter(|_| waiting > 0)?;
        let away = registry_away(&trouble);
        Some(format!("{away}; {waiting} partitions wait for it"))
    }

    pub(crate) fn stuck(&mut self, stuck: Option<StuckPartitions>) {
        let partitions = stuck.as_ref().map_or(0, |stuck| stuck.count);
        self.metrics.stuck(self.worker, partitions);
        self.stuck = stuck;
        // the next tick shows it
        self.refreshed = None;
    }

    fn refresh_state_size(&mut self, worker: &Engine) {
        let (customers, bytes) = worker.state_size();
        self.nearness = worker.nearness();
        let share = StateShare {
            customers: customers as i64,
            bytes: bytes as i64,
            largest: self.nearness.largest as i64,
        };
        self.metrics.state(self.worker, share);
    }

    fn refresh_restore(&mut self, worker: &Engine, now: Instant) {
        let remaining: Vec<_> = worker.restore_remaining().collect();
        for &(partition, records) in &remaining {
            self.metrics.restore_remaining(partition, records);
        }
        let restoring: BTreeSet<i32> = remaining.iter().map(|(partition, _)| *partition).collect();
        for partition in self.restores.difference(&restoring) {
            self.metrics.forget_restore(*partition);
        }
        self.restores = restoring;
        self.log_restore(remaining.iter().map(|(_, records)| records).sum(), now);
    }

    fn log_restore(&mut self, remaining: i64, now: Instant) {
        if remaining == 0 {
            if self.progress.take().is_some() {
                tracing::info!(worker = self.worker, "restored");
            }
            return;
        }
        let Some((since, before)) = self.progress else {
            self.progress = Some((now, remaining));
            return;
        };
        if now - since < PROGRESS_INTERVAL {
            return;
        }
        let rate = (before - remaining).max(0) as f64 / (now - since).as_secs_f64();
        let left = if rate > 0.0 {
            format!("about {:.0} s", remaining as f64 / rate)
        } else {
            "unknown".to_owned()
        };
        tracing::info!(
            worker = self.worker,
            remaining,
            records_per_second = rate as u64,
            left,
            "restoring"
        );
        self.progress = Some((now, remaining));
    }

    fn refresh_lag(&self, worker: &Engine, consumer: &GroupConsumer) {
        let mut owned = BTreeSet::new();
        let mut lags = Vec::new();
        for (place, position) in worker.positions() {
            let topic = self.settings.topic_name(place);
            let key = (topic.to_owned(), place.partition);
            let position = worker.committed_position(place).or(position);
            let end = consumer.cached_ends(topic, place.partition);
            if let (Some(position), Some((_, high))) = (position, end) {
                let lag = Lag {
                    position,
                    records: high.saturating_sub(position),
                    oldest: worker.oldest_taken(place),
                };
                lags.push((key.clone(), lag));
            }
            owned.insert(key);
        }
        let now = lag::millis();
        self.metrics.lag.set_owned(self.worker, owned, lags, now);
    }

    /// The worker is waiting for a service before it can continue.
    pub(crate) fn waiting(&mut self, reason: &str) {
        self.health.heartbeat(self.worker, Instant::now());
        self.not_ready(WorkerState::Retrying, reason);
    }

    /// The worker begins a call to the cluster that it cannot interrupt.
    pub(crate) fn begin_blocking_call(&self) {
        self.health.begin_blocking_call(self.worker, Instant::now());
    }

    /// The worker has ended, as intended or by a failure.
    pub(crate) fn ended(&mut self) {
        self.record_log.log_all(self.worker, &self.nearness);
        self.metrics.worker_state(self.worker, WorkerState::Stopped);
        self.metrics.state(self.worker, StateShare::default());
        self.metrics.stuck(self.worker, 0);
        let nothing = BTreeSet::new();
        self.metrics
            .lag
            .set_owned(self.worker, nothing, [], lag::millis());
        self.health.ended(self.worker);
    }

    pub(crate) fn stopping(&mut self) {
        self.not_ready(WorkerState::Stopping, "stopping");
    }

    fn not_ready(&self, state: WorkerState, reason: &str) {
        self.metrics.worker_state(self.worker, state);
        let readiness = Readiness::NotReady(reason.to_owned());
        self.health.readiness(self.worker, readiness);
    }
}

/// The reason why keyfold waits for the schema registry.
pub(crate) fn registry_away(reason: &str) -> String {
    format!("the schema registry is away: {reason}")
}
