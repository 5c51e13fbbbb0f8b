//! The log as JSON, as a collector of logs reads it.

use serde_json::Value;

use keyfold_harness::app::{App, LIMIT, faulty};
use keyfold_harness::broker::{Broker, BrokerOptions};
use keyfold_harness::metrics::sum;
use keyfold_harness::program::Keyfold;
use keyfold_harness::record::Record;
use keyfold_harness::slots::Slot;

/// All lines so far; each must be JSON, with a level and a message.
fn lines(keyfold: &Keyfold) -> Vec<Value> {
    let log = keyfold.log();
    // one that is being written has no end yet
    let whole = log.rfind('\n').map_or("", |end| &log[..end]);
    whole
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect(line);
            assert!(line["level"].is_string(), "{line}");
            assert!(line["fields"]["message"].is_string(), "{line}");
            line
        })
        .collect()
}

fn says(line: &Value, what: &str) -> bool {
    line["fields"]["message"]
        .as_str()
        .is_some_and(|message| message.contains(what))
}

fn find<'l>(lines: &'l [Value], what: &str) -> Vec<&'l Value> {
    lines.iter().filter(|line| says(line, what)).collect()
}

fn json(app: &mut App) {
    app.set(&["log", "format"], "json");
    app.set(&["processing", "workers"], 2);
}

#[test]
fn a_start_and_a_minute_and_a_stop() {
    let mut app = App::new();
    json(&mut app);
    app.create();
    let records: Vec<Record> = app.stream(faulty(17, 50)).take(500).collect();
    app.client.produce(&records);
    let mut first = app.run_ready();
    app.wait_drained(&mut first);
    assert_eq!(first.terminate(), 0);
    let mut keyfold = app.run_ready();
    // from here on the minute is waited for
    app.give_up_slot();
    keyfold.wait_for(LIMIT, "to sum up a minute", |keyfold| {
        let lines = lines(keyfold);
        let summary = *find(&lines, "summary of the last minute").first()?;
        for field in [
            "records",
            "records_per_second",
            "rejected",
            "commits",
            "lag_records",
        ] {
            assert!(summary["fields"][field].is_number(), "{field}: {summary}");
        }
        assert_eq!(summary["fields"]["ready"], true);
        Some(())
    });
    assert_eq!(keyfold.terminate(), 0);
    let lines = lines(&keyfold);
    let ready = find(&lines, "ready after");
    assert_eq!(ready.len(), 1, "{lines:?}");
    assert!(ready[0]["fields"]["seconds"].as_f64() > Some(0.0));
    assert!(ready[0]["fields"]["restored_records"].as_u64() > Some(0));
    assert!(
        lines.iter().all(|line| line["level"] != "ERROR"),
        "{lines:?}"
    );
    for line in find(&lines, "assigned") {
        assert!(line["fields"]["worker"].is_number(), "{line}");
    }
    assert!(says(lines.last().expect("a line"), "has stopped"));
}

#[test]
fn the_last_line_of_a_fatal_end_is_json_and_names_the_place_in_fields() {
    let mut app = App::new();
    json(&mut app);
    app.create();
    let mut keyfold = app.run_ready();
    let foreign = Record::to(&app.forwarded())
        .partition(0)
        .key("c")
        .value("x");
    app.client.produce(&[foreign]);
    assert_eq!(keyfold.wait_exit(LIMIT), 3);
    let lines = lines(&keyfold);
    let fatal = *find(&lines, "cannot continue").first().expect("a line");
    assert!(fatal["fields"]["worker"].is_number(), "{fatal}");
    assert_eq!(fatal["fields"]["topic"], app.forwarded());
    assert_eq!(fatal["fields"]["partition"], 0);
    assert_eq!(fatal["fields"]["offset"], 0);
    let last = lines.last().expect("a line");
    assert_eq!(last["level"], "ERROR");
    assert_eq!(last["fields"]["exit_code"], 3);
}

#[test]
fn an_error_of_the_start_is_json_too() {
    let mut app = App::new();
    json(&mut app);
    // the topics are not there
    let mut keyfold = app.run();
    assert_eq!(keyfold.wait_exit(LIMIT), 3);
    let lines = lines(&keyfold);
    let last = lines.last().expect("a line");
    assert_eq!(last["level"], "ERROR");
    assert!(says(last, "does not exist"), "{last}");
}

#[test]
fn a_start_that_waits_for_kafka_shows_its_workers_and_says_that_it_stops() {
    let mut app = App::nowhere();
    json(&mut app);
    let mut keyfold = app.run();
    keyfold.wait_for(LIMIT, "to show its workers", |keyfold| {
        let metrics = keyfold.metrics_soon(LIMIT)?;
        let starting = [("state", "starting")];
        (sum(&metrics, "keyfold_worker_state", &starting) == 2.0).then_some(())
    });
    assert_eq!(keyfold.terminate(), 0);
    assert!(says(lines(&keyfold).last().expect("a line"), "has stopped"));
}

#[test]
fn a_broker_that_restarts_is_said_once_and_again_when_it_is_over() {
    let slot = Slot::take();
    let mut broker = Broker::start(BrokerOptions::default());
    let mut app = App::on(broker.bootstrap(), broker.client(), slot);
    json(&mut app);
    app.create();
    let mut keyfold = app.run_ready();
    let before = lines(&keyfold).len();
    broker.kill();
    keyfold.wait_for(LIMIT, "to say that a service is away", |keyfold| {
        let (status, _) = keyfold.http_get("/readyz")?;
        (status == 503).then_some(())
    });
    // the clients try in vain until the session is over
    keyfold.wait_for(LIMIT, "to lose its partitions", |keyfold| {
        (!find(&lines(keyfold), "revoked").is_empty()).then_some(())
    });
    broker.restart();
    let records: Vec<Record> = app.stream(faulty(18, 50)).take(500).collect();
    app.client.produce(&records);
    app.wait_drained(&mut keyfold);
    keyfold.wait_for(LIMIT, "to say that it is over", |keyfold| {
        let lines = lines(keyfold);
        (!find(&lines, "trouble with the cluster is over").is_empty()).then_some(())
    });
    assert_eq!(keyfold.terminate(), 0);
    let lines = lines(&keyfold);
    let trouble = find(&lines, "says when it is over");
    let over = find(&lines, "trouble with the cluster is over");
    assert_eq!(trouble.len(), over.len(), "{lines:#?}");
    assert!(trouble.len() <= 2, "{lines:#?}");
    // with what the group and the records had to say
    assert!(lines.len() - before < 30, "{lines:#?}");
}
