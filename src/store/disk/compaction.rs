//! Compaction: removes overwritten values from the disk, above all those of erased customers.
//!
//! The engine keeps every write in a journal until the journal is long, and in tables until they are merged. So once an
//! hour, if anything was written in that hour, everything is flushed into tables, the tables of a small store are
//! merged, and the engine is closed and opened again with an empty journal. A crash at any of these steps leaves a
//! complete store.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::DiskStore;
use super::engine::{Engine, io_failure};
use crate::store::StoreError;

/// How long an overwritten value may stay on the disk.
const PERIOD: Duration = Duration::from_secs(3600);

/// The last compaction or, before the first one, when `compact_if_due` was first called.
#[derive(Debug, Default)]
pub struct LastCompaction {
    /// By the clock of the caller. None: `compact_if_due` was not called yet.
    since: Option<Duration>,
    /// How old the journals were when the store was opened: an earlier run may have written them.
    age: Duration,
    /// The number of the last batch at that time.
    batches: u64,
}

impl DiskStore {
    /// Compacts the store if a compaction is due; returns whether it did.
    pub(super) fn compact_at(&mut self, now: Duration) -> Result<bool, StoreError> {
        let batches = self.checkpoint.map_or(0, |checkpoint| checkpoint.batch);
        let since = match self.last_compaction.since {
            Some(since) => since,
            None => {
                self.last_compaction.age = age_of_journals(&self.path)?;
                now
            }
        };
        self.last_compaction.since = Some(since);
        let is_due = self
            .last_compaction
            .age
            .saturating_add(now.saturating_sub(since))
            >= PERIOD;
        let unchanged = batches == self.last_compaction.batches;
        if !unchanged && (!is_due || !self.loading.is_empty()) {
            return Ok(false);
        }
        if !unchanged {
            self.compact()?;
        }
        self.last_compaction = LastCompaction {
            since: Some(now),
            age: Duration::ZERO,
            batches,
        };
        Ok(!unchanged)
    }

    fn compact(&mut self) -> Result<(), StoreError> {
        self.engine_mut()?.flush_and_compact()?;
        self.engine = None;
        replace_journals(&self.path)?;
        self.engine = Some(Engine::open(&self.path, self.memory)?);
        Ok(())
    }
}

/// Replaces the journals of a closed store with an empty one. The engine continues with a journal that exists; without
/// any it would restart its sequence numbers, below those of its tables (fjall 3.1, db.rs).
fn replace_journals(path: &Path) -> Result<(), StoreError> {
    let failed = |error| io_failure(path, &error);
    let old = journals(path)?;
    let newest = old.last().map_or(0, |(number, _)| *number);
    let new = path.join(format!("{}.jnl", newest + 1));
    let created = File::create_new(new).and_then(|file| file.sync_all());
    // The new journal must be safely on disk before the old ones are removed.
    created
        .and_then(|()| File::open(path)?.sync_all())
        .map_err(failed)?;
    for (_, file) in old {
        fs::remove_file(file).map_err(failed)?;
    }
    Ok(())
}

/// The journals of a store with their numbers, the oldest first.
fn journals(path: &Path) -> Result<Vec<(u64, PathBuf)>, StoreError> {
    let failed = |error| io_failure(path, &error);
    let mut journals = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if file.extension() == Some(OsStr::new("jnl")) {
            let number = file.file_stem().and_then(OsStr::to_str);
            let number: u64 = number.and_then(|text| text.parse().ok()).unwrap_or(0);
            journals.push((number, file));
        }
    }
    journals.sort_unstable();
    Ok(journals)
}

/// How long ago the oldest journal was created; longer than any period where that is unknown.
fn age_of_journals(path: &Path) -> Result<Duration, StoreError> {
    let Some((_, oldest)) = journals(path)?.into_iter().next() else {
        return Ok(Duration::ZERO);
    };
    let created = fs::metadata(oldest).and_then(|file| file.created());
    let age = created
        .ok()
        .and_then(|created| SystemTime::now().duration_since(created).ok());
    Ok(age.unwrap_or(Duration::MAX))
}
