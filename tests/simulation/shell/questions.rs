//! The questions of an engine, and their answers.

use keyfold::engine::offset_metadata::OffsetMetadata;
use keyfold::engine::takeover::Writer;
use keyfold::engine::{Event, PartitionOffsets, Place};

use super::{Committed, Shell, Step, Surroundings, Then};
use crate::transactions::LogId;

/// What a worker with this transactional id calls itself. Each is a process of its own.
pub fn writer(id: u64) -> Writer {
    Writer {
        application_id: "simulation".to_owned(),
        transactional_id: format!("simulation-{id:x}-0"),
    }
}

impl Shell {
    /// The first offsets are read first; the committed ones and the ends follow.
    pub(super) fn fetch_offsets(
        &mut self,
        places: Vec<Place>,
        then: Then,
        around: &mut Surroundings<'_>,
    ) {
        if around.sabotage.ends_first {
            for partition in 0..self.settings.partitions {
                let log = around.cluster.log(LogId::State(partition));
                let ends = (log.low(), log.high());
                self.early_ends.insert(partition, ends);
            }
        }
        let starts = places.into_iter().map(|place| {
            let start = around.cluster.log(LogId::Place(place)).low();
            (place, start)
        });
        self.step = Step::FetchCommitted(starts.collect(), then);
    }

    pub(super) fn fetch_committed(
        &mut self,
        starts: Vec<(Place, i64)>,
        then: Then,
        around: &mut Surroundings<'_>,
    ) {
        let answers = starts.into_iter().map(|(place, start)| {
            let (committed, stable) = around.cluster.group.committed(place);
            let stable = stable || around.sabotage.unstable_offsets;
            let told = stable && !around.random.often(around.faults.no_answer);
            (place, start, told.then_some(committed))
        });
        self.step = Step::FetchEnds(answers.collect(), then);
    }

    pub(super) fn fetch_ends(
        &mut self,
        committed: Vec<Committed>,
        then: Then,
        around: &mut Surroundings<'_>,
    ) {
        let answers = committed.into_iter().map(|(place, start, committed)| {
            let log = around.cluster.log(LogId::Place(place));
            let offsets = committed.map(|committed| PartitionOffsets {
                committed,
                first: match around.sabotage.low_after_committed {
                    true => log.low(),
                    false => start,
                },
                end: log.high(),
            });
            (place, offsets)
        });
        let fetched = Event::OffsetsFetched {
            topic_ids: Some([].into()),
            offsets: answers.collect(),
        };
        self.step = Step::Answer(fetched, then);
    }

    pub(super) fn fetch_state_ends(
        &mut self,
        partitions: Vec<i32>,
        then: Then,
        around: &mut Surroundings<'_>,
    ) {
        let answers = partitions.into_iter().map(|partition| {
            let log = around.cluster.log(LogId::State(partition));
            let mut ends = (log.low(), log.high());
            if around.sabotage.restore_to_stable {
                ends.1 = log.stable();
            }
            if around.sabotage.ends_first {
                ends = self.early_ends.get(&partition).copied().unwrap_or(ends);
            }
            let told = !around.random.often(around.faults.no_answer);
            (partition, told.then_some(ends))
        });
        let fetched = Event::StateEndsFetched(answers.collect());
        self.step = Step::Answer(fetched, then);
    }

    pub(super) fn find_writers(&mut self, places: &[Place], around: &mut Surroundings<'_>) {
        let group = &around.cluster.group;
        let writers = places
            .iter()
            .filter_map(|place| OffsetMetadata::parse(group.metadata(*place)?)?.writer);
        let seen = group.seen().map(|id| writer(id).transactional_id);
        let writers = writers.chain(seen).collect();
        let members = group.described();
        self.alive = members.clone().unwrap_or_default();
        let members = match around.sabotage.fence_the_living {
            false => members,
            true => Some(vec![self.producer.id]),
        };
        let told = !around.random.often(around.faults.no_answer);
        let members = members.filter(|_| told).map(|members| {
            let names = members.into_iter().map(|id| writer(id).transactional_id);
            names.collect::<Vec<String>>()
        });
        let found = Event::WritersFound { writers, members };
        self.engine.handle(found, around.now);
    }

    /// Takes over transactional ids; what promise is broken where one is of a process that lives.
    pub(super) fn fence(
        &mut self,
        ids: &[String],
        around: &mut Surroundings<'_>,
    ) -> Result<(), String> {
        let mut fenced = Vec::new();
        for name in ids {
            let id = name.split('-').nth(1);
            let Some(id) = id.and_then(|id| u64::from_str_radix(id, 16).ok()) else {
                return Err(format!("a takeover fences {name}"));
            };
            if self.alive.contains(&id) {
                return Err(format!("a takeover fences {name}, which lives"));
            }
            if around.random.often(around.faults.no_answer) {
                continue;
            }
            // busy: what was open is being aborted
            if around.cluster.init(id).is_ok() {
                fenced.push(name.clone());
            }
        }
        self.engine.handle(Event::WritersFenced(fenced), around.now);
        Ok(())
    }
}
