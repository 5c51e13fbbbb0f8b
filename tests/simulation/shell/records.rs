//! How records reach the engine: those of the state topic in a restore, and those that are consumed.

use std::rc::Rc;
use std::time::Duration;

use keyfold::engine::arrived::Delivered;
use keyfold::engine::origin::Header;
use keyfold::engine::{Event, GroupChange, Loss, Place};

use super::{Shell, Step, StepContext, Stepped, Then};
use crate::log::{Next, Record};
use crate::transactions::LogId;

/// A record that was polled.
pub struct Message {
    place: Place,
    offset: i64,
    /// None if the client has reached the end of what can be read.
    record: Option<Rc<Record>>,
}

impl Message {
    fn record(&self) -> &Record {
        self.record.as_ref().expect("not the end of a log")
    }
}

impl Delivered for Message {
    fn place(&self) -> Place {
        self.place
    }

    fn offset(&self) -> i64 {
        self.offset
    }

    fn timestamp(&self) -> Option<i64> {
        Some(self.record().timestamp)
    }

    fn key(&self) -> Option<&[u8]> {
        self.record().key.as_deref()
    }

    fn value(&self) -> Option<&[u8]> {
        self.record().value.as_deref()
    }

    fn headers(&self) -> Vec<Header<'_>> {
        let headers = self.record().headers.iter();
        headers
            .map(|(name, value)| (name.as_str(), value.as_deref()))
            .collect()
    }
}

impl Shell {
    pub(super) fn restore(&mut self, context: &mut StepContext<'_>) {
        self.step = Step::Poll;
        let Some(restorer) = &mut self.restorer else {
            return;
        };
        for _ in 0..context.random.between(1, 4) {
            let partitions: Vec<i32> = restorer.keys().copied().collect();
            let partition = *context.random.pick(&partitions);
            let position = restorer.entry(partition).or_default();
            match context.cluster.log(LogId::State(partition)).next(*position) {
                Next::Record(offset, record) => {
                    *position = offset + 1;
                    let state = Event::StateRecord {
                        partition,
                        offset,
                        key: record.key.as_deref().unwrap_or_default(),
                        value: record.value.as_deref(),
                    };
                    self.engine.handle(state, context.now);
                }
                Next::End(offset) => {
                    *position = offset;
                    let reached = Event::StateEndReached { partition, offset };
                    self.engine.handle(reached, context.now);
                }
                Next::OutOfRange => {}
            }
        }
    }

    pub(super) fn consume(&mut self, from: Vec<(Place, i64)>, context: &mut StepContext<'_>) {
        let succeeded = !context.random.chance(context.faults.no_answer);
        if !context.sabotage.stale_poll {
            let again = |place| from.iter().any(|(from, _)| *from == place);
            let mut kept = usize::from(context.sabotage.record_taken_early);
            self.messages.retain(|message| {
                let is_kept = kept > 0;
                kept = 0;
                is_kept || !again(message.place)
            });
        }
        if succeeded {
            self.member.consume(&from);
        }
        let started = Event::ConsumeStarted { from, succeeded };
        self.engine.handle(started, context.now);
    }

    pub(super) fn poll(&mut self, context: &mut StepContext<'_>) -> Stepped {
        self.step = Step::Take;
        if !self.messages.is_empty() {
            // records of the previous poll are left
            return Stepped::Continue;
        }
        let most = context.random.between(1, context.faults.max_poll);
        for _ in 0..most {
            if !self.fetch_one(context) {
                break;
            }
        }
        let consuming = self.member.consuming();
        if let Some(&place) = consuming.keys().next()
            && context.random.chance(context.faults.lost_position)
        {
            consuming.remove(&place);
            self.position_lost = true;
        }
        self.polled_nothing = self.messages.is_empty();
        let is_busy = self.engine.open_records().is_some() || self.engine.is_committing();
        let wait = self.engine.poll_wait(context.now);
        if self.polled_nothing && !is_busy && self.restorer.is_none() {
            return Stepped::Idle(context.now + wait.min(Duration::from_millis(50)));
        }
        Stepped::Continue
    }

    /// Fetches the next record of a random place, and notes ends that are reached. Returns whether there was a record.
    fn fetch_one(&mut self, context: &mut StepContext<'_>) -> bool {
        let consuming = self.member.consuming();
        let (mut found, mut ended, mut gone) = (Vec::new(), Vec::new(), None);
        for (&place, &position) in consuming.iter() {
            match context.cluster.log(LogId::Place(place)).next(position) {
                Next::Record(offset, record) => found.push((place, offset, record)),
                Next::End(end) if end > position => ended.push((place, end)),
                Next::End(_) => {}
                Next::OutOfRange => gone = Some(place),
            }
        }
        if let Some(place) = gone {
            consuming.remove(&place);
            self.position_lost = true;
        }
        for (place, offset) in ended {
            consuming.insert(place, offset);
            self.messages.push_back(Message {
                place,
                offset,
                record: None,
            });
        }
        if found.is_empty() {
            return false;
        }
        let (place, offset, record) = found.swap_remove(context.random.index(found.len()));
        consuming.insert(place, offset + 1);
        self.messages.push_back(Message {
            place,
            offset,
            record: Some(record),
        });
        true
    }

    /// Gives the next polled record to the engine, if the engine takes one now.
    pub(super) fn take(&mut self, context: &mut StepContext<'_>) {
        if std::mem::take(&mut self.position_lost) {
            let lost = Event::Group(GroupChange::Lost(Loss::Client));
            self.engine.handle(lost, context.now);
            self.step = Step::Act(Then::Serve);
            return;
        }
        let Some(message) = self.messages.front() else {
            self.step = Step::Act(Then::Turn);
            return;
        };
        if !self.group_events.is_empty() {
            // (sabotage `batch_survives_revoke`) a batch that has survived a rebalance takes no more records, and the
            // next batch takes none before the engine knows of the rebalance
            self.messages.pop_front();
            self.step = Step::Take;
            return;
        }
        let (place, offset) = (message.place, message.offset);
        if message.record.is_none() {
            self.messages.pop_front();
            let reached = Event::EndReached { place, offset };
            self.engine.handle(reached, context.now);
            self.step = Step::Take;
            return;
        }
        self.step = match self.take_record(context) {
            Taken::Yes if context.random.chance(context.faults.short_turn) => {
                // the time for taking records in this turn is over
                Step::Act(Then::Turn)
            }
            Taken::Yes => Step::Take,
            Taken::NotNow => Step::Act(Then::Turn),
        };
    }

    fn take_record(&mut self, context: &mut StepContext<'_>) -> Taken {
        let skips_limit_check = context.sabotage.limit_after_poll
            && self.engine.is_full()
            && !self.engine.is_committing();
        if !self.engine.takes_records() && !skips_limit_check {
            return Taken::NotNow;
        }
        let Some(message) = self.messages.pop_front() else {
            return Taken::Yes;
        };
        let before = self.engine.open_records();
        let (engine, mut clients, aside) = self.engine_and_clients(usize::MAX, context);
        clients.timestamp = message.record().timestamp;
        if engine.is_committing() {
            clients.aside = Some(aside);
        }
        if !engine.record(&message, &mut clients, context.now) {
            self.messages.push_front(message);
            return Taken::NotNow;
        }
        if before.is_none() && self.engine.open_records().is_some() {
            self.taken.clear();
            self.schedule.batch_opened(context.now);
        }
        if self.engine.open_records() > before {
            self.taken.push((message.place, message.offset));
        }
        Taken::Yes
    }
}

enum Taken {
    Yes,
    /// The open batch or the commit in flight must end first.
    NotNow,
}
