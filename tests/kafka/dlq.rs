//! `keyfold dlq` on letters that keyfold has written.

use serde_json::Value;

use keyfold::model::record::Source;
use keyfold_harness::app::{App, EXAMPLE_TIME, LIMIT, text_of};
use keyfold_harness::record::{Consumed, Record};

/// The output of a command that must end with this code.
#[track_caller]
pub fn dlq(app: &App, args: &[&str], code: i32) -> (String, String) {
    let output = app.command(&[&["dlq"], args].concat(), b"");
    assert_eq!(output.status.code(), Some(code), "{}", text_of(&output));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (text(output.stdout), text(output.stderr))
}

pub fn json_lines(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect()
}

/// Lets keyfold reject these records, and stops it.
#[track_caller]
pub fn reject(app: &App, records: &[Record], letters: usize) -> Vec<Consumed> {
    app.client.produce(records);
    let mut keyfold = app.run_ready();
    let found = keyfold.wait_for(LIMIT, "to write dead letters", |_| {
        let letters_now = app.read_dead_letters();
        (letters_now.len() >= letters).then_some(letters_now)
    });
    app.wait_drained(&mut keyfold);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
    assert_eq!(found.len(), letters);
    found
}

pub fn console(app: &App, key: &[u8], value: &[u8]) -> Record {
    let record = app.record(Source::ConsoleCustomers).partition(1);
    record.key(key).value(value).at(EXAMPLE_TIME)
}

#[test]
fn letters_are_listed_shown_and_exported() {
    let app = App::new();
    app.create();
    let bad = [
        console(
            &app,
            b"c-secret",
            br#"{"customerId":"c-secret","version":"x"}"#,
        )
        .header("trace", "t-1")
        .header("owner", "of c-secret"),
        console(
            &app,
            b"c-2",
            br#"{"customerId":"c-2","phones":[{}],"version":1}"#,
        ),
        console(
            &app,
            b"c-3",
            br#"{"customerId":"c-3","phones":[{"key":"1"},{}],"version":1}"#,
        ),
        console(&app, b"\xff\x00", b"\xfe\xff"),
    ];
    let letters = reject(&app, &bad, 4);
    let foreign = Record::to(&app.dead_letters())
        .key("f")
        .value("not a letter");
    app.client.produce(&[foreign]);

    let (out, err) = dlq(&app, &["list", "--output", "json"], 0);
    let groups = json_lines(&out);
    assert_eq!(groups.len(), 3, "{out}");
    assert_eq!(groups[0]["letters"], 2);
    assert_eq!(groups[0]["pointer"], "/phones/*");
    assert_eq!(groups[0]["validNow"], 0);
    assert!(
        err.contains("1 records in") && err.contains("not dead letters"),
        "{err}"
    );
    let (out, _) = dlq(&app, &["list"], 0);
    assert!(out.starts_with(" LETTERS SOURCE"), "{out}");
    assert!(!out.contains("secret"), "{out}");
    let (out, _) = dlq(&app, &["list", "--each", "--code", "invalid_utf8"], 0);
    assert_eq!(out.lines().count(), 2, "{out}");
    let filters = [
        "list", "--each", "--ids", "--key", "c-secret", "--output", "json",
    ];
    let each = json_lines(&dlq(&app, &filters, 0).0);
    assert_eq!((each.len(), &each[0]["key"]), (1, &"c-secret".into()));
    let (out, err) = dlq(&app, &["list", "--until", "2020-01-01T00:00:00Z"], 0);
    assert!(
        out.is_empty() && err.contains("no dead letters"),
        "{out}{err}"
    );

    let id = each[0]["letter"].as_str().expect("a name").to_owned();
    let (out, _) = dlq(&app, &["show", &id], 0);
    assert!(
        out.contains("/version") && out.contains("trace: t-1"),
        "{out}"
    );
    assert!(!out.contains("secret"), "{out}");
    let (out, _) = dlq(
        &app,
        &["show", &id, "--ids", "--value", "--output", "json"],
        0,
    );
    let shown = &json_lines(&out)[0];
    assert_eq!(shown["key"], "c-secret");
    assert_eq!(
        shown["payload"],
        r#"{"customerId":"c-secret","version":"x"}"#
    );
    assert_eq!(shown["attempts"], 1);
    dlq(&app, &["show", "0@999999"], 2);

    let file = app.file("letters.jsonl");
    let path = file.to_str().expect("a path");
    dlq(&app, &["export", path], 0);
    dlq(&app, &["export", path], 2);
    let lines = json_lines(&std::fs::read_to_string(&file).expect("UTF-8"));
    assert_eq!(lines.len(), letters.len());
    let binary = lines
        .iter()
        .find(|line| line.get("payload_base64").is_some());
    let binary = binary.expect("a line of what is no UTF-8");
    assert_eq!(binary["payload_base64"], "/v8=");
    assert_eq!(binary["key_base64"], "/wA=");
    // the other commands read the same lines
    let output = app.command(&["validate", path], b"");
    assert_eq!(output.status.code(), Some(1), "{}", text_of(&output));
    let verdicts = json_lines(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(verdicts.len(), 4);
    assert!(
        verdicts
            .iter()
            .any(|verdict| verdict["code"] == "invalid_utf8")
    );
}
