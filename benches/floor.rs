//! What carrying the records costs by itself: the transport of keyfold without anything that keyfold is for.
//!
//! Usage: `floor CONFIG SAMPLES SHARE`. Reads the inputs of a configuration, and for each record writes SHARE of a
//! customer: a snapshot and a state that were made before. The client, its settings, the transactions and their
//! pipelining are keyfold's own; nothing is parsed, judged, looked up, joined or put together. `bench/run --only floor`
//! makes the samples and the topics, and measures both; SAMPLES is a key, a snapshot and a state in turns, each behind
//! its length in four bytes (little-endian).

use std::path::Path;
use std::time::{Duration, Instant};

use keyfold::config::Config;
use keyfold::engine::event::StepEnd;
use keyfold::kafka::client::{ClientSettings, Identity, Targets};
use keyfold::kafka::consumer::{GroupConsumer, GroupEvent, Membership, Rebalance};
use keyfold::kafka::native::{Message, Messages};
use keyfold::kafka::producer::{BatchProducer, Record, offset_list};
use keyfold::kafka::query_client::QueryClient;
use keyfold::model::partition;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PATIENCE: Duration = Duration::from_secs(20);
/// What a topic takes by default, in bytes.
const LIMIT: usize = 1_048_588;

struct Sample {
    key: Vec<u8>,
    snapshot: Vec<u8>,
    state: Vec<u8>,
    partition: i32,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, config, samples, share] = &arguments[..] else {
        panic!("usage: floor CONFIG SAMPLES SHARE");
    };
    let config = Config::load(Some(Path::new(config))).expect("the configuration");
    let partitions = QueryClient::connect((&config).into())
        .and_then(|client| client.partitions(&config.state_topic(), PATIENCE))
        .expect("the cluster")
        .expect("the state topic");
    let samples = read(Path::new(samples), partitions);
    carry(
        &config,
        &samples,
        share.parse().expect("a share of customers"),
    );
}

fn read(path: &Path, partitions: i32) -> Vec<Sample> {
    let bytes = std::fs::read(path).expect("the samples");
    let mut rest = &bytes[..];
    let mut next = || {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let (text, behind) = behind.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        rest = behind;
        Some(text.to_vec())
    };
    let mut samples = Vec::new();
    while let (Some(key), Some(snapshot), Some(state)) = (next(), next(), next()) {
        samples.push(Sample {
            partition: partition::of_key(&key, partitions),
            key,
            snapshot,
            state,
        });
    }
    assert!(!samples.is_empty(), "no samples");
    samples
}

/// A partition that is read.
struct Place {
    topic_handle: usize,
    partition: i32,
    topic: String,
    /// The next offset, if the open batch holds records of it.
    next: Option<i64>,
}

fn find<'p>(places: &'p mut Vec<Place>, message: &Message) -> &'p mut Place {
    let (topic_handle, partition) = (message.topic_handle(), message.partition());
    let is = |place: &Place| place.topic_handle == topic_handle && place.partition == partition;
    let at = places.iter().position(is).unwrap_or_else(|| {
        places.push(Place {
            topic_handle,
            partition,
            topic: message.topic(),
            next: None,
        });
        places.len() - 1
    });
    &mut places[at]
}

/// A producer and a member of the group, both connected.
fn connect(config: &Config) -> (BatchProducer, GroupConsumer) {
    let identity = Identity {
        transactional_id: format!("{}-floor", config.application_id),
        group_instance_id: None,
    };
    let producer = ClientSettings::from(config).producer(
        config.processing.guarantee,
        &identity,
        Targets {
            record_bytes: LIMIT,
            batch_bytes: LIMIT,
            partitions: 4,
        },
    );
    let producer = BatchProducer::connect(&producer, PATIENCE, |_| true).expect("a producer");
    let inputs = config.sources.iter();
    let inputs: Vec<_> = inputs.flat_map(|(_, source)| &source.topics).collect();
    let names: Vec<_> = inputs.iter().map(|name| name.as_str()).collect();
    let member = ClientSettings::from(config).member(&identity);
    let consumer = GroupConsumer::join(&member, &names).expect("a member");
    (producer, consumer)
}

/// Carries until it is killed.
fn carry(config: &Config, samples: &[Sample], share: f64) {
    let (producer, mut consumer) = connect(config);
    let mut messages = Messages::default();
    let mut places = Vec::new();
    let mut cycle = samples.iter().cycle();
    let (mut began, mut records, mut owed) = (Instant::now(), 0, 0.0);
    let mut committing = false;
    loop {
        for told in consumer.serve() {
            begin_at_zero(&consumer, &told);
        }
        consumer.poll(Duration::from_millis(5), &mut messages);
        for message in messages.iter().filter(|message| message.error().is_none()) {
            if records == 0 {
                began = Instant::now();
            }
            records += 1;
            // the payload comes into the cache, as for every reader of it
            let bytes = message.payload().unwrap_or_default().iter().step_by(64);
            std::hint::black_box(bytes.fold(0, |sum: u8, byte| sum.wrapping_add(*byte)));
            find(&mut places, message).next = Some(message.offset() + 1);
        }
        if committing && let Some(ended) = producer.ended(Duration::ZERO) {
            assert_eq!(ended, StepEnd::Done);
            committing = false;
        }
        let due = records > 0 && began.elapsed() >= config.processing.commit_interval;
        if due
            && !committing
            && let Some(membership) = consumer.membership()
        {
            owed += share * f64::from(std::mem::take(&mut records));
            producer.begin();
            let customers: Vec<_> = cycle.by_ref().take(owed as usize).collect();
            send(&producer, config, &customers);
            owed = owed.fract();
            commit(&producer, &mut places, &membership);
            committing = true;
        }
    }
}

fn begin_at_zero(consumer: &GroupConsumer, told: &GroupEvent) {
    match told {
        GroupEvent::Rebalance(Rebalance::Assigned(places)) => {
            let from: Vec<_> = places
                .iter()
                .map(|(topic, partition)| (topic.as_str(), *partition, 0))
                .collect();
            consumer.consume(&from, PATIENCE).expect("a seek");
        }
        GroupEvent::Broken(_, reason) => panic!("{reason}"),
        _ => {}
    }
}

/// All snapshots before the first state, as the program does.
fn send(producer: &BatchProducer, config: &Config, customers: &[&Sample]) {
    let state = config.state_topic();
    let write = |topic: &str, customer: &Sample, value: &[u8]| {
        producer.send(&Record {
            topic,
            partition: Some(customer.partition),
            key: Some(&customer.key),
            value: Some(value),
            headers: &[],
        });
    };
    for customer in customers {
        write(&config.snapshot.topic, customer, &customer.snapshot);
    }
    for customer in customers {
        write(&state, customer, &customer.state);
    }
}

fn commit(producer: &BatchProducer, places: &mut [Place], membership: &Membership) {
    let offsets = places.iter_mut().filter_map(|place| {
        let next = place.next.take()?;
        Some((place.topic.as_str(), place.partition, next, ""))
    });
    let offsets = offset_list(offsets).expect("offsets");
    producer.start_commit(offsets, membership);
}
