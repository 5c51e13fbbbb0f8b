//! When the open batch ends, when a batch without records is opened, and how a shutdown proceeds.
//!
//! A batch ends when it is full, when it is old enough, or when no record is left that it could take. While there is a
//! backlog it may become older, because the cost of a commit hardly depends on the size of the batch.

use std::time::Duration;

use super::event::Effect;
use super::outbox::Clients;
use super::{COMPACTION_PERIOD, Engine};

/// The minimum time between the end of one commit and the end of the next batch, if that ends because no record is
/// left.
pub const MIN_COMMIT_GAP: Duration = Duration::from_millis(3);
/// How long a position that has moved without a record waits for a batch that commits it too.
const PASSED_WAIT: Duration = Duration::from_millis(250);
/// The maximum wait for records, so that requests and rebalances are handled in time.
const IDLE_WAIT: Duration = Duration::from_millis(50);
/// The wait for records while there is something to write.
const SHORT_WAIT: Duration = Duration::from_millis(1);
/// How long a shutdown waits until the consumer reaches the end of its logs: longer than the broker delays an empty
/// fetch response.
const SHUTDOWN_WAIT: Duration = Duration::from_millis(700);
/// The maximum bytes that the open batch may produce while the previous batch is in flight, because they are buffered.
const MAX_PRODUCED_AHEAD: usize = 8 * 1024 * 1024;

/// The times that the schedule depends on, counted from the start of the engine.
#[derive(Debug, Default)]
pub struct Schedule {
    /// When the last commit ended, successfully or not.
    commit_ended_at: Duration,
    /// Since when positions that moved without a record wait for a batch.
    passed_since: Option<Duration>,
    /// Until when a shutdown waits for the end of the logs; none if there is no shutdown.
    shutdown_until: Option<Duration>,
    /// Set when a shutdown takes no more records.
    is_closing: bool,
}

impl Schedule {
    pub(super) fn commit_ended(&mut self, now: Duration) {
        self.commit_ended_at = now;
    }

    pub(super) fn is_closing(&self) -> bool {
        self.is_closing
    }

    pub(super) fn batch_opened(&mut self) {
        self.passed_since = None;
    }
}

impl Engine {
    /// Does what is due: retries, opens and ends batches, and writes as much as the producer has room for.
    pub fn turn(&mut self, clients: &mut impl Clients, now: Duration) {
        if !self.effects.is_empty() {
            // they come first, because they may begin the transaction that the batch is written to
            return;
        }
        self.check_stalled_restore(now);
        self.retry_unreadable(now);
        self.compact_a_store(now);
        if self.fatal.is_none() {
            if self.passed_are_due(now) {
                self.open_passed(clients, now);
            }
            if self.commit_is_due(clients, now) {
                self.finish(now);
            }
            self.proceed_with_shutdown(clients, now);
        }
        self.write(clients);
    }

    /// Whether the engine can take a record now; if not, [`Engine::turn`] must be called and the effects carried out
    /// first.
    pub fn takes_records(&self) -> bool {
        self.effects.is_empty() && !self.is_full() && !self.awaits_commit() && !self.is_far_ahead()
    }

    /// How long a poll may wait for records, if nothing is being restored.
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

    /// Whether the open batch has produced so much that the batch in flight must be committed first.
    fn is_far_ahead(&self) -> bool {
        let batch = self.batch.as_ref();
        self.in_flight.is_some()
            && batch.is_some_and(|batch| batch.produced_bytes >= MAX_PRODUCED_AHEAD)
    }

    /// The time until a batch may end because no record is left.
    fn gap_left(&self, now: Duration) -> Duration {
        MIN_COMMIT_GAP.saturating_sub(now.saturating_sub(self.schedule.commit_ended_at))
    }

    /// Whether a batch without records must be opened now, for positions that have moved without a record.
    fn passed_are_due(&mut self, now: Duration) -> bool {
        if !self.has_passed() {
            self.schedule.passed_since = None;
            return false;
        }
        let since = *self.schedule.passed_since.get_or_insert(now);
        now.saturating_sub(since) >= PASSED_WAIT
    }

    /// Whether the open batch must end now. It cannot while another batch is in flight.
    fn commit_is_due(&self, clients: &impl Clients, now: Duration) -> bool {
        if self.batch.is_none() || self.in_flight.is_some() {
            return false;
        }
        self.is_full()
            || self.is_old_enough(clients, now)
            || (self.gap_left(now).is_zero() && self.is_drained(clients))
    }

    /// Whether the open batch takes no more records: it has reached a limit, or the circuit breaker has opened.
    pub fn is_full(&self) -> bool {
        self.batch.as_ref().is_some_and(|batch| {
            let max_bytes = self.settings.policy.processing.max_batch_bytes;
            batch.breaker_opened.is_some()
                || batch.records >= self.batch_limit
                || batch.memory() >= max_bytes
        })
    }

    /// Whether the open batch has reached its maximum age, which is higher while there is a backlog. The age counts from
    /// when the batch had the producer to itself: what it took while the batch before was committed does not count. So
    /// the interval is one between two commits, as users know it from other stream processors, and a commit that takes
    /// longer is followed by a larger batch, not by more commits.
    fn is_old_enough(&self, clients: &impl Clients, now: Duration) -> bool {
        let processing = &self.settings.policy.processing;
        let age = now.saturating_sub(self.transaction_began);
        age >= processing.commit_interval
            && (age >= processing.backlog_commit_interval
                || self.backlog(clients).all <= self.open_batch_records())
    }

    /// Whether no record is left to take, as far as the clients know.
    fn is_drained(&self, clients: &impl Clients) -> bool {
        if !clients.all_fetched_is_taken() {
            return false;
        }
        let backlog = self.backlog(clients);
        // a lag need not be records: it may be the marker of a transaction, or a series of aborted transactions
        backlog.longest <= 1 || clients.polled_nothing() && backlog.all <= self.open_batch_records()
    }

    fn backlog(&self, clients: &impl Clients) -> super::outbox::Backlog {
        let positions = self.positions();
        clients.backlog(&mut positions.filter_map(|(place, at)| Some((place, at?))))
    }

    /// The number of records in the open batch.
    fn open_batch_records(&self) -> i64 {
        let records = self.batch.as_ref().map_or(0, |batch| batch.records);
        i64::try_from(records).unwrap_or(i64::MAX)
    }

    pub(super) fn shut_down(&mut self, now: Duration) {
        let until = &mut self.schedule.shutdown_until;
        until.get_or_insert(now + SHUTDOWN_WAIT);
    }

    /// Proceeds with a shutdown. First it waits a moment for the end of the logs: often only a transaction marker is
    /// left, and the position behind it must be committed too. Then the last batch is committed, and the engine ends.
    fn proceed_with_shutdown(&mut self, clients: &mut impl Clients, now: Duration) {
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
        // the commit in flight ends first
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

    /// From time to time, compacts one store: removes what was overwritten.
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
