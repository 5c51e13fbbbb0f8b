//! A realistic stream of customer records of all four sources, made from a seed, or of a [`Format`] of one's own.
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
mod own;
mod people;
mod publisher;
mod random;
mod schedule;
mod source;
mod spoil;
mod wire;
mod world;

pub use self::faults::{Expected, FAULTS, Fault};
pub use self::kcat::kcat_line;
pub use self::options::{Options, Shares};
pub use self::own::{Content, Format, OwnGenerator, Subject};
pub use self::people::{Home, Person, Place};
pub use self::random::Random;
use self::random::uuid;
use self::schedule::{Chosen, Fresh, Schedule};
pub use self::source::Source;
use self::world::{Draft, World};

/// A record as it would be produced to a topic of its source: one of the four, or `()` for a [`Format`] of one's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedRecord<S = Source> {
    pub source: S,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    /// `None` is Kafka's null, unlike an empty value.
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Vec<u8>)>,
}

impl<S> GeneratedRecord<S> {
    pub fn without_source(self) -> GeneratedRecord<()> {
        GeneratedRecord {
            source: (),
            timestamp: self.timestamp,
            key: self.key,
            value: self.value,
            headers: self.headers,
        }
    }
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
    weights: [f64; 4],
    fresh: Fresh,
    random: Random,
    world: World,
    schedule: Schedule<Source>,
    /// The remaining indices of [`FAULTS`] until each of them has had its turn again.
    deck: Vec<usize>,
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
            schedule: Schedule::new(&options),
            deck: Vec::new(),
        }
    }

    /// From now on no record has a later time than this, in milliseconds since 1970, or than the start if that is
    /// later.
    pub fn not_after(&mut self, millis: i64) {
        self.schedule.not_after(millis);
    }

    /// The next record and what it is intended to be.
    pub fn next_with_kind(&mut self) -> (GeneratedRecord, Kind) {
        let next = match self.schedule.due() {
            Some(held) => held,
            None => self.fresh(),
        };
        self.schedule.returned(&mut self.random);
        next
    }

    fn fresh(&mut self) -> (GeneratedRecord, Kind) {
        let (record, kind) = match self.fresh.choose(&mut self.random) {
            Chosen::Null => return (self.null(), Kind::Null),
            Chosen::Invalid => return self.invalid(),
            Chosen::WronglyKeyed => return (self.wrongly_keyed(), Kind::WronglyKeyed),
            Chosen::Late => self.late(),
            Chosen::Plain => {
                let source = self.source(&Source::ALL);
                let customer = self.world.pick(&mut self.random, source);
                (self.record(source, customer), Kind::Valid)
            }
        };
        let (schedule, random) = (&mut self.schedule, &mut self.random);
        self.fresh.repeat(random, |random| {
            schedule.hold(random, record.clone(), Kind::Repeated);
        });
        (record, kind)
    }

    fn record(&mut self, source: Source, customer: u32) -> GeneratedRecord {
        let now = self.schedule.now();
        let draft = self.world.record(&mut self.random, source, customer, now);
        self.finish(source, draft)
    }

    fn finish(&mut self, source: Source, draft: Draft) -> GeneratedRecord {
        GeneratedRecord {
            source,
            timestamp: self.schedule.now().div_euclid(1000),
            key: Some(draft.key),
            value: Some(draft.value),
            headers: self.headers(source),
        }
    }

    fn late(&mut self) -> (GeneratedRecord, Kind) {
        let source = self.source(&Source::ALL);
        let customer = self.world.pick(&mut self.random, source);
        let now = self.schedule.now();
        let random = &mut self.random;
        if random.chance(0.5)
            && let Some(draft) = self.world.late_record(random, source, customer, now)
        {
            return (self.finish(source, draft), Kind::Late);
        }
        // Delivered out of order: the customer's next record goes first.
        let overtaken = self.record(source, customer);
        self.schedule.hold(&mut self.random, overtaken, Kind::Late);
        self.schedule.advance(&mut self.random);
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
            0..8 => Some(key_of_nobody(&mut self.random)),
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
            timestamp: self.schedule.now().div_euclid(1000),
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
            let now = self.schedule.now();
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
}

/// A key that is no customer's id.
fn key_of_nobody(random: &mut Random) -> Vec<u8> {
    let (high, low) = (random.bits(), random.bits());
    match random.below(4) {
        0 => b"null".to_vec(),
        // A serialised number.
        1 => high.to_be_bytes().to_vec(),
        _ => uuid(high, low).into_bytes(),
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
