//! `keyfold validate`: prints the verdict on each record, without Kafka.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use super::lines;
use super::schemas::SchemaArgs;
use super::verdict_line::VerdictLine;
use crate::config::Config;
use crate::exit::{Done, Failure, unless_closed};
use crate::model::record::Rejection;
use crate::source::framing::Payload;
use crate::source::{self, Verdict};

/// Judge records, without Kafka.
///
/// Reads records as `kcat -C -J` prints them and writes a line with the verdict on each. Exits with 1 when a
/// record is rejected. What a record makes of a customer's state is not judged: see `keyfold fold`.
#[derive(Debug, clap::Args)]
pub struct ValidateArgs {
    #[command(flatten)]
    schemas: SchemaArgs,
    /// Files to read, `-` for standard input; standard input without any
    files: Vec<PathBuf>,
}

pub fn run(config: &Config, args: &ValidateArgs) -> Result<Done, Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
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
        let word = if rejection.is_some() {
            "rejected"
        } else {
            "valid"
        };
        let verdict = VerdictLine::of(line, word, rejection, &judged.warnings);
        serde_json::to_writer(&mut out, &verdict)
            .map_err(io::Error::from)
            .and_then(|()| out.write_all(b"\n"))
            .or_else(|error| match error.kind() {
                // The reader has closed the pipe; the exit code still covers all records.
                io::ErrorKind::BrokenPipe => Ok(()),
                _ => Err(Failure::writing("the verdicts")(error)),
            })
    })?;
    unless_closed(out.flush(), "the verdicts")?;
    Ok(done)
}
