//! What a record tells of one customer, for `keyfold sources try`. Ids and values are shown only if they are asked for.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::customer::bounded::{Bounded, Limits};
use crate::customer::contribution::{Contribution, Erasure, Fact};
use crate::customer::declared::{
    DeclaredAction, DeclaredElement, DeclaredRecord, Tells, Told as Datum,
};
use crate::customer::fields::Fields;
use crate::customer::snapshot;
use crate::customer::texts::{Span, Texts};
use crate::json::canonical::{write_instant_text, write_string};
use crate::model::record::Source;
use crate::model::time::Instant;

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rank: Option<u64>,
    /// The name of the source whose data are retracted, or `every source`.
    #[serde(skip_serializing_if = "Option::is_none")]
    erases: Option<&'static str>,
    /// What the record leaves out is told as nothing.
    #[serde(skip_serializing_if = "is_false")]
    whole: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    addresses: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phones: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dependents: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<Value>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// How much of a record is shown.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    pub values: bool,
}

impl Told {
    pub fn of(contribution: Contribution, config: &Config, shown: Shown) -> Told {
        let customer_id = shown.values.then(|| contribution.customer.clone());
        let texts = &contribution.data.texts;
        let told = match &contribution.data.fact {
            Fact::Erasure(Erasure { only, at }) => Told {
                erases: Some(only.map_or("every source", Source::name)),
                updated_at: shown.values.then(|| time(*at)),
                ..Told::default()
            },
            Fact::Declared(record) => shown.declared(record, texts),
            _ => shown.built_in(contribution, config),
        };
        Told {
            customer_id,
            ..told
        }
    }
}

impl Shown {
    fn declared(self, record: &DeclaredRecord, texts: &Texts) -> Told {
        let mut told = Told {
            updated_at: self.values.then(|| time(record.updated_at)),
            rank: (self.values && record.has_rank).then_some(record.rank),
            ..Told::default()
        };
        let customer = match &record.tells {
            Tells::Customer(customer) => customer,
            Tells::Action(action) => {
                told.action = Some(self.object(action_text(action, texts)));
                return told;
            }
        };
        told.whole = customer.whole;
        let scalars = customer.scalars.iter();
        let scalars = scalars.map(|(scalar, datum)| (scalar.name().to_owned(), *datum));
        told.fields = self.data(scalars, texts);
        let attributes = customer.attributes.iter();
        let attributes = attributes.map(|(name, datum)| (text(*name, texts), *datum));
        told.attributes = self.data(attributes, texts);
        let list = |elements: &Option<Vec<DeclaredElement>>, id: &str| {
            let elements = elements.as_ref()?.iter();
            let elements = elements.map(|element| self.object(element_text(element, id, texts)));
            Some(Value::Array(elements.collect()))
        };
        told.addresses = list(&customer.addresses, "addressId");
        told.phones = list(&customer.phones, "key");
        told.dependents = list(&customer.dependents, "dependentId");
        told
    }

    /// Data by their names, or only the names; none if there are none.
    fn data(self, data: impl Iterator<Item = (String, Datum)>, texts: &Texts) -> Option<Value> {
        let object: Map<String, Value> = data
            .map(|(name, datum)| {
                let value = match datum {
                    Datum::Nothing => Value::Null,
                    Datum::Text(value) => parsed(texts.get(value)),
                };
                (name, value)
            })
            .collect();
        (!object.is_empty()).then(|| self.names_or(object))
    }

    fn object(self, text: Vec<u8>) -> Value {
        match parsed(&text) {
            Value::Object(object) => self.names_or(object),
            other => other,
        }
    }

    fn names_or(self, object: Map<String, Value>) -> Value {
        match self.values {
            true => Value::Object(object),
            false => object.keys().cloned().map(Value::String).collect(),
        }
    }

    /// A record of a built-in source tells what the snapshot of the record alone shows.
    fn built_in(self, contribution: Contribution, config: &Config) -> Told {
        let limits = Limits::of(config);
        let id = contribution.customer;
        let mut customer = Bounded::default();
        let mut shown = Vec::new();
        if customer.join(&id, contribution.data, &limits).is_ok() {
            snapshot::write(customer.customer(), &id, &limits.view, &mut shown);
        }
        let Value::Object(mut snapshot) = parsed(&shown) else {
            return Told::default();
        };
        for name in ["schemaVersion", "customerId", "sources"] {
            snapshot.remove(name);
        }
        let updated_at = snapshot.remove("updatedAt").filter(|_| self.values);
        snapshot.retain(|_, value| *value != json!([]) && *value != json!({}));
        Told {
            updated_at,
            fields: Some(self.names_or(snapshot)),
            ..Told::default()
        }
    }
}

fn text(span: Span, texts: &Texts) -> String {
    String::from_utf8_lossy(texts.get(span)).into_owned()
}

fn parsed(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap_or(Value::Null)
}

fn time(at: Instant) -> Value {
    let mut text = Vec::new();
    write_instant_text(&mut text, at);
    parsed(&text)
}

/// `{"id":…,…}`: an id, fields, and times.
fn object_text(id: (&str, Span), body: Span, more: &[(&str, Vec<u8>)], texts: &Texts) -> Vec<u8> {
    let mut out = b"{".to_vec();
    write_string(&mut out, id.0);
    out.push(b':');
    write_string(&mut out, &text(id.1, texts));
    for (name, value) in more {
        out.push(b',');
        write_string(&mut out, name);
        out.push(b':');
        out.extend_from_slice(value);
    }
    Fields::of(texts.get(body)).write(&mut out);
    out.push(b'}');
    out
}

fn element_text(element: &DeclaredElement, id: &str, texts: &Texts) -> Vec<u8> {
    let mut times = Vec::new();
    let mut add = |name, at| {
        let mut text = Vec::new();
        write_instant_text(&mut text, at);
        times.push((name, text));
    };
    if let Some(at) = element.created_at {
        add("createdAt", at);
    }
    add("updatedAt", element.updated_at);
    object_text((id, element.id), element.body, &times, texts)
}

fn action_text(action: &DeclaredAction, texts: &Texts) -> Vec<u8> {
    let mut kind = Vec::new();
    write_string(&mut kind, &text(action.kind, texts));
    let mut more = vec![("type", kind)];
    if let Some(at) = action.created_at {
        let mut text = Vec::new();
        write_instant_text(&mut text, at);
        more.push(("createdAt", text));
    }
    object_text(("interactionId", action.id), action.body, &more, texts)
}
