//! The schema registry: whether each of its URLs answers, and whether the schemas that it has can be used.

use super::Check;
use crate::avro;
use crate::config::{self, Config, Format, SnapshotFormat};
use crate::registry::{Dated, EnsureError, Fetched, Probe, Registry, Standing, Unavailable};
use crate::source::framing::{Purpose, ReaderSchemas, WriterSchema};

const CHECK: &str = "registry";
const SCHEMA: &str = "schema";

/// What was found, and the times that the registry told.
#[derive(Debug, Default)]
pub struct RegistryChecks {
    pub checks: Vec<Check>,
    /// The time of each URL that answers, with the URL.
    pub dates: Vec<(String, Dated)>,
}

pub fn check(config: &Config) -> RegistryChecks {
    let mut found = RegistryChecks::default();
    if !config.needs_registry() {
        let detail = "none is used, for no format is Avro";
        found.checks.push(Check::good(CHECK, "", detail));
        return found;
    }
    let registry = match Registry::new(&config.registry) {
        Ok(registry) => registry,
        Err(error) => {
            let remedy = "mend the setting in [registry]";
            found
                .checks
                .push(Check::bad(CHECK, "", error.to_string(), remedy));
            return found;
        }
    };
    let probes = registry.probe();
    let answers = probes.iter().any(|probe| probe.unavailable.is_none());
    for probe in probes {
        found.checks.push(of_url(&probe, &config.registry));
        found
            .dates
            .extend(probe.dated.map(|dated| (probe.url, dated)));
    }
    if config.snapshot.format == SnapshotFormat::Avro {
        found.checks.push(of_snapshots(config, &registry, answers));
    }
    let readers = ReaderSchemas::of(&config.sources);
    for (source, settings) in config.sources.iter() {
        if settings.format != Format::Avro {
            continue;
        }
        for topic in &settings.topics {
            let subject = format!("{topic}-value");
            found.checks.push(match answers {
                true => of_values(&registry, &subject, source.into(), &readers),
                false => Check::not_checkable(SCHEMA, subject, NO_ANSWER),
            });
        }
    }
    found
}

const NO_ANSWER: &str = "the schema registry does not answer";

fn of_url(probe: &Probe, registry: &config::Registry) -> Check {
    let Some(reason) = &probe.unavailable else {
        let with = match (&registry.token, &registry.username) {
            (token, _) if !token.is_empty() => "it answers, with registry.token",
            (_, user) if !user.is_empty() => "it answers, with registry.username",
            _ => "it answers",
        };
        return Check::good(CHECK, &probe.url, with);
    };
    let remedy = match reason {
        reason if reason.contains("answered 401") || reason.contains("answered 403") => {
            "look at registry.username and registry.password, or registry.token"
        }
        reason if reason.contains("registry.ca_location") => {
            "let registry.ca_location name a file with the certificate (PEM) of the authority that issued the registry's"
        }
        _ => {
            "look at registry.url, and whether the registry runs and can be reached from this machine"
        }
    };
    Check::bad(CHECK, &probe.url, reason, remedy)
}

/// Whether snapshots can be written. Nothing is registered for it.
fn of_snapshots(config: &Config, registry: &Registry, answers: bool) -> Check {
    let snapshot = &config.snapshot;
    let subject = snapshot.subject(avro::snapshot::NAME);
    if !answers {
        return Check::not_checkable(SCHEMA, subject, NO_ANSWER);
    }
    match registry.standing(&subject, avro::snapshot::SCHEMA, snapshot.auto_register) {
        Ok(Standing::Registered(id)) => {
            let detail = format!("the schema of the snapshots is registered, with the id {id}");
            Check::good(SCHEMA, subject, detail)
        }
        Ok(Standing::Compatible) => {
            let detail = "the schema of the snapshots is compatible; `run` registers it";
            Check::good(SCHEMA, subject, detail)
        }
        Err(EnsureError::Unavailable(unavailable)) => away(&subject, &unavailable),
        Err(EnsureError::Refused(reason)) => {
            let remedy = "register schemas/customer-snapshot.avsc of this version under the subject, change the subject's compatibility level, or set snapshot.subject_strategy so that another subject is used";
            Check::bad(SCHEMA, subject, reason, remedy)
        }
    }
}

/// Whether values of the newest schema of a topic can be read. The records themselves say of which schema they are.
fn of_values(
    registry: &Registry,
    subject: &str,
    purpose: Purpose,
    readers: &ReaderSchemas,
) -> Check {
    let newest = match registry.latest(subject) {
        Ok(newest) => newest,
        Err(unavailable) => return away(subject, &unavailable),
    };
    let Some(newest) = newest else {
        let reason =
            "there is no schema under this subject; its producers may name theirs differently";
        return Check::not_checkable(SCHEMA, subject, reason);
    };
    of_newest(subject, &newest, purpose, readers)
}

fn of_newest(subject: &str, newest: &Fetched, purpose: Purpose, readers: &ReaderSchemas) -> Check {
    let remedy = "let producers write a schema that keyfold reads (docs/avro.md), or declare the source with a definition";
    match newest.writer_schema(purpose, readers) {
        WriterSchema::Plan(_) => Check::good(
            SCHEMA,
            subject,
            format!("values of its newest schema can be read as {purpose}"),
        ),
        WriterSchema::Unusable(reason) => Check::bad(
            SCHEMA,
            subject,
            format!("values of its newest schema cannot be read as {purpose}: {reason}"),
            remedy,
        ),
        WriterSchema::PlainString | WriterSchema::Unknown => Check::bad(
            SCHEMA,
            subject,
            format!("its newest schema is a string, and no value of {purpose}"),
            remedy,
        ),
    }
}

fn away(subject: &str, unavailable: &Unavailable) -> Check {
    Check::not_checkable(SCHEMA, subject, unavailable.to_string())
}
