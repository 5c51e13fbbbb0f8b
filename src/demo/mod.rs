//! `keyfold demo`: generator, broker, processor and HTTP in one process. It verifies its own result.

mod cluster;
mod reader;
mod story;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use keyfold_generate::{GeneratedRecord, Generator, Options};
use rdkafka::error::KafkaError;

use crate::config::{Config, Format};
use crate::exit::{Done, Failure};
use crate::fold::OfflineFold;
use crate::generated::raw;
use crate::kafka::feed::Feed;
use crate::model::record::{Label, Outcome};
use crate::runtime::processor::Processor;
use crate::runtime::signals::Stop;
use crate::serve::Metrics;
use cluster::DemoCluster;
use reader::Reader;

/// Prints a line. If nobody reads standard output any more, the demo continues, because its exit code also shows the
/// result.
macro_rules! say {
    ($($text:tt)*) => {
        drop(writeln!(io::stdout(), $($text)*))
    };
}

/// How many records the demo generates in a second.
const RATE: f64 = 1500.0;
/// How long it generates records.
const LENGTH: Duration = Duration::from_secs(20);
/// How long the processor may take to become ready and, after the end of the stream, to process the last records.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(30);
/// What the demo expects: the offline fold of the records that it produces.
struct Expectation<'c> {
    config: &'c Config,
    fold: OfflineFold<'c>,
    rejected: u64,
    records: u64,
}

impl<'c> Expectation<'c> {
    fn new(config: &'c Config) -> Expectation<'c> {
        Expectation {
            config,
            fold: OfflineFold::new(config),
            rejected: 0,
            records: 0,
        }
    }

    fn add(&mut self, record: &GeneratedRecord) {
        self.rejected += u64::from(!self.fold.record(&raw(record)).is_empty());
        self.records += 1;
    }

    /// The expected snapshots by customer id, without customers that have nothing to show.
    fn snapshots(&self) -> BTreeMap<String, Vec<u8>> {
        let all = self.fold.snapshots();
        all.filter_map(|(id, text)| Some((id.to_owned(), text?)))
            .collect()
    }
}

/// The stream of the demo: records are generated at a rate, and each is produced and also folded offline.
struct Stream<'c> {
    feed: Feed,
    generator: Generator,
    expected: Expectation<'c>,
    began: Instant,
    generated: u64,
}

impl<'s> Stream<'s> {
    fn start(config: &'s Config) -> Result<Stream<'s>, KafkaError> {
        Ok(Stream {
            feed: Feed::connect(config.into())?,
            generator: Generator::new(Options {
                customers: 2000,
                start_ms: now_ms(),
                step_ms: 1000.0 / RATE,
                ..Options::default()
            }),
            expected: Expectation::new(config),
            began: Instant::now(),
            generated: 0,
        })
    }

    /// Produces the records that are due by now.
    fn produce_due(&mut self) -> Result<(), KafkaError> {
        while (self.generated as f64) < self.began.elapsed().as_secs_f64() * RATE {
            self.generator.not_after(now_ms());
            let (record, _) = self.generator.next_with_kind();
            self.generated += 1;
            self.send(&record)?;
        }
        Ok(())
    }

    fn send(&mut self, record: &GeneratedRecord) -> Result<(), KafkaError> {
        let source = self.expected.config.sources.get(record.source.into());
        let Some(topic) = source.and_then(|source| source.topics.first()) else {
            return Ok(());
        };
        self.feed.send(record, topic)?;
        self.expected.add(record);
        Ok(())
    }

    /// Waits until all records are delivered; returns what is expected of them.
    fn finish(self) -> Result<Expectation<'s>, Failure> {
        let tally = self.feed.finish();
        if !tally.all_delivered() {
            return Err(Failure::Service(format!("the demo's broker: {tally}")));
        }
        Ok(self.expected)
    }
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| since.as_millis() as i64)
}

fn broker_failure(error: KafkaError) -> Failure {
    Failure::Service(format!("the demo's broker: {error}"))
}

/// Runs the demo. With `keep` it continues without new records until it is stopped. `commit` is the commit from which
/// the program was built.
pub fn run(
    settings: &Config,
    keep: bool,
    commit: &'static str,
    stop: &Stop,
) -> Result<Done, Failure> {
    let mut config = demo_config(settings);
    let cluster = DemoCluster::start(&config).map_err(broker_failure)?;
    cluster.configure(&mut config);

    say!("keyfold demo: a broker, a stream of records, and the processor, all in this process");
    let found = DemoCluster::found();
    let partitions = found.partitions;
    let processor = Processor::start(config.clone(), found, commit, stop)?;
    say!(
        "metrics, health and a page for people: http://{}/",
        processor.address()
    );
    wait_until_ready(&processor, stop);
    let mut reader = Reader::start(&config, partitions).map_err(broker_failure)?;
    let mut stream = Stream::start(&config).map_err(broker_failure)?;
    run_stream(&mut stream, &mut reader, &processor.metrics, stop).map_err(broker_failure)?;
    let expected = stream.finish()?;
    let proof = wait_for_result(&expected, &mut reader, &processor.metrics, stop);
    report(&proof, &expected, &reader);
    if keep && !stop.is_set() {
        say!("\nIt goes on without new records; press Ctrl-C to end it.");
    } else {
        stop.set();
    }
    processor.wait(stop)?;
    Ok(match proof {
        Proof::Equal => Done::Clean,
        Proof::Different { .. } | Proof::Interrupted => Done::Found,
    })
}

/// The configuration of the demo. Of the user's settings it takes only those that change what is seen, and the declared
/// sources, which get no records by themselves.
fn demo_config(settings: &Config) -> Config {
    let mut config = Config {
        snapshot: settings.snapshot.clone(),
        merge: settings.merge.clone(),
        http: settings.http.clone(),
        ..Config::default()
    };
    for (source, declared, plan) in settings.sources.declared() {
        // There is no registry.
        if declared.format != Format::Avro {
            config
                .sources
                .declare(source, declared.clone(), Arc::clone(plan));
        }
    }
    "keyfold-demo".clone_into(&mut config.application_id);
    config.processing.workers = 2;
    // If another keyfold uses the address, any other address will do.
    if TcpListener::bind(&config.http.listen).is_err() {
        "127.0.0.1:0".clone_into(&mut config.http.listen);
    }
    config
}

/// Waits for the consumer group, which takes a few seconds to form.
fn wait_until_ready(processor: &Processor, stop: &Stop) {
    let deadline = Instant::now() + CATCH_UP_TIMEOUT;
    while processor.health.ready(Instant::now()).is_err()
        && Instant::now() < deadline
        && !stop.is_set()
    {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Produces the stream, prints a line of figures each second, and points out events worth seeing.
fn run_stream(
    stream: &mut Stream<'_>,
    reader: &mut Reader,
    metrics: &Metrics,
    stop: &Stop,
) -> Result<(), KafkaError> {
    say!(
        "\n{:>5} {:>9} {:>9} {:>10} {:>10} {:>7} {:>9} {:>10}",
        "s",
        "produced",
        "merged",
        "unchanged",
        "forwarded",
        "split",
        "rejected",
        "snapshots"
    );
    let mut highlights = Highlights::default();
    let mut last_row = 0;
    while stream.began.elapsed() < LENGTH && !stop.is_set() {
        stream.produce_due()?;
        reader.read_for(Duration::from_millis(10));
        highlights.show_due(stream, reader)?;
        let second = stream.began.elapsed().as_secs();
        if second > last_row {
            last_row = second;
            print_row(second, &stream.expected, reader, metrics);
        }
    }
    Ok(())
}

fn print_row(second: u64, expected: &Expectation<'_>, reader: &Reader, metrics: &Metrics) {
    let labels = || labels(expected.config);
    let [merged, unchanged, forwarded, split, rejected] = Outcome::ALL.map(|outcome| {
        let of = |label| metrics.recorded(label, outcome);
        labels().map(of).sum::<u64>() + of(Label::Forwarded)
    });
    say!(
        "{second:>5} {:>9} {merged:>9} {unchanged:>10} {forwarded:>10} {split:>7} {rejected:>9} {:>10}",
        expected.records,
        reader.snapshots_read
    );
}

/// What the demo points out while it runs, each once.
#[derive(Default)]
struct Highlights {
    showed_rejection: bool,
    sent_move: bool,
    /// The snapshot of [`story::CUSTOMER`] when the late event was sent.
    before_late_event: Option<Vec<u8>>,
    showed_result: bool,
}

impl Highlights {
    fn show_due(&mut self, stream: &mut Stream<'_>, reader: &Reader) -> Result<(), KafkaError> {
        let second = stream.began.elapsed().as_secs();
        if !self.showed_rejection
            && second >= 4
            && let Some(letter) = &reader.last_dead_letter
        {
            self.showed_rejection = true;
            say!("\n  a record was rejected, and lies in the dead-letter topic as it came:");
            say!(
                "    {}  {}: {}",
                letter.location,
                letter.code,
                letter.message
            );
            say!("    violations: {}\n", letter.violations);
        }
        if !self.sent_move && second >= 6 {
            self.sent_move = true;
            stream.send(&story::moved(now_ms()))?;
        }
        let Some(Some(snapshot)) = reader.snapshots.get(story::CUSTOMER) else {
            return Ok(());
        };
        match &self.before_late_event {
            None if second >= 8 => {
                say!("\n  a customer's snapshot:");
                say!("    {}", String::from_utf8_lossy(snapshot));
                say!("  now an event arrives late: it was written an hour before, and has a");
                say!("  date of birth that was missing, and an address that is out of date");
                self.before_late_event = Some(snapshot.clone());
                stream.send(&story::late(now_ms()))?;
            }
            Some(before) if !self.showed_result && before != snapshot => {
                self.showed_result = true;
                say!("  the gap is filled, and what is newer stands:");
                say!("    {}\n", String::from_utf8_lossy(snapshot));
            }
            _ => {}
        }
        Ok(())
    }
}

enum Proof {
    Equal,
    Different { customers: usize },
    Interrupted,
}

/// Waits until the published snapshots are those that the offline fold gives.
fn wait_for_result(
    expected: &Expectation<'_>,
    reader: &mut Reader,
    metrics: &Metrics,
    stop: &Stop,
) -> Proof {
    say!("\nthe stream ends; comparing with the offline fold of the same records ...");
    let fold = expected.snapshots();
    let deadline = Instant::now() + CATCH_UP_TIMEOUT;
    loop {
        reader.read_for(Duration::from_millis(200));
        let published: BTreeMap<_, _> = reader
            .snapshots
            .iter()
            .filter_map(|(id, text)| Some((id, text.as_ref()?)))
            .collect();
        if processed(metrics, expected.config) >= expected.records
            && published.iter().map(|(id, text)| (*id, *text)).eq(&fold)
            && reader.dead_letters.len() as u64 == expected.rejected
        {
            return Proof::Equal;
        }
        if stop.is_set() {
            return Proof::Interrupted;
        }
        if Instant::now() >= deadline {
            let ids = published.keys().copied().chain(fold.keys());
            let different: BTreeSet<_> = ids
                .filter(|id| published.get(*id).copied() != fold.get(*id))
                .collect();
            return Proof::Different {
                customers: different.len(),
            };
        }
    }
}

/// How many records of the inputs are processed.
fn processed(metrics: &Metrics, config: &Config) -> u64 {
    labels(config)
        .flat_map(|label| Outcome::ALL.map(|outcome| metrics.recorded(label, outcome)))
        .sum()
}

fn labels(config: &Config) -> impl Iterator<Item = Label> {
    config
        .sources
        .iter()
        .map(|(source, _)| Label::Source(source))
}

fn report(proof: &Proof, expected: &Expectation<'_>, reader: &Reader) {
    match proof {
        Proof::Equal => {
            say!(
                "PROVEN: {} records of four sources, late, repeated, wrongly keyed and broken ones among them,",
                expected.records
            );
            say!(
                "gave {} customers. Each one's newest snapshot equals the offline fold, byte for byte,",
                expected.snapshots().len()
            );
            say!(
                "and each of the {} bad records is in the dead-letter topic.",
                reader.dead_letters.len()
            );
        }
        Proof::Interrupted => say!("interrupted before the comparison was done"),
        Proof::Different { customers } => say!(
            "NOT PROVEN: {customers} customers differ, and {} of {} bad records are in the dead-letter topic. Please report this",
            reader.dead_letters.len(),
            expected.rejected
        ),
    }
    say!("\nwhat to try next:");
    say!("  keyfold demo --keep                      look around at the page and the metrics");
    say!("  keyfold generate --records 1000 | keyfold fold");
    say!("                                           the same fold on files, without Kafka");
    say!("  keyfold generate --records 1000 | keyfold validate | grep rejected");
    say!("                                           why records are rejected");
    say!("  keyfold topics && keyfold run            on a real Kafka: see README.md");
}
