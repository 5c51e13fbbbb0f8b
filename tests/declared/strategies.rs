//! Random definitions and random records of them, in a small universe: ties, nulls, erasures at the very instant of a
//! datum and, now and then, wrong types are common.

mod body;
#[path = "../laws/history/console.rs"]
mod console;
mod definition;
mod envelope;
#[path = "../laws/history/json.rs"]
mod json;
#[path = "../laws/history/loyalty.rs"]
mod loyalty;
#[path = "../laws/history/publisher.rs"]
mod publisher;
#[path = "../laws/history/records.rs"]
#[expect(dead_code, reason = "what only the laws of the built-in sources need")]
mod records;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use crate::oracle::{Definition, Event, Record, Settings};
pub use definition::Defined;
use envelope::Loose;

/// Up to this many records a history.
const MAX_RECORDS: usize = 14;

/// The names of declared sources: before, between and behind those of the built-in ones.
pub const NAMES: [&str; 3] = ["a-shop", "crm", "zeta"];

/// Definitions, settings, and records of the declared sources and of those that are built in.
#[derive(Clone, Debug)]
pub struct Case {
    pub definitions: Vec<Definition>,
    /// The text of each definition.
    pub texts: Vec<String>,
    pub events: Vec<Event>,
    pub settings: Settings,
}

impl Case {
    /// The records of declared sources.
    pub fn declared(&self) -> impl Iterator<Item = &Record> {
        self.events.iter().filter_map(|event| match event {
            Event::Declared(record) => Some(record),
            Event::BuiltIn(_) => None,
        })
    }
}

#[derive(Clone, Debug)]
enum LooseEvent {
    BuiltIn(crate::oracle::Input),
    Declared(Index, Box<Loose>),
}

pub fn case() -> impl Strategy<Value = Case> {
    let event = prop_oneof![
        8 => (any::<Index>(), envelope::loose())
            .prop_map(|(source, loose)| LooseEvent::Declared(source, Box::new(loose))),
        1 => records::record().prop_map(LooseEvent::BuiltIn),
    ];
    let definitions = prop_oneof![
        2 => prop::collection::vec(definition::defined(), 1..=1),
        1 => prop::collection::vec(definition::defined(), 2..=3),
    ];
    (
        definitions,
        prop::collection::vec(event, 0..=MAX_RECORDS),
        settings(),
        any::<bool>(),
    )
        .prop_map(|(defined, events, settings, with_built_in)| {
            build(&defined, events, settings, with_built_in)
        })
}

fn build(
    defined: &[Defined],
    events: Vec<LooseEvent>,
    settings: Settings,
    with_built_in: bool,
) -> Case {
    let named = defined.iter().zip(NAMES);
    let definitions = named
        .map(|(of, name)| Definition::new(name, &of.text, of.tombstone))
        .collect();
    let events = events.into_iter().filter_map(|event| match event {
        LooseEvent::BuiltIn(input) => with_built_in.then_some(Event::BuiltIn(input)),
        LooseEvent::Declared(source, loose) => {
            let source = source.index(defined.len());
            let shape = defined[source].shape;
            Some(Event::Declared(envelope::wrap(shape, source, *loose)))
        }
    });
    Case {
        definitions,
        texts: defined.iter().map(|of| of.text.clone()).collect(),
        events: events.collect(),
        settings,
    }
}

/// The settings that a snapshot depends on.
fn settings() -> impl Strategy<Value = Settings> {
    let all = vec![
        "a-shop",
        "crm",
        "zeta",
        "loyalty-customers",
        "console-customers",
    ];
    let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
    let order = subsequence(all, 0..=3).prop_shuffle().prop_map(owned);
    let fields = select(vec!["firstName", "status", "attributes.a", "*", "smsOptIn"]);
    let fields = fields.prop_map(str::to_owned);
    let priority = prop_oneof![
        1 => Just(BTreeMap::new()),
        1 => prop::collection::btree_map(fields, order, 0..3),
    ];
    (
        any::<bool>(),
        select(vec![0, 1, 2]),
        select(vec![None, Some(0), Some(1), Some(2), Some(3)]),
        select(vec![0, 1, 2]),
        any::<bool>(),
        priority,
    )
        .prop_map(
            |(union, max_actions, max_hidden, recent_actions, deleted_tombstone, priority)| {
                Settings {
                    union,
                    max_actions,
                    max_hidden,
                    recent_actions,
                    deleted_tombstone,
                    priority,
                }
            },
        )
}
