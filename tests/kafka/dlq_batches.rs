//! `keyfold dlq replay` of batches: of which elements are sent, edited or not, in JSON and in Avro.

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use serde_json::Value;

use keyfold::model::record::Source;
use keyfold_harness::app::{App, EXAMPLE_TIME};
use keyfold_harness::avro_evolution;
use keyfold_harness::client::Isolation;
use keyfold_harness::record::{Consumed, Record};
use keyfold_harness::registry;

use crate::dlq::{dlq, json_lines, reject};

fn customer(id: &str, postal_code: &str) -> String {
    format!(
        r#"{{"sourceCustomerId":"{id}","organizationId":"5","postalCode":{postal_code},"country":"US",
        "customerCreationDate":"2017-01-01T08:00:00Z","enrollmentStartDate":"2023-01-01T08:00:00Z",
        "enrollmentOptInStatus":"A","alertOptInStatus":[],"targetingIndicator":"T","accounts":[]}}"#
    )
}

fn batch(customers: &[String]) -> String {
    format!(r#"{{"customers":[{}]}}"#, customers.join(","))
}

/// What replay has sent to a source's topic.
fn replayed(app: &App, source: Source) -> Vec<Consumed> {
    let mut all = app
        .client
        .read_all(&app.input(source), Isolation::ReadCommitted);
    all.retain(|record| record.header("__keyfold.replayed").is_some());
    all
}

#[track_caller]
fn tally(app: &App, args: &[&str], code: i32) -> Value {
    let all = [&["replay", "--output", "json"], args].concat();
    json_lines(&dlq(app, &all, code).0).remove(0)
}

/// Somebody leaves the good customers out of the line, mends a bad one and changes a good one.
#[test]
fn an_edited_batch_loses_no_customer() {
    let app = App::new();
    app.create();
    let (good, bad) = (|id| customer(id, "\"7\""), |id| customer(id, "7"));
    let value = batch(&[good("a"), bad("b"), good("c"), bad("d"), good("e")]);
    let record = app.record(Source::PublisherCustomers).partition(0).key("k");
    reject(&app, &[record.value(value).at(EXAMPLE_TIME)], 1);
    let file = app.file("letters.jsonl");
    let path = file.to_str().expect("a path");
    dlq(&app, &["export", path], 0);
    let exported = std::fs::read_to_string(&file).expect("a file");
    let write = |customers: &[String]| {
        let mut line: Value = serde_json::from_str(&exported).expect("a line");
        line["payload"] = batch(customers).into();
        std::fs::write(&file, line.to_string()).expect("edited");
    };
    // nothing is left that keyfold does not know
    write(&[good("e"), good("a")]);
    let plan = tally(&app, &["--from", path, "--execute"], 1);
    assert_eq!(plan["held"]["nothingNew"], 1);
    assert!(replayed(&app, Source::PublisherCustomers).is_empty());

    write(&[good("d"), good("b"), customer("a", "\"8\""), good("c")]);
    let mut keyfold = app.run_ready();
    let sent = tally(&app, &["--from", path, "--execute"], 0);
    assert_eq!(sent["cutBatches"], 1);
    app.wait_drained(&mut keyfold);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
    let sent = replayed(&app, Source::PublisherCustomers);
    let json: Value =
        serde_json::from_slice(sent[0].value.as_ref().expect("a value")).expect("JSON");
    let customers = json["customers"].as_array().expect("a list").iter();
    let ids: Vec<&str> = customers
        .filter_map(|one| one["sourceCustomerId"].as_str())
        .collect();
    assert_eq!((sent.len(), ids), (1, vec!["d", "b", "a"]));
    let snapshots = app.newest_snapshots();
    let ids: Vec<&[u8]> = snapshots.keys().map(Vec::as_slice).collect();
    assert_eq!(ids, [b"a", b"b", b"c", b"d", b"e"]);
}

fn framed(id: u32, schema: &Schema, value: Avro) -> Vec<u8> {
    let body = avro_evolution::written(schema, value);
    [&[0][..], &id.to_be_bytes(), &body].concat()
}

fn record(fields: Vec<(&str, Avro)>) -> Avro {
    let fields = fields.into_iter();
    Avro::Record(
        fields
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

const CRM: &str = r#"
each = "/in/contacts"
customer_id = "/id"
[fields]
firstName = "/name"
"attributes.batch" = "root:/number"
"#;

const CRM_SCHEMA: &str = r#"{"type":"record","name":"Crm","fields":[{"name":"number","type":"long"},
    {"name":"in","type":["null",{"type":"record","name":"In","fields":[
        {"name":"contacts","type":{"type":"array","items":{"type":"record","name":"Contact","fields":[
            {"name":"id","type":"string"},{"name":"name","type":["null","string"]}]}}}]}]},
    {"name":"photo","type":"bytes"}]}"#;

/// The bad elements are sent in Avro again, with the schema that they were written with; what is around them stays.
#[test]
fn a_batch_in_avro_is_cut_to_its_bad_elements() {
    let mut app = App::new();
    app.set(&["registry", "url"], registry::url());
    let source = app.declare("crm", CRM);
    app.set(&["sources", "crm", "format"], "avro");
    app.set(&["validation", "rules", "duplicate_element"], "reject");
    app.create();
    let id = registry::register(&format!("{}-value", app.input(source)), "AVRO", CRM_SCHEMA);
    let schema = Schema::parse_str(CRM_SCHEMA).expect("a schema");
    let contact = |id: &str, name: &str| {
        let name = Avro::Union(1, Box::new(Avro::String(name.to_owned())));
        record(vec![("id", Avro::String(id.to_owned())), ("name", name)])
    };
    let value = |contacts: Vec<Avro>| {
        let inner = record(vec![("contacts", Avro::Array(contacts))]);
        framed(
            id,
            &schema,
            record(vec![
                ("number", Avro::Long(7)),
                ("in", Avro::Union(1, Box::new(inner))),
                ("photo", Avro::Bytes(vec![0xff, 0])),
            ]),
        )
    };
    let all = vec![contact("a", "1"), contact("b", "2"), contact("a", "3")];
    let sent: Record = app.record(source).partition(0).key("k");
    reject(&app, &[sent.value(value(all)).at(EXAMPLE_TIME)], 1);
    assert_eq!(tally(&app, &[], 1)["notValid"]["duplicate_element"], 1);
    app.set(&["validation", "rules", "duplicate_element"], "warn");
    assert_eq!(tally(&app, &["--execute"], 0)["cutBatches"], 1);
    let sent = replayed(&app, source);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].value, Some(value(vec![contact("a", "3")])));
    assert_eq!(sent[0].timestamp, Some(EXAMPLE_TIME));
}
