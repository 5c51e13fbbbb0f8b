//! `keyfold erase`: a null value that covers all that is known of a customer, and what is still readable afterwards.
//!
//! | file | subject |
//! |---|---|
//! | `target` | the topic that takes the null value, and the key that its source reads as the id |
//! | `reading` | what keyfold's topics and the inputs have of the customer |
//! | `noting` | what one record says of the customer |
//! | `plan` | what is to be written and why |
//! | `wait` | `--wait` |
//! | `report` | what is still readable, place by place |
//!
//! The timestamp is chosen, and the report made, in `crate::inspect::erase`.

mod noting;
mod plan;
mod reading;
mod report;
mod target;
mod wait;

use std::time::Duration;

use serde_json::json;

use noting::lenient;
use plan::{Plan, place_json, place_text};
use reading::{Findings, Reading};
use target::Addressed;

use super::about::About;
use super::output::{Output, say, say_json};
use super::permissions;
use super::record_judge::RecordJudge;
use super::when;
use crate::config::Config;
use crate::engine::received::Received;
use crate::exit::{Done, Failure};
use crate::inspect::erase::times::Because;
use crate::kafka::client::ClientSettings;
use crate::kafka::cluster::Cluster;
use crate::kafka::one_shot::{OneShotProducer, SendError};
use crate::kafka::operators::Needed;
use crate::kafka::producer::Record;
use crate::model::record::{Location, RawRecord};
use crate::model::time::Instant;
use crate::source::Verdict;

/// Erase a customer: write the null value that covers all that is known, and report what is still readable.
///
/// Reads all inputs, the dead letters, and what keyfold holds of the customer. The null value gets a timestamp that is not
/// before any time that is known there, so that no late or repeated record brings the customer back. Nothing is written
/// without --execute: without it the plan and the report of today are shown, and the exit code is 1 while something of the
/// customer is readable. It may be repeated at any time: what is erased is not erased again.
#[derive(Debug, clap::Args)]
pub struct EraseArgs {
    /// The customer's id
    id: String,
    /// The source whose null value erases; without it the first one that can
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Do it; without this the plan is shown
    #[arg(long)]
    execute: bool,
    /// Wait until keyfold has processed it
    #[arg(long, requires = "execute")]
    wait: bool,
    /// How long --wait waits
    #[arg(long, value_name = "DURATION", default_value = "10m", requires = "wait", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// The form of the output
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

pub fn run(config: &Config, args: &EraseArgs) -> Result<Done, Failure> {
    let sources = target::sources(config, &args.id, args.source.as_deref())?;
    let cluster = Cluster::connect(config.into(), || false)?;
    permissions::check(&cluster, config, &Needed::to_look_for_a_customer(config))?;
    let mut judge = RecordJudge::connect(config, &cluster)?;
    let lenient = lenient(config);
    let about = About::new(
        &lenient,
        &args.id,
        RecordJudge::connect(&lenient, &cluster)?,
    );
    let mut reading = Reading::connect(config, &args.id, about)?;
    let targets = target::topics(config, &cluster, &reading.logs().query, &sources)?;
    let topic_id = cluster.topic_id(&config.dead_letters.topic)?;
    let mut findings = reading.read(when::now_millis(), topic_id.as_deref())?;
    let addressed = target::addressed(&targets, &args.id, &findings.frames, &findings.inputs)?;
    let ahead = addressed.target.ahead.map(|(ahead, _)| ahead);
    let chosen = findings.times.choose(ahead);
    let plan = Plan {
        config,
        id: &args.id,
        addressed: &addressed,
        times: &findings.times,
        chosen: &chosen,
    };
    match args.output {
        Output::Table => say(&plan.text())?,
        Output::Json => say_json(&plan.json())?,
    }
    if let Some(at) = chosen.at {
        check(&mut judge, &addressed, &args.id, at)?;
    }
    let topic = chosen.at.map(|_| addressed.target.topic.as_str());
    let may = permissions::check(&cluster, config, &Needed::to_write(topic, args.wait));
    if args.execute {
        may.clone()?;
    }
    let null = match (chosen.at.filter(|_| args.execute), &chosen.because) {
        (Some(at), _) => {
            let written = send(config, &addressed, at, args.output)?;
            findings.written(&written, &addressed.key, at);
            Some(written)
        }
        (None, Because::Covered(_, place)) => place.clone(),
        (None, _) => None,
    };
    if args.wait {
        if let Some(null) = &null {
            let query = &reading.logs().query;
            wait::until_processed(config, &cluster, query, null, args.timeout)?;
        }
        findings.kept = reading.kept(None)?;
        tell_processed(&findings, null.as_ref(), args.output)?;
    }
    let is_open = tell_places(config, &cluster, &findings, args.output)?;
    if !args.execute && chosen.at.is_some() {
        eprintln!("nothing was written: --execute does it");
        if let Err(failure) = may {
            eprintln!("but now it would not: {failure}");
        }
    }
    let is_left = chosen.later.is_some() || args.wait && findings.kept.snapshots.is_shown;
    Ok(match is_left || !args.execute && is_open {
        true => Done::Found,
        false => Done::Clean,
    })
}

/// Shows the report; returns whether data of the customer are or may be readable.
fn tell_places(
    config: &Config,
    cluster: &Cluster,
    findings: &Findings,
    output: Output,
) -> Result<bool, Failure> {
    let reports = report::of(config, cluster, findings, when::now_millis())?;
    match output {
        Output::Table => say(&format!("\n{}", report::text(&reports)))?,
        Output::Json => {
            let mut reports = reports.iter();
            reports.try_for_each(|one| say_json(&report::json(one)))?;
        }
    }
    Ok(reports.iter().any(|one| one.status.is_open()))
}

/// Checks that keyfold will read the null value as the erasure of this customer.
fn check(
    judge: &mut RecordJudge<'_>,
    addressed: &Addressed,
    id: &str,
    at: i64,
) -> Result<(), Failure> {
    let record = Received {
        topic: &addressed.target.topic,
        partition: addressed.partition,
        offset: 0,
        raw: RawRecord {
            source: addressed.target.source,
            timestamp: Some(at),
            key: Some(&addressed.key),
            value: None,
        },
        headers: &[],
        forwarded: None,
    };
    let refused = judge.judge(&record, |judged| match judged.verdict {
        Verdict::Valid(contribution) => {
            let erasure = contribution.data.as_erasure();
            let erases = erasure.is_some_and(|erasure| {
                erasure.only.is_none() && erasure.at == Instant::from_millis(at)
            });
            (!erases || contribution.customer != id).then_some("it would not erase this customer")
        }
        Verdict::Rejected(rejection) => Some(rejection.code.name()),
        Verdict::Nothing | Verdict::Batch { .. } => Some("it would say nothing"),
    })?;
    match refused {
        None => Ok(()),
        Some(reason) => Err(Failure::Usage(format!(
            "nothing was written: keyfold would not take the null value in {}: {reason}",
            addressed.target.topic
        ))),
    }
}

/// Writes the null value; returns where it went.
fn send(
    config: &Config,
    addressed: &Addressed,
    at: i64,
    output: Output,
) -> Result<Location, Failure> {
    let topic = &addressed.target.topic;
    let settings = ClientSettings::from(config);
    let record = Record {
        topic,
        partition: Some(addressed.partition),
        key: Some(&addressed.key),
        value: None,
        headers: &[],
    };
    let delivered = OneShotProducer::idempotent(&settings.idempotent(MAX_BYTES))
        .and_then(|producer| producer.deliver([(record, Some(at))]));
    let delivered = delivered.map_err(|error| match error {
        SendError::Timestamp(reason) => Failure::Service(format!(
            "{topic} did not take the null value: {reason}; its broker's clock may be behind this one, and {} limits how far",
            addressed.target.ahead.map_or("message.timestamp.after.max.ms", |(_, setting)| setting)
        )),
        error => Failure::Service(format!(
            "{error}; run the command again: if the null value was written all the same, nothing is written twice"
        )),
    })?;
    let written = delivered
        .first()
        .and_then(|written| Some((written.partition, written.offset?)));
    let (partition, offset) =
        written.ok_or_else(|| Failure::Service("the broker named no place".to_owned()))?;
    let place = Location {
        topic: topic.clone(),
        partition,
        offset,
    };
    match output {
        Output::Table => say(&format!("\nwritten     {}", place_text(&place)))?,
        Output::Json => say_json(&json!({"written": place_json(&place)}))?,
    }
    Ok(place)
}

/// The largest record, in bytes: one with the longest key.
const MAX_BYTES: usize = 1_000_000;

/// Says what `--wait` has waited for.
fn tell_processed(
    findings: &Findings,
    null: Option<&Location>,
    output: Output,
) -> Result<(), Failure> {
    let kept = &findings.kept;
    let erased = kept.erased.map(|(at, _)| at.to_string());
    let is_shown = kept.snapshots.is_shown;
    if output == Output::Json {
        let record = null.map(place_json);
        return say_json(&json!({"processed": {
            "record": record,
            "erased": erased,
            "shown": is_shown,
        }}));
    }
    let erased = erased.map_or("nothing".to_owned(), |at| format!("an erasure as of {at}"));
    let shows = match is_shown {
        true => "and a snapshot: data are there that claim a later time",
        false => "and no snapshot",
    };
    say(&format!("processed   the state has {erased}, {shows}"))
}
