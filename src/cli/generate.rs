//! `keyfold generate`: a realistic stream of all four sources.

use std::io::{self, BufWriter, ErrorKind, Write};

use super::exit::{Done, Failure};
use crate::config::Config;
use crate::generate::{Generator, Options, Shares, kcat_line};
use crate::record::Source;

/// Write a realistic stream of records of all four sources, as `kcat -C -J` prints them.
///
/// The same arguments give the same bytes. A source that the configuration leaves out gets no records.
#[derive(Debug, clap::Args)]
pub struct GenerateArgs {
    /// How many records to write
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    records: u64,
    /// What stream it is
    #[arg(long, value_name = "N", default_value_t = Options::default().seed)]
    seed: u64,
    /// How many customers there can be
    #[arg(long, value_name = "N", default_value_t = Options::default().customers, value_parser = clap::value_parser!(u32).range(1..))]
    customers: u32,
    /// The timestamp of the first record, in milliseconds since 1970
    #[arg(long, value_name = "MILLISECONDS", default_value_t = Options::default().start_ms, value_parser = clap::value_parser!(i64).range(0..))]
    start: i64,
    /// The mean time from one record's timestamp to the next, in milliseconds
    #[arg(long, value_name = "MILLISECONDS", default_value_t = Options::default().step_ms)]
    step: f64,
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

impl GenerateArgs {
    fn options(&self, config: &Config) -> Options {
        let all = Shares::default();
        let weight = |source, weight| match config.sources.get(source) {
            Some(_) => weight,
            None => 0.0,
        };
        Options {
            seed: self.seed,
            customers: self.customers,
            start_ms: self.start,
            step_ms: self.step,
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

pub fn run(config: &Config, args: &GenerateArgs) -> Result<Done, Failure> {
    let mut out = BufWriter::with_capacity(1 << 18, io::stdout().lock());
    match write_lines(config, args, &mut out) {
        Ok(()) => Ok(Done::Clean),
        // a reader that has seen enough, such as `head`
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Done::Clean),
        Err(error) => Err(Failure::writing("the records")(error)),
    }
}

/// Each source's records as those of partition 0 of its first topic.
fn write_lines(config: &Config, args: &GenerateArgs, out: &mut impl Write) -> io::Result<()> {
    let mut generator = Generator::new(args.options(config));
    let mut offsets = [0_i64; Source::ALL.len()];
    for _ in 0..args.records {
        let (record, _) = generator.next_with_kind();
        let source = config.sources.get(record.source);
        // a source that is off has no weight, and so no records
        let Some(topic) = source.and_then(|source| source.topics.first()) else {
            continue;
        };
        let offset = &mut offsets[record.source.index()];
        out.write_all(&kcat_line(&record, topic, 0, *offset))?;
        *offset += 1;
    }
    out.flush()
}
