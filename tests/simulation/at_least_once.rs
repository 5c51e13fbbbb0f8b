//! Without transactions: the steps of a commit, and their order.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use keyfold::config::Guarantee;
use keyfold::engine::arrived::Delivered;
use keyfold::engine::commit::CommitResult;
use keyfold::engine::origin::Header;
use keyfold::engine::outbox::{Outbox, Outgoing, Output};
use keyfold::engine::writing::CommitStep;
use keyfold::engine::{Action, Place, Standing, Worker};

use crate::log::Record;
use crate::records;

/// What was handed over: 's' for a snapshot, 'S' for a state, and so many more are taken when offered.
struct Handed {
    kinds: String,
    room: usize,
}

impl Outbox for Handed {
    fn begin(&mut self) {}

    fn produce(&mut self, outgoing: Outgoing<'_>) {
        self.kinds.push(match outgoing.output {
            Output::Snapshot { .. } => 's',
            Output::State { .. } => 'S',
            Output::Forwarded { .. } | Output::DeadLetter => '?',
        });
    }

    fn offer(&mut self, outgoing: Outgoing<'_>) -> bool {
        let Some(left) = self.room.checked_sub(1) else {
            return false;
        };
        self.room = left;
        self.produce(outgoing);
        true
    }
}

struct Message(Rc<Record>, i64);

impl Delivered for Message {
    fn place(&self) -> Place {
        Place {
            topic: 1,
            partition: 0,
        }
    }

    fn offset(&self) -> i64 {
        self.1
    }

    fn timestamp(&self) -> Option<i64> {
        Some(self.0.timestamp)
    }

    fn key(&self) -> Option<&[u8]> {
        self.0.key.as_deref()
    }

    fn value(&self) -> Option<&[u8]> {
        self.0.value.as_deref()
    }

    fn headers(&self) -> Vec<Header<'_>> {
        Vec::new()
    }
}

/// A worker without transactions that consumes all of one partition of each topic.
fn worker() -> Worker {
    let mut settings = records::settings(1, 1, 100);
    settings.config.processing.guarantee = Guarantee::AtLeastOnce;
    let topics = settings.topics.len();
    let mut worker = Worker::new(Arc::new(settings));
    let place = |topic| Place {
        topic,
        partition: 0,
    };
    worker.assigned(&(0..topics).map(place).collect::<Vec<_>>());
    let now = Duration::ZERO;
    loop {
        let actions = worker.actions(now);
        if actions.is_empty() {
            return worker;
        }
        for action in actions {
            match action {
                Action::FetchStandings(places) => {
                    let standing = || Standing {
                        committed: None,
                        low: 0,
                        high: 0,
                    };
                    let answers = places.into_iter().map(|place| (place, Some(standing())));
                    worker.standings(answers.collect(), now);
                }
                Action::FetchEnds(partitions) => {
                    let answers = partitions.into_iter().map(|at| (at, Some((0, 0))));
                    worker.ends(answers.collect(), now);
                }
                Action::Consume(places) => worker.consuming(&places, true, now),
                _ => {}
            }
        }
    }
}

/// The snapshots are delivered before a state is written, all is delivered before the offsets are committed, and a want
/// of room changes nothing of that.
#[test]
fn offsets_are_committed_behind_the_delivery_of_all() {
    for room in [1, 2, usize::MAX] {
        let mut worker = worker();
        let mut out = Handed {
            kinds: String::new(),
            room,
        };
        for number in 0..3 {
            let record = records::console(&records::customer(number), 1, 0);
            worker.record(&Message(record, number as i64), &mut out);
        }
        let written = worker.finish().expect("a batch");
        let mut steps = Vec::new();
        let mut step = worker.commit_step(&mut out);
        while step != CommitStep::Offsets {
            out.room = room;
            step = match step {
                CommitStep::Room { .. } => worker.commit_step(&mut out),
                CommitStep::Delivery => {
                    steps.push(out.kinds.clone());
                    worker.delivered(&mut out)
                }
                other => panic!("{other:?}"),
            };
        }
        assert_eq!(steps, ["sss", "sssSSS"], "room for {room}");
        let ledger = worker.ended(written, CommitResult::Committed, Duration::ZERO);
        assert_eq!(ledger.map(|ledger| ledger.snapshots), Some(3));
    }
}
