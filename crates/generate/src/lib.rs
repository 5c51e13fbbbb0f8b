//! A realistic stream of customer records of all four sources, made from a seed.
//!
//! Customers have lives: they sign up, move, change their minds, enrol, leave and ask to be forgotten, a few of them
//! far more often than most. Their records arrive as real records do: mostly in order, some late, some twice, some
//! under the wrong key, some invalid.
//!
//! This is a crate of its own that does not depend on keyfold: `src/generated.rs` in keyfold translates its records.
//!
//! Nothing here reads a clock, a file or the system's randomness: the same [`Options`] give the same bytes on every
//! machine. A change of this crate may change the stream of a seed; the test `a_seed_stands_for_the_same_bytes_forever`
//! detects this, and such a change belongs in the changelog.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod actions;
mod console;
mod edit;
mod faults;
mod kcat;
mod loyalty;
mod moment;
mod options;
mod people;
mod publisher;
mod random;
mod source;
mod spoil;
mod wire;
mod world;

use std::collections::BTreeMap;

pub use self::faults::{Expected, FAULTS, Fault};
pub use self::kcat::kcat_line;
use self::moment::Micros;
pub use self::options::{Options, Shares};
use self::random::{Random, uuid};
pub use self::source::Source;
use self::world::{Draft, World};

/// A record as it would be produced to a topic of its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedRecord {
    pub source: Source,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    /// `None` is Kafka's null, unlike an empty value.
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Vec<u8>)>,
}

/// What the generator intends a record to be. The record itself does not show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Valid,
    /// Valid, but late: see [`Options::late`].
    Late,
    /// An exact copy of an earlier record, its timestamp included.
    Repeated,
    /// Valid, but under another customer's key, a key that belongs to nobody, or no key.
    WronglyKeyed,
    /// Without a value.
    Null,
    /// With a fault: the name of one of the [`FAULTS`]. Some faults only cause a warning.
    Invalid(&'static str),
}

/// The endless stream: see the [module](self).
pub struct Generator {
    options: Options,
    weights: [f64; 4],
    /// The shares among the records that are not repeats.
    fresh: Fresh,
    random: Random,
    world: World,
    /// Record time since the start, and its upper bound.
    elapsed_nanos: u64,
    most_nanos: u64,
    /// How many records were returned so far.
    turn: u64,
    /// Records that come later, by turn and, within a turn, in the order in which they were added.
    held: BTreeMap<(u64, u64), (GeneratedRecord, Kind)>,
    held_so_far: u64,
    /// The remaining indices of [`FAULTS`] until each of them has had its turn again.
    deck: Vec<usize>,
}

struct Fresh {
    null: f64,
    invalid: f64,
    wrongly_keyed: f64,
    late: f64,
    /// The mean number of repeats of a record that can be repeated.
    repeat: f64,
}

impl Fresh {
    fn new(options: &Options) -> Fresh {
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
}

impl Generator {
    pub fn new(options: Options) -> Generator {
        let mut weights = options.shares.weights();
        if weights.iter().sum::<f64>() <= 0.0 {
            weights = Shares::default().weights();
        }
        Generator {
            weights,
            fresh: Fresh::new(&options),
            random: Random::new(options.seed),
            world: World::new(options.seed, options.customers),
            elapsed_nanos: 0,
            most_nanos: u64::MAX,
            turn: 0,
            held: BTreeMap::new(),
            held_so_far: 0,
            deck: Vec::new(),
            options,
        }
    }

    /// From now on no record has a later time than this, in milliseconds since 1970, or than the start if that is
    /// later.
    pub fn not_after(&mut self, millis: i64) {
        let most = u64::try_from(millis.saturating_sub(self.options.start_ms)).unwrap_or(0);
        self.most_nanos = most.saturating_mul(1_000_000);
        self.elapsed_nanos = self.elapsed_nanos.min(self.most_nanos);
    }

    /// The next record and what it is intended to be.
    pub fn next_with_kind(&mut self) -> (GeneratedRecord, Kind) {
        let due = self.held.first_entry();
        let due = due.filter(|held| held.key().0 <= self.turn);
        let next = match due {
            Some(held) => held.remove(),
            None => self.fresh(),
        };
        self.turn += 1;
        self.advance();
        next
    }

    fn fresh(&mut self) -> (GeneratedRecord, Kind) {
        let Fresh {
            null,
            invalid,
            wrongly_keyed,
            late,
            repeat,
        } = self.fresh;
        let mut point = self.random.unit();
        let mut is_chosen = |share: f64| {
            let inside = point < share;
            point -= share;
            inside
        };
        if is_chosen(null) {
            return (self.null(), Kind::Null);
        }
        if is_chosen(invalid) {
            return self.invalid();
        }
        if is_chosen(wrongly_keyed) {
            return (self.wrongly_keyed(), Kind::WronglyKeyed);
        }
        let (record, kind) = if is_chosen(late) {
            self.late()
        } else {
            let source = self.source(&Source::ALL);
            let customer = self.world.pick(&mut self.random, source);
            (self.record(source, customer), Kind::Valid)
        };
        // A probability of more than 1 gives more than one repeat.
        let mut left = repeat;
        while left > 0.0 && self.random.chance(left) {
            self.hold(record.clone(), Kind::Repeated);
            left -= 1.0;
        }
        (record, kind)
    }

    fn record(&mut self, source: Source, customer: u32) -> GeneratedRecord {
        let now = self.now();
        let draft = self.world.record(&mut self.random, source, customer, now);
        self.finish(source, draft)
    }

    fn finish(&mut self, source: Source, draft: Draft) -> GeneratedRecord {
        GeneratedRecord {
            source,
            timestamp: self.now().div_euclid(1000),
            key: Some(draft.key),
            value: Some(draft.value),
            headers: self.headers(source),
        }
    }

    fn late(&mut self) -> (GeneratedRecord, Kind) {
        let source = self.source(&Source::ALL);
        let customer = self.world.pick(&mut self.random, source);
        let now = self.now();
        let random = &mut self.random;
        if random.chance(0.5)
            && let Some(draft) = self.world.late_record(random, source, customer, now)
        {
            return (self.finish(source, draft), Kind::Late);
        }
        // Delivered out of order: the customer's next record goes first.
        let overtaken = self.record(source, customer);
        self.hold(overtaken, Kind::Late);
        self.advance();
        (self.record(source, customer), Kind::Valid)
    }

    fn wrongly_keyed(&mut self) -> GeneratedRecord {
        let source = self.source(&Source::ALL);
        let customer = self.world.pick(&mut self.random, source);
        let mut record = self.record(source, customer);
        record.key = match self.random.below(10) {
            0..6 if source != Source::PublisherCustomers => {
                let other = self.world.other_than(&mut self.random, customer);
                Some(self.world.id(other).into_bytes())
            }
            0..8 => {
                let (high, low) = (self.random.bits(), self.random.bits());
                Some(match self.random.below(4) {
                    0 => b"null".to_vec(),
                    // A serialised number.
                    1 => high.to_be_bytes().to_vec(),
                    _ => uuid(high, low).into_bytes(),
                })
            }
            _ => None,
        };
        record
    }

    fn null(&mut self) -> GeneratedRecord {
        let sources: &[Source] = match self.random.below(100) {
            0..58 => &[Source::LoyaltyCustomers],
            58..88 => &[Source::ConsoleCustomers],
            88..95 => &[Source::LoyaltyActions],
            _ => &[Source::PublisherCustomers],
        };
        let source = self.source(sources);
        let customer = self.world.pick_seen(&mut self.random);
        let key = match self.random.below(100) {
            0..2 => None,
            2 => Some(Vec::new()),
            3 => Some(b"  ".to_vec()),
            4 => Some(b"\xff\xfe42".to_vec()),
            _ => {
                match source {
                    Source::LoyaltyCustomers => self.world.erase(&mut self.random, customer),
                    Source::ConsoleCustomers => self.world.delete_contact(customer),
                    // keyfold rejects tombstones of these sources.
                    Source::LoyaltyActions | Source::PublisherCustomers => {}
                }
                Some(self.world.id(customer).into_bytes())
            }
        };
        GeneratedRecord {
            source,
            timestamp: self.now().div_euclid(1000),
            key,
            value: None,
            headers: self.headers(source),
        }
    }

    fn invalid(&mut self) -> (GeneratedRecord, Kind) {
        let fault = self.next_fault();
        // Not every record has the part that the fault changes.
        for _ in 0..50 {
            let source = self.source(fault.sources);
            let customer = self.world.pick(&mut self.random, source);
            let mut record = self.record(source, customer);
            let now = self.now();
            let value = record.value.as_deref().unwrap_or_default();
            if let Some(spoilt) = fault.spoil(&mut self.random, source, value, now) {
                record.value = Some(spoilt);
                return (record, Kind::Invalid(fault.name));
            }
        }
        let source = self.source(&Source::ALL);
        let customer = self.world.pick(&mut self.random, source);
        (self.record(source, customer), Kind::Valid)
    }

    /// Each fault that some source of the stream can have occurs equally often.
    fn next_fault(&mut self) -> &'static Fault {
        if self.deck.is_empty() {
            let possible = |fault: &Fault| {
                let used = |source: &Source| self.weights[source.index()] > 0.0;
                fault.sources.iter().any(used)
            };
            self.deck = (0..FAULTS.len())
                .filter(|&index| possible(&FAULTS[index]))
                .collect();
            for left in (1..self.deck.len()).rev() {
                self.deck.swap(left, self.random.index(left + 1));
            }
        }
        // Some faults apply to any source, so the deck is not empty.
        &FAULTS[self.deck.pop().unwrap_or_default()]
    }

    /// One of the given sources by its weight; if none of them has a weight, one of all sources.
    fn source(&mut self, among: &[Source]) -> Source {
        let weights = among.iter().map(|source| self.weights[source.index()]);
        let total: f64 = weights.sum();
        if total <= 0.0 {
            return self.source(&Source::ALL);
        }
        let mut point = self.random.unit() * total;
        let mut chosen = Source::LoyaltyCustomers;
        for &source in among {
            let weight = self.weights[source.index()];
            if weight > 0.0 {
                chosen = source;
                if point < weight {
                    break;
                }
                point -= weight;
            }
        }
        chosen
    }

    /// The producers' own headers, which are unrelated to whether a record is valid.
    fn headers(&mut self, source: Source) -> Vec<(String, Vec<u8>)> {
        let header = |name: &str, value: String| (name.to_owned(), value.into_bytes());
        match source {
            Source::LoyaltyCustomers | Source::LoyaltyActions => {
                if !self.random.chance(0.3) {
                    return Vec::new();
                }
                let (high, low) = (self.random.bits(), self.random.bits());
                let span = self.random.bits();
                let trace = format!("00-{high:016x}{low:016x}-{span:016x}-01");
                vec![header("traceparent", trace)]
            }
            Source::ConsoleCustomers => vec![header("content-type", "application/json".to_owned())],
            Source::PublisherCustomers => vec![
                header("content-type", "application/json".to_owned()),
                header("batch-id", uuid(self.random.bits(), self.random.bits())),
            ],
        }
    }

    /// Holds a record back for a while: up to some two thousand records, mostly fewer.
    fn hold(&mut self, record: GeneratedRecord, kind: Kind) {
        let due = self.turn + 2 + u64::from(self.random.skewed(2_000));
        self.held_so_far += 1;
        self.held.insert((due, self.held_so_far), (record, kind));
    }

    fn now(&self) -> Micros {
        // 1 January 9000
        let start = self.options.start_ms.clamp(0, 221_845_392_000_000);
        let elapsed = i64::try_from(self.elapsed_nanos / 1000).unwrap_or(i64::MAX);
        (start * 1000).saturating_add(elapsed)
    }

    fn advance(&mut self) {
        let step = self.options.step_ms.clamp(0.0, 86_400_000.0) * 1e6;
        // Uniform between zero and twice the mean.
        let gap = self.random.below((step as u64).saturating_mul(2) + 1);
        self.elapsed_nanos = self.elapsed_nanos.saturating_add(gap).min(self.most_nanos);
    }
}

impl Iterator for Generator {
    type Item = GeneratedRecord;

    /// The stream is endless: never `None`.
    fn next(&mut self) -> Option<GeneratedRecord> {
        Some(self.next_with_kind().0)
    }
}

#[cfg(test)]
mod tests;
