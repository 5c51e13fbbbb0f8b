//! What a batch of very many elements may take: each is forwarded with what stands around it.

use keyfold::model::record::Source;

use crate::bounded::assert_bounded;
use keyfold_harness::app::{App, EXAMPLE_TIME, LIMIT};
use keyfold_harness::expected::error_header;
use keyfold_harness::metrics::sum;
use keyfold_harness::program::Keyfold;
use keyfold_harness::record::Record;
use keyfold_harness::registry;

const MEGABYTE: usize = 1_000_000;

/// A batch in JSON of so many customers of its own.
fn batch(app: &App, customers: usize, prefix: &str) -> Record {
    let element = |at| {
        format!(
            r#"{{"sourceCustomerId":"{prefix}{at}","organizationId":"5","postalCode":"7","country":"US",
            "customerCreationDate":"2017-01-01T08:00:00Z","enrollmentStartDate":"2023-01-01T08:00:00Z",
            "enrollmentOptInStatus":"A","alertOptInStatus":[],"targetingIndicator":"T","accounts":[]}}"#
        )
        .replace("\n            ", "")
    };
    let elements: Vec<String> = (0..customers).map(element).collect();
    let value = format!(r#"{{"customers":[{}]}}"#, elements.join(","));
    let record = app.record(Source::PublisherCustomers).partition(0);
    record.value(value).at(EXAMPLE_TIME)
}

/// Waits until the records of all outcomes are as many.
#[track_caller]
fn wait_for(keyfold: &mut Keyfold, outcome: &str, source: &str, records: usize) {
    let what = format!("to have {records} of {source} {outcome}");
    keyfold.wait_for(3 * LIMIT, &what, |keyfold| {
        let metrics = keyfold.metrics_soon(LIMIT)?;
        let labels = [("outcome", outcome), ("source", source)];
        let found = sum(&metrics, "keyfold_records_total", &labels);
        (found >= records as f64).then_some(())
    });
}

#[test]
fn a_batch_with_large_headers_is_taken_in_bounded_memory() {
    let mut app = App::new();
    app.set(&["processing", "max_reject_share"], 1.0);
    app.create();
    let header = |bytes| ("h".to_owned(), Some(vec![b'h'; bytes]));
    let mut rejected = batch(&app, 4_000, "a");
    rejected.headers = vec![header(MEGABYTE)];
    // four thousand times as much as a record may have beside its value
    let mut heavy = batch(&app, 4_000, "b").key(vec![b'k'; 30_000]);
    heavy.headers = vec![header(30_000)];
    let mut light = batch(&app, 10, "c").key("k");
    light.headers = vec![header(30_000)];
    app.client.produce(&[rejected, heavy, light]);
    let mut keyfold = app.run();
    wait_for(&mut keyfold, "merged", "forwarded", 4_010);
    wait_for(&mut keyfold, "split", "publisher-customers", 2);
    assert_bounded(&keyfold);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
    let [letter] = &app.read_dead_letters()[..] else {
        panic!("one dead letter");
    };
    assert_eq!(error_header(letter, "code"), "too_large");
}

/// The fields of a batch's element, as short as Avro can have them.
const ELEMENT: &str = r#"{"type":"record","name":"C","fields":[
    {"name":"sourceCustomerId","type":"string"},
    {"name":"organizationId","type":"string"},
    {"name":"postalCode","type":"string"},
    {"name":"country","type":{"type":"enum","name":"US","symbols":["US"]}},
    {"name":"customerCreationDate","type":{"type":"long","logicalType":"timestamp-micros"}},
    {"name":"enrollmentStartDate","type":{"type":"long","logicalType":"timestamp-micros"}},
    {"name":"enrollmentOptInStatus","type":"string"},
    {"name":"alertOptInStatus","type":{"type":"array","items":"string"}},
    {"name":"targetingIndicator","type":"string"},
    {"name":"accounts","type":{"type":"array","items":
        {"type":"record","name":"A","fields":[{"name":"sourceAccountId","type":"string"}]}}}]}"#;

fn long(out: &mut Vec<u8>, number: usize) {
    let mut rest = number << 1;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// The same in Avro, behind a field of this type and these bytes that nobody reads.
fn avro_batch(app: &App, customers: usize, prefix: &str, unread: &str, bytes: &[u8]) -> Record {
    let schema = format!(
        r#"{{"type":"record","name":"B","fields":[{{"name":"unread","type":{unread}}},
        {{"name":"customers","type":{{"type":"array","items":{ELEMENT}}}}}]}}"#
    );
    let subject = format!("{}-{prefix}", app.id);
    let id = registry::register(&subject, "AVRO", &schema);
    let mut value = vec![0];
    value.extend_from_slice(&id.to_be_bytes());
    value.extend_from_slice(bytes);
    long(&mut value, customers);
    for at in 0..customers {
        let id = format!("{prefix}{at}");
        long(&mut value, id.len());
        value.extend_from_slice(id.as_bytes());
        value.extend_from_slice(&[0; 9]);
    }
    value.push(0);
    let record = app.record(Source::PublisherCustomers).partition(0);
    record.value(value).at(EXAMPLE_TIME)
}

#[test]
fn a_batch_behind_half_a_megabyte_that_nobody_reads_is_taken_in_bounded_memory() {
    const CUSTOMERS: usize = 20_000;
    const UNREAD: usize = 500_000;
    let mut app = App::new();
    app.set(&["sources", "publisher-customers", "format"], "avro");
    app.set(&["registry", "url"], registry::url());
    app.create();
    let mut text = Vec::new();
    long(&mut text, UNREAD);
    text.extend_from_slice(&[b'u'; UNREAD]);
    let fixed = format!(r#"{{"type":"fixed","name":"F","size":{UNREAD}}}"#);
    app.client.produce(&[
        avro_batch(&app, CUSTOMERS, "a", r#""string""#, &text),
        avro_batch(&app, CUSTOMERS, "b", &fixed, &[b'u'; UNREAD]),
    ]);
    let mut keyfold = app.run();
    wait_for(&mut keyfold, "merged", "forwarded", 2 * CUSTOMERS);
    wait_for(&mut keyfold, "split", "publisher-customers", 2);
    assert_bounded(&keyfold);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
    let snapshots = app.newest_snapshots();
    assert_eq!(snapshots.len(), 2 * CUSTOMERS);
    // they say the same, in whatever form they were forwarded
    let shown = |id: &str| String::from_utf8_lossy(&snapshots[id.as_bytes()]).replace(id, "");
    assert_eq!(shown("a7"), shown("b7"));
}
