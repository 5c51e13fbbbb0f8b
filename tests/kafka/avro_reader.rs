//! Declared sources whose definition gives a reader's schema, with a real registry: writers of several versions.

use std::fs;

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use keyfold_harness::app::{App, EXAMPLE_TIME};
use keyfold_harness::avro_evolution::written;
use keyfold_harness::expected::error_header;
use keyfold_harness::metrics::sum;
use keyfold_harness::record::Record;
use keyfold_harness::registry;
use serde_json::{Value, json};

const READER: &str = r#"{"type":"record","name":"Contact","fields":[
    {"name":"id","type":"string"},
    {"name":"name","type":"string","aliases":["fullName"]},
    {"name":"mail","type":["null","string"],"default":null},
    {"name":"level","type":"double"},
    {"name":"tier","type":"string","default":"basic"},
    {"name":"state","type":{"type":"enum","name":"State","symbols":["OPEN","CLOSED"],"default":"OPEN"},"default":"OPEN"},
    {"name":"homes","type":{"type":"array","items":{"type":"record","name":"Home","fields":[
        {"name":"street","type":"string"},
        {"name":"country","type":"string","default":"GB"}]}},"default":[]}]}"#;

const CONTACTS: &str = r#"
reader = "READER"
nulls = "clear"
customer_id = "/id"

[fields]
firstName = "/name"
emailAddress = "/mail"
status = { from = "/state", map = { OPEN = "ACTIVE", CLOSED = "DELETED" } }
"attributes.level" = "/level"
"attributes.tier" = "/tier"

[[lists.addresses]]
each = "/homes"
id = { const = "home" }
fields = { line1 = "/street", countryCode = "/country" }
"#;

/// Fewer bits, bytes for a text, a field that nobody reads, and neither mail nor tier.
const FIRST: &str = r#"{"type":"record","name":"Contact","fields":[
    {"name":"shoe","type":"int"},
    {"name":"id","type":"bytes"},
    {"name":"name","type":"string"},
    {"name":"level","type":"int"},
    {"name":"homes","type":{"type":"array","items":{"type":"record","name":"Home","fields":[
        {"name":"street","type":"string"}]}}}]}"#;

/// Another name for a field and for the record, and a state that the reader does not have.
const SECOND: &str = r#"{"type":"record","name":"Person","namespace":"crm","fields":[
    {"name":"id","type":"string"},
    {"name":"fullName","type":"string"},
    {"name":"level","type":"float"},
    {"name":"tier","type":"string"},
    {"name":"state","type":{"type":"enum","name":"State","symbols":["CLOSED","PAUSED"]}},
    {"name":"mail","type":["null","string"]}]}"#;

/// A number is no text, and there is no name.
const OTHERS: [(&str, &str); 2] = [
    (
        r#"{"type":"record","name":"Contact","fields":[{"name":"id","type":"long"},
            {"name":"name","type":"string"},{"name":"level","type":"int"}]}"#,
        "at the field id: ",
    ),
    (
        r#"{"type":"record","name":"Contact","fields":[{"name":"id","type":"string"},{"name":"level","type":"int"}]}"#,
        "a record of the schema has no field name",
    ),
];

fn text(text: &str) -> Avro {
    Avro::String(text.to_owned())
}

fn of_fields<const N: usize>(fields: [(&str, Avro); N]) -> Avro {
    let fields = fields.into_iter();
    Avro::Record(
        fields
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

fn first(id: &str, name: &str, level: i32) -> Avro {
    let home = of_fields([("street", text("Baker Street"))]);
    of_fields([
        ("shoe", Avro::Int(43)),
        ("id", Avro::Bytes(id.as_bytes().to_vec())),
        ("name", text(name)),
        ("level", Avro::Int(level)),
        ("homes", Avro::Array(vec![home])),
    ])
}

fn second(id: &str, name: &str, state: (u32, &str)) -> Avro {
    of_fields([
        ("id", text(id)),
        ("fullName", text(name)),
        ("level", Avro::Float(1.5)),
        ("tier", text("gold")),
        ("state", Avro::Enum(state.0, state.1.to_owned())),
        ("mail", Avro::Union(1, Box::new(text("ada@example.com")))),
    ])
}

/// The value of a record, framed with the schema's id.
fn framed(subject: &str, schema: &str, value: Avro) -> Vec<u8> {
    let id = registry::register(subject, "AVRO", schema);
    let schema = Schema::parse_str(schema).expect("a schema");
    [&[0][..], &id.to_be_bytes(), &written(&schema, value)].concat()
}

fn shown(app: &App, id: &str) -> Value {
    let snapshots = app.newest_snapshots();
    serde_json::from_slice(&snapshots[id.as_bytes()]).expect("JSON")
}

#[test]
fn writers_of_several_versions_are_read_as_the_reader_schema_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("contact.avsc");
    fs::write(&file, READER).expect("a file");
    let mut app = App::new();
    app.set(&["registry", "url"], registry::url());
    let definition = CONTACTS.replace("READER", file.to_str().expect("a path of text"));
    let source = app.declare("contacts", &definition);
    app.set(&["sources", "contacts", "format"], "avro");
    app.create();
    let subject = format!("{}-value", app.input(source));
    let record = |schema: &str, value: Avro, at: i64| -> Record {
        let record = app.record(source).at(EXAMPLE_TIME + at);
        record.value(framed(&subject, schema, value))
    };
    app.client.produce(&[
        record(SECOND, second("c1", "Ada", (0, "CLOSED")), 0),
        record(FIRST, first("c1", "Ada Lovelace", 7), 1),
        record(FIRST, first("c2", "Grace", 8), 0),
        record(SECOND, second("c2", "Grace Hopper", (1, "PAUSED")), 1),
    ]);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);

    // what the first version cannot tell is the default; of mail it tells nothing, although a null would clear it
    let one = shown(&app, "c1");
    assert_eq!(one["firstName"], "Ada Lovelace");
    assert_eq!(one["emailAddress"], "ada@example.com");
    assert_eq!(one["status"], "ACTIVE");
    assert_eq!(one["attributes"], json!({"level": 7, "tier": "basic"}));
    let home = &one["addresses"][0];
    assert_eq!(
        [&home["line1"], &home["countryCode"]],
        ["Baker Street", "GB"]
    );
    // the reader's default for a state that it does not have, and no homes
    let two = shown(&app, "c2");
    assert_eq!(two["firstName"], "Grace Hopper");
    assert_eq!(two["status"], "ACTIVE");
    assert_eq!(two["attributes"], json!({"level": 1.5, "tier": "gold"}));
    assert_eq!(two["addresses"], json!([]));

    // a writer's schema that cannot be resolved is no reason to stop
    let mut bad = Vec::new();
    for (schema, _) in OTHERS {
        let id = registry::register(&subject, "AVRO", schema);
        let value = [&[0][..], &id.to_be_bytes(), &[2, b'x', 0]].concat();
        bad.push(app.record(source).at(EXAMPLE_TIME).value(value));
    }
    app.client.produce(&bad);
    app.client
        .produce(&[record(FIRST, first("c3", "Mary", 9), 0)]);
    app.wait_drained(&mut keyfold);
    assert_eq!(shown(&app, "c3")["firstName"], "Mary");
    let letters = app.read_dead_letters();
    assert_eq!(letters.len(), OTHERS.len());
    for (_, why) in OTHERS {
        let is_told = |letter: &_| {
            error_header(letter, "code") == "invalid_avro"
                && error_header(letter, "message").contains(why)
        };
        assert!(letters.iter().any(is_told), "{why}");
    }
    let metrics = keyfold.metrics();
    let labels = [("source", "contacts"), ("outcome", "rejected")];
    assert_eq!(sum(&metrics, "keyfold_records_total", &labels), 2.0);
    app.assert_ledger(&[&metrics]);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}
