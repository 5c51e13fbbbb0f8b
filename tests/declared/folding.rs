//! keyfold's side of the laws: its own code on the records of a case.

use std::collections::BTreeMap;
use std::sync::Arc;

use keyfold::config::{Config, Deleted, Lists, SourceConfig, Tombstone};
use keyfold::customer::contribution::Contribution;
use keyfold::customer::snapshot::{self, Priority, View};
use keyfold::customer::{Customer, Keep};
use keyfold::definition::{self, Plan};
use keyfold::model::record::{DeclaredSource, RawRecord, Source, Violation};
use keyfold::source::framing::Payload;
use keyfold::source::{self, Judged, Verdict};

use crate::oracle::{Event, Input, Record, Rejection, Src};
use crate::strategies::Case;

/// The names of declared sources stay in memory, so each is made only once.
fn declared(name: &str) -> DeclaredSource {
    static NAMES: std::sync::LazyLock<BTreeMap<&str, DeclaredSource>> =
        std::sync::LazyLock::new(|| {
            let names = crate::strategies::NAMES.into_iter();
            names
                .map(|name| (name, DeclaredSource::new(name)))
                .collect()
        });
    NAMES[name]
}

/// The plan of a definition that names no files.
pub fn plan(text: &str) -> Result<Arc<Plan>, String> {
    definition::load("test.toml", |file| match file {
        "test.toml" => Ok(text.to_owned()),
        _ => Err("there is no such file".to_owned()),
    })
    .map_err(|problems| {
        let problems = problems.iter().map(ToString::to_string);
        problems.collect::<Vec<_>>().join("\n")
    })
}

/// The configuration that stands for a case.
pub struct Setup {
    pub config: Config,
    pub view: View,
    sources: Vec<Source>,
}

impl Setup {
    pub fn of(case: &Case) -> Setup {
        let mut config = Config::default();
        let mut sources = Vec::new();
        for (definition, text) in case.definitions.iter().zip(&case.texts) {
            let source = declared(&definition.name);
            let tombstone = match definition.tombstone.as_str() {
                "erase" => Tombstone::Erase,
                "retract" => Tombstone::Retract,
                _ => Tombstone::Reject,
            };
            let settings = SourceConfig {
                tombstone,
                ..SourceConfig::default()
            };
            let plan = plan(text).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
            config.sources.declare(source, settings, plan);
            sources.push(Source::Declared(source));
        }
        let settings = &case.settings;
        config.merge.max_actions = settings.max_actions();
        config.merge.max_hidden = settings.max_hidden();
        config.snapshot.recent_actions = settings.recent_actions();
        if settings.union {
            config.merge.lists = Lists::Union;
        }
        if settings.deleted_tombstone {
            config.snapshot.deleted = Deleted::Tombstone;
        }
        let view = View {
            priority: Arc::new(Priority::new(settings.priority.clone())),
            ..View::of(&config)
        };
        Setup {
            config,
            view,
            sources,
        }
    }

    pub fn source_of(&self, event: &Event) -> Source {
        match event {
            Event::BuiltIn(input) => built_in(input).source,
            Event::Declared(record) => self.sources[record.source],
        }
    }

    pub fn judge<R>(&self, event: &Event, then: impl FnOnce(Judged<'_>) -> R) -> R {
        match event {
            Event::BuiltIn(input) => then(source::judge(&built_in(input), &self.config)),
            Event::Declared(record) => self.judge_declared(record, then),
        }
    }

    pub fn judge_declared<R>(&self, record: &Record, then: impl FnOnce(Judged<'_>) -> R) -> R {
        let raw = RawRecord {
            source: self.sources[record.source],
            timestamp: record.timestamp,
            key: record.key.as_deref().map(str::as_bytes),
            value: record.value.as_deref().map(str::as_bytes),
        };
        let payload = match raw.value {
            Some(bytes) => Payload::Json(bytes),
            None => Payload::Null,
        };
        let headers = record.headers.iter();
        let headers: Vec<_> = headers
            .map(|(name, value)| (name.as_str(), Some(value.as_bytes())))
            .collect();
        then(source::judge_payload(
            &raw,
            &payload,
            &headers,
            &self.config,
        ))
    }
}

fn built_in(input: &Input) -> RawRecord<'_> {
    RawRecord {
        source: match input.source {
            Src::LoyaltyCustomers => Source::LoyaltyCustomers,
            Src::LoyaltyActions => Source::LoyaltyActions,
            Src::ConsoleCustomers => Source::ConsoleCustomers,
            Src::PublisherCustomers => Source::PublisherCustomers,
        },
        timestamp: input.timestamp,
        key: input.key.as_deref(),
        value: input.value.as_deref(),
    }
}

/// A rejection in the oracle's terms.
pub fn rejection(rejection: &keyfold::model::record::Rejection) -> Rejection {
    Rejection {
        code: rejection.code.name().to_owned(),
        violations: listed(&rejection.violations),
    }
}

/// The pointers and keywords of violations. Two messages for one place and keyword are one to the oracle.
pub fn listed(violations: &[Violation]) -> Vec<(String, String)> {
    let pairs = violations.iter();
    let mut pairs: Vec<(String, String)> = pairs
        .map(|one| (one.pointer.clone(), one.keyword.to_owned()))
        .collect();
    pairs.dedup();
    pairs
}

pub fn encoded(customer: &Customer) -> Vec<u8> {
    let mut bytes = Vec::new();
    customer.encode(&mut bytes);
    bytes
}

pub fn decoded(bytes: Vec<u8>) -> Customer {
    Customer::decode(bytes).unwrap()
}

/// The states of all customers.
#[derive(Clone)]
pub struct Fold<'s> {
    setup: &'s Setup,
    pub customers: BTreeMap<String, Customer>,
}

impl<'s> Fold<'s> {
    pub fn of<'e>(setup: &'s Setup, events: impl IntoIterator<Item = &'e Event>) -> Fold<'s> {
        let mut fold = Fold {
            setup,
            customers: BTreeMap::new(),
        };
        for event in events {
            fold.event(event);
        }
        fold
    }

    pub fn event(&mut self, event: &Event) {
        let setup = self.setup;
        let contributions: Vec<Contribution> = setup.judge(event, |judged| match judged.verdict {
            Verdict::Valid(contribution) => vec![contribution],
            Verdict::Rejected(_) | Verdict::Nothing => Vec::new(),
            Verdict::Batch { elements, .. } => elements
                .into_iter()
                .map(|element| element.contribution)
                .collect(),
        });
        for Contribution { customer, data } in contributions {
            let held = self.customers.entry(customer).or_default();
            let before = encoded(held);
            let at_least = held.min_encoded_size(&data, usize::MAX);
            let changed = held.join(data, Keep::of(&setup.config));
            let after = encoded(held);
            assert_eq!(changed, before != after, "a change is told if there is one");
            assert!(after.len() >= at_least, "{at_least} bytes");
        }
    }

    pub fn merge(&mut self, other: Fold<'_>) {
        for (id, customer) in other.customers {
            let held = self.customers.entry(id).or_default();
            held.merge(customer, Keep::of(&self.setup.config));
        }
    }

    pub fn bytes(&self) -> BTreeMap<String, Vec<u8>> {
        let each = self.customers.iter();
        each.map(|(id, customer)| (id.clone(), encoded(customer)))
            .collect()
    }

    pub fn stored_and_read(&mut self) {
        for customer in self.customers.values_mut() {
            let read = decoded(encoded(customer));
            assert_eq!(&read, customer, "a state is the same when it is read again");
            *customer = read;
        }
    }

    pub fn snapshots(&self) -> BTreeMap<String, Option<String>> {
        let each = self.customers.iter();
        each.map(|(id, customer)| {
            let mut text = Vec::new();
            let shown = snapshot::write(customer, id, &self.setup.view, &mut text);
            (id.clone(), shown.then(|| String::from_utf8(text).unwrap()))
        })
        .collect()
    }
}
