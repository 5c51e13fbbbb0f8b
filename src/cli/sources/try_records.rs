//! `keyfold sources try`: what each record tells.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use serde::Serialize;

use super::resolve;
use super::told::{Shown, Told};
use crate::cli::lines;
use crate::cli::schemas::SchemaArgs;
use crate::cli::verdict_line::VerdictLine;
use crate::config::Config;
use crate::exit::{Done, Failure, unless_closed};
use crate::fold::examples;
use crate::model::record::{Rejection, Source};
use crate::source::framing::Payload;
use crate::source::{self, Judged, Verdict};

#[derive(Debug, Serialize)]
struct TriedLine<'a> {
    /// `valid`, `rejected`, or `nothing` for a valid record that tells nothing.
    #[serde(flatten)]
    verdict: VerdictLine<'a>,
    customers: Vec<Told>,
}

pub fn run(
    config: &Config,
    name: &str,
    values: bool,
    schemas: &SchemaArgs,
    files: &[PathBuf],
) -> Result<Done, Failure> {
    let of_definition;
    let (config, source) = if resolve::is_definition(name) {
        let (source, plan) = resolve::load(name).map_err(|wrong| resolve::wrong(&wrong))?;
        of_definition = examples::config_of(source, &plan);
        (&of_definition, Source::Declared(source))
    } else {
        let source = config.sources.named(name);
        (
            config,
            source.ok_or_else(|| resolve::unknown(name, config))?,
        )
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut done = Done::Clean;
    let mut schemas = schemas.lookup(config)?;
    lines::read_any(files, config, |line| {
        let record = line.record(source);
        let opened = match &line.incomplete {
            Some(rejection) => Payload::Rejected(rejection.clone()),
            None => schemas.open(line, &record, config)?,
        };
        let headers = line.headers_for(source);
        let Judged { verdict, warnings } =
            source::judge_payload(&record, &opened, &headers, config);
        let shown = Shown { values };
        let told = |contribution| Told::of(contribution, config, shown);
        let (word, rejection, customers): (_, Option<Rejection>, _) = match verdict {
            Verdict::Valid(contribution) => ("valid", None, vec![told(contribution)]),
            Verdict::Nothing => ("nothing", None, Vec::new()),
            Verdict::Rejected(rejection) => ("rejected", Some(rejection), Vec::new()),
            Verdict::Batch {
                elements,
                rejection,
            } => {
                let contributions = elements.into_iter().map(|element| element.contribution);
                let word = rejection.as_ref().map_or("valid", |_| "rejected");
                (word, rejection, contributions.map(told).collect())
            }
        };
        if rejection.is_some() {
            done = Done::Found;
        }
        let rejection = rejection.as_ref();
        let tried = TriedLine {
            verdict: VerdictLine::of(line, word, rejection, &warnings),
            customers,
        };
        let written = serde_json::to_writer(&mut out, &tried).map_err(io::Error::from);
        let written = written.and_then(|()| out.write_all(b"\n"));
        unless_closed(written, "the lines")
    })?;
    unless_closed(out.flush(), "the lines")?;
    Ok(done)
}
