//! `keyfold fold`: folds records into snapshots, without Kafka.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use super::lines::{self, RejectionLine};
use super::progress;
use super::reading::Reading;
use super::schemas::SchemaArgs;
use crate::config::Config;
use crate::exit::{Done, Failure, unless_closed};
use crate::fold::OfflineFold;
use crate::json::canonical::write_string;
use crate::model::record::Code;

/// Fold records into snapshots, without Kafka.
///
/// Reads records as `kcat -C -J` prints them and writes one line for each customer, sorted by key:
/// {"key":"…","value":{…}}, with "value":null where nothing is left to show.
#[derive(Debug, clap::Args)]
pub struct FoldArgs {
    /// Write a line for each rejection to this file
    #[arg(long, value_name = "FILE")]
    rejected: Option<PathBuf>,
    #[command(flatten)]
    schemas: SchemaArgs,
    /// Files to read, `-` for standard input; standard input without any
    files: Vec<PathBuf>,
}

pub fn run(config: &Config, args: &FoldArgs) -> Result<Done, Failure> {
    let mut rejected = match &args.rejected {
        None => None,
        Some(path) => {
            let file = File::create(path).map_err(|error| {
                Failure::Usage(format!("cannot create {}: {error}", path.display()))
            })?;
            Some(BufWriter::new(file))
        }
    };
    let mut schemas = args.schemas.lookup(config)?;
    let mut fold = OfflineFold::new(config);
    let mut reading = Reading::of(&args.files);
    lines::read(&args.files, config, |line, source| {
        reading.passed(line);
        let record = line.record(source);
        let rejections = match &line.incomplete {
            Some(rejection) => vec![rejection.clone()],
            None => {
                let opened = schemas.open(line, &record, config)?;
                fold.opened(&record, &opened, &line.headers_for(source))
            }
        };
        if line.incomplete.is_none() && fold.outlived() {
            progress::say(&format!(
                "warning: outlives_erasure: {} {} {}: {}",
                line.topic,
                line.partition,
                line.offset,
                Code::OutlivesErasure.meaning()
            ));
        }
        let Some(file) = &mut rejected else {
            return Ok(());
        };
        for rejection in &rejections {
            serde_json::to_writer(&mut *file, &RejectionLine::new(line, source, rejection))
                .map_err(io::Error::from)
                .and_then(|()| file.write_all(b"\n"))
                .map_err(Failure::writing("the rejections"))?;
        }
        Ok(())
    })?;
    // before the snapshots, which may go to the same terminal
    drop(reading);
    if let Some(mut file) = rejected {
        file.flush().map_err(Failure::writing("the rejections"))?;
    }
    let written = write_snapshots(&fold, &mut BufWriter::new(io::stdout().lock()));
    unless_closed(written, "the snapshots")?;
    Ok(Done::Clean)
}

fn write_snapshots(fold: &OfflineFold<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    for (id, snapshot) in fold.snapshots() {
        line.clear();
        line.extend_from_slice(b"{\"key\":");
        write_string(&mut line, id);
        line.extend_from_slice(b",\"value\":");
        line.extend_from_slice(snapshot.as_deref().unwrap_or(b"null"));
        line.extend_from_slice(b"}\n");
        out.write_all(&line)?;
    }
    out.flush()
}
