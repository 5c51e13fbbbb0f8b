//! What the consumer group gives and takes away, and what becomes of the open batch then.

use std::collections::BTreeMap;
use std::time::Duration;

use super::assignment::{Consumption, Loading, StatePartition};
use super::event::{Effect, GroupChange, Loss};
use super::fatal::Fatal;
use super::{Engine, Place};

/// How long the group may refuse an instance id: longer than the session of a process that was killed may last
/// (`group.consumer.max.session.timeout.ms`, a minute by default).
const INSTANCE_ID_HELD: Duration = Duration::from_secs(75);

impl Engine {
    /// Takes over a change. Only to be called when no commit is in flight.
    pub(super) fn change_ownership(&mut self, change: GroupChange, now: Duration) {
        match change {
            GroupChange::Assigned(places) => self.assigned(&places),
            GroupChange::Revoked(places) => self.revoked(&places),
            GroupChange::Lost(loss) => self.lost(loss, now),
        }
    }

    /// Those that this engine keeps are consumed again from where it stands, whatever the client believes.
    fn assigned(&mut self, places: &[Place]) {
        self.joined_group = true;
        self.name_refused_since = None;
        // what failed to commit belonged to the ownership before
        self.failed_commits = 0;
        self.assignment.hold_consumed();
        for &place in places {
            self.assignment.places.insert(place, Consumption::Unknown);
            if self.settings.is_forwarded(place) {
                let state = StatePartition {
                    loading: Loading::Unknown,
                    known_end: 0,
                    marker: false,
                };
                self.assignment.states.insert(place.partition, state);
            }
        }
        // stores of partitions that went elsewhere are let go now that it is known which came back
        self.stores
            .retain(|partition, _| self.assignment.states.contains_key(partition));
    }

    /// The open batch is dropped: what it read is read again by the next owner.
    fn revoked(&mut self, places: &[Place]) {
        self.drop_batch();
        for place in places {
            self.assignment.places.remove(place);
            self.committed.remove(place);
            self.passed.remove(place);
            if self.settings.is_forwarded(*place) {
                self.assignment.states.remove(&place.partition);
                self.restore_wanted = true;
                let store = self.stores.get(&place.partition);
                if store.is_some_and(|store| store.is_durable()) {
                    self.stores.remove(&place.partition);
                }
            }
        }
        self.assignment.hold_consumed();
    }

    /// Everything that was owned is lost, and the group is joined anew, unless another process has this one's name.
    pub(super) fn lost(&mut self, loss: Loss, now: Duration) {
        let all: Vec<_> = self.assignment.places.keys().copied().collect();
        self.revoked(&all);
        self.joined_group = false;
        let instance = &self.settings.policy.instance_id;
        match loss {
            Loss::Client => self.name_refused_since = None,
            // The group knows the later one by this name now. Were this one to join again, both would go on to fence each
            // other.
            Loss::FencedInstanceId => {
                let instance = instance.clone();
                return self.stop(Fatal::TakenOver { instance });
            }
            // Under KIP-848 the group refuses a name for as long as it knows a living member by it. One that was killed is
            // known until its session ends; one that stays is another process.
            Loss::InstanceIdInUse => {
                let since = *self.name_refused_since.get_or_insert(now);
                if now.saturating_sub(since) >= INSTANCE_ID_HELD {
                    let instance = instance.clone();
                    return self.stop(Fatal::NameInUse { instance });
                }
            }
        }
        self.effects.push_back(Effect::Rejoin);
    }

    /// Takes back what the open batch did; its places are consumed again from where it began.
    fn drop_batch(&mut self) {
        let Some(batch) = self.batch.take() else {
            return;
        };
        self.effects.push_back(Effect::Abort);
        self.rewind(&batch.began_at);
    }

    /// Sets places back to where a batch took their first record, to be consumed again from there.
    pub(super) fn rewind(&mut self, began_at: &BTreeMap<Place, i64>) {
        for (&place, &position) in began_at {
            self.assignment.rewind(place, position);
        }
        let places = began_at.keys().copied().collect();
        self.effects.push_back(Effect::Pause(places));
    }
}
