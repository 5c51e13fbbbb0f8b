//! A new owner does not wait for the broker to abort what a dead owner left open: it fences the dead one's producer.
//!
//! The metadata of each committed offset name the transactional id of who wrote it last. Where stable offsets cannot be
//! read, or a restore waits behind an open transaction, the worker asks who wrote there ([`Effect::FindWriters`]) and
//! which members the group has, and has those fenced that are gone ([`Effect::Fence`]).
//!
//! The name may be that of a former owner which lives and owns other partitions: the one that died in its first
//! transaction for that place had not put its own name there. So its name is looked for at all places, and workers that
//! were members of the group when it was last looked at count as writers too, for one that has died in its very first
//! transaction is named nowhere. Only where it joined and died between two such looks, the broker's time-out is waited for.
//!
//! Whoever the group still has as a member is not fenced. One that the group has thrown out owns nothing; fenced, it makes
//! a new producer when it joins again. Where the members are not known, as in a group of KIP-848, nobody is fenced, and the
//! broker's time-out is waited for.
//!
//! Only workers without an `instance_id` name themselves. A named one's session is longer than its transaction may live,
//! so that there is nothing to wait for; and to be fenced twice tells it of a second process by its name.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Effect, Engine, Place};

/// Between two questions for dead writers.
const PAUSE: Duration = Duration::from_secs(1);

/// Who a worker is to the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    pub application_id: String,
    /// `<application_id>-<instance>-<worker>`.
    pub transactional_id: String,
}

impl Writer {
    /// Whether a transactional id is one of this process, this worker's or another's.
    fn is_of_this_process(&self, transactional_id: &str) -> bool {
        let instance = |id: &str| id.rsplit_once('-').map(|(instance, _)| instance.to_owned());
        instance(transactional_id) == instance(&self.transactional_id)
    }

    /// Whether a worker is a member of the group.
    fn lives(&self, members: &[String], transactional_id: &str) -> bool {
        let is = |member: &String| is_worker(member, transactional_id, &self.application_id);
        members.iter().any(is)
    }

    /// Which of the writers are dead, as far as the members' client ids tell.
    fn dead(&self, writers: Vec<String>, members: Option<&[String]>) -> Vec<String> {
        // A description without this worker is old, or does not tell the names that were told to it.
        let Some(members) = members.filter(|members| self.lives(members, &self.transactional_id))
        else {
            return Vec::new();
        };
        let own = format!("{}-", self.application_id);
        let writers: BTreeSet<String> = writers.into_iter().collect();
        let dead = writers
            .into_iter()
            // whatever else is written there, other applications' producers are never touched
            .filter(|id| id.starts_with(&own) && !self.is_of_this_process(id))
            .filter(|id| !self.lives(members, id));
        dead.collect()
    }
}

/// Whether a member with this `client.id` is the worker that has this transactional id. The `client.id` of an instance
/// may be its own, so only what follows the application's id must be the same.
pub fn is_worker(client_id: &str, transactional_id: &str, application_id: &str) -> bool {
    transactional_id
        .strip_prefix(application_id)
        .is_some_and(|worker| worker.starts_with('-') && client_id.ends_with(worker))
}

/// How far the search for dead writers is.
#[derive(Debug, Default)]
pub struct Takeover {
    pub(super) writer: Option<Writer>,
    /// Something waits for a transaction that may be a dead owner's.
    waits: bool,
    next: Duration,
    /// Who is fenced already, and has not been a member since.
    fenced: BTreeSet<String>,
}

impl Engine {
    /// Has the worker name itself in what it commits, and fence dead owners that have.
    #[must_use]
    pub fn with_writer(mut self, writer: Option<Writer>) -> Engine {
        self.takeover.writer = writer;
        self
    }

    /// What is read waits, maybe for a transaction that a dead owner has left open.
    pub(super) fn waits_for_writer(&mut self) {
        self.takeover.waits = true;
    }

    /// The question for the writers of what is waited for.
    pub(super) fn find_writers(&mut self, now: Duration) -> Option<Effect> {
        let takeover = &mut self.takeover;
        if takeover.writer.is_none() || !takeover.waits || now < takeover.next {
            return None;
        }
        takeover.waits = false;
        takeover.next = now + PAUSE;
        // A dead owner may not have put its name to the place that waits, but has to another: its own, or whichever
        // state partition it last joined records into.
        let own = self.assignment.places.keys().copied();
        let forwarded =
            (0..self.settings.partitions).map(|partition| self.settings.forwarded(partition));
        let places: BTreeSet<Place> = own.chain(forwarded).collect();
        Some(Effect::FindWriters(places.into_iter().collect()))
    }

    /// Who wrote last there, and who may have; and the client ids of the group's members, none where those are not known.
    pub(super) fn writers_found(&mut self, writers: Vec<String>, members: Option<&[String]>) {
        let Takeover { writer, fenced, .. } = &mut self.takeover;
        let Some(writer) = writer else {
            return;
        };
        // one that came back may have begun another transaction, and die again
        fenced.retain(|id| !members.is_some_and(|members| writer.lives(members, id)));
        let mut dead = writer.dead(writers, members);
        dead.retain(|id| !fenced.contains(id));
        if !dead.is_empty() {
            self.effects.push_back(Effect::Fence(dead));
        }
    }

    /// These are fenced, and what they had open is aborted: what could not be read is asked for again at once.
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
        writer.dead(texts(writers), members.map(texts).as_deref())
    }

    #[test]
    fn only_writers_that_are_no_members_are_fenced() {
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
    fn nobody_is_fenced_where_the_members_are_not_known() {
        assert!(dead(&["keyfold-gone-0"], None).is_empty());
        // a description in which this worker is not
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
