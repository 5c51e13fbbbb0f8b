//! The end of a batch: which offsets it commits, and what follows from the result.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::batch::{Finished, Ledger};
use super::fatal::Fatal;
use super::offset_metadata::OffsetMetadata;
use super::{Action, Place, Worker};
use crate::config::Guarantee;
use crate::store::Change;

/// An offset to commit, with its metadata.
pub type Offset = (Place, i64, String);

/// What a finished batch has to commit. [`Worker::ended`] takes it back.
#[derive(Debug, Default)]
pub struct Written {
    /// Offsets of every place that the batch took records of, and the position of the forwarded partition of
    /// every state partition that it joined into: the group's coordinator fences, and the next owner waits, by
    /// the partitions named here. And of those whose position has moved on without a record.
    pub offsets: Vec<Offset>,
}

/// How the commit of a batch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitResult {
    Committed,
    /// Nothing of the batch is visible to anybody, and it can be tried again.
    Aborted {
        timed_out: bool,
    },
    /// Whether the batch was committed must be read from Kafka.
    Unknown,
    /// Another producer has taken over the transactional id.
    Fenced,
}

impl CommitResult {
    /// What the result says of a transaction of this age. The broker aborts one that outlives `time_out`, and tells
    /// its producer what it tells one that was fenced: of a second process that says nothing.
    pub fn at_age(self, age: Duration, time_out: Duration) -> CommitResult {
        match self {
            CommitResult::Fenced if age >= time_out => CommitResult::Unknown,
            result => result,
        }
    }
}

impl Worker {
    /// Records in the open batch, if one is open.
    pub fn open_records(&self) -> Option<usize> {
        self.batch.as_ref().map(|batch| batch.records)
    }

    /// Whether the open batch takes no more records: it has reached a bound, or the circuit breaker has opened.
    pub fn is_full(&self) -> bool {
        self.batch.as_ref().is_some_and(|batch| {
            let most = self.settings.config.processing.max_batch_bytes;
            batch.breaker_opened.is_some()
                || batch.records >= self.batch_limit
                || batch.bytes >= most
                || batch.states >= most
        })
    }

    /// Ends the open batch; what is to be committed when [`Worker::commit_step`] has written it. Until [`Worker::ended`] is
    /// told how that went, records go into the next batch, which is built upon this one, and can't be finished.
    pub fn finish(&mut self) -> Option<Written> {
        if self.committing.is_some() {
            self.stop(Fatal::Bug("two batches are committed at once".to_owned()));
            return None;
        }
        let offsets = self.offsets()?;
        self.committing = Some(self.batch.take()?.finish());
        Some(Written { offsets })
    }

    /// What the open batch has to commit.
    fn offsets(&mut self) -> Option<Vec<Offset>> {
        let batch = self.batch.as_ref()?;
        let settings = &self.settings;
        let mut ends: BTreeMap<i32, i64> = BTreeMap::new();
        for entry in batch.customers.values().filter(|entry| entry.changed) {
            *ends.entry(entry.partition).or_default() += 1;
        }
        let mut places: Vec<Place> = batch.began_at.keys().copied().collect();
        for &partition in &batch.joined {
            let place = settings.forwarded(partition);
            if !batch.began_at.contains_key(&place) {
                places.push(place);
            }
        }
        let named: BTreeSet<Place> = places.iter().copied().collect();
        places.extend(self.passed_places().filter(|place| !named.contains(place)));
        let mut offsets = Vec::with_capacity(places.len());
        for place in places {
            let Some(position) = self.assignment.position(place) else {
                let name = settings.topic_name(place).to_owned();
                self.stop(Fatal::Bug(format!(
                    "a batch has touched {name}[{}] without knowing its position",
                    place.partition
                )));
                return None;
            };
            let id_of = |topic: &str| self.topic_ids.get(topic).cloned();
            let is_forwarded = settings.is_forwarded(place);
            let state_end = is_forwarded.then(|| {
                let state = self.assignment.states.get(&place.partition);
                let end = state.map_or(0, |state| state.known_end);
                end + ends.get(&place.partition).unwrap_or(&0)
            });
            let writer = self.takeover.writer.as_ref();
            let metadata = OffsetMetadata {
                topic_id: id_of(settings.topic_name(place)),
                offset: Some(position),
                inputs: match is_forwarded {
                    true => self.input_ids(),
                    false => Vec::new(),
                },
                state_topic_id: is_forwarded.then(|| id_of(&settings.state_topic)).flatten(),
                state_end,
                writer: writer.map(|writer| writer.transactional_id.clone()),
            };
            offsets.push((place, position, metadata.to_string()));
        }
        Some(offsets)
    }

    /// Takes in how the commit ended; what the batch adds to the metrics if it was committed. If it was not, then the
    /// next batch, whose transaction has not begun, is dropped with it.
    pub fn ended(
        &mut self,
        written: Written,
        result: CommitResult,
        now: Duration,
    ) -> Option<Ledger> {
        let finished = self.committing.take()?;
        self.commit_has_ended(now);
        match result {
            CommitResult::Committed => Some(self.take_over(finished, written)),
            CommitResult::Aborted { timed_out } => {
                if timed_out && finished.records > 0 {
                    self.batch_limit = (finished.records / 2).max(1);
                }
                // first the next one: where both have read of a place, the earlier position counts
                if let Some(next) = self.batch.take() {
                    self.rewind(&next.began_at);
                }
                self.rewind(&finished.began_at);
                self.commit_failed(now);
                None
            }
            CommitResult::Unknown => {
                if finished.records > 0 {
                    self.batch_limit = (finished.records / 2).max(1);
                }
                self.start_over(now, now);
                None
            }
            CommitResult::Fenced => {
                self.fenced(now);
                None
            }
        }
    }

    fn take_over(&mut self, mut finished: Finished, written: Written) -> Ledger {
        if let Some(opened) = finished.breaker_opened.take() {
            self.stop(Fatal::BreakerOpen(opened));
        }
        (self.failed_commits, self.failed_asks) = (0, 0);
        let guarantee = self.settings.config.processing.guarantee;
        let most = self.settings.config.processing.max_batch_records;
        // after a time-out the batches grow again, slowly
        self.batch_limit = (self.batch_limit + self.batch_limit / 16 + 1).min(most);
        let mut changes: BTreeMap<i32, Vec<Change<'_>>> = BTreeMap::new();
        for (id, entry) in &finished.customers {
            let Some(state) = &entry.state else {
                continue;
            };
            changes.entry(entry.partition).or_default().push(Change {
                id: id.as_bytes(),
                state: state.clone(),
                before: entry.before,
            });
        }
        for (partition, changes) in changes {
            // what is committed is in Kafka; a store that is not here any more catches it up
            let (Some(held), Some(store)) = (
                self.assignment.states.get_mut(&partition),
                self.stores.get_mut(&partition),
            ) else {
                continue;
            };
            // without the markers a checkpoint would fall behind by one a transaction
            held.known_end += changes.len() as i64 + i64::from(held.marker);
            held.marker = guarantee == Guarantee::ExactlyOnce;
            if let Err(error) = store.commit(&changes, held.known_end) {
                self.stop(error.into());
            }
        }
        for (place, position, _) in written.offsets {
            self.committed.insert(place, position);
            if self.assignment.position(place) == Some(position) {
                self.passed.remove(&place);
            }
        }
        let (ledger, customers) = finished.end();
        self.spare = customers;
        ledger
    }

    /// Everything that is owned is learnt anew from what Kafka has committed: positions from the group, states
    /// from their logs, with a new producer, whose start decides what the old one left open.
    fn start_over(&mut self, renew_at: Duration, now: Duration) {
        self.batch = None;
        let all = self.assignment.places.keys().copied().collect();
        self.assignment.forget_progress();
        self.passed.clear();
        self.restore_changed = true;
        self.urgent.push(Action::Pause(all));
        self.renew_at = Some(renew_at);
        self.commit_failed(now);
    }

    /// The transaction of a batch that was dropped could not be aborted. Nothing of it can become visible any more once
    /// there is a new producer.
    pub fn abort_failed(&mut self, result: CommitResult, now: Duration) {
        match result {
            CommitResult::Fenced => self.fenced(now),
            _ => self.urgent.push(Action::RenewProducer),
        }
    }

    /// This worker's producer was fenced. Once, that may be by an old self. A random transactional id can be fenced
    /// by nobody else. If it was another process by this name, then a new producer would fence that one's in turn,
    /// perhaps twice, so it is made only when the group has had the time to tell.
    fn fenced(&mut self, now: Duration) {
        let instance = &self.settings.config.instance_id;
        let again = self
            .last_fenced
            .is_some_and(|last| now.saturating_sub(last) < Duration::from_secs(60));
        if again && !instance.is_empty() {
            let instance = instance.clone();
            return self.stop(Fatal::FencedTwice { instance });
        }
        self.last_fenced = Some(now);
        self.start_over(now + self.settings.replaced_within, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_young_transaction_tells_of_a_second_process() {
        let time_out = Duration::from_secs(15);
        let at = |age| CommitResult::Fenced.at_age(Duration::from_secs(age), time_out);
        assert_eq!(at(1), CommitResult::Fenced);
        assert_eq!(at(15), CommitResult::Unknown);
        let committed = CommitResult::Committed.at_age(time_out, time_out);
        assert_eq!(committed, CommitResult::Committed);
    }
}
