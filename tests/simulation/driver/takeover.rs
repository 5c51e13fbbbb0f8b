//! The model of `runtime/driver/takeover.rs`.

use keyfold::engine::Place;
use keyfold::engine::offset_metadata::OffsetMetadata;
use keyfold::engine::takeover::Writer;

use super::{Driver, Step, Surroundings, Then};

/// What a worker with this transactional id calls itself. Each is a process of its own.
pub fn writer(id: u64) -> Writer {
    Writer {
        application_id: "simulation".to_owned(),
        transactional_id: format!("simulation-{id:x}-0"),
    }
}

impl Driver {
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
        self.worker.writers(writers, members.as_deref());
    }

    pub(super) fn fence(&mut self, ids: &[String], then: Then, around: &mut Surroundings<'_>) {
        let mut fenced = Vec::new();
        for name in ids {
            let id = name.split('-').nth(1);
            let Some(id) = id.and_then(|id| u64::from_str_radix(id, 16).ok()) else {
                self.step = Step::Broken(format!("a takeover fences {name}"));
                return;
            };
            if self.alive.contains(&id) {
                self.step = Step::Broken(format!("a takeover fences {name}, which lives"));
                return;
            }
            if around.random.often(around.faults.no_answer) {
                continue;
            }
            // busy: what was open is being aborted
            if around.cluster.init(id).is_ok() {
                fenced.push(name.clone());
            }
        }
        self.worker.fenced_others(fenced);
        self.step = Step::Act(then);
    }
}
