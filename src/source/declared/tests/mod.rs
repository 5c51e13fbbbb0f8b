//! Definitions and records for the tests of this folder, and what the records say, as JSON.

mod batch;
mod envelopes;
mod hostile;
mod lists;
mod rules;
mod schemas;
mod values;

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::config::{Config, SourceConfig, Tombstone};
use crate::customer::contribution::{Contribution, Fact};
use crate::customer::declared::{DeclaredElement, Order, Scalar, Tells as Said, Told};
use crate::customer::fields::Fields;
use crate::customer::texts::{Span, Texts};
use crate::definition::{
    Countries, Definition, Envelope, ListName, ListTable, Mapped, Merge, Nulls, Origin, Plan,
    Pointer, Tells, Value,
};
use crate::model::record::{DeclaredSource, Header, RawRecord, Rejection, Source};
use crate::source::framing::Payload;
use crate::source::{Judged, Verdict, judge_payload};

/// 2024-01-01T00:00:00Z.
pub(super) const AT: i64 = 1_704_067_200_000;

pub(super) fn definition() -> Definition {
    Definition {
        schema: None,
        reader: None,
        envelope: Envelope::None,
        each: None,
        merge: Merge::Fields,
        order: Order::UpdatedAt,
        nulls: Nulls::Absent,
        customer_id: value("/id"),
        updated_at: None,
        rank: None,
        created_at: None,
        tells: Tells::Customer {
            scalars: Vec::new(),
            attributes: None,
            attribute: Vec::new(),
            lists: Vec::new(),
        },
        deleted: None,
        event_type: None,
        version: None,
        countries: Countries::Any,
        rules: Vec::new(),
        tests: Vec::new(),
    }
}

pub(super) fn pointer(text: &str) -> Pointer {
    Pointer::parse(text).unwrap()
}

/// A value from several origins, written as in a definition and separated by spaces.
pub(super) fn value(from: &str) -> Value {
    let origin = |text: &str| match text {
        "key" => Origin::Key,
        "timestamp" => Origin::Timestamp,
        text => match (text.strip_prefix("root:"), text.strip_prefix("header:")) {
            (Some(text), _) => Origin::Root(pointer(text)),
            (_, Some(name)) => Origin::Header(name.to_owned()),
            _ => Origin::Here(pointer(text)),
        },
    };
    Value {
        from: from.split(' ').map(origin).collect(),
        ..Value::default()
    }
}

pub(super) fn constant(text: &str) -> Value {
    Value {
        constant: Some(Mapped::Text(text.to_owned())),
        ..Value::default()
    }
}

pub(super) fn with_scalars(fields: &[(Scalar, &str)]) -> Definition {
    let mut all = definition();
    if let Tells::Customer { scalars, .. } = &mut all.tells {
        *scalars = fields
            .iter()
            .map(|(field, from)| (*field, value(from)))
            .collect();
    }
    all
}

pub(super) fn with_scalar(field: Scalar, value: Value) -> Definition {
    let mut all = definition();
    if let Tells::Customer { scalars, .. } = &mut all.tells {
        scalars.push((field, value));
    }
    all
}

pub(super) fn with_attributes(names: &[(&str, &str)], whole: Option<&str>) -> Definition {
    let mut all = definition();
    if let Tells::Customer {
        attributes,
        attribute,
        ..
    } = &mut all.tells
    {
        *attributes = whole.map(value);
        *attribute = names
            .iter()
            .map(|(name, from)| ((*name).to_owned(), value(from)))
            .collect();
    }
    all
}

pub(super) fn with_lists(tables: Vec<ListTable>) -> Definition {
    let mut all = definition();
    if let Tells::Customer { lists, .. } = &mut all.tells {
        *lists = tables;
    }
    all
}

pub(super) fn table(list: ListName, each: &str, id: &str) -> ListTable {
    ListTable {
        list,
        each: value(each).from[0].clone(),
        id: value(id),
        updated_at: None,
        created_at: None,
        fields: Vec::new(),
    }
}

/// A record with what is outside of its value.
#[derive(Clone, Copy)]
pub(super) struct Record<'r> {
    pub value: &'r str,
    pub key: Option<&'r str>,
    pub timestamp: Option<i64>,
    pub headers: &'r [(&'r str, &'r str)],
}

pub(super) fn record(value: &str) -> Record<'_> {
    Record {
        value,
        key: None,
        timestamp: Some(AT),
        headers: &[],
    }
}

/// What is made of a record.
pub(super) fn with_judged<T>(
    definition: &Definition,
    record: Record<'_>,
    then: impl FnOnce(Judged<'_>) -> T,
) -> T {
    with_judged_by(definition, record, |_, _| {}, then)
}

pub(super) fn with_judged_by<T>(
    definition: &Definition,
    record: Record<'_>,
    set: impl FnOnce(&mut Config, &mut SourceConfig),
    then: impl FnOnce(Judged<'_>) -> T,
) -> T {
    let source = DeclaredSource::new("test");
    let plan = Plan::new(definition.clone()).unwrap();
    let mut config = Config::default();
    let mut of_source = SourceConfig {
        tombstone: Tombstone::Retract,
        ..SourceConfig::default()
    };
    set(&mut config, &mut of_source);
    config.sources.declare(source, of_source, Arc::new(plan));
    let raw = RawRecord {
        source: Source::Declared(source),
        timestamp: record.timestamp,
        key: record.key.map(str::as_bytes),
        value: Some(record.value.as_bytes()),
    };
    let headers: Vec<Header<'_>> = record
        .headers
        .iter()
        .map(|(name, value)| (*name, Some(value.as_bytes())))
        .collect();
    let payload = Payload::Json(record.value.as_bytes());
    then(judge_payload(&raw, &payload, &headers, &config))
}

/// What a valid record says, or `CODE POINTER:KEYWORD …` of its rejection.
pub(super) fn said_of(definition: &Definition, record: Record<'_>) -> Result<Json, String> {
    with_judged(definition, record, |judged| match judged.verdict {
        Verdict::Valid(contribution) => Ok(shown(&contribution)),
        Verdict::Nothing => Ok(json!("nothing")),
        Verdict::Rejected(rejection) => Err(told(&rejection)),
        Verdict::Batch {
            elements,
            rejection,
        } => {
            let all = elements.iter().map(|one| shown(&one.contribution));
            Ok(json!([
                all.collect::<Vec<_>>(),
                rejection.map(|one| told(&one))
            ]))
        }
    })
}

pub(super) fn said(definition: &Definition, value: &str) -> Result<Json, String> {
    said_of(definition, record(value))
}

pub(super) fn told(rejection: &Rejection) -> String {
    let mut text = rejection.code.name().to_owned();
    for violation in &rejection.violations {
        text.push_str(&format!(" {}:{}", violation.pointer, violation.keyword));
    }
    text
}

pub(super) fn shown(contribution: &Contribution) -> Json {
    let texts = &contribution.data.texts;
    let mut out = json!({ "id": contribution.customer });
    match &contribution.data.fact {
        Fact::Erasure(erasure) => {
            let only = erasure.only.map(|source| source.name());
            out["erased"] = json!([only, erasure.at.to_string()]);
        }
        Fact::Declared(said) => {
            out["at"] = json!(said.updated_at.to_string());
            out["rank"] = json!(said.rank);
            match &said.tells {
                Said::Action(action) => {
                    out["action"] = text(texts, action.id);
                    out["type"] = text(texts, action.kind);
                    out["createdAt"] = json!(action.created_at.map(|at| at.to_string()));
                    out["body"] = body(texts, action.body);
                }
                Said::Customer(customer) => {
                    for (field, told) in &customer.scalars {
                        out[format!("{field:?}")] = value_of(texts, *told);
                    }
                    for (name, told) in &customer.attributes {
                        let name = text(texts, *name);
                        out[format!("a.{}", name.as_str().unwrap())] = value_of(texts, *told);
                    }
                    let lists = [
                        ("addresses", &customer.addresses),
                        ("phones", &customer.phones),
                        ("dependents", &customer.dependents),
                    ];
                    for (name, list) in lists {
                        if let Some(list) = list {
                            let all = list.iter().map(|one| element(texts, one));
                            out[name] = all.collect();
                        }
                    }
                }
            }
        }
        other => panic!("{other:?}"),
    }
    out
}

fn element(texts: &Texts, element: &DeclaredElement) -> Json {
    let mut out = body(texts, element.body);
    out["id"] = text(texts, element.id);
    out["at"] = json!(element.updated_at.to_string());
    if let Some(at) = element.created_at {
        out["createdAt"] = json!(at.to_string());
    }
    out
}

fn body(texts: &Texts, body: Span) -> Json {
    let fields = Fields::of(texts.get(body));
    assert!(fields.are_well_formed());
    let mut out = b"{\"\":0".to_vec();
    fields.write(&mut out);
    out.push(b'}');
    let mut json: Json = serde_json::from_slice(&out).unwrap();
    json.as_object_mut().unwrap().remove("");
    json
}

fn text(texts: &Texts, span: Span) -> Json {
    json!(std::str::from_utf8(texts.get(span)).unwrap())
}

fn value_of(texts: &Texts, told: Told) -> Json {
    match told {
        Told::Nothing => Json::Null,
        Told::Text(span) => serde_json::from_slice(texts.get(span)).unwrap(),
    }
}
