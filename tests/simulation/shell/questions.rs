//! The requests of an engine to the cluster, and their answers.

use keyfold::engine::offset_metadata::OffsetMetadata;
use keyfold::engine::takeover::Writer;
use keyfold::engine::{Event, PartitionOffsets, Place};

use super::{Committed, Shell, Step, StepContext, Then};
use crate::transactions::LogId;

/// The writer that a worker with this transactional id is. Each worker is a process of its own.
pub fn writer(id: u64) -> Writer {
    Writer {
        application_id: "simulation".to_owned(),
        transactional_id: format!("simulation-{id:x}-0"),
    }
}

impl Shell {
    /// Reads the first offsets; the committed offsets and the ends are read in later steps.
    pub(super) fn fetch_offsets(
        &mut self,
        places: Vec<Place>,
        then: Then,
        context: &mut StepContext<'_>,
    ) {
        if context.sabotage.ends_first {
            for partition in 0..self.settings.partitions {
                let log = context.cluster.log(LogId::State(partition));
                let ends = (log.low(), log.high());
                self.early_state_ends.insert(partition, ends);
            }
        }
        let starts = places.into_iter().map(|place| {
            let start = context.cluster.log(LogId::Place(place)).low();
            (place, start)
        });
        self.step = Step::FetchCommitted(starts.collect(), then);
    }

    pub(super) fn fetch_committed(
        &mut self,
        starts: Vec<(Place, i64)>,
        then: Then,
        context: &mut StepContext<'_>,
    ) {
        let answers = starts.into_iter().map(|(place, start)| {
            let (committed, stable) = context.cluster.group.committed(place);
            let stable = stable || context.sabotage.unstable_offsets;
            let answered = stable && !context.random.chance(context.faults.no_answer);
            (place, start, answered.then_some(committed))
        });
        self.step = Step::FetchEnds(answers.collect(), then);
    }

    pub(super) fn fetch_ends(
        &mut self,
        committed: Vec<Committed>,
        then: Then,
        context: &mut StepContext<'_>,
    ) {
        let answers = committed.into_iter().map(|(place, start, committed)| {
            let log = context.cluster.log(LogId::Place(place));
            let offsets = committed.map(|committed| PartitionOffsets {
                committed,
                first: match context.sabotage.low_after_committed {
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
        context: &mut StepContext<'_>,
    ) {
        let answers = partitions.into_iter().map(|partition| {
            let log = context.cluster.log(LogId::State(partition));
            let mut ends = (log.low(), log.high());
            if context.sabotage.restore_to_stable {
                ends.1 = log.stable();
            }
            if context.sabotage.ends_first {
                ends = self
                    .early_state_ends
                    .get(&partition)
                    .copied()
                    .unwrap_or(ends);
            }
            let answered = !context.random.chance(context.faults.no_answer);
            (partition, answered.then_some(ends))
        });
        let fetched = Event::StateEndsFetched(answers.collect());
        self.step = Step::Answer(fetched, then);
    }

    pub(super) fn find_writers(&mut self, places: &[Place], context: &mut StepContext<'_>) {
        let group = &context.cluster.group;
        let writers = places
            .iter()
            .filter_map(|place| OffsetMetadata::parse(group.metadata(*place)?)?.writer);
        let ever_joined = group.ever_joined().map(|id| writer(id).transactional_id);
        let writers = writers.chain(ever_joined).collect();
        let members = group.described();
        self.described_members = members.clone().unwrap_or_default();
        let members = match context.sabotage.fence_the_living {
            false => members,
            true => Some(vec![self.producer.id]),
        };
        let answered = !context.random.chance(context.faults.no_answer);
        let members = members.filter(|_| answered).map(|members| {
            let names = members.into_iter().map(|id| writer(id).transactional_id);
            names.collect::<Vec<String>>()
        });
        let found = Event::WritersFound { writers, members };
        self.engine.handle(found, context.now);
    }

    /// Fences transactional ids. It is a broken promise if one of them belongs to a live process.
    pub(super) fn fence(
        &mut self,
        ids: &[String],
        context: &mut StepContext<'_>,
    ) -> Result<(), String> {
        let mut fenced = Vec::new();
        for name in ids {
            let id = name.split('-').nth(1);
            let Some(id) = id.and_then(|id| u64::from_str_radix(id, 16).ok()) else {
                return Err(format!("a takeover fences {name}"));
            };
            if self.described_members.contains(&id) {
                return Err(format!("a takeover fences {name}, which lives"));
            }
            if context.random.chance(context.faults.no_answer) {
                continue;
            }
            // if it is busy, the open transaction is still being aborted
            if context.cluster.init(id).is_ok() {
                fenced.push(name.clone());
            }
        }
        self.engine
            .handle(Event::WritersFenced(fenced), context.now);
        Ok(())
    }
}
