//! What a run needs from the schema registry: plans of writer schemas, and the schema that snapshots are written with.

use std::sync::Arc;
use std::time::Duration;

use super::signals::Stop;
use crate::avro;
use crate::backoff::Backoff;
use crate::config::{self, Snapshot, SnapshotFormat};
use crate::exit::Failure;
use crate::registry::{CachedSchemas, EnsureError, Registry};
use crate::serve::Health;
use crate::source::framing::{NoSchemas, ReaderSchemas, SchemaLookup};
use crate::telemetry::reporter::registry_away;

/// The wait between two attempts to reach the registry at the start.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));

/// What workers need from the registry.
#[derive(Clone, Default)]
pub struct PreparedSchemas {
    /// `None`: no source is Avro.
    pub cached: Option<Arc<CachedSchemas>>,
    /// The id of the snapshots' schema; `None`: they are JSON.
    pub snapshot: Option<u32>,
}

impl PreparedSchemas {
    /// Waits while the registry cannot be reached, and says so in `health`. `None`: the stop was set meanwhile.
    ///
    /// # Errors
    /// The configuration is wrong, or the registry does not take the snapshots' schema.
    pub fn prepare(
        registry: &config::Registry,
        snapshot: &Snapshot,
        readers: ReaderSchemas,
        health: &Health,
        stop: &Stop,
    ) -> Result<Option<PreparedSchemas>, Failure> {
        let client = Registry::new(registry).map_err(|error| Failure::Usage(error.to_string()))?;
        let snapshot = match snapshot.format {
            SnapshotFormat::Json => None,
            SnapshotFormat::Avro => match snapshot_schema(&client, snapshot, health, stop)? {
                Some(id) => Some(id),
                None => return Ok(None),
            },
        };
        let cached = CachedSchemas::start(client, readers, registry.unknown_ids_for)
            .map_err(|error| Failure::Service(format!("cannot start a thread: {error}")))?;
        Ok(Some(PreparedSchemas {
            cached: Some(cached),
            snapshot,
        }))
    }

    pub fn plans(&self) -> Arc<dyn SchemaLookup> {
        match &self.cached {
            Some(cached) => Arc::clone(cached) as Arc<dyn SchemaLookup>,
            None => Arc::new(NoSchemas),
        }
    }
}

/// The id of the snapshots' schema. `None`: the stop was set meanwhile.
fn snapshot_schema(
    registry: &Registry,
    snapshot: &Snapshot,
    health: &Health,
    stop: &Stop,
) -> Result<Option<u32>, Failure> {
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
        health.starting(&reason);
        stop.wait(BACKOFF.after(failures));
    }
    Ok(None)
}
