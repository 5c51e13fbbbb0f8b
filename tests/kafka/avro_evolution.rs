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

/// Records by schemas with added, renamed and left-out fields, other types, and parts in subjects of their own; and
/// by their names the JSON that says the same.
fn evolved(app: &App) -> (Batch, BTreeMap<String, Vec<u8>>) {
    let mut batch = Batch::default();
    let mut values = BTreeMap::new();
    let mut add = |name: &str, source, schema: WriterSchema, written: &[u8], means: &[u8]| {
        batch.schema(name, schema);
        let record = Outside::avro(app, source, name, written);
        batch.record(record.named(name).logical());
        values.insert(name.to_owned(), means.to_vec());
    };

    // a field that keyfold does not know, a renamed one, and optional ones that are gone; nulls come last
    let console = Source::ConsoleCustomers;
    let mut evolved = reader(console);
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
    add(
        "console",
        console,
        WriterSchema::avro(&evolved),
        written.to_string().as_bytes(),
        means.to_string().as_bytes(),
    );

    // numbers of fewer bits, an enumeration for a text, times in milliseconds, a part by reference
    let loyalty = Source::LoyaltyCustomers;
    let mut evolved = reader(loyalty);
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
    let value = source_example(loyalty);
    let text = String::from_utf8(value).expect("text");
    let value = text.replace("123456789", "evolved-2");
    add(
        "loyalty",
        loyalty,
        schema,
        value.as_bytes(),
        value.as_bytes(),
    );
    (batch, values)
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
