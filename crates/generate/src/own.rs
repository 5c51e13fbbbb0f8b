//! The stream of one format that this crate does not know: who its records are about, when they are written, and which
//! of them come late, twice or under a wrong key. What a record looks like is decided by a [`Format`].

use std::collections::HashMap;

use super::moment::{DAY, Micros, happened, happened_after, long_ago};
use super::options::Options;
use super::people::{Person, customer_id};
use super::random::{Random, mix};
use super::schedule::{Chosen, Fresh, Schedule};
use super::{GeneratedRecord, Kind, key_of_nobody};

/// Makes the records of a format. Whatever it draws, it draws from the given [`Random`].
pub trait Format {
    /// How many customers the next record is about.
    fn size(&mut self, random: &mut Random) -> usize;

    /// Whether a customer can have this id in the format, such as one that only has whole numbers.
    fn takes(&self, id: &str) -> bool;

    /// A record that tells of these customers, of whom there is at least one.
    fn told(&mut self, random: &mut Random, subjects: &[Subject]) -> Content;

    /// A record that says that the customer is gone, if the format has such records.
    fn removed(&mut self, random: &mut Random, subject: &Subject) -> Option<Content>;

    /// The key of a record without a value that says that the customer is gone, if the format has such records.
    fn key_of_null(&self, random: &mut Random, subject: &Subject) -> Option<Vec<u8>>;

    /// A record of these customers with a fault, which it names. None: it finds none that the record can have.
    fn spoilt(
        &mut self,
        random: &mut Random,
        subjects: &[Subject],
        timestamp: i64,
    ) -> Option<(Content, &'static str)>;

    /// Whether the key of a record with a value says nothing.
    fn is_free_of_key(&self) -> bool;
}

/// What a record holds beside its time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Content {
    pub key: Option<Vec<u8>>,
    /// `None` is Kafka's null, unlike an empty value.
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Vec<u8>)>,
}

/// A customer at the moment at which something is told. Instants are in microseconds since 1970.
#[derive(Debug, Clone)]
pub struct Subject {
    /// That of the same customer in each stream of the same seed.
    pub id: String,
    pub person: Person,
    /// When the customer came to be.
    pub created: i64,
    /// When that happened which is told.
    pub at: i64,
    /// Counts what happened to the customer, from 1.
    pub revision: u64,
    /// Nothing was told of the customer before, or the last record said that it is gone.
    pub is_new: bool,
}

/// The endless stream of a [`Format`]: see the [module](self). Of the options, the shares of the four sources do not
/// matter.
pub struct OwnGenerator<F> {
    format: F,
    fresh: Fresh,
    random: Random,
    people: People,
    schedule: Schedule<()>,
}

/// Everyone about whom there was a record so far.
struct People {
    seed: u64,
    customers: u32,
    // Only looked up by key, because the order of iteration would depend on the hasher.
    pasts: HashMap<u32, Past>,
    /// The customers in `pasts`, in the order of their first records.
    seen: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Past {
    created: Micros,
    /// The newest instant of which was told.
    last: Micros,
    revision: u64,
    is_gone: bool,
}

/// How far a customer is looked for whose id the format takes.
const MAX_STEPS: u32 = 10_000;

impl<F: Format> OwnGenerator<F> {
    pub fn new(options: &Options, format: F) -> OwnGenerator<F> {
        OwnGenerator {
            format,
            fresh: Fresh::new(options),
            random: Random::new(options.seed),
            people: People {
                seed: options.seed,
                customers: options.customers.max(1),
                pasts: HashMap::new(),
                seen: Vec::new(),
            },
            schedule: Schedule::new(options),
        }
    }

    /// From now on no record has a later time than this, in milliseconds since 1970, or than the start if that is
    /// later.
    pub fn not_after(&mut self, millis: i64) {
        self.schedule.not_after(millis);
    }

    /// The next record and what it is intended to be.
    pub fn next_with_kind(&mut self) -> (GeneratedRecord<()>, Kind) {
        let next = match self.schedule.due() {
            Some(held) => held,
            None => self.fresh(),
        };
        self.schedule.returned(&mut self.random);
        next
    }

    fn fresh(&mut self) -> (GeneratedRecord<()>, Kind) {
        let (record, kind) = match self.fresh.choose(&mut self.random) {
            Chosen::Null => return self.gone(),
            Chosen::Invalid => return self.invalid(),
            Chosen::WronglyKeyed if self.format.is_free_of_key() => {
                return (self.wrongly_keyed(), Kind::WronglyKeyed);
            }
            Chosen::Late => self.late(),
            Chosen::WronglyKeyed | Chosen::Plain => (self.told(), Kind::Valid),
        };
        let (schedule, random) = (&mut self.schedule, &mut self.random);
        self.fresh.repeat(random, |random| {
            schedule.hold(random, record.clone(), Kind::Repeated);
        });
        (record, kind)
    }

    /// The customers of a record, each once.
    fn pick(&mut self) -> Vec<u32> {
        let size = self.format.size(&mut self.random).max(1);
        let mut customers = Vec::with_capacity(size);
        for _ in 0..size * 4 {
            let customer = self.people.pick(&mut self.random, &self.format);
            if !customers.contains(&customer) {
                customers.push(customer);
            }
            if customers.len() == size {
                break;
            }
        }
        customers
    }

    fn subjects(&mut self, customers: &[u32]) -> Vec<Subject> {
        let now = self.schedule.now();
        let each = customers.iter();
        each.map(|&customer| self.people.next(&mut self.random, customer, now))
            .collect()
    }

    fn finish(&self, content: Content) -> GeneratedRecord<()> {
        GeneratedRecord {
            source: (),
            timestamp: self.schedule.now().div_euclid(1000),
            key: content.key,
            value: content.value,
            headers: content.headers,
        }
    }

    fn told_of(&mut self, customers: &[u32]) -> GeneratedRecord<()> {
        let subjects = self.subjects(customers);
        let content = self.format.told(&mut self.random, &subjects);
        self.finish(content)
    }

    fn told(&mut self) -> GeneratedRecord<()> {
        let customers = self.pick();
        self.told_of(&customers)
    }

    fn late(&mut self) -> (GeneratedRecord<()>, Kind) {
        let customers = self.pick();
        if self.random.chance(0.5) {
            let (now, random) = (self.schedule.now(), &mut self.random);
            let people = &self.people;
            let past = customers.iter();
            let past = past.filter_map(|&customer| people.long_ago(random, customer, now));
            let past: Vec<Subject> = past.collect();
            if past.len() == customers.len() {
                let content = self.format.told(&mut self.random, &past);
                return (self.finish(content), Kind::Late);
            }
        }
        // Delivered out of order: the customers' next record goes first.
        let overtaken = self.told_of(&customers);
        self.schedule.hold(&mut self.random, overtaken, Kind::Late);
        self.schedule.advance(&mut self.random);
        (self.told_of(&customers), Kind::Valid)
    }

    fn wrongly_keyed(&mut self) -> GeneratedRecord<()> {
        let mut record = self.told();
        record.key = match self.random.below(10) {
            0..6 => {
                let other = self.people.pick(&mut self.random, &self.format);
                Some(self.people.id(other).into_bytes())
            }
            6..8 => Some(key_of_nobody(&mut self.random)),
            _ => None,
        };
        record
    }

    /// A record that says that a customer is gone: one without a value, or one that says so.
    fn gone(&mut self) -> (GeneratedRecord<()>, Kind) {
        let customer = match self.people.seen.as_slice() {
            [] => self.people.pick(&mut self.random, &self.format),
            seen => seen[self.random.index(seen.len())],
        };
        let now = self.schedule.now();
        let subject = self.people.next(&mut self.random, customer, now);
        let null = self.format.key_of_null(&mut self.random, &subject);
        let null = null.map(|key| Content {
            key: Some(key),
            ..Content::default()
        });
        let gone = match null {
            Some(null) if self.random.chance(0.5) => Some((null, Kind::Null)),
            null => {
                let removed = self.format.removed(&mut self.random, &subject);
                let removed = removed.map(|content| (content, Kind::Valid));
                removed.or(null.map(|content| (content, Kind::Null)))
            }
        };
        let (content, kind) = gone.unwrap_or_else(|| {
            let subjects = std::slice::from_ref(&subject);
            (self.format.told(&mut self.random, subjects), Kind::Valid)
        });
        if let Some(past) = self.people.pasts.get_mut(&customer) {
            past.is_gone = true;
        }
        (self.finish(content), kind)
    }

    fn invalid(&mut self) -> (GeneratedRecord<()>, Kind) {
        let timestamp = self.schedule.now().div_euclid(1000);
        for _ in 0..50 {
            let customers = self.pick();
            let subjects = self.subjects(&customers);
            let spoilt = self.format.spoilt(&mut self.random, &subjects, timestamp);
            if let Some((content, fault)) = spoilt {
                return (self.finish(content), Kind::Invalid(fault));
            }
        }
        (self.told(), Kind::Valid)
    }
}

impl<F: Format> Iterator for OwnGenerator<F> {
    type Item = GeneratedRecord<()>;

    /// The stream is endless: never `None`.
    fn next(&mut self) -> Option<GeneratedRecord<()>> {
        Some(self.next_with_kind().0)
    }
}

impl People {
    fn id(&self, customer: u32) -> String {
        customer_id(self.seed, customer)
    }

    /// A random customer whose id the format takes: a few are very active, most hardly ever.
    fn pick(&self, random: &mut Random, format: &impl Format) -> u32 {
        let drawn = random.skewed(self.customers);
        // The nearest one, so that no draw is lost.
        let steps = 0..self.customers.min(MAX_STEPS);
        let mut nearest = steps.map(|step| (drawn + step) % self.customers);
        nearest
            .find(|&customer| format.takes(&self.id(customer)))
            .unwrap_or(drawn)
    }

    fn person(&self, customer: u32) -> Person {
        // It depends on nothing but the seed, so that each stream of it has the same person.
        Person::draw(&mut Random::new(mix(
            self.seed ^ (u64::from(customer) << 16)
        )))
    }

    /// The customer with what happens to it next, which is told at `now`.
    fn next(&mut self, random: &mut Random, customer: u32, now: Micros) -> Subject {
        let (past, is_new) = match self.pasts.get(&customer) {
            Some(&past) => {
                let next = Past {
                    last: happened_after(random, now, past.last),
                    revision: past.revision + 1,
                    is_gone: false,
                    ..past
                };
                (next, past.is_gone)
            }
            None => {
                self.seen.push(customer);
                let last = happened(random, now);
                let first = Past {
                    created: last - random.between(2 * DAY, 900 * DAY),
                    last,
                    revision: 1,
                    is_gone: false,
                };
                (first, true)
            }
        };
        self.pasts.insert(customer, past);
        self.subject(customer, past, is_new)
    }

    /// The customer as it was long ago, which is only told at `now`. None if nothing was told of it so far.
    fn long_ago(&self, random: &mut Random, customer: u32, now: Micros) -> Option<Subject> {
        let past = *self.pasts.get(&customer)?;
        let last = long_ago(random, now, past.created + 1)?;
        Some(self.subject(customer, Past { last, ..past }, false))
    }

    fn subject(&self, customer: u32, past: Past, is_new: bool) -> Subject {
        Subject {
            id: self.id(customer),
            person: self.person(customer),
            created: past.created,
            at: past.last,
            revision: past.revision,
            is_new,
        }
    }
}
