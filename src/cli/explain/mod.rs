//! `keyfold explain`: why a customer's snapshot is as it is.
//!
//! | file | subject |
//! |---|---|
//! | `gathering`, `letter` | what speaks of the customer |
//! | `live`, `files` | from Kafka, and from lines of kcat |
//! | `table`, `words`, `json` | what is shown |
//!
//! The explanation itself is made in `crate::inspect::explain`.

mod files;
mod gathering;
mod json;
mod letter;
mod live;
mod table;
mod words;

use std::path::PathBuf;

use gathering::{Gathering, NotKnown};
use letter::LetterRef;
use live::{Live, Logs};

use super::output::{Output, say, say_json};
use super::record_judge::RecordJudge;
use super::schemas::SchemaArgs;
use crate::config::Config;
use crate::exit::{Done, Failure};
use crate::inspect::explain::{Explanation, Part, Selected};
use crate::kafka::cluster::Cluster;

/// Explain why a customer's snapshot is as it is.
///
/// Reads all inputs, the dead letters, and what keyfold holds and publishes of the customer, and writes the customer's
/// records in the order of their times, with what became of each, and for each part of the snapshot the record that it
/// is from and the rule that decided. Exits with 1 when nothing is known of the customer, or when what is published
/// differs from what the records say.
#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    /// The customer's id
    id: String,
    /// Only the part of the snapshot at this JSON pointer, such as /addresses/0/city
    #[arg(long, value_name = "POINTER")]
    pointer: Option<String>,
    /// Read records as `kcat -C -J` prints them from these files instead of Kafka, `-` for standard input
    #[arg(long, value_name = "FILE", num_args = 1..)]
    from: Vec<PathBuf>,
    /// Show values too, and the ids of elements that are not shown
    #[arg(long, alias = "value")]
    values: bool,
    #[command(flatten)]
    schemas: SchemaArgs,
    /// The form of the output
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

impl ExplainArgs {
    /// Whether it reads from Kafka.
    pub fn is_for_kafka(&self) -> bool {
        self.from.is_empty()
    }
}

/// What is shown.
struct Report<'r> {
    id: &'r str,
    explanation: &'r Explanation,
    /// The part that was asked for.
    selected: Option<&'r Selected>,
    letters: &'r [&'r LetterRef],
    not_known: &'r NotKnown,
    live: Option<&'r Live>,
    values: bool,
    snapshot: Option<serde_json::Value>,
}

impl Report<'_> {
    /// The value of a part, if values are asked for.
    fn value_of(&self, part: &Part) -> Option<String> {
        let value = self.snapshot.as_ref()?.pointer(&part.pointer)?;
        self.values.then(|| value.to_string())
    }
}

pub fn run(config: &Config, args: &ExplainArgs) -> Result<Done, Failure> {
    if let Some(pointer) = &args.pointer
        && !pointer.is_empty()
        && !pointer.starts_with('/')
    {
        return Err(Failure::Usage(
            "--pointer: a JSON pointer begins with a slash, such as /addresses/0/city".to_owned(),
        ));
    }
    let (explanation, live, gathering) = match args.is_for_kafka() {
        true => {
            let connected = Cluster::connect(config.into(), || false);
            let cluster = connected.map_err(|error| Failure::Service(error.to_string()))?;
            let judge = RecordJudge::impatient(config, &cluster)?;
            let mut gathering = Gathering::new(config, &args.id, judge, args.values);
            let logs = Logs::connect(config, &args.id)?;
            let (explanation, live) = logs.read(&mut gathering)?;
            (explanation, Some(live), gathering)
        }
        false => {
            let judge = RecordJudge::offline(config, args.schemas.lookup(config)?.giving_up());
            let mut gathering = Gathering::new(config, &args.id, judge, args.values);
            files::read(&args.from, config, &args.id, &mut gathering)?;
            (gathering.explainer.explain(), None, gathering)
        }
    };
    let selected = args.pointer.as_deref();
    let selected = selected.map(|pointer| explanation.at(pointer));
    let letters = gathering.letters();
    let report = Report {
        id: &args.id,
        explanation: &explanation,
        selected: selected.as_ref(),
        letters: &letters,
        not_known: &gathering.not_known,
        live: live.as_ref(),
        values: args.values,
        snapshot: parsed(&explanation),
    };
    match args.output {
        Output::Table => say(&table::text(&report))?,
        Output::Json => say_json(&json::Explained::of(&report))?,
    }
    gathering.not_known.check()?;
    Ok(report.done())
}

fn parsed(explanation: &Explanation) -> Option<serde_json::Value> {
    serde_json::from_slice(explanation.snapshot.as_deref()?).ok()
}

impl Report<'_> {
    fn done(&self) -> Done {
        let differs = self
            .live
            .is_some_and(|live| !live.published.differences.is_empty());
        let knows = self
            .live
            .is_some_and(|live| live.has_state || live.published.value.is_some());
        let knows = knows || !self.explanation.records.is_empty() || !self.letters.is_empty();
        match differs || !knows {
            true => Done::Found,
            false => Done::Clean,
        }
    }
}
