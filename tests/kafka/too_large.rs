//! Records and dead letters beyond what is taken, in value, headers and key.

use keyfold::record::Source;

use crate::app::App;
use crate::client::{Consumed, Record};
use crate::fold::error_header;

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
