//! When the open batch ends, when one is opened for positions without records, and how a shutdown comes to its end.
//!
//! A batch ends when it is full, when it is old enough, or when there is nothing left that it could take. While there is a
//! backlog it may grow older, because a commit costs much the same however large it is.

use std::time::Duration;

use super::event::Effect;
use super::outbox::Clients;
use super::{COMPACTION_PERIOD, Engine};

/// The least time between the end of one commit and the next batch that ends for want of records.
pub const MIN_COMMIT_GAP: Duration = Duration::from_millis(5);
/// How long a position that no record stands behind waits for a batch that takes it along.
const PASSED_WAIT: Duration = Duration::from_millis(250);
/// The longest wait for records, so that questions and rebalances are served.
const IDLE_WAIT: Duration = Duration::from_millis(50);
/// The wait for records while there is something to write.
const SHORT_WAIT: Duration = Duration::from_millis(1);
/// How long a shutdown waits for the consumer to come to the end of its logs: longer than the broker holds back an empty
/// answer.
const LAST_RECORDS: Duration = Duration::from_millis(700);
/// Bytes that the open batch may have produced while the one before it is in flight.
const MAX_PRODUCED_AHEAD: usize = 8 * 1024 * 1024;

/// Times since the engine was made.
#[derive(Debug, Default)]
pub struct Schedule {
    batch_began: Duration,
    /// When the last commit ended, however it did.
    commit_ended_at: Duration,
    /// Since when positions wait for a batch that takes them along.
    passed_since: Option<Duration>,
    /// Until when a shutdown waits for what is left of the logs.
    shutdown_until: Option<Duration>,
    /// The last batch has ended, and no record is taken any more.
    is_closing: bool,
}

impl Schedule {
    pub(super) fn commit_ended(&mut self, now: Duration) {
        self.commit_ended_at = now;
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing
    }

    pub(super) fn batch_opened(&mut self, now: Duration) {
        self.batch_began = now;
        self.passed_since = None;
    }
}

impl Engine {
    /// Looks at the time: tries again what failed, opens and ends batches, and writes what there is room for.
    pub fn turn(&mut self, clients: &mut impl Clients, now: Duration) {
        if !self.effects.is_empty() {
            // they may have to begin the transaction that is written to
            return;
        }
        self.look_for_stalled_restore(now);
        self.retry_unreadable(now);
        self.compact_a_store(now);
        if self.fatal.is_none() {
            if self.passed_are_due(now) {
                self.open_passed(clients, now);
            }
            if self.commit_is_due(clients, now) {
                self.finish(now);
            }
            self.come_to_an_end(clients, now);
        }
        self.write(clients);
    }

    /// Whether a record may be taken now; if not, [`Engine::turn`] and the effects come first.
    pub fn takes_records(&self) -> bool {
        self.effects.is_empty() && !self.is_full() && !self.awaits_commit() && !self.is_far_ahead()
    }

    /// How long to wait for records, where nothing else is to be read.
    pub fn poll_wait(&self, now: Duration) -> Duration {
        if self.batch.is_some() {
            self.gap_left(now).max(SHORT_WAIT)
        } else if self.is_writing() {
            SHORT_WAIT
        } else if self.in_flight.is_some() {
            MIN_COMMIT_GAP
        } else {
            IDLE_WAIT
        }
    }

    /// Whether the open batch has produced so much that the one before it must be committed first.
    fn is_far_ahead(&self) -> bool {
        let batch = self.batch.as_ref();
        self.in_flight.is_some()
            && batch.is_some_and(|batch| batch.produced_bytes >= MAX_PRODUCED_AHEAD)
    }

    /// How long it takes until a batch may end for want of records.
    fn gap_left(&self, now: Duration) -> Duration {
        MIN_COMMIT_GAP.saturating_sub(now.saturating_sub(self.schedule.commit_ended_at))
    }

    /// Whether a batch is to be opened for positions that no record stands behind.
    fn passed_are_due(&mut self, now: Duration) -> bool {
        if !self.has_passed() {
            self.schedule.passed_since = None;
            return false;
        }
        let since = *self.schedule.passed_since.get_or_insert(now);
        now.saturating_sub(since) >= PASSED_WAIT
    }

    /// Whether the open batch ends now. The one before must be through.
    fn commit_is_due(&self, clients: &impl Clients, now: Duration) -> bool {
        if self.batch.is_none() || self.in_flight.is_some() {
            return false;
        }
        self.is_full()
            || self.is_old_enough(clients, now)
            || (self.gap_left(now).is_zero() && self.is_drained(clients))
    }

    /// Whether the open batch takes no more records: it has reached a bound, or the circuit breaker has opened.
    pub fn is_full(&self) -> bool {
        self.batch.as_ref().is_some_and(|batch| {
            let most = self.settings.policy.processing.max_batch_bytes;
            batch.breaker_opened.is_some()
                || batch.records >= self.batch_limit
                || batch.read_bytes + batch.produced_bytes >= most
                || batch.state_bytes >= most
        })
    }

    /// Whether the open batch has had its time, which is longer while there is a backlog.
    fn is_old_enough(&self, clients: &impl Clients, now: Duration) -> bool {
        let processing = &self.settings.policy.processing;
        let age = now.saturating_sub(self.schedule.batch_began);
        age >= processing.commit_interval
            && (age >= processing.backlog_commit_interval
                || self.backlog(clients).all <= self.open_batch_records())
    }

    /// Whether there is nothing to wait for, as far as the clients know.
    fn is_drained(&self, clients: &impl Clients) -> bool {
        if !clients.all_fetched_is_taken() {
            return false;
        }
        let backlog = self.backlog(clients);
        // what is left of a log may be a transaction's marker, or many that were aborted
        backlog.longest <= 1 || clients.polled_nothing() && backlog.all <= self.open_batch_records()
    }

    fn backlog(&self, clients: &impl Clients) -> super::outbox::Backlog {
        let positions = self.positions();
        clients.backlog(&mut positions.filter_map(|(place, at)| Some((place, at?))))
    }

    /// Records in the open batch.
    fn open_batch_records(&self) -> i64 {
        let records = self.batch.as_ref().map_or(0, |batch| batch.records);
        i64::try_from(records).unwrap_or(i64::MAX)
    }

    pub(super) fn shut_down(&mut self, now: Duration) {
        let until = &mut self.schedule.shutdown_until;
        until.get_or_insert(now + LAST_RECORDS);
    }

    /// At a shutdown, what is left of the logs may be a transaction's marker, which the consumer passes within moments: the
    /// position behind it is committed too. Then the last batch ends, and the engine with it.
    fn come_to_an_end(&mut self, clients: &mut impl Clients, now: Duration) {
        let Some(until) = self.schedule.shutdown_until else {
            return;
        };
        if self.schedule.is_closing {
            if self.in_flight.is_none() {
                self.effects.push_back(Effect::Finish);
            }
            return;
        }
        let is_waiting = !self.is_restoring() && now < until && self.backlog(clients).all > 0;
        if is_waiting {
            return;
        }
        // what is in flight ends first
        self.awaits_commit = true;
        if self.in_flight.is_some() {
            return;
        }
        self.schedule.is_closing = true;
        self.open_passed(clients, now);
        if self.batch.is_some() {
            self.finish(now);
            self.awaits_commit = true;
        } else {
            self.effects.push_back(Effect::Finish);
        }
    }

    /// Lets one store let go of what was written over, now and then.
    fn compact_a_store(&mut self, now: Duration) {
        if now < self.next_compaction {
            return;
        }
        self.next_compaction = now + COMPACTION_PERIOD;
        for store in self.stores.values_mut() {
            match store.compact_if_due(now) {
                Ok(false) => {}
                Ok(true) => return,
                Err(error) => return self.stop(error.into()),
            }
        }
    }
}
