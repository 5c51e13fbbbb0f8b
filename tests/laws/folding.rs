//! keyfold's side of the laws: its own code on the records of a history.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use jsonschema::{Draft, Validator};
use keyfold::config::{Config, Deleted, Lists, RuleAction, SourceConfig, Tombstone};
use keyfold::customer::contribution::Contribution;
use keyfold::customer::snapshot::{self, View};
use keyfold::customer::{Customer, Keep};
use keyfold::fold::OfflineFold;
use keyfold::model::record::{Code, RawRecord, Source};
use keyfold::source::{self, Verdict};

use crate::oracle::{Input, Settings, Src, Tomb};

pub static SNAPSHOT_SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let text = include_str!("../../schemas/customer-snapshot.schema.json");
    jsonschema::options()
        .with_draft(Draft::Draft7)
        .should_validate_formats(true)
        .build(&serde_json::from_str(text).unwrap())
        .unwrap()
});

fn source(source: Src) -> Source {
    match source {
        Src::LoyaltyCustomers => Source::LoyaltyCustomers,
        Src::LoyaltyActions => Source::LoyaltyActions,
        Src::ConsoleCustomers => Source::ConsoleCustomers,
        Src::PublisherCustomers => Source::PublisherCustomers,
    }
}

/// The configuration that stands for the oracle's settings.
pub fn config(settings: &Settings) -> Config {
    let mut config = Config::default();
    let tombstones = Src::ALL.into_iter().zip(settings.tombstone);
    config.sources = tombstones
        .map(|(of, tombstone)| {
            let source = source(of);
            let tombstone = match tombstone {
                Tomb::Erase => Tombstone::Erase,
                Tomb::Retract => Tombstone::Retract,
                Tomb::Reject => Tombstone::Reject,
            };
            let config = SourceConfig {
                tombstone,
                ..SourceConfig::of(source)
            };
            (source, config)
        })
        .collect();
    config.merge.max_actions = settings.max_actions;
    config.merge.max_hidden = settings.max_hidden;
    config.snapshot.recent_actions = settings.recent_actions;
    if settings.union {
        config.merge.lists = Lists::Union;
    }
    if settings.deleted_tombstone {
        config.snapshot.deleted = Deleted::Tombstone;
    }
    if settings.country_warn {
        config
            .validation
            .rules
            .set(Code::CountryCode, RuleAction::Warn);
    }
    config
}

pub fn raw(record: &Input) -> RawRecord<'_> {
    RawRecord {
        source: source(record.source),
        timestamp: record.timestamp,
        key: record.key.as_deref(),
        value: record.value.as_deref(),
    }
}

/// The snapshots as `keyfold fold` makes them.
pub fn offline(records: &[Input], config: &Config) -> BTreeMap<String, Option<String>> {
    let mut fold = OfflineFold::new(config);
    for record in records {
        fold.record(&raw(record));
    }
    fold.snapshots()
        .map(|(id, text)| {
            (
                id.to_owned(),
                text.map(|text| String::from_utf8(text).unwrap()),
            )
        })
        .collect()
}

pub fn encoded(customer: &Customer) -> Vec<u8> {
    let mut bytes = Vec::new();
    customer.encode(&mut bytes);
    bytes
}

/// Reads bytes that may be no state; does with one what a processor would.
pub fn survive(bytes: Vec<u8>) {
    let Ok(mut customer) = Customer::decode(bytes) else {
        return;
    };
    let view = View::of(&Config::default());
    snapshot::write(&customer, "c", &view, &mut Vec::new());
    let other = customer.clone();
    customer.merge(other, Keep::of(&Config::default()));
    encoded(&customer);
}

/// The states of all customers, to be looked at from within.
#[derive(Clone)]
pub struct Fold<'c> {
    config: &'c Config,
    pub customers: BTreeMap<String, Customer>,
}

impl<'c> Fold<'c> {
    pub fn new(config: &'c Config) -> Fold<'c> {
        Fold {
            config,
            customers: BTreeMap::new(),
        }
    }

    pub fn of<'r>(config: &'c Config, records: impl IntoIterator<Item = &'r Input>) -> Fold<'c> {
        let mut fold = Fold::new(config);
        for record in records {
            fold.record(record);
        }
        fold
    }

    /// Folds a record; the customers that it told to have changed.
    pub fn record(&mut self, record: &Input) -> BTreeSet<String> {
        let contributions: Vec<Contribution> =
            match source::judge(&raw(record), self.config).verdict {
                Verdict::Valid(contribution) => vec![contribution],
                Verdict::Rejected(_) | Verdict::Nothing => Vec::new(),
                Verdict::Batch { elements, .. } => elements
                    .into_iter()
                    .map(|element| element.contribution)
                    .collect(),
            };
        let keep = Keep::of(self.config);
        let mut changed = BTreeSet::new();
        for Contribution { customer, data } in contributions {
            let held = self.customers.entry(customer.clone()).or_default();
            let at_least = held.min_encoded_size(&data, usize::MAX);
            if held.join(data, keep) {
                changed.insert(customer);
            }
            assert!(encoded(held).len() >= at_least, "{at_least} bytes");
        }
        changed
    }

    pub fn merge(&mut self, other: Fold<'_>) {
        for (id, customer) in other.customers {
            let held = self.customers.entry(id).or_default();
            held.merge(customer, Keep::of(self.config));
        }
    }

    pub fn bytes(&self) -> BTreeMap<String, Vec<u8>> {
        let each = self.customers.iter();
        each.map(|(id, customer)| (id.clone(), encoded(customer)))
            .collect()
    }

    pub fn stored_and_read(&self) -> Fold<'c> {
        let read = |bytes| Customer::decode(bytes).unwrap();
        Fold {
            config: self.config,
            customers: self
                .bytes()
                .into_iter()
                .map(|(id, bytes)| (id, read(bytes)))
                .collect(),
        }
    }

    pub fn snapshots(&self) -> BTreeMap<String, Option<String>> {
        let view = View::of(self.config);
        let each = self.customers.iter();
        each.map(|(id, customer)| {
            let mut text = Vec::new();
            let shown = snapshot::write(customer, id, &view, &mut text);
            (id.clone(), shown.then(|| String::from_utf8(text).unwrap()))
        })
        .collect()
    }
}
