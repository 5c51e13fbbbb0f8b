//! Restore: the store of a state partition is opened, and loads the records of the state topic up to the end of the
//! log.

use std::collections::btree_map::Entry;
use std::time::Duration;

use super::Engine;
use super::assignment::{Loading, StatePartition};
use super::fatal::Fatal;
use crate::customer::codec::{self, CodecError};
use crate::store::{Store, StoreError};

impl Engine {
    /// Returns the state partitions whose end must be fetched, and marks them as `Asked`. Their committed offsets must
    /// be known first: those are stable, so the previous owner's transactions are decided, and the end includes them.
    pub(super) fn state_partitions_to_fetch(&mut self) -> Vec<i32> {
        let states = self.assignment.states.iter();
        let known: Vec<i32> = states
            .filter(|(_, state)| state.loading == Loading::Unknown)
            .map(|(&partition, _)| partition)
            .filter(|&partition| {
                let place = self.settings.forwarded(partition);
                self.assignment.position(place).is_some()
            })
            .collect();
        for partition in &known {
            if let Some(state) = self.assignment.states.get_mut(partition) {
                state.loading = Loading::Asked;
            }
        }
        known
    }

    /// The state partitions that are being restored, and the offsets from which they are read.
    pub(super) fn restore_positions(&self) -> Vec<(i32, i64)> {
        let states = self.assignment.states.iter();
        states
            .filter_map(|(&partition, state)| match state.loading {
                Loading::Restoring { position, .. } => Some((partition, position)),
                _ => None,
            })
            .collect()
    }

    /// Receives the first offset and the end of the logs of state partitions, as far as they could be read.
    pub(super) fn state_ends_fetched(
        &mut self,
        answers: Vec<(i32, Option<(i64, i64)>)>,
        now: Duration,
    ) {
        self.request_ended(answers.iter().all(|(_, ends)| ends.is_some()), now);
        let mut open_error = None;
        for (partition, answer) in answers {
            let Some(state) = self.assignment.states.get_mut(&partition) else {
                continue;
            };
            if state.loading != Loading::Asked {
                continue;
            }
            let Some((low, high)) = answer else {
                state.loading = Loading::Unknown;
                continue;
            };
            if high < state.known_end {
                let known = state.known_end;
                return self.stop(Fatal::LostState {
                    topic: self.settings.state_topic.clone(),
                    partition,
                    end: high,
                    known,
                });
            }
            let store = match self.stores.entry(partition) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => match self.settings.stores.open(partition) {
                    Ok(store) => entry.insert(store),
                    Err(error) => {
                        state.loading = Loading::Unknown;
                        open_error = Some(error);
                        continue;
                    }
                },
            };
            let position = match start_of(store.as_mut(), low, high) {
                Ok(position) => position,
                Err(error) => return self.stop(error.into()),
            };
            (state.known_end, state.marker) = (high, false);
            if position >= high {
                state.loading = Loading::Ready;
            } else {
                state.loading = Loading::Restoring {
                    position,
                    target: high,
                    moved: now,
                };
                self.restore_wanted = true;
            }
        }
        match open_error {
            None => self.store_blocked_since = None,
            Some(error) => self.store_not_opened(error, now),
        }
    }

    /// A store could not be opened. If it is still in use, the engine tries again: its previous owner may be a worker
    /// that has not yet handled the rebalance.
    fn store_not_opened(&mut self, error: StoreError, now: Duration) {
        let since = *self.store_blocked_since.get_or_insert(now);
        let may_retry = now.saturating_sub(since) <= self.settings.restore_patience;
        if may_retry && matches!(error, StoreError::InUse { .. }) {
            self.request_ended(false, now);
        } else {
            self.stop(error.into());
        }
    }

    /// Stops the worker if a restore makes no progress for too long.
    pub(super) fn check_stalled_restore(&mut self, now: Duration) {
        let timeout = self.settings.restore_patience;
        let stalled = self
            .assignment
            .states
            .iter()
            .find_map(|(&partition, state)| match state.loading {
                Loading::Restoring {
                    position,
                    target,
                    moved,
                } if now.saturating_sub(moved) > timeout => Some((partition, position, target)),
                _ => None,
            });
        if let Some((partition, position, target)) = stalled {
            self.stop(Fatal::RestoreStalled {
                topic: self.settings.state_topic.clone(),
                partition,
                position,
                target,
                seconds: timeout.as_secs(),
            });
        }
    }

    /// Loads a record of the state topic. A null value is a tombstone: the key is deleted from the store. A state that
    /// another version wrote stops the worker here, before anything is folded, and not when its customer changes next.
    pub(super) fn restore_record(
        &mut self,
        partition: i32,
        offset: i64,
        key: &[u8],
        value: Option<&[u8]>,
        now: Duration,
    ) {
        let Some(StatePartition {
            loading: Loading::Restoring {
                position, moved, ..
            },
            ..
        }) = self.assignment.states.get_mut(&partition)
        else {
            return;
        };
        let Some(store) = self.stores.get_mut(&partition) else {
            return;
        };
        if offset < *position || self.fatal.is_some() {
            return;
        }
        (*position, *moved) = (offset + 1, now);
        self.restored_records += 1;
        if let Some(Err(error @ (CodecError::Layout(_) | CodecError::Later { .. }))) =
            value.map(codec::check_layout)
        {
            return self.stop(Fatal::State {
                topic: self.settings.state_topic.clone(),
                partition,
                error,
            });
        }
        if let Err(error) = store.load(key, value, offset + 1) {
            self.stop(error.into());
        }
    }

    /// The reader of the state topic has read a partition as far as it can: to the last stable offset.
    pub(super) fn restore_end_reached(&mut self, partition: i32, offset: i64, now: Duration) {
        let Some(state) = self.assignment.states.get_mut(&partition) else {
            return;
        };
        let Loading::Restoring {
            position,
            target,
            moved,
        } = &mut state.loading
        else {
            return;
        };
        if offset > *position {
            (*position, *moved) = (offset, now);
        }
        if offset < *target {
            // an open transaction is in the way
            return self.note_waiting_read();
        }
        if self.fatal.is_some() {
            return;
        }
        let Some(store) = self.stores.get_mut(&partition) else {
            return;
        };
        if let Err(error) = store.finish_load(offset) {
            return self.stop(error.into());
        }
        state.loading = Loading::Ready;
        state.known_end = state.known_end.max(offset);
        self.restore_wanted = true;
    }
}

/// The offset from which a store is restored, in a log from `low` to `high`. If the store's checkpoint is not in the
/// log, the store is emptied, and restored from the start.
fn start_of(store: &mut dyn Store, low: i64, high: i64) -> Result<i64, StoreError> {
    store.restart_load();
    let position = match store.checkpoint() {
        Some(checkpoint) if (low..=high).contains(&checkpoint) => checkpoint,
        _ => {
            store.discard(low, high)?;
            low
        }
    };
    if position >= high {
        store.finish_load(high)?;
    }
    Ok(position)
}
