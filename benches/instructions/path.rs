//! An engine that owns everything, fed with generated records, between a poll and a produce that do nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use keyfold::config::{Config, SourceConfig};
use keyfold::customer::bounded::Limits;
use keyfold::customer::snapshot::View;
use keyfold::definition::load;
use keyfold::engine::arrived::Delivered;
use keyfold::engine::dead_letter::DeadLetterTemplate;
use keyfold::engine::event::StepEnd;
use keyfold::engine::origin::Header;
use keyfold::engine::outbox::{Backlog, Clients, Generation, Outbox, Outgoing, Output};
use keyfold::engine::{
    Effect, Engine, Event, GroupChange, PartitionOffsets, Place, Settings, Topic,
};
use keyfold::model::partition;
use keyfold::model::record::{DeclaredSource, Source};
use keyfold::source::framing::NoSchemas;
use keyfold::store::memory::MemoryStores;
use keyfold_generate::{Generator, Options};

/// Partitions of every topic.
const PARTITIONS: i32 = 4;
/// The index of the forwarded topic, behind those of the sources.
const FORWARDED: usize = Source::BUILT_IN.len();

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
        Source::BUILT_IN.get(self.place.topic).copied()
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

/// Which source reads the events of the loyalty customers.
#[derive(Clone, Copy)]
pub enum Feed {
    BuiltIn,
    /// One whose definition says the same.
    Declared,
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

/// Takes what the engine produces, counts it, and keeps what was forwarded.
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

impl Clients for CountingOutbox {
    fn generation(&self) -> Option<Generation> {
        Some(Generation {
            number: 1,
            member_id: String::new(),
        })
    }

    fn all_fetched_is_taken(&self) -> bool {
        true
    }

    fn polled_nothing(&self) -> bool {
        true
    }

    fn backlog(&self, _: &mut dyn Iterator<Item = (Place, i64)>) -> Backlog {
        Backlog::default()
    }
}

impl Outbox for CountingOutbox {
    fn begin(&mut self) -> Option<Generation> {
        self.generation()
    }

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

/// Behind the gap between two commits.
const LATER: Duration = Duration::from_millis(100);

/// An engine that owns all partitions, with an empty state, and batches of so many records.
pub fn engine(batch: usize, feed: Feed) -> Engine {
    let settings = Arc::new(settings(batch, feed));
    let mut engine = Engine::new(Arc::clone(&settings));
    let places: Vec<Place> = (0..settings.topics.len())
        .flat_map(|topic| (0..PARTITIONS).map(move |partition| Place { topic, partition }))
        .collect();
    let now = Duration::ZERO;
    engine.handle(Event::Group(GroupChange::Assigned(places)), now);
    while let Some(effect) = engine.next_effect(now) {
        match effect {
            Effect::FetchOffsets(places) => {
                let nothing = PartitionOffsets {
                    committed: None,
                    first: 0,
                    end: 0,
                };
                let answer = |place| (place, Some(nothing.clone()));
                let fetched = Event::OffsetsFetched {
                    topic_ids: Some([].into()),
                    offsets: places.into_iter().map(answer).collect(),
                };
                engine.handle(fetched, now);
            }
            Effect::FetchStateEnds(partitions) => {
                let answer = |partition| (partition, Some((0, 0)));
                let ends = partitions.into_iter().map(answer).collect();
                engine.handle(Event::StateEndsFetched(ends), now);
            }
            Effect::Consume(from) => {
                let succeeded = true;
                engine.handle(Event::ConsumeStarted { from, succeeded }, now);
            }
            Effect::Stop(fatal) => panic!("{fatal}"),
            _ => {}
        }
    }
    assert_eq!(engine.unready(), None);
    engine
}

/// Takes a record, at the start of a batch's time.
pub fn record(engine: &mut Engine, message: &Message, out: &mut CountingOutbox) {
    let taken = engine.record(message, out, Duration::ZERO);
    assert!(taken, "no commit is in flight");
}

/// Ends the open batch, and writes what it has to write.
pub fn finish(engine: &mut Engine, out: &mut CountingOutbox) {
    engine.turn(out, LATER);
    let effect = engine.next_effect(LATER);
    std::hint::black_box(&effect);
    assert!(matches!(effect, Some(Effect::CommitTransaction { .. })));
}

/// Takes over the end of a batch as the broker's confirmation does.
pub fn committed(engine: &mut Engine) {
    engine.handle(Event::CommitStepEnded(StepEnd::Done), Duration::ZERO);
    while let Some(effect) = engine.next_effect(Duration::ZERO) {
        std::hint::black_box(&effect);
    }
}

fn settings(batch: usize, feed: Feed) -> Settings {
    let mut config = Config::default();
    config.processing.max_batch_records = batch;
    let mut topics: Vec<Topic> = Source::BUILT_IN
        .into_iter()
        .map(|source| Topic {
            name: SourceConfig::of(source).topics.concat(),
            source: Some(source),
        })
        .collect();
    if let Feed::Declared = feed {
        let source = DeclaredSource::new("declared");
        let plan = load("preset:loyalty-customers", |_| Err(String::new())).unwrap();
        config
            .sources
            .declare(source, SourceConfig::default(), plan);
        topics[0].source = Some(Source::Declared(source));
    }
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
        transaction_timeout: Duration::from_secs(60),
        replaced_within: Duration::ZERO,
        stores: Arc::new(MemoryStores),
        policy: (&config).into(),
    }
}
