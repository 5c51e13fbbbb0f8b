//! Records of declared sources made by hand, and what they fold to.

mod bounds;
mod laws;
mod shown;
mod states;
mod traps;

use super::*;
use crate::customer::contribution::{Data, Erasure, Fact};
use crate::customer::fields::{FieldName, put};
use crate::customer::snapshot::{self, View};
use crate::customer::texts::Texts;
use crate::customer::{Customer, EncodedState, Keep};
use crate::model::record::Source;
use crate::model::time::Instant;

const KEEP: Keep = Keep {
    actions: 3,
    hidden: 100,
};

/// A record, with its texts as they are.
#[derive(Debug, Clone)]
struct Record {
    source: &'static str,
    order: Order,
    whole: bool,
    has_rank: bool,
    at: i64,
    rank: u64,
    scalars: Vec<(Scalar, Option<&'static str>)>,
    attributes: Vec<(&'static str, Option<&'static str>)>,
    /// Addresses, phones, dependents.
    lists: [Option<Vec<Element>>; 3],
    action: Option<(&'static str, &'static str, Option<i64>)>,
}

#[derive(Debug, Clone)]
struct Element {
    id: &'static str,
    at: i64,
    created_at: Option<i64>,
    text: &'static str,
}

#[derive(Debug, Clone)]
enum Event {
    Record(Record),
    Erase(Option<&'static str>, i64),
}

/// A record of the source `crm` that tells nothing.
fn record(at: i64) -> Record {
    Record {
        source: "crm",
        order: Order::UpdatedAt,
        whole: false,
        has_rank: false,
        at,
        rank: 0,
        scalars: Vec::new(),
        attributes: Vec::new(),
        lists: [None, None, None],
        action: None,
    }
}

fn by_rank(at: i64, rank: u64) -> Record {
    Record {
        order: Order::Rank,
        has_rank: true,
        rank,
        ..record(at)
    }
}

impl Record {
    fn scalar(mut self, scalar: Scalar, text: Option<&'static str>) -> Record {
        self.scalars.push((scalar, text));
        self.scalars.sort_by_key(|(scalar, _)| *scalar);
        self
    }

    fn first_name(self, text: &'static str) -> Record {
        self.scalar(Scalar::FirstName, Some(text))
    }

    fn attribute(mut self, name: &'static str, text: Option<&'static str>) -> Record {
        self.attributes.push((name, text));
        self.attributes.sort();
        self
    }

    fn addresses(mut self, elements: &[(&'static str, i64, &'static str)]) -> Record {
        let elements = elements.iter().map(|(id, at, text)| Element {
            id,
            at: *at,
            created_at: None,
            text,
        });
        self.lists[0] = Some(elements.collect());
        self
    }

    fn of(mut self, source: &'static str) -> Record {
        self.source = source;
        self
    }

    fn event(self) -> Event {
        Event::Record(self)
    }

    fn data(&self) -> Data {
        let mut texts = Texts::default();
        let told = |text: Option<&str>, texts: &mut Texts| match text {
            Some(text) => Told::Text(texts.add(text.as_bytes())),
            None => Told::Nothing,
        };
        let scalars = self.scalars.iter();
        let scalars = scalars.map(|(scalar, text)| (*scalar, told(*text, &mut texts)));
        let scalars = scalars.collect();
        let attributes = self.attributes.iter().map(|(name, text)| {
            let name = texts.add(name.as_bytes());
            (name, told(*text, &mut texts))
        });
        let attributes = attributes.collect();
        let names = [FieldName::City, FieldName::NumberLocal, FieldName::Kind];
        let mut lists = self.lists.iter().zip(names).map(|(elements, name)| {
            let elements = elements.as_ref()?.iter().map(|element| DeclaredElement {
                id: texts.add(element.id.as_bytes()),
                updated_at: second(element.at),
                created_at: element.created_at.map(second),
                body: texts.write(|out| put(out, name, element.text)),
            });
            Some(elements.collect())
        });
        let (addresses, phones, dependents) = (
            lists.next().flatten(),
            lists.next().flatten(),
            lists.next().flatten(),
        );
        let tells = match self.action {
            None => Tells::Customer(DeclaredCustomer {
                whole: self.whole,
                scalars,
                attributes,
                addresses,
                phones,
                dependents,
            }),
            Some((id, kind, created_at)) => Tells::Action(DeclaredAction {
                id: texts.add(id.as_bytes()),
                kind: texts.add(kind.as_bytes()),
                created_at: created_at.map(second),
                body: texts.add(b""),
            }),
        };
        let record = DeclaredRecord {
            source: source(self.source),
            order: self.order,
            has_rank: self.has_rank,
            updated_at: second(self.at),
            rank: self.rank,
            tells,
        };
        Data {
            fact: Fact::Declared(Box::new(record)),
            texts,
        }
    }
}

impl Event {
    fn data(&self) -> Data {
        match self {
            Event::Record(record) => record.data(),
            Event::Erase(only, at) => Data::erasure(Erasure {
                only: only.map(|name| match Source::built_in(name) {
                    Some(source) => source,
                    None => Source::Declared(source(name)),
                }),
                at: second(*at),
            }),
        }
    }
}

fn source(name: &str) -> DeclaredSource {
    DeclaredSource::new(name)
}

fn second(at: i64) -> Instant {
    Instant::from_millis(at * 1000)
}

fn fold(events: &[Event]) -> Customer {
    fold_with(events, KEEP)
}

fn fold_with(events: &[Event], keep: Keep) -> Customer {
    let mut customer = Customer::default();
    for event in events {
        customer.join(event.data(), keep);
    }
    customer
}

fn encoded(customer: &Customer) -> EncodedState {
    let mut bytes = Vec::new();
    customer.encode(&mut bytes);
    bytes.into()
}

fn view() -> View {
    View {
        union: false,
        recent_actions: 2,
        deleted_is_null: false,
        priority: Default::default(),
    }
}

/// The snapshot, or null.
fn shown(customer: &Customer) -> serde_json::Value {
    shown_with(customer, &view())
}

fn shown_with(customer: &Customer, view: &View) -> serde_json::Value {
    let mut text = Vec::new();
    match snapshot::write(customer, "c", view, &mut text) {
        true => serde_json::from_slice(&text).unwrap(),
        false => serde_json::Value::Null,
    }
}

/// The snapshot after these events in any order; the state must not depend on it.
fn in_any_order(events: &[Event]) -> serde_json::Value {
    let expected = fold(events);
    for at in 0..events.len() {
        let mut turned = events.to_vec();
        turned.rotate_left(at);
        assert_eq!(fold(&turned), expected, "turned by {at}");
        turned.reverse();
        assert_eq!(fold(&turned), expected, "turned by {at} and reversed");
    }
    shown(&expected)
}
