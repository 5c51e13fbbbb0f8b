//! The commands for operators on records in Avro, and while the schema registry is away.

use serde_json::{Value, json};

use keyfold::model::record::Source;
use keyfold_harness::app::{App, text_of};
use keyfold_harness::avro_records::{Batch, Outside, WriterSchema, reader};
use keyfold_harness::record::Record;
use keyfold_harness::registry_proxy::{Fault, RegistryProxy};

use crate::avro_faults::LOYALTY;
use crate::dlq::{console, dlq, json_lines, reject};

const NOT_KNOWN: &str = "not known: the registry is away";

fn event(minute: u32, country: &str) -> Value {
    let address = json!({"addressId": "a", "line1": "1", "city": "York", "zipCode": "z", "countryCode": country});
    json!({"eventType": "CUSTOMER", "eventAction": "UPDATED", "version": 1.0, "body": {
        "customerId": "c-1", "status": "ACTIVE", "addresses": [address], "createdAt": "2024-01-01T00:00:00Z",
        "updatedAt": format!("2024-01-01T00:{minute:02}:00Z")}})
}

/// Two records of a customer in Avro, a third one that is rejected, and one in JSON that is rejected.
fn records(app: &App) -> Vec<Record> {
    let mut batch = Batch::default();
    let name = format!("{} one", app.id);
    batch.schema(&name, WriterSchema::avro(&reader(LOYALTY)));
    for event in [event(1, "GB"), event(2, "FR"), event(3, "Atlantis")] {
        batch.record(Outside::avro(
            app,
            LOYALTY,
            &name,
            event.to_string().as_bytes(),
        ));
    }
    let values = app.encode_outside(&batch).into_iter();
    let of_loyalty = values.map(|value| app.record(LOYALTY).partition(0).key("c-1").value(value));
    of_loyalty.chain([console(app, b"c-9", b"{}")]).collect()
}

#[track_caller]
fn explain(app: &App, code: i32) -> (Value, String) {
    let output = app.command(&["explain", "c-1", "--output", "json"], b"");
    assert_eq!(output.status.code(), Some(code), "{}", text_of(&output));
    let explained = serde_json::from_slice(&output.stdout).expect("JSON");
    (explained, text_of(&output))
}

#[track_caller]
fn of_source(lines: &[Value], source: Source) -> &Value {
    let mut lines = lines.iter();
    let line = lines.find(|line| line["source"] == source.name());
    line.expect("a line of the source")
}

/// With the registry: everything is judged, and what is published is explained.
#[track_caller]
fn assert_known(app: &App) {
    let groups = json_lines(&dlq(app, &["list", "--output", "json"], 0).0);
    assert_eq!(groups.len(), 2);
    assert!(
        groups.iter().all(|group| group["validNow"] == 0),
        "{groups:?}"
    );
    let (explained, said) = explain(app, 0);
    let records = explained["records"].as_array().expect("records").iter();
    let became: Vec<&Value> = records.map(|record| &record["became"]).collect();
    assert_eq!(became, ["superseded", "shown", "rejected"], "{said}");
    let letters = explained["deadLetters"].as_array().expect("letters");
    assert_eq!(
        (letters.len(), &letters[0]["code"]),
        (1, &json!("country_code"))
    );
    assert_eq!(explained["published"]["equal"], true, "{said}");
    assert_eq!(explained.get("notKnown"), None);
}

#[test]
fn what_is_known_is_shown_while_the_registry_is_away() {
    let proxy = RegistryProxy::start();
    let mut app = App::in_avro(&proxy);
    app.set(&["sources", "console-customers", "format"], "json");
    app.set(&["registry", "timeout"], "1s");
    app.create();
    reject(&app, &records(&app), 2);
    assert_known(&app);

    proxy.fail(Fault::Refused);
    let (out, err) = dlq(&app, &["list", "--output", "json"], 3);
    assert!(err.contains("of 1 letters it is not known"), "{err}");
    let groups = json_lines(&out);
    let group = of_source(&groups, LOYALTY);
    assert_eq!(
        (&group["validNow"], &group["notKnown"]),
        (&Value::Null, &json!(1))
    );
    assert_eq!(of_source(&groups, Source::ConsoleCustomers)["validNow"], 0);
    let (out, _) = dlq(&app, &["list"], 3);
    assert!(out.lines().any(|line| line.contains(" ?  ")), "{out}");

    let each = json_lines(&dlq(&app, &["list", "--each", "--output", "json"], 3).0);
    let (avro, console) = (
        of_source(&each, LOYALTY),
        of_source(&each, Source::ConsoleCustomers),
    );
    assert_eq!(
        (&avro["validNow"], &avro["now"]["message"]),
        (&Value::Null, &json!(NOT_KNOWN))
    );
    let letter = avro["letter"].as_str().expect("a name");
    let (out, _) = dlq(&app, &["show", letter], 3);
    assert!(
        out.contains("/body/addresses/0/countryCode") && out.contains(NOT_KNOWN),
        "{out}"
    );
    dlq(
        &app,
        &["show", console["letter"].as_str().expect("a name")],
        0,
    );

    let (explained, said) = explain(&app, 3);
    assert_eq!(explained["notKnown"]["records"], 3, "{said}");
    assert_eq!(explained["published"]["equal"], Value::Null, "{said}");
    assert_eq!(
        explained["deadLetters"].as_array().map(Vec::len),
        Some(1),
        "{said}"
    );
    let table = text_of(&app.command(&["explain", "c-1"], b""));
    assert!(
        table.contains("3 records are not known: the registry is away"),
        "{table}"
    );
    assert!(!table.contains("NOT AS PUBLISHED"), "{table}");
    proxy.recover();
    assert_known(&app);
}
