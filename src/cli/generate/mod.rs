//! `keyfold generate`: a realistic stream of all four sources, or of one that is declared.

mod own;
mod stream;

use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use indicatif::{ProgressBar, ProgressStyle};
use keyfold_generate::{Options, Shares, kcat_line};
use rdkafka::error::KafkaError;

use super::stop_on_signals;
use crate::config::Config;
use crate::exit::{Done, Failure};
use crate::kafka::cluster::Cluster;
use crate::kafka::feed::{Feed, Tally};
use crate::model::record::Source;
use crate::runtime::signals::Stop;
use stream::Stream;

/// Write a realistic stream of records of all four sources, or of one of your own, as `kcat -C -J` prints them, or to
/// Kafka.
///
/// The same arguments give the same bytes. A source that the configuration leaves out gets no records.
/// To Kafka the records go with the time of now: at a rate, or as fast as it goes and up to now.
///
/// With --definition the records are made of a definition and its JSON Schema. Before the first one is written some are
/// judged as keyfold judges any other record; what cannot be made is told with its place, and the exit code is 2. The same
/// seed gives the same customers as without.
#[derive(Debug, clap::Args)]
pub struct GenerateArgs {
    /// Make records of this definition alone: a declared source that is on, a file, or preset:NAME
    #[arg(long, value_name = "DEFINITION")]
    definition: Option<String>,
    /// The topic of these records; without it the first one of the source that has this definition
    #[arg(long, value_name = "TOPIC", requires = "definition")]
    topic: Option<String>,
    /// How many records to write
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    records: u64,
    /// What stream it is
    #[arg(long, value_name = "N", default_value_t = Options::default().seed)]
    seed: u64,
    /// How many customers there can be
    #[arg(long, value_name = "N", default_value_t = Options::default().customers, value_parser = clap::value_parser!(u32).range(1..))]
    customers: u32,
    /// Produce to the first topic of each source in the configured cluster
    #[arg(long)]
    kafka: bool,
    /// Records a second, with --kafka; as fast as it goes without
    #[arg(long, value_name = "N", requires = "kafka", value_parser = rate)]
    rate: Option<f64>,
    /// The timestamp of the first record, in milliseconds since 1970
    #[arg(long, value_name = "MILLISECONDS", value_parser = clap::value_parser!(i64).range(0..))]
    start: Option<i64>,
    /// The mean time from one record's timestamp to the next, in milliseconds
    #[arg(long, value_name = "MILLISECONDS", value_parser = step)]
    step: Option<f64>,
    /// The share of records that come late
    #[arg(long, value_name = "SHARE", default_value_t = Options::default().late, value_parser = share)]
    late: f64,
    /// The share of records that repeat an earlier one
    #[arg(long, value_name = "SHARE", default_value_t = Options::default().repeated, value_parser = share)]
    repeated: f64,
    /// The share of records with a fault
    #[arg(long, value_name = "SHARE", default_value_t = Options::default().invalid, value_parser = share)]
    invalid: f64,
    /// The share of records with a missing key or another customer's
    #[arg(long, value_name = "SHARE", default_value_t = Options::default().wrongly_keyed, value_parser = share)]
    wrongly_keyed: f64,
    /// The share of records without a value
    #[arg(long, value_name = "SHARE", default_value_t = Options::default().null, value_parser = share)]
    null: f64,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a share is a number from 0 to 1".to_owned()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.01..=10_000_000.0).contains(&rate) => Ok(rate),
        _ => Err("a rate is a number of records a second".to_owned()),
    }
}

fn step(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(step) if (0.0..=86_400_000.0).contains(&step) => Ok(step),
        _ => Err("a step is a number of milliseconds, a day at the most".to_owned()),
    }
}

impl GenerateArgs {
    /// Whether it needs the cluster.
    pub fn is_for_kafka(&self) -> bool {
        self.kafka
    }

    /// The start of the stream, and its mean step, in milliseconds.
    fn times(&self) -> (i64, f64) {
        let usual = Options::default();
        let step = match (self.step, self.rate) {
            (Some(step), _) => step,
            (None, Some(rate)) => 1000.0 / rate,
            (None, None) => usual.step_ms,
        };
        let start = match (self.start, self.kafka) {
            (Some(start), _) => start,
            (None, false) => usual.start_ms,
            (None, true) => {
                let now = now_ms();
                // With a rate the timestamps follow the clock; if the step is longer than the rate requires, the stream
                // starts in the past and ends at about now.
                let pace = self.rate.map_or(0.0, |rate| 1000.0 / rate);
                let ahead = (step - pace).max(0.0);
                (now - (self.records as f64 * ahead) as i64).max(0)
            }
        };
        (start, step)
    }

    fn options(&self, config: &Config) -> Options {
        let all = Shares::default();
        let weight = |source, weight| match config.sources.get(source) {
            Some(_) => weight,
            None => 0.0,
        };
        let (start_ms, step_ms) = self.times();
        Options {
            seed: self.seed,
            customers: self.customers,
            start_ms,
            step_ms,
            late: self.late,
            repeated: self.repeated,
            invalid: self.invalid,
            wrongly_keyed: self.wrongly_keyed,
            null: self.null,
            shares: Shares {
                loyalty_customers: weight(Source::LoyaltyCustomers, all.loyalty_customers),
                loyalty_actions: weight(Source::LoyaltyActions, all.loyalty_actions),
                console_customers: weight(Source::ConsoleCustomers, all.console_customers),
                publisher_customers: weight(Source::PublisherCustomers, all.publisher_customers),
            },
        }
    }
}

/// `file` is the configuration file, beside which the definitions of the sources are.
pub fn run(config: &Config, file: Option<&Path>, args: &GenerateArgs) -> Result<Done, Failure> {
    let own = match &args.definition {
        Some(definition) => {
            let topic = args.topic.as_deref();
            Some(own::samples(config, file, (definition, topic), args.kafka)?)
        }
        None if Source::BUILT_IN
            .iter()
            .all(|source| config.sources.get(*source).is_none()) =>
        {
            return Err(Failure::Usage(
                "no built-in source is on; --definition makes records of a source of your own"
                    .to_owned(),
            ));
        }
        None => None,
    };
    if args.kafka {
        return produce(config, args, own);
    }
    let mut out = BufWriter::with_capacity(1 << 18, io::stdout().lock());
    let mut stream = Stream::new(config, own, args.options(config));
    match write_lines(args, &mut stream, &mut out) {
        Ok(()) => Ok(Done::Clean),
        // The reader has closed the pipe, as `head` does when it has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Done::Clean),
        Err(error) => Err(Failure::writing("the records")(error)),
    }
}

/// The progress bar, on standard error if that is a terminal.
fn progress(args: &GenerateArgs) -> ProgressBar {
    let template = "{bar:40} {human_pos}/{human_len} records, {per_sec}, {eta} left";
    let bar = ProgressBar::new(args.records);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Writes each source's records as those of partition 0 of its topic.
fn write_lines(args: &GenerateArgs, stream: &mut Stream, out: &mut impl Write) -> io::Result<()> {
    let mut offsets = vec![0_i64; stream.topic_count()];
    // On a terminal the lines themselves show the progress.
    let bar = if io::stdout().is_terminal() {
        ProgressBar::hidden()
    } else {
        progress(args)
    };
    for _ in 0..args.records {
        let next = stream.next();
        bar.inc(1);
        let Some((record, number)) = next else {
            continue;
        };
        let offset = &mut offsets[number];
        out.write_all(&kcat_line(&record, stream.topic(number), 0, *offset))?;
        *offset += 1;
    }
    bar.finish_and_clear();
    out.flush()
}

/// In milliseconds since 1970.
fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// Produces to Kafka until everything is sent, or a signal ends it.
fn produce(config: &Config, args: &GenerateArgs, own: Option<own::Own>) -> Result<Done, Failure> {
    let service = |error: KafkaError| Failure::Service(format!("producing: {error}"));
    let stop = stop_on_signals()?;
    match Cluster::connect(config.into(), || stop.is_set()) {
        Err(_) if stop.is_set() => return Ok(Done::Clean),
        connected => connected.map_err(|error| Failure::Service(error.to_string()))?,
    };
    let mut feed = Feed::connect(config.into()).map_err(service)?;
    let bar = progress(args);
    let began = Instant::now();
    let mut stream = Stream::new(config, own, args.options(config));
    let sent = send_all((args, &mut stream), &mut feed, &bar, &stop);
    let tally = feed.finish();
    bar.finish_and_clear();
    if let Err(error) = sent {
        return Err(Failure::Service(format!("producing: {error}; {tally}")));
    }
    if !tally.all_delivered() {
        return Err(undelivered(&tally, config));
    }
    let seconds = began.elapsed().as_secs_f64();
    eprintln!("delivered {} records in {seconds:.1} s", tally.delivered);
    Ok(Done::Clean)
}

/// How often the topics are checked: if none of them accepts records, the command ends.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// Sends all records, at the rate. Ends early if no topic accepts records.
fn send_all(
    (args, stream): (&GenerateArgs, &mut Stream),
    feed: &mut Feed,
    bar: &ProgressBar,
    stop: &Stop,
) -> Result<(), KafkaError> {
    // A start in the future was asked for explicitly; otherwise no record is later than now.
    let is_in_future = args.times().0 > now_ms();
    let began = Instant::now();
    let mut last_check = began;
    let mut sent = 0;
    while sent < args.records && !stop.is_set() {
        if last_check.elapsed() > CHECK_INTERVAL {
            feed.poll();
            if all_closed(stream, &feed.tally()) {
                break;
            }
            last_check = Instant::now();
        }
        let is_due = |rate| sent as f64 <= began.elapsed().as_secs_f64() * rate;
        if !args.rate.is_none_or(is_due) {
            std::thread::sleep(Duration::from_millis(2));
            continue;
        }
        if !is_in_future {
            stream.not_after(now_ms());
        }
        if let Some((record, number)) = stream.next() {
            feed.send(&record, stream.topic(number))?;
        }
        sent += 1;
        bar.inc(1);
    }
    Ok(())
}

/// Whether no source has a topic that accepts records.
fn all_closed(stream: &Stream, tally: &Tally) -> bool {
    let is_closed = |topic| tally.unavailable.iter().any(|closed| closed == topic);
    stream.topics().all(is_closed)
}

fn undelivered(tally: &Tally, config: &Config) -> Failure {
    let mut text = tally.to_string();
    if !tally.unavailable.is_empty() {
        let (servers, topics) = (
            &config.kafka.bootstrap_servers,
            tally.unavailable.join(", "),
        );
        text.push_str(&format!(
            "; look whether the topics are there and this client may Write and Describe: {topics} at {servers}"
        ));
    }
    Failure::Service(text)
}
