//! The simulated coordinator of the consumer group, for both protocols, with the committed offsets.
//!
//! Classic: a generation ends when a member joins, leaves, or sends no heartbeat within the session. The next begins
//! when all remaining members have joined again, or the time for that is over. KIP-848: each member has its own epoch,
//! and a partition is assigned to its new owner only after the old owner has released it or left.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use keyfold::engine::Place;
use keyfold::engine::outbox::Generation;

use crate::log::TransactionNumber;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Classic,
    Kip848,
}

/// The generation or epoch, and the member id. The coordinator accepts or refuses a request by them.
pub type Membership = (i32, u64);

/// A membership in the engine's own type.
pub fn generation_of((number, id): Membership) -> Generation {
    Generation {
        number,
        member_id: id.to_string(),
    }
}

pub fn membership_of(generation: &Generation) -> Membership {
    let id = generation
        .member_id
        .parse()
        .expect("a member of this group");
    (generation.number, id)
}

#[derive(Debug)]
struct Member {
    last_heartbeat: Duration,
    /// Classic: whether it has joined the next generation.
    joined: bool,
    /// KIP-848: its own epoch.
    epoch: i32,
    /// What it was assigned and has not released.
    owned: BTreeSet<Place>,
    /// Its client id.
    client: u64,
}

/// The answer to a heartbeat.
#[derive(Debug, PartialEq, Eq)]
pub enum HeartbeatResponse {
    Fine,
    /// Classic: a rebalance has begun; the member must join again.
    Rebalance,
    /// KIP-848: the member's epoch, and its assignment.
    Reconcile(i32, BTreeSet<Place>),
    Unknown,
}

#[derive(Debug)]
pub struct Group {
    pub protocol: Protocol,
    /// The number of partitions of each topic.
    partitions: Vec<i32>,
    session: Duration,
    members: BTreeMap<u64, Member>,
    /// The generation, or the group's epoch.
    generation: i32,
    /// Classic, in a rebalance: until when members may join the next generation.
    forming_until: Option<Duration>,
    targets: BTreeMap<u64, BTreeSet<Place>>,
    /// The client ids of all members that ever joined.
    ever_joined: BTreeSet<u64>,
    next_member: u64,
    offsets: BTreeMap<Place, (i64, String)>,
    /// Offsets in transactions that are not decided.
    pending: BTreeMap<TransactionNumber, Vec<(Place, i64, String)>>,
}

impl Group {
    pub fn new(protocol: Protocol, partitions: Vec<i32>, session: Duration) -> Group {
        Group {
            protocol,
            partitions,
            session,
            members: BTreeMap::new(),
            generation: 0,
            forming_until: None,
            targets: BTreeMap::new(),
            ever_joined: BTreeSet::new(),
            next_member: 1,
            offsets: BTreeMap::new(),
            pending: BTreeMap::new(),
        }
    }

    /// A member joins, for the first time or again.
    pub fn join(&mut self, member: Option<u64>, client: u64, now: Duration) -> u64 {
        let known =
            member.filter(|id| self.protocol == Protocol::Kip848 || self.members.contains_key(id));
        let id = known.unwrap_or_else(|| {
            self.next_member += 1;
            self.next_member - 1
        });
        let new = Member {
            last_heartbeat: now,
            joined: true,
            epoch: 0,
            owned: BTreeSet::new(),
            client,
        };
        self.members.insert(id, new);
        self.ever_joined.insert(client);
        self.changed(Some(id), now);
        id
    }

    /// A member leaves.
    pub fn leave(&mut self, member: u64, now: Duration) {
        if self.members.remove(&member).is_some() {
            self.changed(None, now);
        }
    }

    fn changed(&mut self, joiner: Option<u64>, now: Duration) {
        match self.protocol {
            Protocol::Classic => {
                if self.forming_until.is_none() {
                    self.forming_until = Some(now + self.session * 2);
                    for (id, member) in &mut self.members {
                        member.joined = joiner == Some(*id);
                    }
                }
            }
            Protocol::Kip848 => {
                self.generation += 1;
                self.targets = self.assign();
            }
        }
    }

    /// The range assignor, which assigns each topic separately.
    fn assign(&self) -> BTreeMap<u64, BTreeSet<Place>> {
        let mut targets: BTreeMap<u64, BTreeSet<Place>> = BTreeMap::new();
        let count = self.members.len();
        for (topic, &partitions) in self.partitions.iter().enumerate() {
            for (at, &member) in self.members.keys().enumerate() {
                let partitions = partitions as usize;
                let (each, more) = (partitions / count, partitions % count);
                let first = at * each + at.min(more);
                let last = first + each + usize::from(at < more);
                let owned = (first..last).map(|partition| Place {
                    topic,
                    partition: partition as i32,
                });
                targets.entry(member).or_default().extend(owned);
            }
        }
        targets
    }

    /// Removes members whose session is over, and completes a rebalance.
    pub fn tick(&mut self, now: Duration) {
        let session = self.session;
        let before = self.members.len();
        let is_forming = self.forming_until.is_some();
        self.members.retain(|_, member| {
            (is_forming && member.joined) || now < member.last_heartbeat + session
        });
        if self.members.len() < before {
            self.changed(None, now);
        }
        if let Some(until) = self.forming_until {
            if now >= until {
                self.members.retain(|_, member| member.joined);
            }
            if self.members.values().all(|member| member.joined) {
                self.forming_until = None;
                self.generation += 1;
                self.targets = self.assign();
                for member in self.members.values_mut() {
                    member.last_heartbeat = now;
                }
            }
        }
    }

    /// The time of the next timeout.
    pub fn due(&self) -> Option<Duration> {
        let sessions = self
            .members
            .values()
            .map(|member| member.last_heartbeat + self.session);
        sessions.chain(self.forming_until).min()
    }

    /// Classic: the generation and assignment of a member that has joined; none while the rebalance is not complete.
    pub fn joined(&mut self, member: u64) -> Result<Option<(i32, BTreeSet<Place>)>, ()> {
        if !self.members.contains_key(&member) {
            return Err(());
        }
        if self.forming_until.is_some() {
            return Ok(None);
        }
        let target = self.targets.get(&member).cloned().unwrap_or_default();
        Ok(Some((self.generation, target)))
    }

    /// A heartbeat of a member. Under KIP-848 it contains the member's assignment, unless that is about to change.
    pub fn heartbeat(
        &mut self,
        (epoch, id): Membership,
        assigned: Option<&BTreeSet<Place>>,
        now: Duration,
    ) -> HeartbeatResponse {
        let Some(member) = self.members.get_mut(&id) else {
            return HeartbeatResponse::Unknown;
        };
        match self.protocol {
            Protocol::Classic => {
                if epoch != self.generation {
                    return HeartbeatResponse::Unknown;
                }
                member.last_heartbeat = now;
                if self.forming_until.is_some() && !member.joined {
                    return HeartbeatResponse::Rebalance;
                }
                HeartbeatResponse::Fine
            }
            Protocol::Kip848 => {
                if epoch != member.epoch {
                    return HeartbeatResponse::Unknown;
                }
                member.last_heartbeat = now;
                self.reconcile(id, assigned)
            }
        }
    }

    fn reconcile(&mut self, id: u64, assigned: Option<&BTreeSet<Place>>) -> HeartbeatResponse {
        let target = self.targets.get(&id).cloned().unwrap_or_default();
        let taken: BTreeSet<Place> = self
            .members
            .iter()
            .filter(|(other, _)| **other != id)
            .flat_map(|(_, member)| member.owned.iter().copied())
            .collect();
        let generation = self.generation;
        let Some(member) = self.members.get_mut(&id) else {
            return HeartbeatResponse::Unknown;
        };
        let kept: BTreeSet<Place> = member.owned.intersection(&target).copied().collect();
        let has_released = match assigned {
            None => member.owned.is_subset(&target),
            Some(assigned) => assigned.is_subset(&target),
        };
        if !has_released {
            // the member gets the new epoch only after it has released what was revoked
            return HeartbeatResponse::Reconcile(member.epoch, kept);
        }
        member.epoch = generation;
        member.owned = target.difference(&taken).copied().collect();
        HeartbeatResponse::Reconcile(member.epoch, member.owned.clone())
    }

    /// The client ids of the members; none for KIP-848, whose groups cannot be described.
    pub fn described(&self) -> Option<Vec<u64>> {
        let members = self.members.values().map(|member| member.client);
        (self.protocol == Protocol::Classic).then(|| members.collect())
    }

    /// The client ids of all members that ever joined; empty if the group cannot be described.
    pub fn ever_joined(&self) -> impl Iterator<Item = u64> {
        let is_described = self.protocol == Protocol::Classic;
        self.ever_joined
            .iter()
            .copied()
            .filter(move |_| is_described)
    }

    /// Whether a commit with this membership is accepted.
    pub fn accepts(&self, (epoch, id): Membership) -> bool {
        self.members
            .get(&id)
            .is_some_and(|member| match self.protocol {
                Protocol::Classic => epoch == self.generation,
                Protocol::Kip848 => epoch == member.epoch,
            })
    }

    pub fn hold(&mut self, number: TransactionNumber, offsets: &[(Place, i64, String)]) {
        let pending = self.pending.entry(number).or_default();
        pending.extend_from_slice(offsets);
    }

    /// Decides the offsets of a transaction.
    pub fn decide(&mut self, number: TransactionNumber, committed: bool) -> Result<(), String> {
        let pending = self.pending.remove(&number).unwrap_or_default();
        match committed {
            true => self.commit(pending),
            false => Ok(()),
        }
    }

    /// Commits offsets. It is a broken promise if a committed offset goes back.
    pub fn commit(&mut self, offsets: Vec<(Place, i64, String)>) -> Result<(), String> {
        for (place, offset, metadata) in offsets {
            let before = self.offsets.get(&place).map_or(0, |known| known.0);
            if offset < before {
                return Err(format!(
                    "the committed offset of {place:?} goes back from {before} to {offset}"
                ));
            }
            self.offsets.insert(place, (offset, metadata));
        }
        Ok(())
    }

    /// The metadata of a committed offset, stable or not.
    pub fn metadata(&self, place: Place) -> Option<&str> {
        self.offsets
            .get(&place)
            .map(|(_, metadata)| metadata.as_str())
    }

    /// The committed offset of a place, and whether it is stable, which means that no undecided transaction has an
    /// offset for the place.
    pub fn committed(&self, place: Place) -> (Option<(i64, String)>, bool) {
        let mut pending = self.pending.values().flatten();
        let unstable = pending.any(|(named, ..)| *named == place);
        (self.offsets.get(&place).cloned(), !unstable)
    }
}
