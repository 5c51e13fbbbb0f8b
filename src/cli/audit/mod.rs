//! `keyfold audit`: whether snapshots, states and dead letters are those that the records lead to
//! (`crate::inspect::audit` explains how that is known).
//!
//! | file | subject |
//! |---|---|
//! | `logs` | reading the topics, each from where the last reading ended |
//! | `records` | what is made of the records of the inputs, and of dead letters |
//! | `rounds` | in which order all is read, and when a customer is judged |
//! | `collection`, `entry` | what is known of all customers, in memory or sorted on disk |
//! | `snapshot` | the values of snapshots |
//! | `report`, `summary` | what is shown |

mod collection;
mod entry;
mod logs;
mod records;
mod report;
mod rounds;
pub(super) mod snapshot;
mod summary;

use std::path::PathBuf;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use collection::Collection;
use logs::Logs;
use records::Records;
use report::{Report, Topics};
use rounds::Rounds;
use summary::Summary;

use super::output::Output;
use super::record_judge::RecordJudge;
use crate::config::Config;
use crate::customer::bounded::Limits;
use crate::exit::{Done, Failure};
use crate::inspect::audit::Cut;
use crate::inspect::audit::cut::InputPartition;
use crate::inspect::audit::letters::LetterTopic;
use crate::kafka::cluster::Cluster;

/// Compare the snapshots, the states and the dead letters with what the records in the inputs lead to.
///
/// Reads everything that is committed, also while keyfold runs, and changes nothing. Customers whose records move
/// meanwhile are looked at again. Where retention has taken records of the inputs, what is left must change no state, and
/// the snapshots are compared with the states. Exits with 1 where something differs.
#[derive(Debug, clap::Args)]
pub struct AuditArgs {
    /// The form of the output
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
    /// Show customer ids; without it a customer is named by the places of its snapshot and its last record
    #[arg(long)]
    ids: bool,
    /// List this many differences [default: 100 in a table, all in JSON]
    #[arg(long, value_name = "NUMBER")]
    max: Option<usize>,
    /// Sort on disk, in a folder that is removed at the end, instead of keeping all customers in memory
    #[arg(long, value_name = "FOLDER")]
    directory: Option<PathBuf>,
    /// Do not take the inputs to hold all records: a topic was deleted and made anew, say
    #[arg(long)]
    cut: bool,
}

pub fn run(config: &Config, args: &AuditArgs) -> Result<Done, Failure> {
    let began = Instant::now();
    let stop = super::stop_on_signals()?;
    let limits = Limits::of(config);
    let collection = match &args.directory {
        None => Collection::in_memory(limits),
        Some(directory) => {
            let name = format!("{}.audit", config.application_id);
            Collection::on_disk(directory, &name, limits)?
        }
    };
    let giving_up = stop.clone();
    let cluster = Cluster::connect(config.into(), move || giving_up.is_set())
        .map_err(|error| Failure::Service(error.to_string()))?;
    let inputs: Vec<String> = config
        .sources
        .iter()
        .flat_map(|(_, source)| source.topics.iter().cloned())
        .collect();
    let topics = Topics {
        inputs: inputs.clone(),
        states: config.state_topic(),
        snapshots: config.snapshot.topic.clone(),
    };
    let max = args.max.unwrap_or(match args.output {
        Output::Table => 100,
        Output::Json => usize::MAX,
    });
    let mut report = Report::new(args.output, args.ids, max, topics);
    let logs = Logs::connect(config, inputs.clone(), stop)?;

    let committed = logs.committed()?;
    let partitions = logs.input_partitions(&committed)?;
    report.partitions(&partitions)?;
    let cuts = cuts(&cluster, &inputs, &partitions, args.cut)?;

    let max_forwarded = cluster
        .max_record_bytes(&config.forwarded_topic())
        .map_err(|error| Failure::Service(error.reason()))?;
    let judge = RecordJudge::new(config, max_forwarded)?;
    let lenient = records::lenient(config);
    let lenient = RecordJudge::new(&lenient, usize::MAX)?;
    let mut records = Records::new(config, judge, lenient, inputs);
    records.letters.topic = letter_topic(&cluster, &config.dead_letters.topic)?;
    let mut rounds = Rounds::new(config, &logs, records, &mut report, cuts);
    rounds.run(collection, &committed)?;

    let Rounds {
        mut records,
        cuts,
        rounds,
        ..
    } = rounds;
    records.explain(&report.rejected_today);
    report.without_letter(&records.without_letter, records.tally.missing_letter)?;
    report.finish()?;
    let summary = Summary {
        customers: &report.customers,
        records: &records.tally,
        letters: records.letters.records(),
        other_letters: records.other_letters,
        cuts: &cuts,
        lag: partitions.iter().map(InputPartition::lag).sum(),
        rounds,
        seconds: began.elapsed().as_secs_f64(),
    };
    summary.show(args.output)?;
    Ok(match summary.found() {
        true => Done::Found,
        false => Done::Clean,
    })
}

/// Why the inputs do not hold all records that there ever were.
fn cuts(
    cluster: &Cluster,
    inputs: &[String],
    partitions: &[InputPartition],
    is_told: bool,
) -> Result<Vec<Cut>, Failure> {
    let mut cuts: Vec<Cut> = partitions.iter().filter_map(InputPartition::cut).collect();
    let names: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let settings = cluster.retention_of(&names);
    let settings = settings.map_err(|error| Failure::Service(error.reason()))?;
    for (topic, retention) in inputs.iter().zip(settings) {
        let topic = topic.clone();
        match retention {
            None => cuts.push(Cut::UnknownSettings { topic }),
            Some(retention) if retention.is_compacted => cuts.push(Cut::Compaction { topic }),
            Some(_) => {}
        }
    }
    match cluster.topics_without_source() {
        Ok(topics) => cuts.extend(topics.into_iter().map(|topic| Cut::NoSource { topic })),
        Err(_) => cuts.push(Cut::UnknownTopics),
    }
    cuts.extend(is_told.then_some(Cut::Told));
    Ok(cuts)
}

/// What may have been removed from the dead-letter topic.
fn letter_topic(cluster: &Cluster, topic: &str) -> Result<LetterTopic, Failure> {
    let settings = cluster.retention_of(&[topic]);
    let mut settings = settings.map_err(|error| Failure::Service(error.reason()))?;
    let settings = settings.pop().flatten();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_millis());
    Ok(LetterTopic {
        removes_any: settings.is_none_or(|settings| settings.by_bytes || settings.is_compacted),
        retention: settings.and_then(|settings| settings.millis),
        now: i64::try_from(now).unwrap_or(i64::MAX),
        is_compacted: settings.is_some_and(|settings| settings.is_compacted),
        ..LetterTopic::default()
    })
}
