//! What the consumer group assigns and revokes, and what that means for the open batch.

use std::collections::BTreeMap;
use std::time::Duration;

use super::assignment::{Consumption, Loading, StatePartition};
use super::event::{Effect, GroupChange, Loss};
use super::fatal::Fatal;
use super::{Engine, Place};

/// How long the group may refuse an instance id: longer than the session of a killed process can last
/// (`group.consumer.max.session.timeout.ms`, a minute by default).
const MAX_INSTANCE_ID_REFUSAL: Duration = Duration::from_secs(75);

impl Engine {
    /// Applies a change. It must not be called while a commit is in flight.
    pub(super) fn change_ownership(&mut self, change: GroupChange, now: Duration) {
        match change {
            GroupChange::Assigned(places) => self.assigned(&places),
            GroupChange::Revoked(places) => self.revoked(&places),
            GroupChange::Lost(loss) => self.lost(loss, now),
        }
    }

    /// The partitions that this engine keeps are consumed again from the engine's own positions, whatever position the
    /// client has.
    fn assigned(&mut self, places: &[Place]) {
        self.joined_group = true;
        self.instance_id_refused_since = None;
        // the commits that failed were those of the previous assignment
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
        // only now is it known which partitions came back: the stores of the others are dropped
        self.stores
            .retain(|partition, _| self.assignment.states.contains_key(partition));
    }

    /// The open batch is dropped: its records are read again, by the next owner or by this one.
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

    /// All partitions are lost, and the engine joins the group again, unless another process has its instance id.
    pub(super) fn lost(&mut self, loss: Loss, now: Duration) {
        let all: Vec<_> = self.assignment.places.keys().copied().collect();
        self.revoked(&all);
        self.joined_group = false;
        let instance = &self.settings.policy.instance_id;
        match loss {
            Loss::Client => self.instance_id_refused_since = None,
            // The instance id now belongs to the process that joined later. If this one joined again, the two would
            // keep fencing each other.
            Loss::FencedInstanceId => {
                let instance = instance.clone();
                return self.stop(Fatal::TakenOver { instance });
            }
            // Under KIP-848 the group refuses an instance id while it has a member with it. A killed process remains a
            // member until its session ends; if the refusal lasts longer, the member is another process.
            Loss::InstanceIdInUse => {
                let since = *self.instance_id_refused_since.get_or_insert(now);
                if now.saturating_sub(since) >= MAX_INSTANCE_ID_REFUSAL {
                    let instance = instance.clone();
                    return self.stop(Fatal::NameInUse { instance });
                }
            }
        }
        self.effects.push_back(Effect::Rejoin);
    }

    /// Drops the open batch and aborts its transaction; its places are consumed again from where it began.
    fn drop_batch(&mut self) {
        let Some(batch) = self.batch.take() else {
            return;
        };
        self.effects.push_back(Effect::Abort);
        self.rewind(&batch.began_at);
    }

    /// Sets places back to the positions where a batch began, from which they are consumed again.
    pub(super) fn rewind(&mut self, began_at: &BTreeMap<Place, i64>) {
        for (&place, &position) in began_at {
            self.assignment.rewind(place, position);
        }
        let places = began_at.keys().copied().collect();
        self.effects.push_back(Effect::Pause(places));
    }
}
