//! `keyfold validate`: prints the verdict on each record, without Kafka.

mod for_people;

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::path::PathBuf;

use self::for_people::ForPeople;
use super::line::Line;
use super::lines;
use super::output::{self, Output};
use super::schemas::SchemaArgs;
use super::verdict_line::VerdictLine;
use crate::config::Config;
use crate::exit::{Done, Failure, unless_closed};
use crate::model::record::{Rejection, Violation};
use crate::source::framing::Payload;
use crate::source::{self, Verdict};

/// Judge records, without Kafka.
///
/// Reads records as `kcat -C -J` prints them and writes a line with the verdict on each: for people on a terminal, else as
/// JSON. Exits with 1 when a record is rejected. What a record makes of a customer's state is not judged: see `keyfold
/// fold`.
#[derive(Debug, clap::Args)]
pub struct ValidateArgs {
    /// The form of the output; without it a table on a terminal, else JSON
    #[arg(long, value_enum)]
    output: Option<Output>,
    #[command(flatten)]
    schemas: SchemaArgs,
    /// Files to read, `-` for standard input; standard input without any
    files: Vec<PathBuf>,
}

pub fn run(config: &Config, args: &ValidateArgs) -> Result<Done, Failure> {
    let mut out = Verdicts::of(args.output);
    let mut done = Done::Clean;
    let mut schemas = args.schemas.lookup(config)?;
    lines::read(&args.files, config, |line, source| {
        let record = line.record(source);
        let opened = match &line.incomplete {
            Some(rejection) => Payload::Rejected(rejection.clone()),
            None => schemas.open(line, &record, config)?,
        };
        let judged = source::judge_payload(&record, &opened, &line.headers_for(source), config);
        let rejection: Option<&Rejection> = match &judged.verdict {
            Verdict::Valid(_) | Verdict::Nothing => None,
            Verdict::Batch { rejection, .. } => rejection.as_ref(),
            Verdict::Rejected(rejection) => Some(rejection),
        };
        if rejection.is_some() {
            done = Done::Found;
        }
        // Where the reader has closed the pipe, the exit code still covers all records.
        unless_closed(out.write(line, rejection, &judged.warnings), "the verdicts")
    })?;
    unless_closed(out.finish(), "the verdicts")?;
    Ok(done)
}

/// Where the verdicts go.
enum Verdicts {
    Json(BufWriter<StdoutLock<'static>>),
    /// Not buffered: each line is shown at once, for the records may come slowly.
    People(ForPeople<StdoutLock<'static>>),
}

impl Verdicts {
    fn of(form: Option<Output>) -> Verdicts {
        let out = io::stdout().lock();
        let is_terminal = out.is_terminal();
        let usual = match is_terminal {
            true => Output::Table,
            false => Output::Json,
        };
        match form.unwrap_or(usual) {
            Output::Json => Verdicts::Json(BufWriter::new(out)),
            Output::Table => {
                let is_coloured = output::is_coloured(is_terminal);
                Verdicts::People(ForPeople::new(out, is_coloured))
            }
        }
    }

    fn write(
        &mut self,
        line: &Line,
        rejection: Option<&Rejection>,
        warnings: &[Violation],
    ) -> io::Result<()> {
        match self {
            Verdicts::Json(out) => {
                let word = rejection.map_or("valid", |_| "rejected");
                let verdict = VerdictLine::of(line, word, rejection, warnings);
                serde_json::to_writer(&mut *out, &verdict)?;
                out.write_all(b"\n")
            }
            Verdicts::People(out) => {
                let place = format!("{}[{}]@{}", line.topic, line.partition, line.offset);
                out.write(&place, rejection, warnings)
            }
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Verdicts::Json(mut out) => out.flush(),
            Verdicts::People(out) => out.finish(),
        }
    }
}
