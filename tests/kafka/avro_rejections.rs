//! Bad Avro: each value gets a dead letter with its code and its bytes.

use serde_json::{Value, json};

use crate::avro::assert_counted;
use crate::avro_faults::{LOYALTY, event, events, is_published, record};
use keyfold_harness::app::{App, LIMIT, text_of};
use keyfold_harness::avro_lines::{Payload, line};
use keyfold_harness::avro_records::id_of;
use keyfold_harness::expected::error_header;
use keyfold_harness::metrics::{Metrics, sum};
use keyfold_harness::record::Consumed;
use keyfold_harness::registry;
use keyfold_harness::registry_proxy::RegistryProxy;

/// No registry of the tests ever gets so far.
const UNKNOWN_ID: u32 = 2_000_000_007;
const GUID: &str = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";
const UNKNOWN_GUID: &str = "ffffffff-4b5a-6978-8796-a5b4c3d2e1f0";
/// Cases that are named more than once.
const UNKNOWN: &str = "unknown id";
const UNKNOWN_BY_GUID: &str = "unknown guid";

/// A bad value, and the code that it gets.
struct BadValue {
    name: &'static str,
    code: &'static str,
    value: Vec<u8>,
}

fn framed(id: u32, body: &[u8]) -> Vec<u8> {
    [&[0][..], &id.to_be_bytes(), body].concat()
}

/// Every kind of bad value, made of a good one.
fn bad_values(app: &App, good: &[u8]) -> Vec<BadValue> {
    let subject = |kind: &str| format!("{}.{kind}", app.id);
    let other = registry::register(&subject("other"), "AVRO", "\"string\"");
    let schema = r#"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object"}"#;
    let json_schema = registry::register(&subject("json"), "JSON", schema);
    let id = id_of(good).expect("an id");
    let body = &good[5..];
    let half = &body[..body.len() / 2];
    let longer = [body, b"\0"].concat();
    let mut magic = good.to_vec();
    magic[0] = 2;
    let invalid = |name, value| BadValue {
        name,
        code: "invalid_avro",
        value,
    };
    vec![
        BadValue {
            name: UNKNOWN,
            code: "unknown_schema_id",
            value: framed(UNKNOWN_ID, body),
        },
        invalid("cut off", framed(id, half)),
        invalid("one byte more", framed(id, &longer)),
        invalid("no body", framed(id, b"")),
        invalid("a string's schema", framed(other, b"\x06abc")),
        invalid("JSON Schema", framed(json_schema, b"{}")),
        invalid("half a frame", b"\0\0\0".to_vec()),
        invalid("empty", Vec::new()),
        invalid("magic byte", magic),
        invalid("JSON", event("json").into_bytes()),
    ]
}

/// The registry knows one schema by its GUID, and another one not.
fn answer_for_guids(proxy: &RegistryProxy, id: u32) {
    let found = json!({"schema": registry::schema(id), "schemaType": "AVRO"});
    proxy.answer(&format!("/schemas/guids/{GUID}"), 200, &found);
    let missing = json!({"error_code": 40403, "message": "Schema not found"});
    proxy.answer(&format!("/schemas/guids/{UNKNOWN_GUID}"), 404, &missing);
}

/// Every kind of bad value, and every kind of good one beside them. The commands without Kafka say the same.
#[test]
fn bad_avro_gets_a_dead_letter_with_its_bytes() {
    let proxy = RegistryProxy::start();
    let mut app = App::in_avro(&proxy);
    app.set(&["registry", "unknown_ids_for"], "30m");
    app.create();
    let good = events(&app, &[("framed", "one"), ("by-guid", "one")]);
    answer_for_guids(&proxy, id_of(&good[0]).expect("an id"));
    let bad = bad_values(&app, &good[0]);
    let body = &good[1][5..];
    let mut records = vec![
        record(&app, good[0].clone()),
        record(&app, body).header("__value_schema_id", guid_header(GUID)),
    ];
    for BadValue { name, value, .. } in &bad {
        let bad = record(&app, value.clone()).key(*name);
        records.push(bad.header("case", *name).header("trace", b"\xff".to_vec()));
    }
    let by_guid = record(&app, body).key(UNKNOWN_BY_GUID);
    let by_guid = by_guid.header("case", UNKNOWN_BY_GUID);
    records.push(by_guid.header("__value_schema_id", guid_header(UNKNOWN_GUID)));
    let many = 200;
    for _ in 0..many {
        let again = record(&app, framed(UNKNOWN_ID, &good[0][5..]));
        records.push(again.header("case", UNKNOWN));
    }
    app.client.produce(&records);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);

    for customer in ["framed", "by-guid"] {
        assert!(is_published(&keyfold, customer), "{customer}");
    }
    let letters = app.read_dead_letters();
    assert_eq!(letters.len(), bad.len() + 1 + many);
    for bad in &bad {
        assert_rejected(bad, &letters);
    }
    assert_rejected_by_guid(body, &letters);
    assert_requests(&proxy, &app, &keyfold.metrics());
    assert_eq!(keyfold.terminate(), 0);
    assert_commands_agree(&app, &letters);
}

fn of_case<'l>(case: &str, letters: &'l [Consumed]) -> Vec<&'l Consumed> {
    let own = letters
        .iter()
        .filter(|letter| letter.header("case") == Some(case));
    own.collect()
}

/// Its letters have the code, and the record as it was.
#[track_caller]
fn assert_rejected(bad: &BadValue, letters: &[Consumed]) {
    let BadValue { name, code, value } = bad;
    let letters = of_case(name, letters);
    for letter in &letters {
        assert_eq!(error_header(letter, "code"), *code, "{name}");
        assert_eq!(error_header(letter, "stage"), "decode", "{name}");
        assert_eq!(error_header(letter, "violations"), "[]", "{name}");
        assert_eq!(letter.value.as_ref(), Some(value), "{name}");
    }
    let with_key = letters.into_iter().find(|letter| letter.key.is_some());
    let letter = with_key.unwrap_or_else(|| panic!("no letter of {name}"));
    assert_eq!(letter.key_text(), *name);
    let trace = ("trace".to_owned(), Some(b"\xff".to_vec()));
    assert!(letter.headers.contains(&trace), "{name}");
}

#[track_caller]
fn assert_rejected_by_guid(body: &[u8], letters: &[Consumed]) {
    let [by_guid] = of_case(UNKNOWN_BY_GUID, letters)[..] else {
        panic!("one letter of the unknown GUID");
    };
    assert_eq!(error_header(by_guid, "code"), "unknown_schema_id");
    assert_eq!(by_guid.value.as_deref(), Some(body));
    let header = (
        "__value_schema_id".to_owned(),
        Some(guid_header(UNKNOWN_GUID)),
    );
    assert!(by_guid.headers.contains(&header));
}

/// What was asked of the registry. The first id that is not there is asked for a second time before that is believed.
#[track_caller]
fn assert_requests(proxy: &RegistryProxy, app: &App, metrics: &Metrics) {
    for unknown in [
        format!("/schemas/ids/{UNKNOWN_ID}"),
        format!("/schemas/guids/{UNKNOWN_GUID}"),
    ] {
        assert!((1..=2).contains(&proxy.requests(&unknown)), "{unknown}");
    }
    assert_counted(app, metrics);
    let asked = |result| {
        let labels = [("result", result)];
        sum(metrics, "keyfold_registry_requests_total", &labels)
    };
    assert!(
        asked("ok") >= 4.0 && asked("not_found") >= 2.0,
        "{metrics:?}"
    );
    assert_eq!(asked("failed"), 0.0);
}

/// An operator looks into the dead letters, with `keyfold validate`.
#[track_caller]
fn assert_commands_agree(app: &App, letters: &[Consumed]) {
    let looked_into = |letter: &&Consumed| letter.header("case") != Some(UNKNOWN_BY_GUID);
    let letters: Vec<&Consumed> = letters.iter().filter(looked_into).collect();
    let topic = app.input(LOYALTY);
    let lines = letters.iter().flat_map(|letter| {
        let payload = Payload::Base64(letter.value.clone());
        line(LOYALTY, &topic, letter, payload)
    });
    let lines: Vec<u8> = lines.collect();
    let output = app.command(&["validate", "--registry", registry::url()], &lines);
    assert_eq!(output.status.code(), Some(1), "{}", text_of(&output));
    let verdicts = String::from_utf8(output.stdout).expect("text");
    assert_eq!(verdicts.lines().count(), letters.len());
    for (verdict, letter) in verdicts.lines().zip(letters) {
        let verdict: Value = serde_json::from_str(verdict).expect("a verdict");
        assert_eq!(verdict["code"], error_header(letter, "code"), "{verdict}");
    }
}

/// "There is no such schema" is believed for a time only.
#[test]
fn a_schema_that_comes_late_is_found() {
    let proxy = RegistryProxy::start();
    let mut app = App::in_avro(&proxy);
    app.set(&["registry", "unknown_ids_for"], "1s");
    app.create();
    let path = format!("/schemas/ids/{UNKNOWN_ID}");
    let missing = json!({"error_code": 40403, "message": "Schema not found"});
    proxy.answer(&path, 404, &missing);
    let mut value = events(&app, &[("late", "one")]).remove(0);
    let found = json!({"schema": registry::schema(id_of(&value).expect("an id"))});
    value[1..5].copy_from_slice(&UNKNOWN_ID.to_be_bytes());
    let mut keyfold = app.run_ready();
    app.client.produce(&[record(&app, value.clone())]);
    app.wait_drained(&mut keyfold);
    assert!(!app.read_dead_letters().is_empty());
    proxy.answer(&path, 200, &found);
    keyfold.wait_for(LIMIT, "to ask again", |keyfold| {
        app.client.produce(&[record(&app, value.clone())]);
        is_published(keyfold, "late").then_some(())
    });
    assert_eq!(keyfold.terminate(), 0);
}

/// The writer schema of a null value's key under `key_format = "avro"` must be string.
#[test]
fn a_key_of_avro_must_be_a_string() {
    let proxy = RegistryProxy::start();
    let mut app = App::in_avro(&proxy);
    let source = LOYALTY;
    app.set(&["sources", source.name(), "key_format"], "avro");
    app.create();
    let strings = registry::register(&format!("{}.string", app.id), "AVRO", "\"string\"");
    let bytes = registry::register(&format!("{}.bytes", app.id), "AVRO", "\"bytes\"");
    let missing = json!({"error_code": 40403, "message": "Schema not found"});
    proxy.answer(&format!("/schemas/ids/{UNKNOWN_ID}"), 404, &missing);
    let ids = ["erased", "of-bytes", "unknown"];
    let values = events(&app, &ids.map(|id| (id, "one")));
    let mut records: Vec<_> = values
        .iter()
        .map(|value| record(&app, value.clone()))
        .collect();
    for (id, schema) in ids.into_iter().zip([strings, bytes, UNKNOWN_ID]) {
        // the length of a text before it, in Avro's own numbers
        let length = [id.len() as u8 * 2];
        let key = [&[0][..], &schema.to_be_bytes(), &length, id.as_bytes()].concat();
        records.push(app.record(source).key(key));
    }
    app.client.produce(&records);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);

    let shown: Vec<Vec<u8>> = app.newest_snapshots().into_keys().collect();
    assert_eq!(shown, [b"of-bytes".to_vec(), b"unknown".to_vec()]);
    let letters = app.read_dead_letters();
    assert_eq!(letters.len(), 2);
    for letter in &letters {
        assert_eq!(error_header(letter, "code"), "invalid_key");
    }
    app.assert_ledger(&[&keyfold.metrics()]);
    assert_eq!(keyfold.terminate(), 0);
}

/// The header of a schema's GUID.
fn guid_header(guid: &str) -> Vec<u8> {
    let digits: Vec<u8> = guid.bytes().filter(|byte| *byte != b'-').collect();
    let bytes = digits.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).expect("digits");
        u8::from_str_radix(pair, 16).expect("digits")
    });
    [1].into_iter().chain(bytes).collect()
}
