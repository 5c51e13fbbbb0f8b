//! A worker that owns everything, fed with generated records, between a poll and a produce that do nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use keyfold::config::{Config, SourceConfig};
use keyfold::customer::bounded::Limits;
use keyfold::customer::snapshot::View;
use keyfold::engine::arrived::Delivered;
use keyfold::engine::commit::{CommitResult, Written};
use keyfold::engine::dead_letter::DeadLetterTemplate;
use keyfold::engine::origin::Header;
use keyfold::engine::outbox::{Outbox, Outgoing, Output};
use keyfold::engine::{Action, Place, Settings, Standing, Topic, Worker};
use keyfold::model::partition;
use keyfold::model::record::Source;
use keyfold::source::framing::NoSchemas;
use keyfold::store::memory::MemoryStores;
use keyfold_generate::{Generator, Options};

/// Partitions of every topic.
const PARTITIONS: i32 = 4;
/// The index of the forwarded topic, behind those of the sources.
const FORWARDED: usize = Source::ALL.len();

/// A record as a poll would hand it over.
pub struct Message {
    pub place: Place,
    offset: i64,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Message {
    /// None: it was forwarded.
    pub fn source(&self) -> Option<Source> {
        Source::ALL.get(self.place.topic).copied()
    }
}

impl Delivered for Message {
    fn place(&self) -> Place {
        self.place
    }

    fn offset(&self) -> i64 {
        self.offset
    }

    fn timestamp(&self) -> Option<i64> {
        Some(self.timestamp)
    }

    fn key(&self) -> Option<&[u8]> {
        self.key.as_deref()
    }

    fn value(&self) -> Option<&[u8]> {
        self.value.as_deref()
    }

    fn headers(&self) -> Vec<Header<'_>> {
        let headers = self.headers.iter();
        headers
            .map(|(name, value)| (name.as_str(), value.as_deref()))
            .collect()
    }
}

/// The next offset of each partition of each topic.
#[derive(Default)]
pub struct Offsets([[i64; PARTITIONS as usize]; FORWARDED + 1]);

impl Offsets {
    fn next(&mut self, place: Place) -> i64 {
        let next = &mut self.0[place.topic][place.partition as usize];
        *next += 1;
        *next - 1
    }
}

/// The records of a generated stream, on the partitions of their keys.
pub fn stream(options: Options, records: usize, offsets: &mut Offsets) -> Vec<Message> {
    let generated = Generator::new(options).take(records);
    generated
        .map(|record| {
            let place = Place {
                topic: Source::from(record.source).index(),
                partition: partition::of_key(record.key.as_deref().unwrap_or_default(), PARTITIONS),
            };
            let headers = record.headers.into_iter();
            Message {
                place,
                offset: offsets.next(place),
                timestamp: record.timestamp,
                key: record.key,
                value: record.value,
                headers: headers.map(|(name, value)| (name, Some(value))).collect(),
            }
        })
        .collect()
}

/// Takes what the worker produces, counts it, and keeps what was forwarded.
#[derive(Default)]
pub struct CountingOutbox {
    pub snapshots: u64,
    pub states: u64,
    pub dead_letters: u64,
    /// The bytes of all values.
    pub bytes: u64,
    offsets: Offsets,
    forwarded: VecDeque<Message>,
}

impl CountingOutbox {
    /// The forwarded records so far: the input of the next batch, for they are read once they are committed.
    pub fn take_forwarded(&mut self) -> VecDeque<Message> {
        std::mem::take(&mut self.forwarded)
    }
}

impl Outbox for CountingOutbox {
    fn begin(&mut self) {}

    fn produce(&mut self, outgoing: Outgoing<'_>) {
        self.bytes += outgoing.value.map_or(0, <[u8]>::len) as u64;
        match outgoing.output {
            Output::Snapshot { .. } => self.snapshots += 1,
            Output::State { .. } => self.states += 1,
            Output::DeadLetter => self.dead_letters += 1,
            Output::Forwarded { partition } => {
                uncounted_keep(self, partition, &outgoing);
            }
        }
    }

    fn offer(&mut self, outgoing: Outgoing<'_>) -> bool {
        self.produce(outgoing);
        true
    }
}

/// The broker's part. It has a name of its own so that it can be left out of the count.
#[unsafe(no_mangle)]
#[inline(never)]
fn uncounted_keep(outbox: &mut CountingOutbox, partition: i32, outgoing: &Outgoing<'_>) {
    let place = Place {
        topic: FORWARDED,
        partition,
    };
    outbox.forwarded.push_back(Message {
        place,
        offset: outbox.offsets.next(place),
        timestamp: 0,
        key: outgoing.key.map(<[u8]>::to_vec),
        value: outgoing.value.map(<[u8]>::to_vec),
        headers: outgoing.headers.to_vec(),
    });
}

/// A worker that owns all partitions, with an empty state, and batches of so many records.
pub fn worker(batch: usize) -> Worker {
    let settings = Arc::new(settings(batch));
    let mut worker = Worker::new(Arc::clone(&settings));
    let places: Vec<Place> = (0..settings.topics.len())
        .flat_map(|topic| (0..PARTITIONS).map(move |partition| Place { topic, partition }))
        .collect();
    worker.assigned(&places);
    let now = Duration::ZERO;
    loop {
        let actions = worker.actions(now);
        if actions.is_empty() {
            assert_eq!(worker.unready(), None);
            return worker;
        }
        for action in actions {
            match action {
                Action::FetchStandings(places) => {
                    let standing = Standing {
                        committed: None,
                        low: 0,
                        high: 0,
                    };
                    let answer = |place| (place, Some(standing.clone()));
                    worker.standings(places.into_iter().map(answer).collect(), now);
                }
                Action::FetchEnds(partitions) => {
                    let answer = |partition| (partition, Some((0, 0)));
                    worker.ends(partitions.into_iter().map(answer).collect(), now);
                }
                Action::Consume(places) => worker.consuming(&places, true, now),
                Action::Stop(fatal) => panic!("{fatal}"),
                _ => {}
            }
        }
    }
}

/// Takes over the end of a batch as the broker's confirmation does.
pub fn committed(worker: &mut Worker, written: Written) {
    let ledger = worker.ended(written, CommitResult::Committed, Duration::ZERO);
    std::hint::black_box(&ledger);
}

fn settings(batch: usize) -> Settings {
    let mut config = Config::default();
    config.processing.max_batch_records = batch;
    let mut topics: Vec<Topic> = Source::ALL
        .into_iter()
        .map(|source| Topic {
            name: SourceConfig::of(source).topics.concat(),
            source: Some(source),
        })
        .collect();
    topics.push(Topic {
        name: config.forwarded_topic(),
        source: None,
    });
    Settings {
        topics,
        state_topic: config.state_topic(),
        partitions: PARTITIONS,
        snapshot_partitions: PARTITIONS,
        max_forwarded_bytes: 2_000_000,
        dead_letter_template: DeadLetterTemplate {
            application: config.application_id.clone(),
            version: "bench",
            max_bytes: 2_000_000,
        },
        limits: Limits::of(&config),
        view: View::of(&config),
        schemas: Arc::new(NoSchemas),
        snapshot_schema: None,
        restore_patience: Duration::from_secs(60),
        replaced_within: Duration::ZERO,
        stores: Arc::new(MemoryStores),
        config,
    }
}
