//! Random records of few customers: many have equal timestamps, some have another customer's key, and some are invalid.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use keyfold::config::{Config, SourceConfig};
use keyfold::customer::bounded::Limits;
use keyfold::customer::snapshot::View;
use keyfold::engine::dead_letter::DeadLetterTemplate;
use keyfold::engine::{Place, Settings, Topic};
use keyfold::model::partition;
use keyfold::model::record::Source;
use keyfold::source::framing::NoSchemas;
use keyfold::store::memory::MemoryStores;

use crate::log::Record;
use crate::random::Random;

/// The enabled sources. Their topics have the indexes of this order; the forwarded topic is the last.
pub const SOURCES: [Source; 3] = [
    Source::LoyaltyCustomers,
    Source::ConsoleCustomers,
    Source::PublisherCustomers,
];

/// 2024-01-01, in milliseconds.
const START: i64 = 1_704_067_200_000;

pub fn customer(number: u64) -> String {
    format!("customer-{number}")
}

pub fn config() -> Config {
    let sources = SOURCES.iter();
    Config {
        sources: sources
            .map(|source| (*source, SourceConfig::of(*source)))
            .collect(),
        ..Config::default()
    }
}

/// The settings of an engine, with batches of at most `batch` records.
pub fn settings(partitions: i32, snapshot_partitions: i32, batch: usize) -> Settings {
    let mut config = config();
    config.processing.max_batch_records = batch;
    config.processing.max_reject_share = 1.0;
    let mut topics: Vec<Topic> = SOURCES
        .iter()
        .map(|source| Topic {
            name: SourceConfig::of(*source).topics.concat(),
            source: Some(*source),
        })
        .collect();
    topics.push(Topic {
        name: config.forwarded_topic(),
        source: None,
    });
    Settings {
        topics,
        state_topic: config.state_topic(),
        partitions,
        snapshot_partitions,
        max_forwarded_bytes: 1_000_000,
        dead_letter_template: DeadLetterTemplate {
            application: config.application_id.clone(),
            version: "simulation",
            max_bytes: 1_000_000,
        },
        limits: Limits::of(&config),
        view: View::of(&config),
        schemas: Arc::new(NoSchemas),
        snapshot_schema: None,
        restore_patience: Duration::from_secs(60),
        transaction_timeout: Duration::from_secs(15),
        replaced_within: Duration::from_secs(4),
        stores: Arc::new(MemoryStores),
        policy: (&config).into(),
    }
}

/// A customer record of the console. The greatest version of a customer wins.
pub fn console(id: &str, version: u64, at: i64) -> Rc<Record> {
    let value = format!(r#"{{"customerId":"{id}","version":{version},"firstName":"v{version}"}}"#);
    Rc::new(Record {
        key: Some(id.into()),
        value: Some(value.into_bytes()),
        headers: Vec::new(),
        timestamp: START + at,
    })
}

/// A loyalty event with one of six addresses, so that most events can be seen in the state.
fn loyalty(id: &str, random: &mut Random) -> String {
    let (day, address) = (random.between(1, 9), random.below(6));
    let opt_in = random.chance(5000);
    format!(
        r#"{{"eventType":"CUSTOMER","eventAction":"UPDATED","version":1.0,"body":{{"customerId":"{id}","smsOptIn":{opt_in},"addresses":[{{"addressId":"a{address}"}}],"createdAt":"2023-01-01T00:00:00Z","updatedAt":"2024-01-0{day}T0{}:00:00Z"}}}}"#,
        random.below(10)
    )
}

fn publisher(random: &mut Random, customers: u64) -> String {
    let elements = (0..random.below(4)).map(|_| {
        let id = match random.below(8) {
            0 => " ".to_owned(),
            _ => customer(random.below(customers)),
        };
        let code = random.below(1000);
        format!(
            r#"{{"sourceCustomerId":"{id}","organizationId":"o","postalCode":"{code}","country":"US","customerCreationDate":"2017-01-01T08:00:00Z","enrollmentStartDate":"2023-01-01T08:00:00Z","enrollmentOptInStatus":"ACTIVE","alertOptInStatus":["ALL"],"targetingIndicator":"TARGET","accounts":[]}}"#
        )
    });
    let elements: Vec<String> = elements.collect();
    format!(r#"{{"customers":[{}]}}"#, elements.join(","))
}

/// A random record, and the place to which it is produced.
pub fn any(random: &mut Random, partitions: &[i32], customers: u64) -> (Place, Rc<Record>) {
    let topic = match random.below(10) {
        0..=4 => 0,
        5..=8 => 1,
        _ => 2,
    };
    let id = customer(random.below(customers));
    let key = match random.below(5) {
        0 => customer(random.below(customers)),
        _ => id.clone(),
    };
    let value = match (topic, random.below(20)) {
        (_, 0) => Some("{".to_owned()),
        (0, 1) | (1, 1) => None,
        (0, _) => Some(loyalty(&id, random)),
        (1, _) => {
            let version = random.below(1000);
            let text = format!(
                r#"{{"customerId":"{id}","version":{version},"firstName":"n{}"}}"#,
                random.below(3)
            );
            Some(text)
        }
        _ => Some(publisher(random, customers)),
    };
    let record = Record {
        key: Some(key.clone().into_bytes()),
        value: value.map(String::into_bytes),
        headers: Vec::new(),
        timestamp: START + 10 * 86_400_000 + random.below(50) as i64 * 1000,
    };
    let place = Place {
        topic,
        partition: partition::of_key(key.as_bytes(), partitions[topic]),
    };
    (place, Rc::new(record))
}
