//! A new owner of a partition does not wait until the broker aborts a transaction that a dead owner left open: it
//! fences the dead owner's producer, which aborts the transaction at once.
//!
//! The metadata of each committed offset contain the transactional id of the worker that committed it last. If stable
//! offsets cannot be read, or a restore waits at an open transaction, the engine asks who wrote there
//! ([`Effect::FindWriters`]) and which members the group has, and fences the writers that are no longer members
//! ([`Effect::Fence`]).
//!
//! The transactional id found there may be that of an earlier owner that is alive and owns other partitions now: a
//! worker that died in its first transaction for that place had not committed its own id there yet. Therefore the
//! metadata of all places are read. Workers that were members of the group when it was last described count as writers
//! too, because one that died in its very first transaction is named in no metadata. Only if a worker joined and died
//! between two descriptions of the group does its transaction stay open until the broker's timeout.
//!
//! A current member of the group is never fenced. A worker that the group has removed owns nothing, so fencing it does
//! no harm: it makes a new producer when it joins again. If the members are not known, as in a group of KIP-848, nobody
//! is fenced, and the transaction stays open until the broker's timeout.
//!
//! Only workers without an `instance_id` write their transactional id into the metadata. With an `instance_id`, the
//! session is longer than the transaction timeout, so there is nothing to wait for; and such a worker takes being
//! fenced twice as a sign that a second process uses its name.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Effect, Engine, Place};

/// Time between two searches for dead writers.
const SEARCH_PERIOD: Duration = Duration::from_secs(1);

/// How other workers recognise this worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    pub application_id: String,
    /// `<application_id>-<instance>-<worker>`.
    pub transactional_id: String,
}

impl Writer {
    /// Whether a transactional id belongs to a worker of this process, be it this one or another.
    fn is_of_this_process(&self, transactional_id: &str) -> bool {
        let instance = |id: &str| id.rsplit_once('-').map(|(instance, _)| instance.to_owned());
        instance(transactional_id) == instance(&self.transactional_id)
    }

    /// Whether the worker with this transactional id is a member of the group.
    fn is_member(&self, members: &[String], transactional_id: &str) -> bool {
        let matches = |member: &String| is_worker(member, transactional_id, &self.application_id);
        members.iter().any(matches)
    }

    /// The writers that are not members of the group any more, judged by the members' client ids.
    fn dead_writers(&self, writers: Vec<String>, members: Option<&[String]>) -> Vec<String> {
        // A description that lacks this worker is out of date, or does not contain the client ids: then nobody is dead.
        let Some(members) =
            members.filter(|members| self.is_member(members, &self.transactional_id))
        else {
            return Vec::new();
        };
        let own = format!("{}-", self.application_id);
        let writers: BTreeSet<String> = writers.into_iter().collect();
        let dead = writers
            .into_iter()
            // the metadata may name anything, but other applications' producers are never fenced
            .filter(|id| id.starts_with(&own) && !self.is_of_this_process(id))
            .filter(|id| !self.is_member(members, id));
        dead.collect()
    }
}

/// Whether the group member with this `client.id` is the worker with this transactional id. Users can set the
/// `client.id` of an instance, so only the part of the transactional id after the application id must match its end.
pub fn is_worker(client_id: &str, transactional_id: &str, application_id: &str) -> bool {
    transactional_id
        .strip_prefix(application_id)
        .is_some_and(|worker| worker.starts_with('-') && client_id.ends_with(worker))
}

/// The state of the search for dead writers.
#[derive(Debug, Default)]
pub struct Takeover {
    pub(super) writer: Option<Writer>,
    /// A read waits for an open transaction, which may be a dead owner's.
    is_waiting: bool,
    next_search: Duration,
    /// The transactional ids that are fenced already, and have not been members of the group since.
    fenced: BTreeSet<String>,
}

impl Engine {
    /// Has the worker write its transactional id into the metadata of its commits, and fence dead owners. None:
    /// neither.
    #[must_use]
    pub fn with_writer(mut self, writer: Option<Writer>) -> Engine {
        self.takeover.writer = writer;
        self
    }

    /// Notes that a read waits, perhaps for a transaction that a dead owner has left open.
    pub(super) fn note_waiting_read(&mut self) {
        self.takeover.is_waiting = true;
    }

    /// The search for the writers of the open transaction, if a read waits for one and the last search is long enough
    /// ago.
    pub(super) fn find_writers(&mut self, now: Duration) -> Option<Effect> {
        let takeover = &mut self.takeover;
        if takeover.writer.is_none() || !takeover.is_waiting || now < takeover.next_search {
            return None;
        }
        takeover.is_waiting = false;
        takeover.next_search = now + SEARCH_PERIOD;
        // A dead owner may not have committed its id for the place that waits, but it has for others: those that it
        // owned, and the forwarded partitions whose state partitions it joined records into. So all of them are read.
        let own = self.assignment.places.keys().copied();
        let forwarded =
            (0..self.settings.partitions).map(|partition| self.settings.forwarded(partition));
        let places: BTreeSet<Place> = own.chain(forwarded).collect();
        Some(Effect::FindWriters(places.into_iter().collect()))
    }

    /// Receives the transactional ids of those who wrote last there or may have written, and the client ids of the
    /// group's members; none if the members are not known.
    pub(super) fn writers_found(&mut self, writers: Vec<String>, members: Option<&[String]>) {
        let Takeover { writer, fenced, .. } = &mut self.takeover;
        let Some(writer) = writer else {
            return;
        };
        // a worker that is a member again may begin another transaction and die in it, so it may be fenced again
        fenced.retain(|id| !members.is_some_and(|members| writer.is_member(members, id)));
        let mut dead = writer.dead_writers(writers, members);
        dead.retain(|id| !fenced.contains(id));
        if !dead.is_empty() {
            self.effects.push_back(Effect::Fence(dead));
        }
    }

    /// These writers are fenced and their open transactions aborted, so the reads that waited are tried again at once.
    pub(super) fn writers_fenced(&mut self, ids: Vec<String>) {
        self.takeover.fenced.extend(ids);
        self.retry_at = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dead(writers: &[&str], members: Option<&[&str]>) -> Vec<String> {
        let texts = |list: &[&str]| list.iter().map(|&one| one.to_owned()).collect::<Vec<_>>();
        let writer = Writer {
            application_id: "keyfold".to_owned(),
            transactional_id: "keyfold-me-0".to_owned(),
        };
        writer.dead_writers(texts(writers), members.map(texts).as_deref())
    }

    #[test]
    fn only_writers_that_are_not_members_are_fenced() {
        let members = Some(&["keyfold-me-0", "host7-alive-1"][..]);
        let all = [
            "keyfold-alive-1",
            "keyfold-gone-0",
            "keyfold-gone-1",
            "keyfold-gone-0",
        ];
        assert_eq!(dead(&all, members), ["keyfold-gone-0", "keyfold-gone-1"]);
    }

    #[test]
    fn nobody_is_fenced_if_the_members_are_not_known() {
        assert!(dead(&["keyfold-gone-0"], None).is_empty());
        // a description that lacks this worker
        assert!(dead(&["keyfold-gone-0"], Some(&[])).is_empty());
        assert!(dead(&["keyfold-gone-0"], Some(&["keyfold", "keyfold"])).is_empty());
    }

    #[test]
    fn no_worker_of_this_process_and_no_other_application_is_fenced() {
        let members = Some(&["keyfold-me-0"][..]);
        let all = ["keyfold-me-0", "keyfold-me-1", "payments-1", "keyfold"];
        assert!(dead(&all, members).is_empty());
    }
}
