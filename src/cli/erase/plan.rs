//! What is to be written, why, and what it covers.

use serde_json::{Value, json};

use super::target::Addressed;
use crate::cli::output::{plain, table};
use crate::cli::when;
use crate::config::Config;
use crate::inspect::erase::times::{Because, Chosen, Known, Times, covering};
use crate::model::record::Location;
use crate::model::time::Instant;

pub struct Plan<'p> {
    pub config: &'p Config,
    pub id: &'p str,
    pub addressed: &'p Addressed,
    pub times: &'p Times,
    pub chosen: &'p Chosen,
}

impl Plan<'_> {
    pub fn text(&self) -> String {
        let mut lines = vec![format!("customer    {}", plain(self.id))];
        if let Some(at) = self.chosen.at {
            let Addressed {
                target, partition, ..
            } = self.addressed;
            lines.push(format!(
                "null value  to {}[{partition}], of {}, which erases the data of all sources; key_format is {}",
                target.topic,
                target.source.name(),
                target.format.word()
            ));
            lines.push(format!(
                "timestamp   {}: {}",
                when::text(at),
                self.because()
            ));
        } else {
            lines.push(format!("null value  none: {}", self.because()));
        }
        lines.extend(self.warnings());
        let known = self.known();
        if !known.is_empty() {
            lines.push(String::new());
            lines.push(known);
        }
        lines.join("\n")
    }

    fn because(&self) -> String {
        match &self.chosen.because {
            Because::NothingKnown => "nothing is known of this customer".to_owned(),
            Because::Covered(at, None) => {
                format!("already erased as of {at}, and nothing newer is there that can be covered")
            }
            Because::Covered(at, Some(place)) => format!(
                "already erased as of {at} by {}, and nothing newer is there that can be covered",
                place_text(place)
            ),
            Because::Now => "now, which is later than all that is covered".to_owned(),
            Because::Claimed(known, place) => {
                format!(
                    "so late because of {}",
                    self.claim_text(known, place.as_ref())
                )
            }
        }
    }

    fn claim_text(&self, known: &Known, place: Option<&Location>) -> String {
        match place {
            Some(place) => format!("{}, whose data claim it", place_text(place)),
            None => format!("{}, whose data claim it", self.name(known)),
        }
    }

    /// What the erasure does not cover.
    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(later) = &self.chosen.later {
            let claim = self.claim_text(&later.known, later.location.as_ref());
            warnings.push(format!(
                "NOT COVERED {}: {claim}. {}",
                later.at,
                self.remedy(later.at)
            ));
        }
        let unreadable: u64 = self
            .times
            .places
            .values()
            .map(|place| place.unreadable)
            .sum();
        if unreadable > 0 {
            warnings.push(format!(
                "not known   the times of {unreadable} rejected records cannot be read; if one is mended and sent back, erase again"
            ));
        }
        let refused: u64 = self.times.places.values().map(|place| place.refused).sum();
        if refused > 0 {
            warnings.push(format!(
                "not covered {refused} rejected records claim times that future_timestamp rejects; if that rule is changed or one is mended and sent back, erase again"
            ));
        }
        warnings
    }

    /// How to cover a time that is too late for the topic.
    fn remedy(&self, at: Instant) -> String {
        let topic = &self.addressed.target.topic;
        let (Some(millis), Some((ahead, setting))) = (covering(at), self.addressed.target.ahead)
        else {
            return "No record can have a timestamp that covers it".to_owned();
        };
        format!(
            "{topic} takes no timestamp so far ahead ({setting}={ahead}): erase again from {} on, or raise the setting and erase again now",
            when::text(millis.saturating_sub(ahead))
        )
    }

    fn name(&self, known: &Known) -> String {
        match known {
            Known::State => self.config.state_topic(),
            Known::Input(topic) => topic.clone(),
            Known::Forwarded => self.config.forwarded_topic(),
            Known::DeadLetters => self.config.dead_letters.topic.clone(),
        }
    }

    /// Whether the erasure covers a time, the one to be written or the one that is there.
    fn covers(&self, at: Instant) -> bool {
        let written = self.chosen.at.map(Instant::from_millis);
        let there = self.times.erased.as_ref().map(|(at, _)| *at);
        written.max(there).is_some_and(|erased| at <= erased)
    }

    /// What is known, as a table.
    fn known(&self) -> String {
        let heading = ["KNOWN FROM", "RECORDS", "LATEST TIME", "COVERED"].map(str::to_owned);
        let mut rows = vec![heading];
        for (known, place) in &self.times.places {
            let latest = place.latest.as_ref().map(|(at, _)| *at);
            rows.push([
                self.name(known),
                place.records.to_string(),
                latest.map_or("-".to_owned(), |at| at.to_string()),
                latest
                    .map_or("-", |at| if self.covers(at) { "yes" } else { "no" })
                    .to_owned(),
            ]);
        }
        match rows.len() {
            1 => String::new(),
            _ => table(&rows),
        }
    }

    pub fn json(&self) -> Value {
        let Addressed {
            target, partition, ..
        } = self.addressed;
        let (because, claim) = match &self.chosen.because {
            Because::NothingKnown => ("nothing_known", Value::Null),
            Because::Covered(at, place) => (
                "covered",
                json!({
                    "time": at.to_string(),
                    "record": place.as_ref().map(place_json),
                }),
            ),
            Because::Now => ("now", Value::Null),
            Because::Claimed(known, place) => (
                "claimed",
                json!({
                    "topic": self.name(known),
                    "record": place.as_ref().map(place_json),
                }),
            ),
        };
        let known = self.times.places.iter().map(|(known, place)| {
            let latest = place.latest.as_ref().map(|(at, _)| *at);
            json!({
                "topic": self.name(known),
                "records": place.records,
                "latest": latest.map(|at| at.to_string()),
                "covered": latest.map(|at| self.covers(at)),
                "unreadable": place.unreadable,
                "refused": place.refused,
            })
        });
        let known: Vec<Value> = known.collect();
        let later = self.chosen.later.as_ref().map(|later| {
            json!({
                "time": later.at.to_string(),
                "topic": self.name(&later.known),
                "record": later.location.as_ref().map(place_json),
                "remedy": self.remedy(later.at),
            })
        });
        json!({"plan": {
            "customer": self.id,
            "source": target.source.name(),
            "topic": target.topic,
            "partition": partition,
            "keyFormat": target.format.word(),
            "timestamp": self.chosen.at.map(when::text),
            "because": because,
            "claim": claim,
            "notCovered": later,
            "known": known,
        }})
    }
}

/// `topic[partition]@offset`.
pub fn place_text(place: &Location) -> String {
    format!("{}[{}]@{}", place.topic, place.partition, place.offset)
}

pub fn place_json(place: &Location) -> Value {
    json!({"topic": place.topic, "partition": place.partition, "offset": place.offset})
}
