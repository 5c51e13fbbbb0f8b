//! What a definition says.

use super::read;
use crate::customer::declared::{Order, Scalar};
use crate::definition::*;
use crate::model::record::Code;

/// Every key, once.
pub(super) const EVERYTHING: &str = include_str!("everything.toml");

fn here(pointer: &str) -> Origin {
    Origin::Here(Pointer::parse(pointer).unwrap())
}

fn from(pointer: &str) -> Value {
    Value {
        from: vec![here(pointer)],
        ..Value::default()
    }
}

fn everything() -> Definition {
    read(EVERYTHING)
}

#[test]
fn the_record_as_a_whole_is_read() {
    let definition = everything();
    assert_eq!(definition.schema.as_deref(), Some("{}"));
    assert_eq!(definition.reader.as_deref(), Some("\"string\""));
    assert_eq!(definition.envelope, Envelope::CloudEvents);
    assert_eq!(definition.each, Pointer::parse("/contacts"));
    assert_eq!(definition.merge, Merge::Whole);
    assert_eq!(definition.order, Order::Rank);
    assert_eq!(definition.nulls, Nulls::Clear);
    assert_eq!(definition.countries, Countries::Alpha2);
    assert_eq!(definition.customer_id, from("/contact/id"));
    let updated_at = Value {
        from: vec![here("/contact/modified"), Origin::Timestamp],
        unit: Some(NumberUnit::Millis),
        ..Value::default()
    };
    assert_eq!(definition.updated_at, Some(updated_at));
    assert_eq!(definition.rank, Some(from("/contact/revision")));
    assert_eq!(definition.created_at.unwrap().unit, Some(NumberUnit::Days));
    let types = definition.event_type.unwrap();
    assert_eq!(
        types.from.from,
        [Origin::Root(Pointer::parse("/type").unwrap())]
    );
    assert_eq!(
        types.is,
        [
            "\"CUSTOMER\"",
            "1",
            "1.5",
            "true",
            "[1]",
            r#"{"a":2,"b":1}"#
        ]
    );
    let version = definition.version.unwrap();
    assert_eq!(
        version.from.from,
        [here("/version"), Origin::Header("version".to_owned())]
    );
    assert_eq!((version.min, version.below), (1.0, 2.5));
    let deleted = definition.deleted.unwrap();
    assert_eq!(deleted.when, from("/contact/state"));
    assert_eq!(deleted.is, ["\"GONE\"", "true"]);
    let rules = [
        (Code::CountryCode, RuleDefault::Reject),
        (Code::DuplicateElement, RuleDefault::Off),
    ];
    assert_eq!(definition.rules, rules);
}

#[test]
fn fields_are_read_in_the_order_of_the_snapshot() {
    let Tells::Customer {
        scalars,
        attributes,
        attribute,
        ..
    } = everything().tells
    else {
        panic!()
    };
    let names: Vec<Scalar> = scalars.iter().map(|(scalar, _)| *scalar).collect();
    assert!(names.is_sorted() && names.len() == 8, "{names:?}");
    let of = |scalar| {
        &scalars
            .iter()
            .find(|(known, _)| *known == scalar)
            .unwrap()
            .1
    };
    let status = of(Scalar::Status);
    let text = |text: &str| Mapped::Text(text.to_owned());
    assert_eq!(status.map.as_ref().unwrap()["off"], text("DELETED"));
    assert_eq!(status.otherwise, Some(text("ACTIVE")));
    assert!(of(Scalar::LastName).required && !status.required);
    assert_eq!(
        of(Scalar::DisplayName).from,
        [here("/contact/name"), Origin::Key]
    );
    assert_eq!(of(Scalar::EmailAddress).case, Some(Case::Lower));
    let opt_in = of(Scalar::MarketingOptIn).map.as_ref().unwrap();
    let keys: Vec<&str> = opt_in.keys().map(String::as_str).collect();
    assert_eq!(keys, ["1", "N", "Y", "true"]);
    assert_eq!(of(Scalar::SmsOptIn).constant, Some(Mapped::Flag(true)));
    assert_eq!(attributes, Some(from("/contact/more")));
    let constant = Value {
        constant: Some(Mapped::Whole(7)),
        ..Value::default()
    };
    let expected = [
        ("a.b".to_owned(), constant),
        ("tier".to_owned(), from("/contact/tier")),
    ];
    assert_eq!(attribute, expected);
}

#[test]
fn lists_are_read_table_by_table() {
    let Tells::Customer { lists, .. } = everything().tells else {
        panic!()
    };
    let names: Vec<ListName> = lists.iter().map(|list| list.list).collect();
    use ListName::{Addresses, Dependents, Phones};
    assert_eq!(names, [Addresses, Addresses, Phones, Dependents]);
    let fields: Vec<usize> = lists.iter().map(|list| list.fields.len()).collect();
    assert_eq!(fields, [6, 1, 4, 2]);
    assert!(
        lists
            .iter()
            .all(|list| list.fields.is_sorted_by_key(|(field, _)| *field))
    );
    assert_eq!(lists[0].each, here("/contact/addresses"));
    assert_eq!(lists[0].updated_at, Some(from("/changed")));
    assert_eq!(lists[0].created_at, Some(from("/made")));
    assert_eq!(lists[1].each, here(""));
    assert_eq!(
        lists[1].id.constant,
        Some(Mapped::Text("billing".to_owned()))
    );
    assert_eq!(lists[1].updated_at, None);
    assert_eq!(
        lists[2].each,
        Origin::Root(Pointer::parse("/phones").unwrap())
    );
    assert_eq!(lists[2].id, from(""));
}

#[test]
fn tests_are_read_with_their_lines() {
    let tests = everything().tests;
    let first = EVERYTHING
        .lines()
        .position(|line| line == "[[tests]]")
        .unwrap()
        + 1;
    assert_eq!(tests[0].line, first);
    assert_eq!(tests[0].record.as_deref(), Some("{\"contact\": 1}"));
    assert_eq!(tests[0].key.as_deref(), Some("k"));
    assert_eq!(tests[0].headers, [("a".to_owned(), "b".to_owned())]);
    let times: Vec<Option<i64>> = tests.iter().map(|test| test.timestamp).collect();
    assert_eq!(times, [Some(1500), Some(7), Some(2000), None]);
    let snapshot = Expected::Snapshot(serde_json::json!({"firstName": "Ada"}));
    assert_eq!(tests[0].expected, snapshot);
    assert_eq!(tests[1].expected, Expected::Nothing);
    assert_eq!(tests[1].record, None);
    assert_eq!(tests[2].expected, Expected::Nothing);
    assert_eq!(tests[2].record.as_deref(), Some(""));
    let pointers = vec![String::new(), "/contact/id".to_owned()];
    let code = Code::SchemaViolation;
    assert_eq!(tests[3].expected, Expected::Rejected { code, pointers });
}

#[test]
fn an_action_is_read() {
    let dotted = "customer_id = 'key'\n[action]\nid = '/id'\ntype = '/type'\ncontract = '/c'\nutm.source = '/s'\nutm.terms = '/t'";
    let in_tables = "customer_id = 'key'\n[action]\nid = '/id'\ntype = '/type'\ncontract = '/c'\n[action.utm]\nsource = '/s'\nterms = '/t'";
    let definition = read(dotted);
    assert_eq!(definition, read(in_tables));
    let action = ActionTable {
        id: from("/id"),
        kind: from("/type"),
        contract: Some(from("/c")),
        utm: [Some(from("/s")), None, None, None, Some(from("/t"))],
    };
    assert_eq!(definition.tells, Tells::Action(Box::new(action)));
}

#[test]
fn what_is_left_out_has_its_default() {
    let definition = read("customer_id = '/id'\neach = ''");
    assert_eq!((definition.schema, definition.reader), (None, None));
    assert_eq!(definition.envelope, Envelope::None);
    assert_eq!(definition.each, None);
    assert_eq!(definition.merge, Merge::Fields);
    assert_eq!(definition.order, Order::UpdatedAt);
    assert_eq!(definition.nulls, Nulls::Absent);
    assert_eq!(definition.countries, Countries::Any);
    assert_eq!((definition.updated_at, definition.rank), (None, None));
    assert!(matches!(
        definition.tells,
        Tells::Customer { scalars, attributes: None, attribute, lists }
            if scalars.is_empty() && attribute.is_empty() && lists.is_empty()
    ));
    assert!(definition.rules.is_empty() && definition.tests.is_empty());
}

/// The tables at `path` in a file.
fn tables_at(file: &toml::Table, path: &str) -> Vec<toml::Table> {
    let mut tables = vec![file.clone()];
    for name in path.split('.').filter(|name| !name.is_empty()) {
        let inner = tables.iter().filter_map(|table| table.get(name).cloned());
        let inner = inner.flat_map(|value| match value {
            toml::Value::Array(items) => items,
            other => vec![other],
        });
        tables = inner
            .filter_map(|value| value.as_table().cloned())
            .collect();
    }
    tables
}

/// The definitions of these tests have each key that there is, and they are right.
#[test]
fn every_key_of_the_table_is_read() {
    let action = "
        customer_id = 'key'
        [action]
        id = ''
        type = ''
        contract = ''
        utm = { source = '', medium = '', campaign = '', content = '', terms = '' }
        [rules]
        event_type = 'off'
        unsupported_version = 'off'
        future_timestamp = 'off'
        created_after_updated = 'off'";
    let files = [EVERYTHING, action].map(|text| {
        read(text);
        text.parse::<toml::Table>().unwrap()
    });
    for table in keys::TABLES.iter() {
        let tables = files.iter().flat_map(|file| tables_at(file, table.path));
        let tables: Vec<toml::Table> = tables.collect();
        for key in &table.keys {
            let name = key.name.replace("NAME", "tier");
            let is_there = tables.iter().any(|table| table.contains_key(&name));
            assert!(is_there, "{}", table.path_of(key.name));
        }
    }
}

#[test]
fn presets_and_examples_are_right() {
    for preset in presets::PRESETS {
        let plan = load(&format!("preset:{}", preset.name), |_| Err(String::new()));
        let plan = plan.unwrap_or_else(|problems| panic!("{}: {problems:#?}", preset.name));
        assert!(plan.definition.tests.len() > 1, "{}", preset.name);
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/config/examples/");
    for name in ["crm-contacts.toml", "debezium-postgres.toml"] {
        let read = |name: &str| {
            std::fs::read_to_string(format!("{folder}{name}")).map_err(|error| error.to_string())
        };
        load(name, read).unwrap_or_else(|problems| panic!("{name}: {problems:#?}"));
    }
}

/// The example of docs/contract.md, section 9, in which each key stands as it is explained there.
#[test]
fn the_example_of_the_contract_is_read() {
    let text = r#"
schema = "crm-contact.schema.json"
reader = "crm-contact.avsc"
envelope = "none"
each = ""
merge = "fields"
order = "updated_at"
nulls = "absent"

customer_id = "/contact/id"
updated_at = "/contact/modified"
rank = "/contact/revision"
created_at = "/contact/created"

[fields]
firstName = "/contact/given"
emailAddress = { from = ["/contact/mail", "/contact/mails/0"], case = "lower" }
marketingOptIn = { from = "/contact/optin", map = { Y = true, N = false } }
dateOfBirth = { from = "/contact/born", unit = "days" }
"attributes.tier" = "/contact/tier"

[[lists.addresses]]
each = "/contact/addresses"
id = "/id"
updated_at = "/changed"
fields = { line1 = "/street", city = "/town", zipCode = "/zip", countryCode = "/country" }

[deleted]
when = "/contact/state"
is = ["GONE", true]

[[tests]]
record = '''{"contact": 1}'''
snapshot = '''{"firstName": "Ada"}'''

[[tests]]
record = '''{"contact": 1}'''
rejected = { code = "schema_violation", pointers = ["/contact/id"] }
"#;
    let definition = Definition::parse(text, "crm-contacts.toml", |name| {
        Ok(match name {
            "crm-contact.schema.json" => "{}".to_owned(),
            "crm-contact.avsc" => "\"string\"".to_owned(),
            other => panic!("{other}"),
        })
    });
    let definition = definition.unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!((definition.each, definition.merge), (None, Merge::Fields));
    assert_eq!(
        (definition.order, definition.nulls),
        (Order::UpdatedAt, Nulls::Absent)
    );
    assert_eq!(definition.tests.len(), 2);
}
