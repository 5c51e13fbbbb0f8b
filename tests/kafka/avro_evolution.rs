//! Writer schemas that have evolved: what they become over the years, read as Avro resolves them.

use std::collections::BTreeMap;

use keyfold::model::record::Source;
use serde_json::{Value, json};

use crate::avro::{assert_counted, source_example};
use keyfold_harness::app::App;
use keyfold_harness::avro_lines::folded;
use keyfold_harness::avro_records::{Batch, Outside, Reference, WriterSchema, reader};
use keyfold_harness::registry_proxy::RegistryProxy;

#[test]
fn schemas_that_have_evolved_are_read_as_avro_resolves_them() {
    let proxy = RegistryProxy::start();
    let app = App::in_avro(&proxy);
    app.create();
    let (batch, values) = evolved(&app);
    app.produce_outside(&batch);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    let expected = folded(&app.fold_of_json(&values));
    assert_eq!(expected.len(), 2);
    assert_eq!(app.newest_avro_snapshots(), expected);
    assert_eq!(app.read_dead_letters(), []);
    assert_counted(&app, &keyfold.metrics());
    assert_eq!(keyfold.terminate(), 0);
}

/// A record by a schema of its own: its schema, what is written by it, and the JSON that says the same.
struct EvolvedRecord {
    schema: WriterSchema,
    written: String,
    means: String,
}

/// Records by schemas with added, renamed and left-out fields, other types, and parts in subjects of their own; and
/// by their names the JSON that says the same.
fn evolved(app: &App) -> (Batch, BTreeMap<String, Vec<u8>>) {
    let mut batch = Batch::default();
    let mut values = BTreeMap::new();
    for (name, source, record) in [
        ("console", Source::ConsoleCustomers, evolved_console()),
        ("loyalty", Source::LoyaltyCustomers, evolved_loyalty(app)),
    ] {
        batch.schema(name, record.schema);
        let outside = Outside::avro(app, source, name, record.written.as_bytes());
        batch.record(outside.named(name).logical());
        values.insert(name.to_owned(), record.means.into_bytes());
    }
    (batch, values)
}

/// A field that keyfold does not know, a renamed one, and optional ones that are gone; nulls come last.
fn evolved_console() -> EvolvedRecord {
    let mut evolved = reader(Source::ConsoleCustomers);
    let all = fields(&mut evolved, "");
    *field(all, "firstName") =
        json!({"name": "givenName", "aliases": ["firstName"], "type": ["string", "null"]});
    *field(all, "version") = json!({"name": "version", "type": "int"});
    all.retain(|field| field["name"] != "displayName" && field["name"] != "attributes");
    all.insert(0, json!({"name": "tags", "type": {"type": "map", "values": {"type": "array", "items": "double"}}}));
    all.push(json!({"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}, "default": "A"}));
    let written = json!({"customerId": "evolved-1", "version": 7, "givenName": "Ada", "lastName": "Example",
        "tags": {"x": [1.5, 2.5]}, "kind": "B", "phones": [{"key": "k", "type": "Mobile"}]});
    let means = json!({"customerId": "evolved-1", "version": 7, "firstName": "Ada", "lastName": "Example",
        "phones": [{"key": "k", "type": "Mobile"}]});
    EvolvedRecord {
        schema: WriterSchema::avro(&evolved),
        written: written.to_string(),
        means: means.to_string(),
    }
}

/// Numbers of fewer bits, an enumeration for a text, times in milliseconds, a part by reference.
fn evolved_loyalty(app: &App) -> EvolvedRecord {
    let mut evolved = reader(Source::LoyaltyCustomers);
    let all = fields(&mut evolved, "");
    *field(all, "version") = json!({"name": "version", "type": "float"});
    let body = fields(&mut evolved, "/fields/3/type");
    *field(body, "status") = json!({"name": "status", "type":
        {"type": "enum", "name": "Status", "symbols": ["ACTIVE", "DELETED"]}});
    for name in ["createdAt", "updatedAt"] {
        *field(body, name) =
            json!({"name": name, "type": {"type": "long", "logicalType": "timestamp-millis"}});
    }
    let list = field(body, "addresses");
    let mut address = std::mem::replace(&mut list["type"]["items"], "keyfold.parts.Address".into());
    address["namespace"] = "keyfold.parts".into();
    let schema = WriterSchema::avro(&evolved).with(Reference {
        name: "keyfold.parts.Address".to_owned(),
        subject: format!("{}.address", app.id),
        schema_type: "AVRO",
        text: address.to_string(),
    });
    let value = source_example(Source::LoyaltyCustomers);
    let text = String::from_utf8(value).expect("text");
    let value = text.replace("123456789", "evolved-2");
    EvolvedRecord {
        schema,
        written: value.clone(),
        means: value,
    }
}

/// The fields of a record in a schema.
fn fields<'s>(schema: &'s mut Value, path: &str) -> &'s mut Vec<Value> {
    let fields = schema.pointer_mut(path).expect("the record");
    fields["fields"].as_array_mut().expect("fields")
}

fn field<'f>(fields: &'f mut [Value], name: &str) -> &'f mut Value {
    let mut own = fields.iter_mut().filter(|field| field["name"] == name);
    own.next().expect("the field")
}
