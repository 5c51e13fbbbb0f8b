//! The schema ids that records wait for, and when the registry is asked for each of them next. The caller passes the
//! clock in.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use crate::backoff::Backoff;
use crate::source::framing::{Purpose, SchemaId};

/// The most ids that wait at a time. A further id is not accepted, and must be requested again after the next answer.
const MAX_WAITING: usize = 1_000;

/// How long the thread waits between requests.
#[derive(Debug, Clone, Copy)]
pub(super) struct RetryPolicy {
    /// The wait after a failure. Its maximum is short, so that work resumes soon after the registry is back.
    pub backoff: Backoff,
    /// Before the registry is asked again for an id that it does not know: its leader writes a new schema, and a
    /// follower node may be asked a moment too early.
    pub recheck_unknown: Duration,
    /// An id whose requests fail, and that nobody has requested for this long, is forgotten.
    pub forget_after: Duration,
}

impl RetryPolicy {
    pub const DEFAULT: RetryPolicy = RetryPolicy {
        backoff: Backoff::new(Duration::from_millis(100), Duration::from_secs(5)),
        recheck_unknown: Duration::from_millis(250),
        forget_after: Duration::from_secs(60),
    };
}

pub(super) struct Queue {
    policy: RetryPolicy,
    waiting: HashMap<SchemaId, Waiting>,
    /// Failures since the last answer, over all ids.
    failures_in_a_row: u32,
}

struct Waiting {
    /// What records wait for it for.
    purposes: BTreeSet<Purpose>,
    requested_at: Instant,
    due: Instant,
    failures: u32,
    /// Why the last attempt failed.
    reason: Option<String>,
    /// Whether the registry has said once that there is no such schema, and is asked again.
    rechecked: bool,
}

/// What the thread does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Ask(SchemaId, Vec<Purpose>),
    /// Nothing for this long; `None`: until an id is requested.
    Wait(Option<Duration>),
}

impl Queue {
    pub fn new(policy: RetryPolicy) -> Queue {
        Queue {
            policy,
            waiting: HashMap::new(),
            failures_in_a_row: 0,
        }
    }

    /// Records that a record waits for an id. True: none was waiting for this purpose before.
    pub fn request(&mut self, purpose: Purpose, id: SchemaId, now: Instant) -> bool {
        if let Some(waiting) = self.waiting.get_mut(&id) {
            waiting.requested_at = now;
            return waiting.purposes.insert(purpose);
        }
        if self.waiting.len() >= MAX_WAITING {
            return false;
        }
        let waiting = Waiting {
            purposes: BTreeSet::from([purpose]),
            requested_at: now,
            due: now,
            failures: 0,
            reason: None,
            rechecked: false,
        };
        self.waiting.insert(id, waiting);
        true
    }

    /// Returns the id that has been due for longest, or how long to wait for one.
    pub fn next(&self, now: Instant) -> Next {
        let Some((id, first)) = self.waiting.iter().min_by_key(|(_, waiting)| waiting.due) else {
            return Next::Wait(None);
        };
        if first.due > now {
            return Next::Wait(Some(first.due - now));
        }
        Next::Ask(*id, first.purposes.iter().copied().collect())
    }

    /// Call it if the registry gave no answer. True for the first failure in a row.
    pub fn failed(&mut self, id: SchemaId, reason: String, now: Instant) -> bool {
        if let Some(waiting) = self.waiting.get_mut(&id) {
            waiting.failures = waiting.failures.saturating_add(1);
            waiting.due = now + self.policy.backoff.after(waiting.failures);
            waiting.reason = Some(reason);
        }
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        self.failures_in_a_row == 1
    }

    /// Call it if the registry gave an answer. True for the first answer after a failure: then all waiting ids become
    /// due at once.
    pub fn answered(&mut self, now: Instant) -> bool {
        let is_back = self.failures_in_a_row > 0;
        self.failures_in_a_row = 0;
        if is_back {
            for waiting in self.waiting.values_mut() {
                waiting.due = waiting.due.min(now);
            }
        }
        is_back
    }

    /// Call it if the registry does not know an id. True: it must be asked once more before that is believed.
    pub fn recheck(&mut self, id: SchemaId, now: Instant) -> bool {
        match self.waiting.get_mut(&id) {
            Some(waiting) if !waiting.rechecked => {
                waiting.rechecked = true;
                waiting.failures = 0;
                waiting.reason = None;
                waiting.due = now + self.policy.recheck_unknown;
                true
            }
            _ => false,
        }
    }

    /// Call it when no record waits for an id for these purposes any more.
    pub fn resolved(&mut self, id: SchemaId, purposes: &[Purpose]) {
        if let Some(waiting) = self.waiting.get_mut(&id) {
            waiting
                .purposes
                .retain(|purpose| !purposes.contains(purpose));
            if waiting.purposes.is_empty() {
                self.waiting.remove(&id);
            }
        }
    }

    /// Forgets ids whose requests fail and that nobody has requested lately. True: there were such ids, and a record
    /// that still waits for one must request it again.
    pub fn forget_abandoned(&mut self, now: Instant) -> bool {
        let before = self.waiting.len();
        let forget_after = self.policy.forget_after;
        self.waiting.retain(|_, waiting| {
            waiting.failures == 0
                || now.saturating_duration_since(waiting.requested_at) < forget_after
        });
        self.waiting.len() < before
    }

    /// The last error of the id that has failed most often.
    pub fn failure(&self) -> Option<&str> {
        let failing = self.waiting.values().filter(|waiting| waiting.failures > 0);
        failing
            .max_by_key(|waiting| waiting.failures)
            .and_then(|waiting| waiting.reason.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::Source;

    const ID: SchemaId = SchemaId::Number(7);
    const OTHER: SchemaId = SchemaId::Number(8);
    const ONE: Purpose = Purpose::Values(Source::LoyaltyCustomers);
    const TWO: Purpose = Purpose::Keys;
    const MS: Duration = Duration::from_millis(1);

    fn queue() -> (Queue, Instant) {
        (Queue::new(RetryPolicy::DEFAULT), Instant::now())
    }

    #[test]
    fn an_id_is_asked_for_at_once_and_for_all_its_purposes() {
        let (mut queue, now) = queue();
        assert_eq!(queue.next(now), Next::Wait(None));
        assert!(queue.request(ONE, ID, now));
        assert!(!queue.request(ONE, ID, now));
        assert!(queue.request(TWO, ID, now));
        assert_eq!(queue.next(now), Next::Ask(ID, vec![ONE, TWO]));
        queue.resolved(ID, &[ONE]);
        assert_eq!(queue.next(now), Next::Ask(ID, vec![TWO]));
        queue.resolved(ID, &[TWO]);
        assert_eq!(queue.next(now), Next::Wait(None));
    }

    #[test]
    fn waits_double_up_to_a_maximum() {
        let (mut queue, now) = queue();
        queue.request(ONE, ID, now);
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
    fn one_id_that_fails_does_not_delay_another() {
        let (mut queue, now) = queue();
        queue.request(ONE, ID, now);
        queue.failed(ID, "broken".to_owned(), now);
        queue.request(ONE, OTHER, now + MS);
        assert_eq!(queue.next(now + MS), Next::Ask(OTHER, vec![ONE]));
        assert_eq!(queue.failure(), Some("broken"));
    }

    #[test]
    fn the_first_answer_makes_all_others_due() {
        let (mut queue, now) = queue();
        queue.request(ONE, ID, now);
        queue.request(ONE, OTHER, now);
        for _ in 0..10 {
            queue.failed(ID, "away".to_owned(), now);
            queue.failed(OTHER, "away".to_owned(), now);
        }
        assert!(queue.answered(now));
        queue.resolved(ID, &[ONE]);
        assert_eq!(queue.next(now), Next::Ask(OTHER, vec![ONE]));
        assert!(!queue.answered(now));
    }

    #[test]
    fn an_unknown_id_is_rechecked_once() {
        let (mut queue, now) = queue();
        queue.request(ONE, ID, now);
        assert!(queue.recheck(ID, now));
        assert_eq!(
            queue.next(now),
            Next::Wait(Some(RetryPolicy::DEFAULT.recheck_unknown))
        );
        assert_eq!(queue.failure(), None);
        assert!(!queue.recheck(ID, now));
    }

    #[test]
    fn an_id_that_nobody_requests_any_more_is_forgotten() {
        let (mut queue, now) = queue();
        queue.request(ONE, ID, now);
        queue.request(ONE, OTHER, now);
        queue.failed(ID, "away".to_owned(), now);
        queue.failed(OTHER, "away".to_owned(), now);
        let later = now + RetryPolicy::DEFAULT.forget_after;
        queue.request(ONE, OTHER, later);
        assert!(queue.forget_abandoned(later));
        assert_eq!(queue.next(later), Next::Ask(OTHER, vec![ONE]));
        assert!(!queue.forget_abandoned(later));
    }

    #[test]
    fn the_number_of_ids_is_bounded() {
        let (mut queue, now) = queue();
        for number in 0..2_000 {
            queue.request(ONE, SchemaId::Number(number), now);
        }
        assert_eq!(queue.waiting.len(), MAX_WAITING);
        assert!(!queue.request(ONE, SchemaId::Guid([1; 16]), now));
    }
}
