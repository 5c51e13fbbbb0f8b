//! The clock of a stream, and which record comes next: one that was held back, or a new one of some kind.

use std::collections::BTreeMap;

use super::moment::Micros;
use super::options::Options;
use super::random::Random;
use super::{GeneratedRecord, Kind};

/// The clock of a stream, and the records that come later.
pub(super) struct Schedule<S> {
    start_ms: i64,
    step_ms: f64,
    /// Record time since the start, and its upper bound.
    elapsed_nanos: u64,
    most_nanos: u64,
    /// How many records were returned so far.
    turn: u64,
    /// Records that come later, by turn and, within a turn, in the order in which they were added.
    held: BTreeMap<(u64, u64), (GeneratedRecord<S>, Kind)>,
    held_so_far: u64,
}

impl<S> Schedule<S> {
    pub(super) fn new(options: &Options) -> Schedule<S> {
        Schedule {
            start_ms: options.start_ms,
            step_ms: options.step_ms,
            elapsed_nanos: 0,
            most_nanos: u64::MAX,
            turn: 0,
            held: BTreeMap::new(),
            held_so_far: 0,
        }
    }

    /// From now on no record has a later time than this, in milliseconds since 1970, or than the start if that is
    /// later.
    pub(super) fn not_after(&mut self, millis: i64) {
        let most = u64::try_from(millis.saturating_sub(self.start_ms)).unwrap_or(0);
        self.most_nanos = most.saturating_mul(1_000_000);
        self.elapsed_nanos = self.elapsed_nanos.min(self.most_nanos);
    }

    /// The record that was held back until now, if there is one.
    pub(super) fn due(&mut self) -> Option<(GeneratedRecord<S>, Kind)> {
        let due = self.held.first_entry();
        let due = due.filter(|held| held.key().0 <= self.turn);
        due.map(|held| held.remove())
    }

    /// Holds a record back for a while: up to some two thousand records, mostly fewer.
    pub(super) fn hold(&mut self, random: &mut Random, record: GeneratedRecord<S>, kind: Kind) {
        let due = self.turn + 2 + u64::from(random.skewed(2_000));
        self.held_so_far += 1;
        self.held.insert((due, self.held_so_far), (record, kind));
    }

    pub(super) fn now(&self) -> Micros {
        // 1 January 9000
        let start = self.start_ms.clamp(0, 221_845_392_000_000);
        let elapsed = i64::try_from(self.elapsed_nanos / 1000).unwrap_or(i64::MAX);
        (start * 1000).saturating_add(elapsed)
    }

    /// A record was returned.
    pub(super) fn returned(&mut self, random: &mut Random) {
        self.turn += 1;
        self.advance(random);
    }

    pub(super) fn advance(&mut self, random: &mut Random) {
        let step = self.step_ms.clamp(0.0, 86_400_000.0) * 1e6;
        // Uniform between zero and twice the mean.
        let gap = random.below((step as u64).saturating_mul(2) + 1);
        self.elapsed_nanos = self.elapsed_nanos.saturating_add(gap).min(self.most_nanos);
    }
}

/// The shares among the records that are not repeats.
pub(super) struct Fresh {
    null: f64,
    invalid: f64,
    wrongly_keyed: f64,
    late: f64,
    /// The mean number of repeats of a record that can be repeated.
    repeat: f64,
}

/// What a record is made to be.
pub(super) enum Chosen {
    Null,
    Invalid,
    WronglyKeyed,
    Late,
    Plain,
}

impl Fresh {
    pub(super) fn new(options: &Options) -> Fresh {
        let share = |share: f64| if share > 0.0 { share.min(1.0) } else { 0.0 };
        let repeated = share(options.repeated).min(0.95);
        let of_fresh = |part: f64| share(part) / (1.0 - repeated);
        let (null, invalid) = (of_fresh(options.null), of_fresh(options.invalid));
        let wrongly_keyed = of_fresh(options.wrongly_keyed);
        let repeatable = 1.0 - (null + invalid + wrongly_keyed).min(1.0);
        Fresh {
            null,
            invalid,
            wrongly_keyed,
            late: of_fresh(options.late),
            repeat: if repeatable > 0.0 {
                // Limited: otherwise one valid record among millions of faults would have to provide all repeats.
                (repeated / (1.0 - repeated) / repeatable).min(100.0)
            } else {
                0.0
            },
        }
    }

    pub(super) fn choose(&self, random: &mut Random) -> Chosen {
        let mut point = random.unit();
        let mut is_chosen = |share: f64| {
            let inside = point < share;
            point -= share;
            inside
        };
        if is_chosen(self.null) {
            Chosen::Null
        } else if is_chosen(self.invalid) {
            Chosen::Invalid
        } else if is_chosen(self.wrongly_keyed) {
            Chosen::WronglyKeyed
        } else if is_chosen(self.late) {
            Chosen::Late
        } else {
            Chosen::Plain
        }
    }

    /// Calls a function once for each repeat of a record.
    pub(super) fn repeat(&self, random: &mut Random, mut again: impl FnMut(&mut Random)) {
        // A probability of more than 1 gives more than one repeat.
        let mut left = self.repeat;
        while left > 0.0 && random.chance(left) {
            again(random);
            left -= 1.0;
        }
    }
}
