//! Generated inputs: valid records of each source, and customers of two ages.

use std::collections::HashMap;

use apache_avro::Schema;
use keyfold::avro::Plan;
use keyfold::config::Config;
use keyfold::customer::bounded::{Bounded, Limits};
use keyfold::customer::contribution::{Contribution, Data};
use keyfold::model::record::{RawRecord, Source};
use keyfold::source::{self, Verdict};
use keyfold_generate::{Generator, Kind, Options};
use rand::SeedableRng;
use rand::rngs::StdRng;

use keyfold_harness::avro_evolution::{self, Evolution, Evolved};

/// Records of each source: enough for variety, and few enough to stay in a cache as a poll's do.
const RECORDS: usize = 200;
/// Events that are joined into one customer.
const NEXT: usize = 20;

pub struct Record {
    pub source: Source,
    timestamp: i64,
    pub value: Vec<u8>,
}

impl Record {
    /// The record, with its value or with another form of it.
    pub fn raw<'a>(&self, value: &'a [u8]) -> RawRecord<'a> {
        RawRecord {
            source: self.source,
            timestamp: Some(self.timestamp),
            key: None,
            value: Some(value),
        }
    }
}

/// The valid records of an endless stream over so many customers.
fn valid(customers: u32) -> impl Iterator<Item = Record> {
    let mut generator = Generator::new(Options {
        customers,
        ..Options::default()
    });
    std::iter::from_fn(move || Some(generator.next_with_kind())).filter_map(|(record, kind)| {
        let value = record.value.filter(|_| kind == Kind::Valid)?;
        Some(Record {
            source: record.source.into(),
            timestamp: record.timestamp,
            value,
        })
    })
}

pub fn valid_records(source: Source) -> Vec<Record> {
    let of_source = valid(1_000).filter(|record| record.source == source);
    of_source.take(RECORDS).collect()
}

/// The values as the source's own schema writes them, and the plan that reads them.
pub fn in_avro(source: Source, records: &[Record]) -> (Plan, Vec<Vec<u8>>) {
    let reader = std::fs::read_to_string(format!("schemas/{}.avsc", source.name())).unwrap();
    // nothing evolves, so nothing is drawn
    let mut random = StdRng::seed_from_u64(1);
    let same = Evolved::of(&reader, Evolution::default(), &mut random);
    let schema = Schema::parse_str(&same.text).unwrap();
    let written = records.iter().map(|record| {
        let json = serde_json::from_slice(&record.value).unwrap();
        avro_evolution::written(&schema, same.value(Some(&json), &schema).unwrap())
    });
    let values = written.collect();
    (Plan::compile(source, &same.text, &[]).unwrap(), values)
}

/// How much of its life a customer has behind it.
#[derive(Clone, Copy)]
pub enum Age {
    /// Two events.
    Small,
    /// All events of a long stream, as many actions as are kept among them.
    Grown,
}

impl Age {
    pub fn name(self) -> &'static str {
        match self {
            Age::Small => "small",
            Age::Grown => "grown",
        }
    }
}

/// A customer, and what its next records say.
pub struct Customer {
    pub id: String,
    pub held: Bounded,
    pub next: Vec<Data>,
}

/// The busiest customer of a stream at two points of its life.
pub fn customers(config: &Config) -> Vec<(Age, Customer)> {
    let mut lives: HashMap<String, Vec<Data>> = HashMap::new();
    for record in valid(50).take(10_000) {
        let contributions = match source::judge(&record.raw(&record.value), config).verdict {
            Verdict::Valid(contribution) => vec![contribution],
            Verdict::Batch { elements, .. } => {
                let elements = elements.into_iter();
                elements.map(|element| element.contribution).collect()
            }
            Verdict::Nothing => Vec::new(),
            Verdict::Rejected(rejection) => panic!("{rejection:?}"),
        };
        for Contribution { customer, data } in contributions {
            lives.entry(customer).or_default().push(data);
        }
    }
    // of those that are as busy, the same one every time
    let busiest = |(id, life): &(String, Vec<Data>)| (life.len(), id.clone());
    let (id, life) = lives.into_iter().max_by_key(busiest).unwrap();
    let at = |age, lived| {
        let mut held = Bounded::default();
        for data in &life[..lived] {
            held.join(&id, data.clone(), &Limits::of(config)).unwrap();
        }
        let next = life[lived..].iter().take(NEXT).cloned().collect();
        let id = id.clone();
        (age, Customer { id, held, next })
    };
    vec![at(Age::Small, 2), at(Age::Grown, life.len() - NEXT)]
}
