//! Finds what is wrong with the client's properties: all of it, before any request to a broker. Values are not shown,
//! because they may be secret.

mod refusals;

use std::collections::BTreeMap;
use std::fs::File;

use rdkafka::config::ClientConfig;

use super::client::{ClientSettings, Identity};
use super::property_table::{self, Property};
use crate::config::{Config, Guarantee, is_refused_property};
use refusals::refusals;

/// A finding: the configuration key (within [`Rules`] only the property's name), and what is wrong with it.
type Finding = (String, String);

/// All that is wrong with the client's settings, each with its key.
pub fn findings(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if config.kafka.bootstrap_servers.contains('@') {
        let text = "holds a user, which belongs into `kafka.properties.sasl.username` and `.password`: expected host:port, several separated by commas";
        findings.push(("kafka.bootstrap_servers".to_owned(), text.to_owned()));
    }
    let properties = &config.kafka.properties;
    let settings = ClientSettings::from(config);
    let rules = Rules {
        settings,
        guarantee: config.processing.guarantee,
        identity: identity(config),
        properties,
    };
    let mut wrong = rules.single_properties();
    wrong.extend(rules.combinations());
    wrong.extend(rules.authentication());
    wrong.extend(rules.files());
    let refused = refusals(config, &wrong);
    findings.extend(wrong.into_iter().map(|(name, text)| (key(&name), text)));
    findings.extend(refused);
    findings
}

/// The key of a property in the configuration.
fn key(name: &str) -> String {
    format!("kafka.properties.{name}")
}

struct Rules<'c> {
    settings: ClientSettings<'c>,
    guarantee: Guarantee,
    identity: Identity,
    properties: &'c BTreeMap<String, String>,
}

impl Rules<'_> {
    /// What is wrong with each property by itself.
    fn single_properties(&self) -> Vec<Finding> {
        let is_accepted = |name: &str, value: &str| {
            let mut client = ClientConfig::new();
            client.set(name, value).create_native_config().is_ok()
        };
        let wrong = self.properties.iter().filter_map(|(name, value)| {
            if let Some(instead) = java_alternative(name) {
                return Some((name.clone(), instead.to_owned()));
            }
            if is_accepted(name, value) {
                return None;
            }
            Some((
                name.clone(),
                match property_table::find(name) {
                    None => unknown(name),
                    Some(property) => not_allowed(property),
                },
            ))
        });
        wrong.collect()
    }

    /// The value of a property that may have one of several names, with the name.
    fn given(&self, names: &[&'static str]) -> Option<(&'static str, &str)> {
        names
            .iter()
            .find_map(|name| Some((*name, self.properties.get(*name)?.as_str())))
    }

    fn number(&self, names: &[&'static str]) -> Option<(&'static str, f64)> {
        let (name, value) = self.given(names)?;
        Some((name, value.parse().ok()?))
    }

    /// Values that conflict with the delivery that keyfold promises, or with another property.
    fn combinations(&self) -> Vec<Finding> {
        let mut wrong = Vec::new();
        let mut add = |name: &str, text: String| wrong.push((name.to_owned(), text));
        const FOR_ORDER: &str = "for the producer is idempotent: records must not be lost, repeated or change their order";
        if let Some((name, value)) = self.number(&RETRIES)
            && value < 1.0
        {
            add(name, format!("expected 1 .. 2147483647, {FOR_ORDER}"));
        }
        if let Some((name, value)) = self.number(&IN_FLIGHT)
            && value > 5.0
        {
            add(name, format!("expected 1 .. 5, {FOR_ORDER}"));
        }
        if let Some((name, value)) = self.given(&["queuing.strategy"])
            && value != "fifo"
        {
            add(name, format!("expected fifo, {FOR_ORDER}"));
        }
        if let Some((name, value)) = self.number(&["queue.buffering.backpressure.threshold"])
            && value > 1.0
        {
            add(name, format!("expected 1, {FOR_ORDER}"));
        }
        let transaction = self.settings.transaction_timeout().as_millis() as f64;
        if let Some((name, value)) = self.number(&MESSAGE_TIMEOUT)
            && self.guarantee == Guarantee::ExactlyOnce
            && value > transaction
        {
            add(
                name,
                format!(
                    "expected 1 .. {transaction}, for no record outlives its transaction (`transaction.timeout.ms`)"
                ),
            );
        }
        if let (Some((name, linger)), Some((_, timeout))) =
            (self.number(&LINGER), self.number(&MESSAGE_TIMEOUT))
            && timeout > 0.0
            && linger >= timeout
        {
            add(
                name,
                format!("expected less than {timeout}, which `message.timeout.ms` is"),
            );
        }
        wrong.extend(self.session());
        wrong
    }

    /// Checks the session timeout and the heartbeat interval of a group member.
    fn session(&self) -> Vec<Finding> {
        const NAMES: [&str; 2] = ["session.timeout.ms", "heartbeat.interval.ms"];
        let mut wrong = Vec::new();
        if self.settings.has_consumer_protocol() {
            let given = NAMES
                .iter()
                .filter(|name| self.properties.contains_key(**name));
            wrong.extend(given.map(|name| {
                let text = "cannot be set with `group.protocol` consumer: it is a setting of the brokers there";
                ((*name).to_owned(), text.to_owned())
            }));
            return wrong;
        }
        let member = self.settings.member(&self.identity);
        let millis = |name: &str, default: f64| {
            let set = member.get(name).and_then(|set| set.parse().ok());
            set.unwrap_or(default)
        };
        let session = millis(NAMES[0], 45_000.0);
        let heartbeat = millis(NAMES[1], 3_000.0);
        let poll = millis("max.poll.interval.ms", 300_000.0);
        let configured_name = |names: [&str; 2]| {
            let given = names
                .iter()
                .find(|name| self.properties.contains_key(**name));
            given.map(|name| (*name).to_owned())
        };
        if heartbeat >= session
            && let Some(name) = configured_name([NAMES[1], NAMES[0]])
        {
            let text = format!(
                "`heartbeat.interval.ms` ({heartbeat}) must be less than `session.timeout.ms` ({session}), a third of it as a rule"
            );
            wrong.push((name, text));
        }
        if session > poll
            && let Some(name) = configured_name(["max.poll.interval.ms", NAMES[0]])
        {
            let text = format!(
                "`max.poll.interval.ms` ({poll}) must not be less than `session.timeout.ms` ({session})"
            );
            wrong.push((name, text));
        }
        wrong
    }

    /// Checks whether a property is missing for authentication.
    fn authentication(&self) -> Vec<Finding> {
        const MECHANISM: [&str; 2] = ["sasl.mechanism", "sasl.mechanisms"];
        const MECHANISMS: [&str; 4] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"];
        let protocol = self
            .given(&["security.protocol"])
            .map(|(_, protocol)| protocol);
        let authenticates =
            protocol.is_some_and(|protocol| protocol.to_ascii_lowercase().starts_with("sasl"));
        let mut wrong = Vec::new();
        let mechanism = self.given(&MECHANISM);
        match mechanism {
            None if authenticates => {
                let text = format!(
                    "needs `kafka.properties.sasl.mechanism`, which is not given: one of {}",
                    MECHANISMS.join(", ")
                );
                wrong.push(("security.protocol".to_owned(), text));
            }
            // librdkafka's default, which this build does not support
            Some((_, "GSSAPI")) if !authenticates => {}
            Some((name, mechanism)) if !MECHANISMS.contains(&mechanism) => {
                wrong.push((
                    name.to_owned(),
                    format!("expected one of {}", MECHANISMS.join(", ")),
                ));
            }
            _ => {}
        }
        let Some((name, mechanism)) = mechanism.filter(|_| authenticates) else {
            return wrong;
        };
        let is_given = |name: &str| {
            self.properties
                .get(name)
                .is_some_and(|value| !value.is_empty())
        };
        if mechanism == "PLAIN" || mechanism.starts_with("SCRAM-") {
            for missing in ["sasl.username", "sasl.password"] {
                if !is_given(missing) {
                    let text =
                        format!("needs `kafka.properties.{missing}`, which is not given, or empty");
                    wrong.push((name.to_owned(), text));
                }
            }
        }
        wrong
    }

    /// Files that do not exist, or cannot be read.
    fn files(&self) -> Vec<Finding> {
        let mut wrong = Vec::new();
        for (name, path) in self.properties {
            let is_file = name.ends_with(".location") || name.ends_with(".private.key.file");
            if !is_file
                || path.is_empty()
                || path == "probe"
                || property_table::find(name).is_none()
            {
                continue;
            }
            // a folder of certificates can be opened too
            if let Err(error) = File::open(path) {
                let expected = if name.ends_with("ca.location") {
                    "the path of a file or a folder, or probe"
                } else {
                    "the path of a file"
                };
                wrong.push((
                    name.clone(),
                    format!("expected {expected}; it cannot be read: {}", error.kind()),
                ));
            }
        }
        if self.given(&["ssl.keystore.location"]).is_some()
            && self.given(&["ssl.keystore.password"]).is_none()
        {
            let text = "needs `kafka.properties.ssl.keystore.password`, which is not given";
            wrong.push(("ssl.keystore.location".to_owned(), text.to_owned()));
        }
        wrong
    }
}

const RETRIES: [&str; 2] = ["retries", "message.send.max.retries"];
const IN_FLIGHT: [&str; 2] = ["max.in.flight", "max.in.flight.requests.per.connection"];
const MESSAGE_TIMEOUT: [&str; 2] = ["message.timeout.ms", "delivery.timeout.ms"];
const LINGER: [&str; 2] = ["linger.ms", "queue.buffering.max.ms"];

/// What to set in place of a property that only Java's clients have.
fn java_alternative(name: &str) -> Option<&'static str> {
    Some(match name {
        "sasl.jaas.config" => {
            "is a property of Java's clients; set `sasl.mechanism`, `sasl.username` and `sasl.password` instead"
        }
        "ssl.truststore.location" | "ssl.truststore.certificates" => {
            "is a property of Java's clients; set `ssl.ca.location`, to certificates as PEM, instead"
        }
        "ssl.truststore.password" | "ssl.truststore.type" => {
            "is a property of Java's clients; `ssl.ca.location`, certificates as PEM, needs none"
        }
        _ => return None,
    })
}

fn unknown(name: &str) -> String {
    let known = property_table::all()
        .iter()
        .map(|known| known.name.as_str());
    let known = known.filter(|known| !is_refused_property(known));
    let lower = name.to_lowercase();
    let near = known
        .map(|known| (strsim::damerau_levenshtein(&lower, known), known))
        .min();
    match near {
        Some((distance, known)) if distance * 2 < name.chars().count() => {
            format!("there is no such property; did you mean `kafka.properties.{known}`?")
        }
        _ => "there is no such property; librdkafka's CONFIGURATION.md lists them".to_owned(),
    }
}

fn not_allowed(property: &Property) -> String {
    match &property.range {
        Some(range) if range.contains("..") => format!("expected a number, {range}"),
        Some(range) => format!("expected one of {range}"),
        None => "its value is not one that it can have".to_owned(),
    }
}

fn identity(config: &Config) -> Identity {
    Identity {
        transactional_id: config.application_id.clone(),
        group_instance_id: (!config.instance_id.is_empty()).then(|| config.instance_id.clone()),
    }
}

#[cfg(test)]
mod tests;
