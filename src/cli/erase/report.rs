//! The report by place: what is still readable of the customer, until when, and why.

use serde_json::{Value, json};

use super::reading::{Findings, Kept};
use crate::cli::output::table;
use crate::cli::when;
use crate::config::{Config, Store};
use crate::exit::Failure;
use crate::inspect::erase::copies::Copies;
use crate::inspect::erase::places::{Place, PlaceReport, TopicAt, elsewhere, of_store};
use crate::kafka::cluster::Cluster;

/// A topic that is reported on, and the partition of the customer where it has one.
struct Topic<'f> {
    place: Place,
    name: String,
    copies: &'f Copies,
    own: Option<i32>,
}

fn topics<'f>(config: &Config, findings: &'f Findings) -> Vec<Topic<'f>> {
    let kept = &findings.kept;
    let topic = |place, name: &str, copies, own| Topic {
        place,
        name: name.to_owned(),
        copies,
        own,
    };
    let of_kept =
        |place, name: &str, kept: &'f Kept| topic(place, name, &kept.copies, Some(kept.own));
    let mut topics = vec![
        of_kept(Place::Snapshots, &config.snapshot.topic, &kept.snapshots),
        of_kept(Place::State, &config.state_topic(), &kept.state),
        topic(
            Place::Forwarded,
            &config.forwarded_topic(),
            &kept.forwarded,
            None,
        ),
        topic(
            Place::DeadLetters,
            &config.dead_letters.topic,
            &findings.letters,
            None,
        ),
    ];
    let settled = findings.settled.iter();
    topics
        .extend(settled.map(|copies| topic(Place::Settled, &config.settled_topic(), copies, None)));
    let inputs = findings.inputs.iter();
    topics.extend(inputs.map(|(name, copies)| topic(Place::Input, name, copies, None)));
    topics
}

/// All places, beginning with what readers see.
pub fn of(
    config: &Config,
    cluster: &Cluster,
    findings: &Findings,
    now: i64,
) -> Result<Vec<PlaceReport>, Failure> {
    let kept = &findings.kept;
    let topics = topics(config, findings);
    let names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
    let lifetimes = cluster.lifetimes_of(&names);
    let lifetimes = lifetimes.map_err(|error| Failure::Service(error.reason()))?;
    let places = topics.iter().zip(&lifetimes);
    let mut reports: Vec<PlaceReport> = places
        .map(|(topic, lifetime)| {
            let topic = TopicAt {
                place: topic.place,
                name: &topic.name,
                copies: topic.copies,
                lifetime: *lifetime,
                now,
                own: topic.own,
            };
            topic.report()
        })
        .collect();
    let erased = kept.erased.filter(|_| !kept.state.is_shown);
    let written = erased.map(|(_, written)| written.unwrap_or(now));
    // An erased state, or none: there is nothing that a store would have.
    let written = written.or((kept.state.copies.data() == 0).then_some(0));
    let is_on_disk = config.state.store == Store::Disk;
    let after_state = 2;
    reports.insert(after_state, of_store(is_on_disk, written, now));
    let tiered = names.iter().zip(&lifetimes);
    let tiered = tiered.filter(|(_, lifetime)| lifetime.is_some_and(|one| one.is_tiered));
    let tiered: Vec<&str> = tiered.map(|(name, _)| *name).collect();
    reports.push(elsewhere(&tiered));
    Ok(reports)
}

/// For people: a table, and below it the reasons.
pub fn text(reports: &[PlaceReport]) -> String {
    let heading = ["PLACE", "DATA", "ID ONLY", "STATUS", "READABLE UNTIL"].map(str::to_owned);
    let rows = reports.iter().map(|one| {
        let count = |count: Option<u64>| count.map_or("-".to_owned(), |count| count.to_string());
        [
            one.name.clone(),
            count(one.records.map(|(data, _)| data)),
            count(one.records.map(|(_, ids)| ids)),
            one.status.words().to_owned(),
            one.until.map_or("-".to_owned(), when::text),
        ]
    });
    let rows: Vec<[String; 5]> = std::iter::once(heading).chain(rows).collect();
    format!("{}\n\n{}", table(&rows), reasons(reports).join("\n"))
}

/// Each reason once, behind the places that it is of.
fn reasons(reports: &[PlaceReport]) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for report in reports {
        match reasons.iter_mut().find(|(why, _)| *why == report.why) {
            Some((_, names)) => names.push(&report.name),
            None => reasons.push((&report.why, vec![&report.name])),
        }
    }
    let reasons = reasons.into_iter();
    reasons
        .map(|(why, names)| format!("{}: {why}", names.join(", ")))
        .collect()
}

pub fn json(report: &PlaceReport) -> Value {
    let last = report.last.iter();
    let last = last.map(|(partition, offset)| json!({"partition": partition, "offset": offset}));
    let last: Vec<Value> = last.collect();
    json!({
        "place": report.place.name(),
        "name": report.name,
        "data": report.records.map(|(data, _)| data),
        "ids": report.records.map(|(_, ids)| ids),
        "last": last,
        "status": report.status.name(),
        "until": report.until.map(when::text),
        "why": report.why,
    })
}
