//! What a worker tells the outside: metrics on commit, health, and how far it is.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::notices::{Kind, Notices};
use super::registry;
use crate::engine::batch::{Label, Ledger};
use crate::engine::status::Nearness;
use crate::engine::{Settings, Worker};
use crate::kafka::consumer::GroupConsumer;
use crate::model::record::Location;
use crate::registry::CachedSchemas;
use crate::serve::metrics::lag::{self, Lag};
use crate::serve::{BatchHistograms, Health, Metrics, Readiness, StateShare, WorkerState};

/// One worker's voice.
pub struct Reporter {
    worker: usize,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    histograms: BatchHistograms,
    settings: Arc<Settings>,
    /// None: no source is Avro.
    schemas: Option<Arc<CachedSchemas>>,
    /// State partitions whose restore is shown.
    restores: BTreeSet<i32>,
    said: Option<Instant>,
    /// Whether the worker was not ready then.
    unready: bool,
    /// State partitions that it owned when it was last looked at.
    owned: usize,
    progress: Option<(Instant, i64)>,
    /// What is said of the partitions that can't be read, and how many they are.
    stuck: Option<(String, usize)>,
    /// Rejections and warnings that are to be logged.
    notices: Notices,
    /// Of the states that it owned when it was last looked at.
    nearness: Nearness,
}

/// How often the slower figures are renewed.
const PERIOD: Duration = Duration::from_millis(500);
/// How often a restore says in the log how far it is.
const PROGRESS_PERIOD: Duration = Duration::from_secs(5);

impl Reporter {
    pub fn new(
        worker: usize,
        metrics: Arc<Metrics>,
        health: Arc<Health>,
        settings: Arc<Settings>,
        schemas: Option<Arc<CachedSchemas>>,
    ) -> Reporter {
        metrics.worker_state(worker, WorkerState::Starting);
        Reporter {
            worker,
            histograms: metrics.batch_histograms(),
            metrics,
            health,
            settings,
            schemas,
            restores: BTreeSet::new(),
            said: None,
            unready: true,
            owned: 0,
            progress: None,
            stuck: None,
            notices: Notices::default(),
            nearness: Nearness::default(),
        }
    }

    /// The number of the worker.
    pub fn worker(&self) -> usize {
        self.worker
    }

    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Counts a batch whose commit is confirmed.
    pub fn committed(&mut self, ledger: &Ledger, took: Duration) {
        let metrics = &self.metrics;
        metrics.transaction("committed");
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        metrics.commit(took, now.as_secs_f64());
        for (&(label, outcome), &count) in &ledger.outcomes {
            metrics.records(label.name(), outcome.name(), count);
            if let Label::Source(source) = label {
                metrics.input_records(source.name(), count);
            }
        }
        for (&(label, source, code), rejected) in &ledger.rejections {
            let (records, last) = (rejected.records, rejected.last.clone());
            metrics.rejections(label.name(), code.stage().name(), code.name(), records);
            self.notices
                .note(Kind::Rejected, source, code, records, last);
        }
        for (&(source, code), &warned) in &ledger.warnings {
            metrics.warnings(source.name(), code.name(), warned.records);
            let last = Location {
                topic: self.settings.topic_name(warned.place).to_owned(),
                partition: warned.place.partition,
                offset: warned.offset,
            };
            self.notices
                .note(Kind::Warned, source, code, warned.records, last);
        }
        metrics.snapshots("snapshot", ledger.snapshots);
        metrics.snapshots("tombstone", ledger.tombstones);
        let now = now.as_millis() as i64;
        for &(timestamp, times) in ledger.timestamps.iter() {
            let millis = now.saturating_sub(timestamp);
            for _ in 0..times {
                self.histograms.latency(millis as f64 / 1000.0);
            }
        }
        for &((label, seconds), times) in ledger.lateness.iter() {
            for _ in 0..times {
                self.histograms.lateness(label.name(), seconds);
            }
        }
        self.histograms.flush();
        self.log_notices(Instant::now(), false);
    }

    /// Says how the worker is; renews the slower figures now and then. `away`: no broker can be reached.
    pub fn tick(&mut self, worker: &Worker, consumer: Option<&GroupConsumer>, away: bool) {
        let now = Instant::now();
        self.health.heartbeat(self.worker, now);
        self.log_notices(now, false);
        // that it has become ready is said at once, and so is what it owns, which another worker may count too
        let ready_now = self.unready && !away && worker.unready().is_none();
        let owned = std::mem::replace(&mut self.owned, worker.owned_states());
        let changed = ready_now || owned != self.owned;
        if !changed && self.said.is_some_and(|said| now - said < PERIOD) {
            return;
        }
        self.said = Some(now);
        let registry = self.registry_trouble(worker);
        let state = if away || worker.is_retrying() || registry.is_some() {
            WorkerState::Retrying
        } else if worker.is_restoring() {
            WorkerState::Restoring
        } else if worker.unready().is_some() {
            WorkerState::Joining
        } else {
            WorkerState::Running
        };
        self.metrics.worker_state(self.worker, state);
        let (customers, bytes) = worker.state_size();
        self.nearness = worker.nearness();
        let share = StateShare {
            customers: customers as i64,
            bytes: bytes as i64,
            largest: self.nearness.largest as i64,
        };
        self.metrics.state(self.worker, share);
        self.show_restore(worker, now);
        if let Some(consumer) = consumer {
            self.show_lag(worker, consumer);
        }
        // last, so that who waits for it finds the figures of what is ready
        let away = away.then(|| "no broker can be reached".to_owned());
        let unready = away.or_else(|| worker.unready());
        self.unready = unready.is_some();
        let stuck = self.stuck.as_ref().map(|(reason, _)| reason.clone());
        // a partition that can't be read may be why the restore comes no further: it is told first
        let reasons: Vec<String> = [stuck, unready, registry].into_iter().flatten().collect();
        let readiness = match reasons.is_empty() {
            true => Readiness::Ready,
            false => Readiness::NotReady(reasons.join("; ")),
        };
        self.health.readiness(self.worker, readiness);
    }

    /// Logs the rejections and warnings that are due.
    fn log_notices(&mut self, now: Instant, all: bool) {
        self.notices.log(self.worker, &self.nearness, now, all);
    }

    /// Shows how the registry is; what is said where records wait for it in vain.
    fn registry_trouble(&self, worker: &Worker) -> Option<String> {
        let schemas = self.schemas.as_ref()?;
        let waiting = worker.waiting_for_schemas();
        let requests = schemas.requests();
        let metrics = &self.metrics.schema_registry;
        metrics.waiting(self.worker, waiting);
        metrics.requests("ok", requests.ok);
        metrics.requests("not_found", requests.not_found);
        metrics.requests("failed", requests.failed);
        let trouble = schemas.trouble().filter(|_| waiting > 0)?;
        Some(format!(
            "{}; {waiting} partitions wait for it",
            registry::away(&trouble)
        ))
    }

    /// What is said of the partitions that can't be read, and how many they are.
    pub fn stuck(&mut self, stuck: Option<(String, usize)>) {
        let partitions = stuck.as_ref().map_or(0, |(_, partitions)| *partitions);
        self.metrics.stuck(self.worker, partitions);
        self.stuck = stuck;
        // is said at once
        self.said = None;
    }

    fn show_restore(&mut self, worker: &Worker, now: Instant) {
        let remaining: Vec<_> = worker.restore_remaining().collect();
        for &(partition, records) in &remaining {
            self.metrics.restore_remaining(partition, records);
        }
        let shown: BTreeSet<i32> = remaining.iter().map(|(partition, _)| *partition).collect();
        for partition in self.restores.difference(&shown) {
            self.metrics.forget_restore(*partition);
        }
        self.restores = shown;

        let total: i64 = remaining.iter().map(|(_, records)| records).sum();
        if total == 0 {
            if self.progress.take().is_some() {
                tracing::info!(worker = self.worker, "restored");
            }
            return;
        }
        match self.progress {
            None => self.progress = Some((now, total)),
            Some((since, before)) if now - since >= PROGRESS_PERIOD => {
                let rate = (before - total).max(0) as f64 / (now - since).as_secs_f64();
                let left = if rate > 0.0 {
                    format!("about {:.0} s", total as f64 / rate)
                } else {
                    "unknown".to_owned()
                };
                tracing::info!(
                    worker = self.worker,
                    remaining = total,
                    records_per_second = rate as u64,
                    left,
                    "restoring"
                );
                self.progress = Some((now, total));
            }
            Some(_) => {}
        }
    }

    fn show_lag(&self, worker: &Worker, consumer: &GroupConsumer) {
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
        self.metrics.lag.owned(self.worker, owned, lags, now);
    }

    /// The worker waits for a service before it can do anything.
    pub fn waiting(&mut self, reason: &str) {
        self.health.heartbeat(self.worker, Instant::now());
        self.metrics
            .worker_state(self.worker, WorkerState::Retrying);
        self.health
            .readiness(self.worker, Readiness::NotReady(reason.to_owned()));
    }

    /// The worker begins a call to the cluster that it can't leave.
    pub fn calls(&self) {
        self.health.calls(self.worker, Instant::now());
    }

    /// The worker ends, by itself or by a failure.
    pub fn ended(&mut self) {
        self.log_notices(Instant::now(), true);
        self.metrics.worker_state(self.worker, WorkerState::Stopped);
        self.metrics.state(self.worker, StateShare::default());
        self.metrics.stuck(self.worker, 0);
        let nothing = BTreeSet::new();
        self.metrics
            .lag
            .owned(self.worker, nothing, [], lag::millis());
        self.health.ended(self.worker);
    }

    pub fn stopping(&mut self) {
        self.metrics
            .worker_state(self.worker, WorkerState::Stopping);
        self.health
            .readiness(self.worker, Readiness::NotReady("stopping".to_owned()));
    }
}
