//! Declared sources in Avro, with a real registry: the rows of a table as Debezium writes them.

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use keyfold::model::record::Source;
use keyfold_harness::app::{App, EXAMPLE_TIME};
use keyfold_harness::avro_evolution::written;
use keyfold_harness::expected::error_header;
use keyfold_harness::metrics::sum;
use keyfold_harness::record::Record;
use keyfold_harness::registry;
use serde_json::{Value, json};

const TABLE: &str = r#"
envelope = "debezium"
nulls = "clear"
customer_id = "/id"

[fields]
firstName = "/first_name"
emailAddress = { from = "/email", case = "lower" }
dateOfBirth = { from = "/born", unit = "days" }
"attributes.balance" = "/balance"
"attributes.seen" = "/seen"
"#;

const KEY: &str = r#"{"type":"record","name":"Key","namespace":"db.customers","fields":[{"name":"id","type":"long"}]}"#;

const ENVELOPE: &str = r#"{"type":"record","name":"Envelope","namespace":"db.customers","fields":[
    {"name":"before","type":["null",{"type":"record","name":"Value","fields":[
        {"name":"id","type":"long"},
        {"name":"first_name","type":["null","string"],"default":null},
        {"name":"email","type":["null","string"],"default":null},
        {"name":"born","type":["null",{"type":"int","connect.name":"io.debezium.time.Date"}],"default":null},
        {"name":"balance","type":["null",{"type":"bytes","scale":2,"precision":9,"logicalType":"decimal","connect.name":"org.apache.kafka.connect.data.Decimal"}],"default":null},
        {"name":"seen","type":["null",{"type":"long","logicalType":"timestamp-micros"}],"default":null},
        {"name":"photo","type":"bytes"}]}],"default":null},
    {"name":"after","type":["null","Value"],"default":null},
    {"name":"source","type":{"type":"record","name":"Source","namespace":"io.debezium.connector.postgresql","fields":[
        {"name":"ts_us","type":["null","long"],"default":null},
        {"name":"lsn","type":["null","long"],"default":null}]}},
    {"name":"op","type":"string"}]}"#;

/// What is known of a row; of those that are left out it has null.
#[derive(Default)]
struct Row {
    name: Option<&'static str>,
    email: Option<&'static str>,
    balance: Option<i16>,
}

fn optional(value: Option<Avro>) -> Avro {
    match value {
        None => Avro::Union(0, Box::new(Avro::Null)),
        Some(value) => Avro::Union(1, Box::new(value)),
    }
}

fn record(fields: Vec<(&str, Avro)>) -> Avro {
    let fields = fields.into_iter();
    Avro::Record(
        fields
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

fn row(id: i64, row: &Row) -> Avro {
    let text = |text: Option<&str>| optional(text.map(|text| Avro::String(text.to_owned())));
    let bytes = |number: i16| Avro::Bytes(number.to_be_bytes().to_vec());
    record(vec![
        ("id", Avro::Long(id)),
        ("first_name", text(row.name)),
        ("email", text(row.email)),
        ("born", optional(Some(Avro::Int(10_258)))),
        ("balance", optional(row.balance.map(bytes))),
        ("seen", optional(Some(Avro::Long(1_707_213_600_000_001)))),
        // what nobody reads may be anything
        ("photo", Avro::Bytes(vec![0xff, 0xd8, 0, 1])),
    ])
}

/// The table's topic, with the ids of its schemas.
struct Table {
    source: Source,
    key: u32,
    value: u32,
}

impl Table {
    fn new(app: &App, source: Source) -> Table {
        let topic = app.input(source);
        let register =
            |part, schema| registry::register(&format!("{topic}-{part}"), "AVRO", schema);
        Table {
            source,
            key: register("key", KEY),
            value: register("value", ENVELOPE),
        }
    }

    /// What happened to the row at a position of the log.
    fn change(&self, app: &App, id: i64, op: &str, after: Option<&Row>, lsn: i64) -> Record {
        let value = record(vec![
            ("before", optional(None)),
            ("after", optional(after.map(|after| row(id, after)))),
            (
                "source",
                record(vec![
                    (
                        "ts_us",
                        optional(Some(Avro::Long(EXAMPLE_TIME * 1_000 + lsn))),
                    ),
                    ("lsn", optional(Some(Avro::Long(lsn)))),
                ]),
            ),
            ("op", Avro::String(op.to_owned())),
        ]);
        self.record(app, id)
            .value(framed(self.value, ENVELOPE, value))
    }

    fn record(&self, app: &App, id: i64) -> Record {
        let key = framed(self.key, KEY, record(vec![("id", Avro::Long(id))]));
        app.record(self.source).key(key).at(EXAMPLE_TIME)
    }
}

fn framed(id: u32, schema: &str, value: Avro) -> Vec<u8> {
    // logical types do not change how a value is written, and are not what the values here have
    let plain = schema.replace("logicalType", "ignored");
    let schema = Schema::parse_str(&plain).expect("a schema");
    let mut bytes = vec![0];
    bytes.extend(id.to_be_bytes());
    bytes.extend(written(&schema, value));
    bytes
}

fn shown(app: &App, id: &str) -> Option<Value> {
    let snapshots = app.newest_snapshots();
    let text = snapshots.get(id.as_bytes())?;
    Some(serde_json::from_slice(text).expect("JSON"))
}

/// Rows out of their order; a delete whose `before` is missing takes the id from the key, which is a record too.
#[test]
fn the_rows_of_debezium_in_avro_become_snapshots() {
    let mut app = App::new();
    app.set(&["registry", "url"], registry::url());
    let source = app.declare("rows", TABLE);
    app.set(&["sources", "rows", "format"], "avro");
    app.set(&["sources", "rows", "key_format"], "avro");
    app.create();
    let table = Table::new(&app, source);
    let full = Row {
        name: Some("Ada"),
        email: Some("Ada@Example.com"),
        balance: Some(-1_250),
    };
    let without = Row { name: None, ..full };
    app.client.produce(&[
        table.change(&app, 7, "u", Some(&without), 20),
        table.change(&app, 7, "c", Some(&full), 10),
        table.change(&app, 8, "r", Some(&full), 11),
        table.change(&app, 9, "d", None, 13),
        table.change(&app, 9, "c", Some(&full), 12),
        table.record(&app, 9),
        table.change(&app, 10, "t", None, 14),
    ]);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    let seven = shown(&app, "7").expect("a snapshot");
    // the newer row says that there is no name
    assert_eq!(seven["firstName"], Value::Null);
    assert_eq!(seven["emailAddress"], "ada@example.com");
    assert_eq!(seven["dateOfBirth"], "1998-02-01");
    let attributes = json!({"balance": -12.5, "seen": "2024-02-06T10:00:00.000001Z"});
    assert_eq!(seven["attributes"], attributes);
    assert_eq!(seven["sources"]["rows"]["rank"], 20);
    assert_eq!(shown(&app, "8").expect("a snapshot")["firstName"], "Ada");
    assert_eq!(shown(&app, "9"), None);

    // a row of a schema that the registry does not have, and bytes that are none of it
    let sound = table.change(&app, 8, "u", Some(&full), 30);
    let mut unknown = sound.clone();
    let mut damaged = sound.clone();
    unknown.value.as_mut().expect("a value")[1..5].copy_from_slice(&[0x7f, 1, 2, 3]);
    damaged.value.as_mut().expect("a value").push(0);
    app.client.produce(&[unknown, damaged]);
    app.wait_drained(&mut keyfold);
    let letters = app.read_dead_letters();
    let mut codes: Vec<&str> = letters
        .iter()
        .map(|letter| error_header(letter, "code"))
        .collect();
    codes.sort_unstable();
    assert_eq!(codes, ["invalid_avro", "unknown_schema_id"]);
    let metrics = keyfold.metrics();
    let of = |outcome| {
        let labels = [("source", "rows"), ("outcome", outcome)];
        sum(&metrics, "keyfold_records_total", &labels)
    };
    assert_eq!(of("rejected"), 2.0);
    app.assert_ledger(&[&metrics]);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}
