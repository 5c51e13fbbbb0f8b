//! Records and dead letters beyond what is taken, in value, headers and key.

use keyfold::model::record::Source;

use keyfold_harness::app::App;
use keyfold_harness::expected::error_header;
use keyfold_harness::metrics::sum;
use keyfold_harness::record::{Consumed, Record};

const MANY: usize = 2_000_000;

fn console(app: &App, value: &str) -> Record {
    app.record(Source::ConsoleCustomers).value(value)
}

fn omitted(letter: &Consumed) -> Vec<&str> {
    let names = letter.headers.iter().map(|(name, _)| name.as_str());
    names
        .filter_map(|name| {
            name.strip_prefix("__keyfold.errors.")?
                .strip_suffix(".omitted")
        })
        .collect()
}

#[test]
fn a_letter_goes_without_its_headers_and_without_its_key_if_it_must() {
    let app = App::new();
    app.create();
    app.client.produce(
        &[
            console(&app, "{").key("c1").header("case", "0"),
            console(&app, "{")
                .key("c1")
                .header("large", vec![b'h'; MANY]),
            console(&app, "{").key(vec![b'k'; MANY]).header("case", "2"),
            console(&app, r#"{"customerId":"c1","version":1}"#).key("c1"),
        ]
        .map(|record| record.partition(0)),
    );
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    let letters = app.read_dead_letters();
    assert_eq!(letters.len(), 3);
    let all: [&[&str]; 3] = [&[], &["value", "headers"], &["value", "headers", "key"]];
    for (offset, all) in all.into_iter().enumerate() {
        let at = |letter: &&Consumed| error_header(letter, "offset") == offset.to_string();
        let letter = letters.iter().find(at).expect("a dead letter");
        assert_eq!(omitted(letter), all, "{offset}");
        assert_eq!(letter.value.is_some(), offset == 0, "{offset}");
        assert_eq!(letter.key.is_some(), offset < 2, "{offset}");
        assert_eq!(letter.header("case").is_some(), offset == 0, "{offset}");
        assert_eq!(
            error_header(letter, "topic"),
            app.input(Source::ConsoleCustomers)
        );
    }
    assert_eq!(app.newest_snapshots().len(), 1, "the record behind them");
    app.assert_ledger(&[&keyfold.metrics()]);
    let log = keyfold.log();
    assert!(
        !log.contains("kkkk") && !log.contains("hhhh"),
        "a key or a header in the log"
    );
    assert_eq!(keyfold.terminate(), 0);
}

/// The verdict on a record is the same on the worker that has its customer and on one that would forward it.
#[test]
fn large_metadata_are_judged_the_same_wherever_the_customer_is_at_home() {
    const MOST: usize = 65_536;
    const MOST_VALUE: usize = 1_048_576;
    let mut app = App::new();
    app.set(&["processing", "workers"], 2);
    app.create();
    let value = |id: &str| format!(r#"{{"customerId":"{id}","version":1}}"#);
    let header = |record: Record, bytes: usize| record.header("h", vec![b'h'; bytes - 1]);
    let mut records = Vec::new();
    for n in 0..12 {
        let (large, whole) = (format!("large-{n:02}"), format!("whole-{n:02}"));
        let key = "k".repeat(1_000 + n);
        let on = |record: Record| record.partition(n as i32 % 3).key(key.clone());
        records.push(on(header(console(&app, &value(&large)), 1_300_000)));
        records.push(on(header(
            console(&app, &value(&large)),
            MOST + 1 - key.len(),
        )));
        // as large as a record may be
        let mut text = value(&whole);
        text.insert_str(1, &" ".repeat(MOST_VALUE - text.len()));
        records.push(on(header(console(&app, &text), MOST - key.len())));
    }
    let null = app.record(Source::ConsoleCustomers);
    records.push(null.clone().key("k".repeat(MOST + 1)));
    records.push(header(null.key("k"), MOST));
    app.client.produce(&records);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);

    let letters = app.read_dead_letters();
    assert_eq!(letters.len(), 12 * 2 + 2);
    for letter in &letters {
        assert_eq!(error_header(letter, "stage"), "decode");
        assert_eq!(error_header(letter, "code"), "too_large");
        let message = error_header(letter, "message");
        assert!(
            message.contains("validation.max_metadata_bytes"),
            "{message}"
        );
    }
    let shown: Vec<String> = app
        .newest_snapshots()
        .into_keys()
        .map(|key| String::from_utf8(key).expect("an id of text"))
        .collect();
    let whole: Vec<String> = (0..12).map(|n| format!("whole-{n:02}")).collect();
    assert_eq!(shown, whole);
    let metrics = keyfold.metrics();
    app.assert_ledger(&[&metrics]);
    let total = |labels: &[(&str, &str)]| sum(&metrics, "keyfold_records_total", labels);
    assert!(total(&[("outcome", "forwarded")]) > 0.0);
    assert_eq!(
        total(&[("source", "forwarded"), ("outcome", "rejected")]),
        0.0
    );
    assert_eq!(keyfold.terminate(), 0);
}
