//! `keyfold demo`: generator, broker, processor and HTTP in one process; it proves its own result.

mod cluster;
mod reader;
mod story;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use keyfold_generate::{GeneratedRecord, Generator, Options};
use rdkafka::error::KafkaError;

use crate::config::Config;
use crate::exit::{Done, Failure};
use crate::fold::OfflineFold;
use crate::generated::raw;
use crate::kafka::feed::Feed;
use crate::model::record::{Label, Outcome, Source};
use crate::runtime::processor::Processor;
use crate::runtime::signals::Stop;
use crate::serve::Metrics;
use cluster::DemoCluster;
use reader::Reader;

/// Says a line. A reader that is gone has seen enough; whether all was proven is told by the exit code too.
macro_rules! say {
    ($($text:tt)*) => {
        drop(writeln!(io::stdout(), $($text)*))
    };
}

/// Records a second that the demo generates.
const RATE: f64 = 1500.0;
/// How long it generates.
const LENGTH: Duration = Duration::from_secs(20);
/// How long the processor may take to catch up after that.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the demo expects, from the offline fold of what it produces.
struct Expectation<'c> {
    config: &'c Config,
    fold: OfflineFold<'c>,
    rejections: u64,
    records: u64,
}

impl Expectation<'_> {
    fn take(&mut self, record: &GeneratedRecord) {
        self.rejections += u64::from(!self.fold.record(&raw(record)).is_empty());
        self.records += 1;
    }

    fn snapshots(&self) -> BTreeMap<String, Vec<u8>> {
        let all = self.fold.snapshots();
        all.filter_map(|(id, text)| Some((id.to_owned(), text?)))
            .collect()
    }
}

/// The stream that the demo plays: generated records at a rate, produced and folded offline at once.
struct Stream<'c> {
    feed: Feed,
    generator: Generator,
    expected: Expectation<'c>,
    began: Instant,
    generated: u64,
}

impl Stream<'_> {
    /// Produces what is due by now.
    fn play(&mut self) -> Result<(), KafkaError> {
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
        self.expected.take(record);
        Ok(())
    }
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| since.as_millis() as i64)
}

/// Runs the demo. With `keep` it goes on, without new records, until it is stopped.
pub fn run(
    settings: &Config,
    keep: bool,
    commit: &'static str,
    stop: &Stop,
) -> Result<Done, Failure> {
    let kafka = |error: KafkaError| Failure::Service(format!("the demo's broker: {error}"));
    // of the settings only those that change what is seen
    let mut config = Config {
        snapshot: settings.snapshot.clone(),
        merge: settings.merge.clone(),
        http: settings.http.clone(),
        ..Config::default()
    };
    "keyfold-demo".clone_into(&mut config.application_id);
    config.processing.workers = 2;
    let cluster = DemoCluster::start(&config).map_err(kafka)?;
    cluster.configure(&mut config);
    free_port(&mut config);

    say!("keyfold demo: a broker, a stream of records, and the processor, all in this process");
    let found = DemoCluster::found();
    let partitions = found.partitions;
    let processor = Processor::start(config.clone(), found, commit, stop)?;
    say!(
        "metrics, health and a page for people: http://{}/",
        processor.address()
    );
    wait_until_ready(&processor, stop);
    let mut reader = Reader::start(&config, partitions).map_err(kafka)?;
    let mut stream = Stream {
        feed: Feed::connect(&config).map_err(kafka)?,
        generator: Generator::new(Options {
            customers: 2000,
            start_ms: now_ms(),
            step_ms: 1000.0 / RATE,
            ..Options::default()
        }),
        expected: Expectation {
            config: &config,
            fold: OfflineFold::new(&config),
            rejections: 0,
            records: 0,
        },
        began: Instant::now(),
        generated: 0,
    };
    play(&mut stream, &mut reader, &processor.metrics, stop).map_err(kafka)?;
    let tally = stream.feed.finish();
    if !tally.all_delivered() {
        return Err(Failure::Service(format!("the demo's broker: {tally}")));
    }
    let proven = prove(&stream.expected, &mut reader, &processor.metrics, stop);
    report(&proven, &stream.expected, &reader);
    if keep && !stop.is_set() {
        say!("\nIt goes on without new records; press Ctrl-C to end it.");
    } else {
        stop.set();
    }
    processor.wait(stop)?;
    Ok(if matches!(proven, Proof::Equal) {
        Done::Clean
    } else {
        Done::Found
    })
}

/// The group takes a few seconds to form.
fn wait_until_ready(processor: &Processor, stop: &Stop) {
    let deadline = Instant::now() + PATIENCE;
    while processor.health.ready(Instant::now()).is_err()
        && Instant::now() < deadline
        && !stop.is_set()
    {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The address of the configuration may be taken by a keyfold that really works; then any other will do.
fn free_port(config: &mut Config) {
    if std::net::TcpListener::bind(&config.http.listen).is_err() {
        "127.0.0.1:0".clone_into(&mut config.http.listen);
    }
}

/// Plays the stream and tells what happens.
fn play(
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
    let mut scenes = Scenes::default();
    let mut told = 0;
    while stream.began.elapsed() < LENGTH && !stop.is_set() {
        stream.play()?;
        reader.read_for(Duration::from_millis(10));
        scenes.go_on(stream, reader)?;
        let second = stream.began.elapsed().as_secs();
        if second > told {
            told = second;
            tell(second, &stream.expected, reader, metrics);
        }
    }
    Ok(())
}

fn tell(second: u64, expected: &Expectation<'_>, reader: &Reader, metrics: &Metrics) {
    say!(
        "{second:>5} {:>9} {:>9} {:>10} {:>10} {:>7} {:>9} {:>10}",
        expected.records,
        total(metrics, Outcome::Merged),
        total(metrics, Outcome::Unchanged),
        total(metrics, Outcome::Forwarded),
        total(metrics, Outcome::Split),
        total(metrics, Outcome::Rejected),
        reader.read
    );
}

fn total(metrics: &Metrics, outcome: Outcome) -> u64 {
    Source::ALL
        .into_iter()
        .map(Label::Source)
        .chain([Label::Forwarded])
        .map(|label| metrics.recorded(label, outcome))
        .sum()
}

/// What the demo points out on the way.
#[derive(Default)]
struct Scenes {
    rejection: bool,
    news: bool,
    before: Option<Vec<u8>>,
    after: bool,
}

impl Scenes {
    fn go_on(&mut self, stream: &mut Stream<'_>, reader: &Reader) -> Result<(), KafkaError> {
        let played = stream.began.elapsed().as_secs();
        if !self.rejection
            && played >= 4
            && let Some(letter) = &reader.last_letter
        {
            self.rejection = true;
            say!("\n  a record was rejected, and lies in the dead-letter topic as it came:");
            say!("    {}  {}: {}", letter.place, letter.code, letter.message);
            say!("    violations: {}\n", letter.violations);
        }
        if !self.news && played >= 6 {
            self.news = true;
            stream.send(&story::news(now_ms()))?;
        }
        let snapshot = reader.snapshots.get(story::CUSTOMER).cloned().flatten();
        let Some(snapshot) = snapshot else {
            return Ok(());
        };
        match &self.before {
            None if played >= 8 => {
                say!("\n  a customer's snapshot:");
                say!("    {}", String::from_utf8_lossy(&snapshot));
                say!("  now an event arrives late: it was written an hour before, and has a");
                say!("  date of birth that was missing, and an address that is out of date");
                self.before = Some(snapshot);
                stream.send(&story::late(now_ms()))?;
            }
            Some(before) if !self.after && *before != snapshot => {
                self.after = true;
                say!("  the gap is filled, and what is newer stands:");
                say!("    {}\n", String::from_utf8_lossy(&snapshot));
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

/// Waits until what was published is what the offline fold gives.
fn prove(expected: &Expectation<'_>, reader: &mut Reader, metrics: &Metrics, stop: &Stop) -> Proof {
    say!("\nthe stream ends; comparing with the offline fold of the same records ...");
    let fold = expected.snapshots();
    let deadline = Instant::now() + PATIENCE;
    loop {
        reader.read_for(Duration::from_millis(200));
        let published: BTreeMap<_, _> = reader
            .snapshots
            .iter()
            .filter_map(|(id, text)| Some((id, text.as_ref()?)))
            .collect();
        let all_read = Source::ALL
            .into_iter()
            .flat_map(|source| {
                Outcome::ALL.map(|outcome| metrics.recorded(Label::Source(source), outcome))
            })
            .sum::<u64>()
            >= expected.records;
        if all_read
            && published.iter().map(|(id, text)| (*id, *text)).eq(&fold)
            && reader.letters.len() as u64 == expected.rejections
        {
            return Proof::Equal;
        }
        if stop.is_set() {
            return Proof::Interrupted;
        }
        if Instant::now() >= deadline {
            let ids = published.keys().copied().chain(fold.keys());
            let different: std::collections::BTreeSet<_> = ids
                .filter(|id| published.get(*id).copied() != fold.get(*id))
                .collect();
            return Proof::Different {
                customers: different.len(),
            };
        }
    }
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
                reader.letters.len()
            );
        }
        Proof::Interrupted => say!("interrupted before the comparison was done"),
        Proof::Different { customers } => say!(
            "NOT PROVEN: {customers} customers differ, and {} of {} bad records are in the dead-letter topic. Please report this",
            reader.letters.len(),
            expected.rejections
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
