//! Whether keyfold is set up right: each part of the set-up is checked by itself, and what is wrong comes with what
//! mends it. `keyfold doctor` shows all checks; `keyfold run` makes them at its start.
//!
//! | file | subject |
//! |---|---|
//! | `brokers` | each broker by its address: name, connection, TLS, credentials |
//! | `versions` | how old the brokers are |
//! | `network`, `tls` | the steps before the client of Kafka: address, connection, certificate |
//! | `cluster` | permissions, topics and their settings |
//! | `operators` | the permissions that the commands for operators need |
//! | `registry` | the schema registry, and the schemas that are in it |
//! | `definitions` | the definitions of declared sources, and their tests |
//! | `disk` | the directory of the state and the room in it |
//! | `clock` | the time of this machine against that of others |
//! | `listen` | the address of the HTTP server |
//!
//! A check whose base has failed is *not checkable*, and says what it waits for: one fault is one bad line. Nothing is
//! written to a topic. Each step has a time limit, so that all of them end when a service hangs.

pub mod brokers;
pub mod clock;
pub mod cluster;
pub mod definitions;
pub mod disk;
pub mod listen;
mod network;
mod operators;
pub mod registry;
pub mod tls;
mod versions;

use serde::Serialize;

use crate::config::Config;
use brokers::Brokers;

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Outcome {
    #[serde(rename = "good")]
    Good,
    #[serde(rename = "bad")]
    Bad,
    /// It cannot be known, for the reason in [`Check::detail`].
    #[serde(rename = "not checkable")]
    NotCheckable,
}

impl Outcome {
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Good => "good",
            Outcome::Bad => "bad",
            Outcome::NotCheckable => "not checkable",
        }
    }
}

/// A part of the set-up that was checked. No text holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// A stable name.
    pub check: &'static str,
    /// What of several was checked: a broker, a topic, a directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    pub result: Outcome,
    /// What was found, or why it cannot be known.
    pub detail: String,
    /// What mends it; several commands stand on lines of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Check {
    fn new(
        check: &'static str,
        subject: impl Into<String>,
        result: Outcome,
        detail: impl Into<String>,
    ) -> Check {
        let subject = subject.into();
        Check {
            check,
            subject: (!subject.is_empty()).then_some(subject),
            result,
            detail: detail.into(),
            remedy: None,
        }
    }

    /// An empty `subject` is none.
    pub fn good(
        check: &'static str,
        subject: impl Into<String>,
        detail: impl Into<String>,
    ) -> Check {
        Check::new(check, subject, Outcome::Good, detail)
    }

    pub fn bad(
        check: &'static str,
        subject: impl Into<String>,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Check {
        Check {
            remedy: Some(remedy.into()),
            ..Check::new(check, subject, Outcome::Bad, detail)
        }
    }

    pub fn not_checkable(
        check: &'static str,
        subject: impl Into<String>,
        reason: impl Into<String>,
    ) -> Check {
        Check::new(check, subject, Outcome::NotCheckable, reason)
    }

    /// Adds what would make it checkable.
    #[must_use]
    fn with_remedy(self, remedy: impl Into<String>) -> Check {
        Check {
            remedy: Some(remedy.into()),
            ..self
        }
    }
}

/// All checks, in the order in which one rests on the other. `step` is told what is done next.
pub fn all(config: &Config, mut step: impl FnMut(&'static str)) -> Vec<Check> {
    step("reading the definitions");
    let mut checks = vec![configuration(config)];
    checks.extend(definitions::check(config));
    step("looking at the brokers");
    let brokers = Brokers::look(config);
    checks.extend(brokers.checks());
    step("looking at topics and permissions");
    let cluster = cluster::check(config, brokers.unreached());
    checks.extend(cluster.checks);
    step("asking the schema registry");
    let registry = registry::check(config);
    step("looking at this machine");
    let clock = clock::check(config, &cluster.inputs, &registry.dates);
    checks.extend(registry.checks);
    checks.extend(disk::check(config));
    checks.push(clock);
    checks.push(listen::check(config));
    checks
}

/// What `run` does not find out by its own start: that ends, or waits, where topics, permissions, the directory or the
/// address of the HTTP server are wrong.
pub fn beside_the_start(config: &Config) -> Vec<Check> {
    let brokers = Brokers::look(config);
    let registry = registry::check(config);
    let inputs = match brokers.unreached() {
        Some(_) => Vec::new(),
        None => cluster::inputs(config),
    };
    let clock = clock::check(config, &inputs, &registry.dates);
    let mut checks = definitions::check(config);
    checks.extend(brokers.checks());
    checks.extend(registry.checks);
    checks.extend(disk::check(config));
    checks.push(clock);
    checks
}

/// A configuration that is wrong ends every command before its work, with all that is wrong with it.
fn configuration(config: &Config) -> Check {
    let detail = match config.differing().len() {
        0 => "it is that of the defaults".to_owned(),
        1 => "it is read; 1 setting differs from the defaults".to_owned(),
        count => format!("it is read; {count} settings differ from the defaults"),
    };
    Check::good("configuration", "", detail)
}
