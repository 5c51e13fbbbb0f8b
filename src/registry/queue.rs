//! The schema ids that records wait for: when each is asked for next. The clock is passed in.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use crate::backoff::Backoff;
use crate::model::record::Source;
use crate::source::framing::SchemaId;

/// The most ids that wait at a time. Who asks for a further one asks again after the next answer.
const MAX_WAITING: usize = 1_000;

/// How long the thread waits between attempts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// After a failure. The longest wait is short, so that work resumes soon after the registry is back.
    pub backoff: Backoff,
    /// Before an id is asked for a second time that the registry does not know: a schema is written by the
    /// registry's leader, and a node that follows it may be asked a moment too early.
    pub doubt: Duration,
    /// An id that nobody has wanted for so long is not tried again.
    pub interest: Duration,
}

impl Pace {
    pub const DEFAULT: Pace = Pace {
        backoff: Backoff::new(Duration::from_millis(100), Duration::from_secs(5)),
        doubt: Duration::from_millis(250),
        interest: Duration::from_secs(60),
    };
}

pub(super) struct Queue {
    pace: Pace,
    waiting: HashMap<SchemaId, Waiting>,
    /// Failures since the last answer, whatever they were for.
    streak: u32,
}

struct Waiting {
    /// For each of these a plan is wanted.
    sources: BTreeSet<Source>,
    wanted: Instant,
    due: Instant,
    failures: u32,
    /// Why the last attempt failed.
    reason: Option<String>,
    /// The registry has said once that there is no such schema.
    doubted: bool,
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Ask(SchemaId, Vec<Source>),
    /// Nothing for so long; none: until an id is wanted.
    Wait(Option<Duration>),
}

impl Queue {
    pub fn new(pace: Pace) -> Queue {
        Queue {
            pace,
            waiting: HashMap::new(),
            streak: 0,
        }
    }

    /// Notes that somebody waits for an id. Gives whether there is something new to ask for.
    pub fn want(&mut self, source: Source, id: SchemaId, now: Instant) -> bool {
        if let Some(waiting) = self.waiting.get_mut(&id) {
            waiting.wanted = now;
            return waiting.sources.insert(source);
        }
        if self.waiting.len() >= MAX_WAITING {
            return false;
        }
        let waiting = Waiting {
            sources: BTreeSet::from([source]),
            wanted: now,
            due: now,
            failures: 0,
            reason: None,
            doubted: false,
        };
        self.waiting.insert(id, waiting);
        true
    }

    /// The id that has been due for longest.
    pub fn next(&self, now: Instant) -> Next {
        let Some((id, first)) = self.waiting.iter().min_by_key(|(_, waiting)| waiting.due) else {
            return Next::Wait(None);
        };
        if first.due > now {
            return Next::Wait(Some(first.due - now));
        }
        Next::Ask(*id, first.sources.iter().copied().collect())
    }

    /// The registry gave no answer. True for the first time in a row.
    pub fn failed(&mut self, id: SchemaId, reason: String, now: Instant) -> bool {
        if let Some(waiting) = self.waiting.get_mut(&id) {
            waiting.failures = waiting.failures.saturating_add(1);
            waiting.due = now + self.pace.backoff.after(waiting.failures);
            waiting.reason = Some(reason);
        }
        self.streak = self.streak.saturating_add(1);
        self.streak == 1
    }

    /// The registry gave an answer. True for the first after a failure: then all that wait are tried at once.
    pub fn answered(&mut self, now: Instant) -> bool {
        let is_back = self.streak > 0;
        self.streak = 0;
        if is_back {
            for waiting in self.waiting.values_mut() {
                waiting.due = waiting.due.min(now);
            }
        }
        is_back
    }

    /// The registry does not know an id. True: it is to be asked once more before that is believed.
    pub fn doubts(&mut self, id: SchemaId, now: Instant) -> bool {
        match self.waiting.get_mut(&id) {
            Some(waiting) if !waiting.doubted => {
                waiting.doubted = true;
                waiting.failures = 0;
                waiting.reason = None;
                waiting.due = now + self.pace.doubt;
                true
            }
            _ => false,
        }
    }

    /// For these sources nobody waits any more.
    pub fn settled(&mut self, id: SchemaId, sources: &[Source]) {
        if let Some(waiting) = self.waiting.get_mut(&id) {
            waiting.sources.retain(|source| !sources.contains(source));
            if waiting.sources.is_empty() {
                self.waiting.remove(&id);
            }
        }
    }

    /// Lets go of ids that could not be had and that nobody has asked about since. True where there were any: who
    /// waits for one all the same must ask again.
    pub fn let_go(&mut self, now: Instant) -> bool {
        let before = self.waiting.len();
        let interest = self.pace.interest;
        self.waiting.retain(|_, waiting| {
            waiting.failures == 0 || now.saturating_duration_since(waiting.wanted) < interest
        });
        self.waiting.len() < before
    }

    /// Why the id that has failed most often can't be had.
    pub fn trouble(&self) -> Option<&str> {
        let failing = self.waiting.values().filter(|waiting| waiting.failures > 0);
        failing
            .max_by_key(|waiting| waiting.failures)
            .and_then(|waiting| waiting.reason.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: SchemaId = SchemaId::Number(7);
    const OTHER: SchemaId = SchemaId::Number(8);
    const ONE: Source = Source::LoyaltyCustomers;
    const TWO: Source = Source::LoyaltyActions;
    const MS: Duration = Duration::from_millis(1);

    fn queue() -> (Queue, Instant) {
        (Queue::new(Pace::DEFAULT), Instant::now())
    }

    #[test]
    fn an_id_is_asked_for_at_once_and_for_all_its_sources() {
        let (mut queue, now) = queue();
        assert_eq!(queue.next(now), Next::Wait(None));
        assert!(queue.want(ONE, ID, now));
        assert!(!queue.want(ONE, ID, now));
        assert!(queue.want(TWO, ID, now));
        assert_eq!(queue.next(now), Next::Ask(ID, vec![ONE, TWO]));
        queue.settled(ID, &[ONE]);
        assert_eq!(queue.next(now), Next::Ask(ID, vec![TWO]));
        queue.settled(ID, &[TWO]);
        assert_eq!(queue.next(now), Next::Wait(None));
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let (mut queue, now) = queue();
        queue.want(ONE, ID, now);
        let mut waits = Vec::new();
        for attempt in 0..8 {
            assert_eq!(queue.failed(ID, "away".to_owned(), now), attempt == 0);
            match queue.next(now) {
                Next::Wait(Some(wait)) => waits.push(wait.as_millis()),
                next => panic!("{next:?}"),
            }
        }
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(queue.next(now + 5000 * MS), Next::Ask(ID, vec![ONE]));
    }

    #[test]
    fn one_id_that_fails_does_not_hold_up_another() {
        let (mut queue, now) = queue();
        queue.want(ONE, ID, now);
        queue.failed(ID, "broken".to_owned(), now);
        queue.want(ONE, OTHER, now + MS);
        assert_eq!(queue.next(now + MS), Next::Ask(OTHER, vec![ONE]));
        assert_eq!(queue.trouble(), Some("broken"));
    }

    #[test]
    fn the_first_answer_makes_all_others_due() {
        let (mut queue, now) = queue();
        queue.want(ONE, ID, now);
        queue.want(ONE, OTHER, now);
        for _ in 0..10 {
            queue.failed(ID, "away".to_owned(), now);
            queue.failed(OTHER, "away".to_owned(), now);
        }
        assert!(queue.answered(now));
        queue.settled(ID, &[ONE]);
        assert_eq!(queue.next(now), Next::Ask(OTHER, vec![ONE]));
        assert!(!queue.answered(now));
    }

    #[test]
    fn an_unknown_id_is_doubted_once() {
        let (mut queue, now) = queue();
        queue.want(ONE, ID, now);
        assert!(queue.doubts(ID, now));
        assert_eq!(queue.next(now), Next::Wait(Some(Pace::DEFAULT.doubt)));
        assert_eq!(queue.trouble(), None);
        assert!(!queue.doubts(ID, now));
    }

    #[test]
    fn what_nobody_wants_any_more_is_let_go() {
        let (mut queue, now) = queue();
        queue.want(ONE, ID, now);
        queue.want(ONE, OTHER, now);
        queue.failed(ID, "away".to_owned(), now);
        queue.failed(OTHER, "away".to_owned(), now);
        let later = now + Pace::DEFAULT.interest;
        queue.want(ONE, OTHER, later);
        assert!(queue.let_go(later));
        assert_eq!(queue.next(later), Next::Ask(OTHER, vec![ONE]));
        assert!(!queue.let_go(later));
    }

    #[test]
    fn the_number_of_ids_is_bounded() {
        let (mut queue, now) = queue();
        for number in 0..2_000 {
            queue.want(ONE, SchemaId::Number(number), now);
        }
        assert_eq!(queue.waiting.len(), MAX_WAITING);
        assert!(!queue.want(ONE, SchemaId::Guid([1; 16]), now));
    }
}
