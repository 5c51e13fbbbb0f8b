//! Whether the store that is found at a path can be used.

use super::DiskStore;
use super::layout::{
    BATCH_SLOTS, CHECKPOINT, CUSTOMERS, Checkpoint, HEADER, LAYOUT, Totals, batch_slot,
    version_needed,
};
use crate::store::StoreError;

/// How much of a store is checked when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// The header, the checkpoint and the newest batches.
    Quick,
    /// Every byte, because the store has failed before.
    Full,
}

/// What opening a store has found at its path.
pub(super) enum Found {
    Usable(Option<Checkpoint>),
    /// A copy of something else; the text is the reason.
    Foreign(&'static str),
}

impl DiskStore {
    pub(super) fn check(&mut self, check: Check) -> Result<Found, StoreError> {
        let header = self.header.encode();
        let engine = self.engine()?;
        let found = engine.get(HEADER)?;
        let checkpoint = match engine.get(CHECKPOINT)? {
            None => None,
            Some(bytes) => Some(
                Checkpoint::decode(&bytes)
                    .ok_or_else(|| self.damaged("its checkpoint cannot be read"))?,
            ),
        };
        match found {
            None if checkpoint.is_none() => {
                let engine = self.engine_mut()?;
                engine.write(vec![(HEADER.to_vec(), Some(header.into()))])?;
                return Ok(Found::Usable(None));
            }
            None => return Err(self.damaged("its header is missing")),
            Some(found) if found[..] != header[..] => return self.foreign(&found),
            Some(_) => {}
        }
        let Some(checkpoint) = checkpoint else {
            return Ok(Found::Usable(None));
        };
        self.check_batches(&checkpoint)?;
        if check == Check::Full {
            self.check_totals(&checkpoint)?;
        }
        Ok(Found::Usable(Some(checkpoint)))
    }

    /// What a store with another header is. An error if a later version has written it: that version may be running
    /// elsewhere, or was left by mistake, and can still use the store.
    fn foreign(&self, header: &[u8]) -> Result<Found, StoreError> {
        if let Some(version) = version_needed(header) {
            return Err(StoreError::Newer {
                directory: self.path.display().to_string(),
                version,
            });
        }
        Ok(Found::Foreign(if header.first() == Some(&LAYOUT) {
            "it is a copy of another state topic, or of one that was recreated since"
        } else {
            "it has a layout from before 0.1.0"
        }))
    }

    /// An error unless the newest batches are all there.
    fn check_batches(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let engine = self.engine()?;
        let newest = checkpoint.batch;
        for batch in newest.saturating_sub(BATCH_SLOTS - 1).max(1)..=newest {
            let found = engine.get(&batch_slot(batch))?;
            if found.as_deref() != Some(&batch.to_be_bytes()) {
                return Err(self.damaged("a batch is missing"));
            }
        }
        Ok(())
    }

    /// Reads every customer, and compares the totals with those of the checkpoint.
    fn check_totals(&self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let totals = self.count()?;
        if checkpoint.totals.is_some_and(|should| should != totals) {
            return Err(self.damaged("customers are missing"));
        }
        Ok(())
    }

    /// Reads every customer and counts.
    pub(super) fn count(&self) -> Result<Totals, StoreError> {
        let mut totals = Totals::default();
        self.engine()?.scan(&[CUSTOMERS], |key, value| {
            totals.replace(key.len() - 1, None, Some(value.len()));
        })?;
        Ok(totals)
    }
}
