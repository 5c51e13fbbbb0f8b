//! The coordinator of the consumer group, for both protocols, and the offsets that it keeps.
//!
//! Classic: a generation ends when a member comes, goes or is silent for too long; the next begins once all that
//! are left have joined it anew, or the patience with them is over. KIP-848: each member has an epoch of its own,
//! and a partition goes to its new owner only after the old one has let go of it, or has left.

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

/// The generation or epoch, and the member id: what a request to the coordinator is judged by.
pub type Standing = (i32, u64);

/// A standing as the engine knows it.
pub fn generation_of((number, id): Standing) -> Generation {
    Generation {
        number,
        member_id: id.to_string(),
    }
}

pub fn standing_of(generation: &Generation) -> Standing {
    let id = generation
        .member_id
        .parse()
        .expect("a member of this group");
    (generation.number, id)
}

#[derive(Debug)]
struct Member {
    heard: Duration,
    /// Classic: whether it has joined the generation that is being formed.
    joined: bool,
    /// KIP-848: its own epoch.
    epoch: i32,
    /// What it has been given, and has not let go of.
    owned: BTreeSet<Place>,
    /// Its client id.
    client: u64,
}

/// The answer to a heartbeat.
#[derive(Debug, PartialEq, Eq)]
pub enum Beat {
    Fine,
    /// Classic: a new generation is being formed.
    Rebalance,
    /// KIP-848: what the member may hold, and its epoch.
    Reconcile(i32, BTreeSet<Place>),
    Unknown,
}

#[derive(Debug)]
pub struct Group {
    pub protocol: Protocol,
    /// Of each topic.
    partitions: Vec<i32>,
    session: Duration,
    members: BTreeMap<u64, Member>,
    /// The generation, or the group's epoch.
    generation: i32,
    /// Classic: until when members may join the generation that is being formed.
    forming: Option<Duration>,
    targets: BTreeMap<u64, BTreeSet<Place>>,
    /// The client ids of all members that there ever were.
    seen: BTreeSet<u64>,
    next_member: u64,
    offsets: BTreeMap<Place, (i64, String)>,
    /// Offsets sent within transactions that are not decided.
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
            forming: None,
            targets: BTreeMap::new(),
            seen: BTreeSet::new(),
            next_member: 1,
            offsets: BTreeMap::new(),
            pending: BTreeMap::new(),
        }
    }

    /// A member comes, or comes again.
    pub fn join(&mut self, member: Option<u64>, client: u64, now: Duration) -> u64 {
        let known =
            member.filter(|id| self.protocol == Protocol::Kip848 || self.members.contains_key(id));
        let id = known.unwrap_or_else(|| {
            self.next_member += 1;
            self.next_member - 1
        });
        let new = Member {
            heard: now,
            joined: true,
            epoch: 0,
            owned: BTreeSet::new(),
            client,
        };
        self.members.insert(id, new);
        self.seen.insert(client);
        self.changed(Some(id), now);
        id
    }

    /// A member goes.
    pub fn leave(&mut self, member: u64, now: Duration) {
        if self.members.remove(&member).is_some() {
            self.changed(None, now);
        }
    }

    fn changed(&mut self, joiner: Option<u64>, now: Duration) {
        match self.protocol {
            Protocol::Classic => {
                if self.forming.is_none() {
                    self.forming = Some(now + self.session * 2);
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

    /// The range assignor: each topic by itself.
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

    /// What happens by itself as time goes on.
    pub fn tick(&mut self, now: Duration) {
        let session = self.session;
        let before = self.members.len();
        let waits = self.forming.is_some();
        self.members
            .retain(|_, member| (waits && member.joined) || now < member.heard + session);
        if self.members.len() < before {
            self.changed(None, now);
        }
        if let Some(until) = self.forming {
            if now >= until {
                self.members.retain(|_, member| member.joined);
            }
            if self.members.values().all(|member| member.joined) {
                self.forming = None;
                self.generation += 1;
                self.targets = self.assign();
                for member in self.members.values_mut() {
                    member.heard = now;
                }
            }
        }
    }

    /// When something will happen by itself.
    pub fn due(&self) -> Option<Duration> {
        let sessions = self
            .members
            .values()
            .map(|member| member.heard + self.session);
        sessions.chain(self.forming).min()
    }

    /// Classic: what a member that has joined is given; none while it must wait.
    pub fn joined(&mut self, member: u64) -> Result<Option<(i32, BTreeSet<Place>)>, ()> {
        if !self.members.contains_key(&member) {
            return Err(());
        }
        if self.forming.is_some() {
            return Ok(None);
        }
        let target = self.targets.get(&member).cloned().unwrap_or_default();
        Ok(Some((self.generation, target)))
    }

    /// A member beats; under KIP-848 it tells what it holds, unless that is about to change.
    pub fn heartbeat(
        &mut self,
        (epoch, id): Standing,
        holds: Option<&BTreeSet<Place>>,
        now: Duration,
    ) -> Beat {
        let Some(member) = self.members.get_mut(&id) else {
            return Beat::Unknown;
        };
        match self.protocol {
            Protocol::Classic => {
                if epoch != self.generation {
                    return Beat::Unknown;
                }
                member.heard = now;
                if self.forming.is_some() && !member.joined {
                    return Beat::Rebalance;
                }
                Beat::Fine
            }
            Protocol::Kip848 => {
                if epoch != member.epoch {
                    return Beat::Unknown;
                }
                member.heard = now;
                self.reconcile(id, holds)
            }
        }
    }

    fn reconcile(&mut self, id: u64, holds: Option<&BTreeSet<Place>>) -> Beat {
        let target = self.targets.get(&id).cloned().unwrap_or_default();
        let taken: BTreeSet<Place> = self
            .members
            .iter()
            .filter(|(other, _)| **other != id)
            .flat_map(|(_, member)| member.owned.iter().copied())
            .collect();
        let generation = self.generation;
        let Some(member) = self.members.get_mut(&id) else {
            return Beat::Unknown;
        };
        let kept: BTreeSet<Place> = member.owned.intersection(&target).copied().collect();
        let lets_go = match holds {
            None => member.owned.is_subset(&target),
            Some(holds) => holds.is_subset(&target),
        };
        if !lets_go {
            // the epoch goes on only after what is taken away was let go of
            return Beat::Reconcile(member.epoch, kept);
        }
        member.epoch = generation;
        member.owned = target.difference(&taken).copied().collect();
        Beat::Reconcile(member.epoch, member.owned.clone())
    }

    /// The client ids of the members; a group of KIP-848 is not described.
    pub fn described(&self) -> Option<Vec<u64>> {
        let members = self.members.values().map(|member| member.client);
        (self.protocol == Protocol::Classic).then(|| members.collect())
    }

    /// The client ids of all members that there ever were, as far as the group is described.
    pub fn seen(&self) -> impl Iterator<Item = u64> {
        let told = self.protocol == Protocol::Classic;
        self.seen.iter().copied().filter(move |_| told)
    }

    /// Whether a commit under this standing is taken.
    pub fn accepts(&self, (epoch, id): Standing) -> bool {
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

    /// Commits offsets. One that would go back is a broken promise.
    pub fn commit(&mut self, offsets: Vec<(Place, i64, String)>) -> Result<(), String> {
        for (place, offset, metadata) in offsets {
            let before = self.offsets.get(&place).map_or(0, |held| held.0);
            if offset < before {
                return Err(format!(
                    "the committed offset of {place:?} goes back from {before} to {offset}"
                ));
            }
            self.offsets.insert(place, (offset, metadata));
        }
        Ok(())
    }

    /// The metadata of a committed offset, be it stable or not.
    pub fn metadata(&self, place: Place) -> Option<&str> {
        self.offsets
            .get(&place)
            .map(|(_, metadata)| metadata.as_str())
    }

    /// The committed offset of a place, and whether it is stable: no transaction that names it is undecided.
    pub fn committed(&self, place: Place) -> (Option<(i64, String)>, bool) {
        let mut pending = self.pending.values().flatten();
        let unstable = pending.any(|(named, ..)| *named == place);
        (self.offsets.get(&place).cloned(), !unstable)
    }
}
