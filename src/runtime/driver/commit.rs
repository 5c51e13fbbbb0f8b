//! When a batch is committed, and how.

use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};

use super::{Driver, Halt, refused};
use crate::engine::Worker;
use crate::engine::commit::{CommitResult, Written};
use crate::engine::fatal::Fatal;
use crate::engine::schedule::{Backlog, Fetched};
use crate::engine::writing::CommitStep;
use crate::failpoint;
use crate::kafka::client;
use crate::kafka::client_log;
use crate::kafka::consumer::Membership;
use crate::kafka::producer::offset_list;
use crate::kafka::transaction::{Ended, SLICE};
use crate::runtime::outputs::KafkaOutbox;
use crate::serve::metrics::TransactionResult;

/// How long to wait for room at the producer: what is in it is on its way.
const FULL: Duration = Duration::from_millis(1);

/// How long a stop waits for the client to come to the end of its logs: longer than the broker holds back an empty answer.
const LAST_LOOK: Duration = Duration::from_millis(700);

const ABORTING: &str = "an abort waits for the cluster";
const COMMITTING: &str = "a commit waits for the cluster";

/// What this driver's clients know of records that are not taken.
struct Behind<'d> {
    driver: &'d Driver,
    polled_nothing: bool,
}

impl Fetched for Behind<'_> {
    fn is_empty(&self) -> bool {
        self.driver.polled.is_empty() && self.driver.consumer.is_drained()
    }

    fn polled_nothing(&self) -> bool {
        self.polled_nothing
    }

    fn backlog(&self) -> Backlog {
        self.driver.backlog()
    }
}

/// A batch that has ended, and is not committed yet.
pub(super) struct Ending {
    /// When it ended.
    began: Instant,
    transaction_began: Instant,
    /// Of its beginning.
    membership: Option<Membership>,
    written: Written,
}

/// What its commit waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// Room at the producer for what it writes.
    Room,
    /// The end of its transaction.
    Transaction,
    /// Without a transaction: the delivery of what it has written.
    Delivery,
}

impl Driver {
    /// Commits the batch when it is time; until then it grows.
    pub(super) fn commit_if_due(&mut self, polled_nothing: bool) -> Result<(), Halt> {
        let now = self.now();
        if self.worker.passed_are_due(now) {
            self.open_passed();
        }
        let driver = &*self;
        let behind = Behind {
            driver,
            polled_nothing,
        };
        if self.worker.commit_is_due(&behind, now) {
            self.commit()?;
            self.act()?;
        }
        Ok(())
    }

    /// Notes that a batch was opened, and with it a transaction.
    pub(super) fn batch_opened(&mut self) {
        self.transaction_began = Instant::now();
        let now = self.now();
        self.worker.batch_opened(now);
    }

    /// Opens a batch without records, for positions that wait to be committed.
    fn open_passed(&mut self) {
        let mut outbox = KafkaOutbox {
            consumer: &self.consumer,
            producer: &self.producer,
            topics: &self.parts.outputs,
            membership: &mut self.membership,
            aside: None,
        };
        self.worker.open_passed(&mut outbox);
        self.batch_opened();
    }

    /// At a stop: what is left of the logs may be a transaction's marker, which the client passes within moments. The
    /// position behind it is committed, as at any other time.
    pub(super) fn commit_at_stop(&mut self) -> Result<(), Halt> {
        let until = Instant::now() + LAST_LOOK;
        while self.restorer.is_none() && self.backlog().all > 0 && Instant::now() < until {
            self.take_records()?;
            self.look_at_commit()?;
        }
        self.await_commit()?;
        if self.worker.has_passed() {
            self.open_passed();
        }
        self.commit()?;
        self.await_commit()
    }

    /// How much is left of the logs behind what was taken, as far as the client knows.
    fn backlog(&self) -> Backlog {
        let mut backlog = Backlog::default();
        for (place, position) in self.worker.positions() {
            let topic = self.parts.settings.topic_name(place);
            let ends = self.consumer.cached_ends(topic, place.partition);
            if let (Some(position), Some((_, end))) = (position, ends) {
                let left = end.saturating_sub(position).max(0);
                backlog.all += left;
                backlog.longest = backlog.longest.max(left);
            }
        }
        backlog
    }

    /// Ends the open batch: writes what it has to write, as far as there is room, and begins to commit it.
    pub(super) fn commit(&mut self) -> Result<(), Halt> {
        self.await_commit()?;
        if self.worker.open_records().is_none() {
            // it was dropped with the one before
            return Ok(());
        }
        let began = Instant::now();
        let Some(written) = self.worker.finish() else {
            return Ok(());
        };
        self.parts.reporter.begin_blocking_call();
        let ending = Ending {
            began,
            transaction_began: self.transaction_began,
            membership: self.membership.take(),
            written,
        };
        self.write(ending).map(|_| ())
    }

    /// Goes on with the commit that is under way, as far as it has come.
    pub(super) fn look_at_commit(&mut self) -> Result<(), Halt> {
        self.go_on(Duration::ZERO).map(|_| ())
    }

    /// Waits for the end of the commit that is under way, if there is one, and takes in how it ended.
    pub(super) fn await_commit(&mut self) -> Result<(), Halt> {
        let mut came_on = Instant::now();
        while self.committing.is_some() {
            if self.go_on(SLICE)? {
                came_on = Instant::now();
            } else if came_on.elapsed() >= SLICE {
                self.parts.reporter.waiting(COMMITTING);
            }
            if self.is_writing() {
                std::thread::sleep(FULL);
            }
        }
        Ok(())
    }

    /// Whether the commit that is under way waits for room at the producer.
    pub(super) fn is_writing(&self) -> bool {
        matches!(self.committing, Some((_, Waits::Room)))
    }

    /// Goes on with the commit that is under way; whether it came on. Only for room it does not wait.
    fn go_on(&mut self, wait: Duration) -> Result<bool, Halt> {
        let Some((ending, waits)) = self.committing.take() else {
            return Ok(false);
        };
        if waits == Waits::Room {
            return self.write(ending);
        }
        let Some(ended) = self.producer.ended(wait) else {
            self.committing = Some((ending, waits));
            return Ok(false);
        };
        if waits == Waits::Delivery && ended.result == CommitResult::Committed {
            let (worker, mut outbox) = self.worker_and_outbox();
            let step = worker.delivered(&mut outbox);
            self.carry_out_step(ending, step)?;
        } else {
            self.take_in(ending, ended)?;
        }
        Ok(true)
    }

    /// Writes what there is room for, and goes on behind it; whether it came on.
    fn write(&mut self, ending: Ending) -> Result<bool, Halt> {
        let (worker, mut outbox) = self.worker_and_outbox();
        let step = worker.commit_step(&mut outbox);
        self.carry_out_step(ending, step)
    }

    /// Carries out the next step of a commit; whether it came on.
    fn carry_out_step(&mut self, mut ending: Ending, step: CommitStep) -> Result<bool, Halt> {
        let begun = match step {
            CommitStep::Room { came_on } => {
                self.committing = Some((ending, Waits::Room));
                return Ok(came_on);
            }
            CommitStep::Transaction => {
                failpoint::reached("batch-written");
                let membership = ending.membership.take();
                self.begin_commit(&ending.written, membership)
                    .map(|()| Waits::Transaction)
            }
            CommitStep::Delivery => {
                failpoint::reached("batch-written");
                self.producer.start_delivery();
                Ok(Waits::Delivery)
            }
            CommitStep::Offsets => Err(self.commit_offsets(&ending.written)),
            CommitStep::GiveUp => Err(self.give_up("the batch can't be written")),
        };
        match begun {
            Ok(waits) => self.committing = Some((ending, waits)),
            Err(ended) => self.take_in(ending, ended)?,
        }
        Ok(true)
    }

    /// For what a finished batch writes.
    fn worker_and_outbox(&mut self) -> (&mut Worker, KafkaOutbox<'_>) {
        let outbox = KafkaOutbox {
            consumer: &self.consumer,
            producer: &self.producer,
            topics: &self.parts.outputs,
            membership: &mut self.membership,
            aside: None,
        };
        (&mut self.worker, outbox)
    }

    /// Takes in how the commit of a batch ended.
    fn take_in(&mut self, ending: Ending, mut ended: Ended) -> Result<(), Halt> {
        let age = ending.transaction_began.elapsed();
        ended.result = self.judged_by_age(ended.result, age);
        if ended.result == CommitResult::Committed {
            failpoint::reached("committed");
            if self.worker.open_records().is_some() {
                self.producer.begin();
                self.transaction_began = Instant::now();
                self.aside.produce(&self.producer, &self.parts.outputs);
            }
        } else {
            // the batch behind it is dropped
            self.membership = None;
            self.aside.clear();
        }
        if let Some((code, reason)) = &ended.reason {
            if client_log::is_refusal(*code) {
                return Err(refused(reason).into());
            }
            if let Some(fatal) = never_fits(*code, reason) {
                return Err(fatal.into());
            }
            let result = match ended.result {
                CommitResult::Unknown => TransactionResult::Unknown,
                _ => TransactionResult::Aborted,
            };
            self.parts.reporter.metrics().transaction(result);
            self.explain("a batch was not committed", *code, reason);
        }
        let now = self.now();
        let took = ending.began.elapsed();
        if let Some(ledger) = self.worker.ended(ending.written, ended.result, now) {
            self.parts.reporter.committed(&ledger, took);
        }
        Ok(())
    }

    /// What a result says of a transaction of this age.
    fn judged_by_age(&self, result: CommitResult, age: Duration) -> CommitResult {
        result.at_age(age, client::transaction_timeout(self.config()))
    }

    /// Aborts the open transaction, whose batch the worker has dropped.
    pub(super) fn abort_dropped(&mut self) {
        self.parts
            .reporter
            .metrics()
            .transaction(TransactionResult::Aborted);
        self.membership = None;
        let reporter = &mut self.parts.reporter;
        let aborted = self.producer.abort(&mut || reporter.waiting(ABORTING));
        if let Err(error) = aborted {
            self.explain("aborting failed", error.code.into(), &error.text);
            let age = self.transaction_began.elapsed();
            let result = self.judged_by_age(Ended::badly(&error).result, age);
            let now = self.now();
            self.worker.abort_failed(result, now);
        }
    }

    /// Begins to commit the transaction of a batch; how it ended where it must not be committed.
    fn begin_commit(
        &mut self,
        written: &Written,
        membership: Option<Membership>,
    ) -> Result<(), Ended> {
        let list = match self.offsets_of(written) {
            Ok(list) => list,
            Err(error) => return Err(self.give_up(&error.to_string())),
        };
        let Some(membership) = membership else {
            let reason = "this instance was no member of the group when the batch began";
            return Err(self.give_up(reason));
        };
        if self.consumer.standing().as_ref() != Some(&membership.standing) {
            return Err(self.give_up("the group has moved on since the batch began"));
        }
        self.producer.start_commit(list, &membership);
        Ok(())
    }

    fn offsets_of(&self, written: &Written) -> KafkaResult<TopicPartitionList> {
        let settings = &self.parts.settings;
        offset_list(written.offsets.iter().map(|(place, offset, metadata)| {
            let topic = settings.topic_name(*place);
            (topic, place.partition, *offset, metadata.as_str())
        }))
    }

    /// Aborts a batch that must not be committed.
    fn give_up(&mut self, reason: &str) -> Ended {
        let reporter = &mut self.parts.reporter;
        let result = match self.producer.abort(&mut || reporter.waiting(ABORTING)) {
            Ok(()) => CommitResult::Aborted { timed_out: false },
            Err(error) => Ended::badly(&error).result,
        };
        Ended {
            result,
            reason: Some((RDKafkaErrorCode::IllegalGeneration, reason.to_owned())),
        }
    }

    /// Commits the offsets of a batch without a transaction; how that ended.
    fn commit_offsets(&self, written: &Written) -> Ended {
        let committed = self
            .offsets_of(written)
            .and_then(|offsets| self.consumer.commit(&offsets));
        match committed {
            Ok(()) => Ended::committed(),
            Err(error) => {
                let code = error
                    .rdkafka_error_code()
                    .unwrap_or(RDKafkaErrorCode::Unknown);
                self.producer.not_delivered(code, error.to_string())
            }
        }
    }
}

/// A record that a topic takes at no time: trying again does not help.
fn never_fits(code: RDKafkaErrorCode, reason: &str) -> Option<Fatal> {
    let what = match code {
        RDKafkaErrorCode::MessageSizeTooLarge => "raise the topic's max.message.bytes",
        RDKafkaErrorCode::InvalidRecord => {
            "its settings do not allow the record; `keyfold topics` says what they must be"
        }
        RDKafkaErrorCode::UnknownPartition | RDKafkaErrorCode::UnknownTopic => {
            "the topic or its partition is gone"
        }
        RDKafkaErrorCode::PolicyViolation => "a policy of the cluster forbids it",
        _ => return None,
    };
    Some(Fatal::Service(format!(
        "a record can't be written ({reason}): {what}. Nothing of its batch was committed"
    )))
}
