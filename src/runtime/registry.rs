//! The schema registry's part in a run: plans of writer schemas, and the schema that snapshots are written by.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::signals::Stop;
use crate::avro;
use crate::backoff::Backoff;
use crate::config::{Config, SnapshotFormat};
use crate::exit::Failure;
use crate::registry::{CachedSchemas, EnsureError, Registry};
use crate::serve::{Health, Readiness};
use crate::source::framing::{NoSchemas, Schemas};
use crate::telemetry::reporter::registry_away;

/// Between two attempts to reach the registry at the start.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));

/// What workers need of the registry.
#[derive(Clone)]
pub struct PreparedSchemas {
    /// None: no source is Avro.
    pub cached: Option<Arc<CachedSchemas>>,
    /// The id of the snapshots' schema; none: they are JSON.
    pub snapshot: Option<u32>,
}

impl PreparedSchemas {
    /// Waits for as long as the registry is away, and says so in `health`. None: it was told to stop meanwhile.
    ///
    /// # Errors
    /// The configuration is wrong, or the registry does not take the snapshots' schema.
    pub fn prepare(
        config: &Config,
        workers: usize,
        health: &Health,
        stop: &Stop,
    ) -> Result<Option<PreparedSchemas>, Failure> {
        if !config.needs_registry() {
            return Ok(Some(PreparedSchemas {
                cached: None,
                snapshot: None,
            }));
        }
        let registry =
            Registry::new(&config.registry).map_err(|error| Failure::Usage(error.to_string()))?;
        let snapshot = match config.snapshot.format {
            SnapshotFormat::Json => None,
            SnapshotFormat::Avro => match ensure(&registry, config, workers, health, stop)? {
                Some(id) => Some(id),
                None => return Ok(None),
            },
        };
        let cached = CachedSchemas::start(registry, &config.registry)
            .map_err(|error| Failure::Service(format!("can't start a thread: {error}")))?;
        Ok(Some(PreparedSchemas {
            cached: Some(cached),
            snapshot,
        }))
    }

    pub fn plans(&self) -> Arc<dyn Schemas> {
        match &self.cached {
            Some(cached) => Arc::clone(cached) as Arc<dyn Schemas>,
            None => Arc::new(NoSchemas),
        }
    }
}

/// The id of the snapshots' schema.
fn ensure(
    registry: &Registry,
    config: &Config,
    workers: usize,
    health: &Health,
    stop: &Stop,
) -> Result<Option<u32>, Failure> {
    let snapshot = &config.snapshot;
    let subject = snapshot.subject(avro::snapshot::NAME);
    let mut failures = 0;
    while !stop.is_set() {
        let ensured = registry.ensure(&subject, avro::snapshot::SCHEMA, snapshot.auto_register);
        let reason = match ensured {
            Ok(id) => {
                tracing::info!(subject, id, "the schema of the snapshots is registered");
                return Ok(Some(id));
            }
            Err(EnsureError::Refused(reason)) => return Err(Failure::Service(reason)),
            Err(EnsureError::Unavailable(unavailable)) => registry_away(&unavailable.to_string()),
        };
        if failures == 0 {
            tracing::warn!("{reason}; keyfold tries again");
        }
        failures += 1;
        let until = Instant::now() + BACKOFF.after(failures);
        while Instant::now() < until && !stop.is_set() {
            for worker in 0..workers {
                health.heartbeat(worker, Instant::now());
                health.readiness(worker, Readiness::NotReady(reason.clone()));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(None)
}
