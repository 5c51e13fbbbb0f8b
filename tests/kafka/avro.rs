//! Avro in and out, with a real registry and an outside client at both ends.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use keyfold::model::record::Source;
use serde::Deserialize;
use serde_json::Value;

use keyfold_harness::app::{App, EXAMPLE_TIME, text_of};
use keyfold_harness::avro_lines::{as_it_is, folded};
use keyfold_harness::avro_records::{Batch, Outside, WriterSchema, example, id_of, schema};
use keyfold_harness::client::Isolation;
use keyfold_harness::expected::error_header;
use keyfold_harness::metrics::{Metrics, sum};
use keyfold_harness::record::Record;
use keyfold_harness::registry;
use keyfold_harness::registry_proxy::RegistryProxy;

use crate::audit::audit;

/// The sources' own examples, in the order of [`Source::BUILT_IN`].
pub fn source_example(source: Source) -> Vec<u8> {
    let name = match source {
        Source::ConsoleCustomers => "source-template",
        _ => "source-example",
    };
    example(&format!("valid/{}/{name}.json", source.name()))
}

/// Every record has been counted once, by the source whose topic it was in.
#[track_caller]
pub fn assert_counted(app: &App, metrics: &Metrics) {
    for source in Source::BUILT_IN {
        let ends = app.client.watermarks(&app.input(source));
        let records: i64 = ends.iter().map(|(first, end)| end - first).sum();
        let labels = [("source", source.name())];
        let counted = sum(metrics, "keyfold_records_total", &labels);
        assert_eq!(counted, records as f64, "records of {source}");
    }
    let rejected = sum(metrics, "keyfold_records_total", &[("outcome", "rejected")]);
    let letters = app.read_dead_letters().len();
    assert_eq!(rejected, letters as f64, "dead letters");
}

#[test]
fn the_sources_examples_in_avro_become_the_golden_snapshots() {
    let proxy = RegistryProxy::start();
    let app = App::in_avro(&proxy);
    app.create();
    let mut batch = Batch::of_readers();
    for source in Source::BUILT_IN {
        let value = source_example(source);
        // the same events again, with their times as times
        let record = Outside::avro(&app, source, source.name(), &value);
        batch.record(record.clone());
        batch.record(record.logical());
    }
    let invalid = source_example(Source::LoyaltyActions);
    let invalid = String::from_utf8(invalid).expect("text");
    let invalid = invalid.replace("CREATED", "DELETED");
    let record = Outside::avro(
        &app,
        Source::LoyaltyActions,
        Source::LoyaltyActions.name(),
        invalid.as_bytes(),
    );
    batch.record(record.key("a key").named("invalid"));
    app.produce_outside(&batch);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);

    let golden = folded(&example("golden/source-examples.ndjson"));
    assert_eq!(app.newest_avro_snapshots(), golden);
    assert_snapshots_name_their_schema(&app);
    assert_rejected_as_it_was(&app);

    // erased, and retracted
    let mut nulls = Batch::default();
    for (source, key) in [
        (Source::LoyaltyCustomers, "123456789"),
        (Source::ConsoleCustomers, "string"),
    ] {
        let null = Outside::null(&app, source).key(key);
        nulls.record(null.at(EXAMPLE_TIME + 1));
    }
    app.produce_outside(&nulls);
    app.wait_drained(&mut keyfold);
    let left = app.newest_avro_snapshots();
    let left: Vec<_> = left.keys().map(String::as_str).collect();
    assert_eq!(left, ["afa2r21-25f9-4501-b9db-e78afa73c0e3"]);
    assert_counted(&app, &keyfold.settled_metrics());
    assert_eq!(keyfold.terminate(), 0);
    assert_audited(&app);
}

/// The audit reads records and snapshots in Avro, and says where a snapshot differs.
#[track_caller]
fn assert_audited(app: &App) {
    let clean = audit(app, &[]);
    clean.assert_clean();
    assert_eq!(clean.customers("equalByRecords"), clean.customers("equal"));
    let (id, snapshot) = app
        .newest_snapshots()
        .pop_first()
        .expect("a customer that is left");
    let id = String::from_utf8(id).expect("text");
    let shown = &app.newest_avro_snapshots()[&id];
    let organization = shown["enrollment"]["organizationId"]
        .as_str()
        .expect("text");
    let at = snapshot
        .windows(organization.len())
        .position(|text| text == organization.as_bytes());
    let mut other = snapshot.clone();
    other[at.expect("the text")] = b'#';
    let overwritten = Record::to(&app.snapshots()).key(id.as_str());
    app.client.produce(&[overwritten.value(other)]);
    let found = audit(app, &[]);
    let differences = found.differences(&id);
    assert_eq!(differences.len(), 1, "{:?}", found.lines);
    assert_eq!(differences[0].2, "/enrollment/organizationId");
    let broken = Record::to(&app.snapshots()).key(id.as_str());
    app.client.produce(&[broken.value("no Avro")]);
    let found = audit(app, &[]);
    assert_eq!(found.differences(&id)[0].2, "", "{:?}", found.lines);
}

/// Each snapshot's frame has the id of the schema that keyfold has registered.
#[track_caller]
fn assert_snapshots_name_their_schema(app: &App) {
    let subject = format!("{}-value", app.snapshots());
    let registered = registry::latest(&subject).expect("the snapshots' subject");
    let text = registered["schema"].as_str().expect("a schema");
    let text: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(text, schema("customer-snapshot.avsc"));
    for snapshot in app.avro_snapshots() {
        assert_eq!(
            snapshot.id.map(Value::from).as_ref(),
            Some(&registered["id"])
        );
    }
}

/// The one dead letter has the bytes of the record.
#[track_caller]
fn assert_rejected_as_it_was(app: &App) {
    let letters = app.read_dead_letters();
    let [letter] = &letters[..] else {
        panic!("one dead letter, not {letters:?}");
    };
    assert_eq!(letter.key_text(), "a key");
    assert_eq!(letter.header("example"), Some("invalid"));
    assert_eq!(error_header(letter, "code"), "schema_violation");
    assert!(error_header(letter, "violations").contains("/eventAction"));
    let partition = error_header(letter, "partition").parse().expect("a number");
    let offset = error_header(letter, "offset").parse().expect("a number");
    let input = app.input(Source::LoyaltyActions);
    let input = app.client.read_all(&input, Isolation::ReadCommitted);
    let original = input
        .iter()
        .find(|record| (record.partition, record.offset) == (partition, offset));
    assert_eq!(letter.value, original.expect("the record").value);
}

/// Most examples speak of the same customers. Here each has one of its own, so that none hides another.
fn with_own_customer(example: Vec<u8>, number: usize) -> Vec<u8> {
    let mut text = String::from_utf8(example).expect("text");
    for customer in ["lc-1001", "la-2001", "cc-3001", "pc-4001"] {
        text = text.replace(customer, &format!("{customer}-{number}"));
    }
    text.into_bytes()
}

/// The JSON values of the valid examples, by their names, and the records of Avro that say the same.
fn valid_examples(app: &App, batch: &mut Batch) -> BTreeMap<String, Vec<u8>> {
    #[derive(Deserialize)]
    struct Metadata {
        key: Option<String>,
        timestamp: Option<i64>,
    }
    let mut values = BTreeMap::new();
    for source in Source::BUILT_IN {
        let folder = format!("schemas/examples/valid/{}", source.name());
        let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
        let files = files.expect("examples").map(|file| {
            let name = file.expect("a file").file_name();
            name.into_string().expect("a name of text")
        });
        let mut files: Vec<String> = files.collect();
        files.sort();
        for file in &files {
            let (name, ending) = file.split_once('.').expect("a name with an ending");
            let has_metadata = files.contains(&format!("{name}.record.json"));
            if ending == "json" && has_metadata {
                continue;
            }
            let path = format!("valid/{}/{name}", source.name());
            let mut record = match files.contains(&format!("{name}.json")) {
                true => {
                    let value = example(&format!("{path}.json"));
                    let value = with_own_customer(value, values.len());
                    let record = Outside::avro(app, source, source.name(), &value);
                    values.insert(path.clone(), value);
                    record
                }
                false => Outside::null(app, source),
            };
            if has_metadata {
                let metadata = example(&format!("{path}.record.json"));
                let metadata: Metadata = serde_json::from_slice(&metadata).expect("metadata");
                let Some(timestamp) = metadata.timestamp else {
                    continue;
                };
                record = record.at(timestamp);
                if let Some(key) = metadata.key {
                    record = record.key(&key);
                }
            }
            batch.record(record.named(&path));
        }
    }
    values
}

/// A publisher's batch of many customers.
fn large_batch(customers: usize) -> Vec<u8> {
    let mut batch: Value =
        serde_json::from_slice(&source_example(Source::PublisherCustomers)).expect("JSON");
    let customer = batch["customers"][0].take();
    let customers = (0..customers).map(|number| {
        let mut customer = customer.clone();
        customer["sourceCustomerId"] = format!("publisher-{number}").into();
        customer
    });
    batch["customers"] = customers.collect();
    batch.to_string().into_bytes()
}

#[test]
fn every_valid_example_says_the_same_in_avro() {
    let proxy = RegistryProxy::start();
    let mut app = App::in_avro(&proxy);
    app.set(&["processing", "workers"], 2);
    app.create();
    let mut batch = Batch::of_readers();
    let mut values = valid_examples(&app, &mut batch);
    assert!(values.len() > 50);
    let large = large_batch(300);
    let publisher = Source::PublisherCustomers;
    let record = Outside::avro(&app, publisher, publisher.name(), &large);
    batch.record(record.named("large"));
    values.insert("large".to_owned(), large);
    let mut keyfold = app.run_ready();
    app.produce_outside(&batch);
    app.wait_drained(&mut keyfold);

    let expected = app.fold_of_json(&values);
    let found = app.newest_avro_snapshots();
    for (customer, snapshot) in folded(&expected) {
        assert_eq!(found.get(&customer), Some(&snapshot), "{customer}");
    }
    assert_eq!(found.len(), folded(&expected).len());
    let snapshots = app.client.watermarks(&app.snapshots());
    assert!(snapshots.iter().all(|(_, end)| *end > 50), "{snapshots:?}");
    let metrics = keyfold.metrics();
    let split = [("source", publisher.name()), ("outcome", "split")];
    assert!(sum(&metrics, "keyfold_records_total", &split) > 5.0);
    assert_counted(&app, &metrics);
    assert_eq!(app.read_dead_letters(), []);
    // a writer schema is fetched once
    for (path, count) in proxy.all_requests() {
        if path.starts_with("/schemas/ids/") {
            assert_eq!(count, 1, "{path}");
        }
    }
    assert_eq!(keyfold.terminate(), 0);

    // the commands without Kafka read the same from the records as they are
    let lines = app.kcat_lines(as_it_is);
    let files = app.schema_files();
    let files = files.to_str().expect("a path of text");
    for option in [["--registry", registry::url()], ["--schemas", files]] {
        let command = |name| app.command(&[name, option[0], option[1]], &lines);
        let output = command("fold");
        assert_eq!(output.status.code(), Some(0), "{}", text_of(&output));
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&expected),
            "{option:?}"
        );
        let output = command("validate");
        assert_eq!(output.status.code(), Some(0), "{}", text_of(&output));
    }
}

/// Confluent's frame around JSON. The registry is not asked: there is none.
#[test]
fn json_with_the_frame_of_the_registry_is_json() {
    let mut app = App::new();
    app.set_formats("json-registry");
    let nowhere = format!("http://127.0.0.1:{}", keyfold_harness::ports::free_port());
    app.set(&["registry", "url"], nowhere);
    app.create();
    let mut batch = Batch::default();
    for source in Source::BUILT_IN {
        let mut schema = schema(&format!("{}.schema.json", source.name()));
        schema["title"] = source.name().into();
        batch.schema(source.name(), WriterSchema::json(&schema));
        let value = source_example(source);
        batch.record(Outside::json(&app, source, source.name(), &value));
    }
    app.produce_outside(&batch);
    for topic in app.inputs() {
        for record in app.client.read_all(&topic, Isolation::ReadCommitted) {
            let value = record.value.expect("a value");
            assert_eq!(value[0], 0, "framed");
            assert!(id_of(&value).is_some_and(|id| id > 0));
        }
    }
    // without a frame, and with the id in a header
    let plain = |source| {
        let record = app.record(source).at(EXAMPLE_TIME);
        record.value(source_example(source))
    };
    let mut header = vec![1];
    header.extend([7; 16]);
    let loyalty = Source::LoyaltyCustomers;
    let bad = [&b"\0\0\0\0\x01"[..], b"\0\0\0\0\x01{", b"\0\0\0", b"\x01{}"];
    let bad = bad.map(|value| app.record(loyalty).key("bad").value(value));
    app.client.produce(&[
        plain(loyalty),
        plain(Source::ConsoleCustomers).header("__value_schema_id", header),
    ]);
    app.client.produce(&bad);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    let newest = app.newest_snapshots().into_iter().map(|(key, value)| {
        let key = Value::from(String::from_utf8(key).expect("an id of text"));
        let value = String::from_utf8(value).expect("text");
        format!("{{\"key\":{key},\"value\":{value}}}\n")
    });
    let golden = example("golden/source-examples.ndjson");
    assert_eq!(
        newest.collect::<String>(),
        String::from_utf8(golden).expect("text")
    );
    let letters = app.read_dead_letters();
    assert_eq!(letters.len(), bad.len());
    for letter in &letters {
        assert_eq!(error_header(letter, "code"), "invalid_json");
        assert!(bad.iter().any(|record| record.value == letter.value));
    }
    assert_counted(&app, &keyfold.settled_metrics());
    assert_eq!(keyfold.terminate(), 0);
}
