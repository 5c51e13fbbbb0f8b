//! What keeps `keyfold run` from its work: each with a message that says what to do, and its exit code.

use std::time::{Duration, Instant};

use keyfold::model::record::Source;

use keyfold_harness::app::{App, LIMIT, faulty, text_of};
use keyfold_harness::broker::{Broker, BrokerOptions};
use keyfold_harness::expected::Repeats;
use keyfold_harness::ports::free_port;
use keyfold_harness::program::Keyfold;
use keyfold_harness::record::Record;
use keyfold_harness::slots::Slot;

use crate::permissions::{guarded, log_in};

/// Kafka away at the start is waited for like Kafka away later.
#[test]
fn a_broker_that_is_away_at_the_start_is_waited_for() {
    let slot = Slot::take();
    let mut broker = Broker::start(BrokerOptions::default());
    let app = App::on(broker.bootstrap(), broker.client(), slot);
    app.create();
    broker.stop();

    let mut keyfold = app.run();
    let reason = wait_for_reason(&mut keyfold, "no broker can be reached");
    for word in [broker.bootstrap(), "bootstrap_servers"] {
        assert!(reason.contains(word), "{word} in: {reason}");
    }
    assert_eq!(
        keyfold.http_get("/healthz").map(|(code, _)| code),
        Some(200)
    );
    assert!(keyfold.http_get("/metrics").is_some());
    // a stop is a stop meanwhile
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());

    let mut keyfold = app.run();
    wait_for_reason(&mut keyfold, "no broker can be reached");
    broker.restart();
    keyfold.wait_ready(LIMIT);
    let records: Vec<Record> = app.stream(faulty(85, 50)).take(200).collect();
    app.client.produce(&records);
    app.wait_drained(&mut keyfold);
    app.assert_folded(Repeats::Forbidden);
    let said = keyfold.log();
    assert!(said.contains("the cluster answers, after"), "{said}");
    assert_eq!(keyfold.terminate(), 0);
}

#[test]
fn a_host_that_is_not_known_is_waited_for() {
    let mut app = App::nowhere();
    let host = "kafka.invalid:9092";
    app.set(&["kafka", "bootstrap_servers"], host);
    let mut keyfold = app.run();
    let reason = wait_for_reason(&mut keyfold, "no broker can be reached");
    assert!(reason.contains(host), "{reason}");
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

/// `topics` and `generate` do not wait for ever.
#[test]
fn a_command_gives_up_on_a_broker_that_is_away() {
    let mut app = App::nowhere();
    let address = format!("127.0.0.1:{}", free_port());
    app.set(&["kafka", "bootstrap_servers"], address.clone());
    let output = app.command(&["topics"], b"");
    let said = text_of(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    for word in [address.as_str(), "bootstrap_servers"] {
        assert!(said.contains(word), "{word} in: {said}");
    }
}

/// Waits until `/readyz` says 503 with this in its reason.
#[track_caller]
fn wait_for_reason(keyfold: &mut Keyfold, part: &str) -> String {
    keyfold.wait_for(LIMIT, "to say what it waits for", |keyfold| {
        let (code, body) = keyfold.http_get("/readyz")?;
        (code == 503 && body.contains(part)).then_some(body)
    })
}

/// What no waiting can mend is told at once, with what mends it.
#[test]
fn all_that_is_missing_is_told_at_once() {
    let mut app = App::new();
    app.create_input(Source::LoyaltyCustomers);
    app.create_input(Source::LoyaltyActions);
    app.set(&["topics", "partitions"], 5);
    for said in [app.run_refused(), {
        let output = app.command(&["topics", "--check"], b"");
        assert_eq!(output.status.code(), Some(1), "{}", text_of(&output));
        text_of(&output)
    }] {
        for input in [Source::ConsoleCustomers, Source::PublisherCustomers] {
            let create = format!("--create --topic {} --partitions", app.input(input));
            assert!(said.contains(&create), "{create} in: {said}");
            assert!(said.contains(&format!("[sources.{input}]")), "{said}");
        }
        for output in [
            app.state(),
            app.forwarded(),
            app.snapshots(),
            app.dead_letters(),
        ] {
            let create =
                format!("--create --topic {output} --partitions 5 --config cleanup.policy=");
            assert!(said.contains(&create), "{create} in: {said}");
        }
        assert!(said.contains("keyfold topics"), "{said}");
    }
    let output = app.command(&["topics"], b"");
    let said = text_of(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    for input in [Source::ConsoleCustomers, Source::PublisherCustomers] {
        assert!(said.contains(&app.input(input)), "{said}");
    }
}

#[test]
fn a_missing_input_topic_is_an_error() {
    let mut app = App::new();
    app.create();
    let missing = format!("{}.nowhere", app.id);
    let topics = vec![app.input(Source::LoyaltyCustomers), missing.clone()];
    app.set(&["sources", "loyalty-customers", "topics"], topics);
    let said = app.run_refused();
    assert!(said.contains(&missing), "{said}");
}

#[test]
fn missing_outputs_and_internal_topics_are_an_error() {
    let app = App::new();
    app.create_inputs();
    let said = app.run_refused();
    assert!(said.contains("keyfold topics"), "{said}");
}

#[test]
fn a_wrong_setting_is_an_error_that_names_the_nearest_key() {
    let mut app = App::nowhere();
    app.set(&["processing", "garantee"], "exactly_once");
    let started = Instant::now();
    let mut keyfold = app.run();
    let code = keyfold.wait_exit(Duration::from_secs(60));
    let said = keyfold.log();
    assert_eq!(code, 2, "{said}");
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "without any broker"
    );
    for word in ["processing.garantee", "guarantee", "keyfold.toml"] {
        assert!(said.contains(word), "{word} in: {said}");
    }
}

#[test]
fn a_property_that_delivery_rests_on_is_refused() {
    let mut app = App::nowhere();
    app.set(
        &["kafka", "properties", "isolation.level"],
        "read_uncommitted",
    );
    let mut keyfold = app.run();
    let code = keyfold.wait_exit(Duration::from_secs(60));
    let said = keyfold.log();
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("isolation.level"), "{said}");
}

/// A cluster that wants a name and a password, and grants rights.
#[test]
fn authentication_and_permissions() {
    let (mut app, strangers) = guarded(1);
    log_in(&mut app, "admin");
    app.create();
    let records: Vec<Record> = app.stream(faulty(81, 50)).take(200).collect();
    app.client.produce(&records);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    app.assert_folded(Repeats::Forbidden);
    assert_eq!(keyfold.terminate(), 0);

    app.set(&["kafka", "properties", "sasl.password"], "wrong-secret");
    let said = app.run_refused();
    assert!(said.to_lowercase().contains("authentication"), "{said}");
    assert!(!said.contains("wrong-secret"), "{said}");

    log_in(&mut app, &strangers[0]);
    let said = app.run_refused();
    assert!(said.contains("kafka-acls.sh"), "{said}");
    assert!(!said.contains("-secret"), "{said}");
}

/// The brokers may allow a transaction less time than keyfold wants.
#[test]
fn a_transaction_that_the_brokers_find_too_long_is_named_at_the_start() {
    let slot = Slot::take();
    let broker = Broker::start(BrokerOptions {
        settings: vec![("transaction.max.timeout.ms".to_owned(), "10000".to_owned())],
        ..BrokerOptions::default()
    });
    let mut app = App::on(broker.bootstrap(), broker.client(), slot);
    app.create_inputs();
    let output = app.command(&["topics"], b"");
    let said = text_of(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for said in [said, app.run_refused()] {
        for part in [
            "transaction.max.timeout.ms of the brokers (10000)",
            "transaction.timeout.ms of 15000",
            "at least 15000",
            "[kafka.properties] to at most 10000",
        ] {
            assert!(said.contains(part), "{part} in: {said}");
        }
    }

    // it does as it says
    let properties = ["kafka", "properties", "transaction.timeout.ms"];
    app.set(&properties, "10000");
    let output = app.command(&["topics", "--check"], b"");
    assert_eq!(output.status.code(), Some(0), "{}", text_of(&output));
    let records: Vec<Record> = app.stream(faulty(87, 50)).take(200).collect();
    app.client.produce(&records);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    app.assert_folded(Repeats::Forbidden);
    assert_eq!(keyfold.terminate(), 0);
}

/// The circuit breaker does not empty a topic into the dead letters, but what it stopped for is in there.
#[test]
fn a_run_of_rejections_stops_keyfold() {
    let mut app = App::new();
    app.set(&["processing", "reject_window"], 100);
    app.create();
    let good: Vec<Record> = app
        .stream(keyfold_generate::Options {
            invalid: 0.0,
            null: 0.0,
            ..Default::default()
        })
        .take(100)
        .collect();
    app.client.produce(&good);
    let mut running = app.run_ready();
    app.wait_drained(&mut running);
    let bad = app
        .record(Source::ConsoleCustomers)
        .partition(0)
        .value("not JSON");
    app.client.produce(&vec![bad; 5_000]);
    assert_eq!(running.wait_exit(Duration::from_secs(60)), 3);
    let said = running.log();
    assert!(said.contains("max_reject_share"), "{said}");
    assert!(said.contains("records of console-customers"), "{said}");
    assert!(said.contains("decode/invalid_json"), "{said}");
    assert!(
        said.contains("records were rejected"),
        "each is logged: {said}"
    );
    let letters = app.read_dead_letters().len();
    assert!((90..1_000).contains(&letters), "{letters} dead letters");
    assert!(!app.is_drained(), "the rest stays unread");

    // a start goes on behind what was committed
    let mut again = app.run();
    assert_eq!(again.wait_exit(Duration::from_secs(60)), 3);
    let more = app.read_dead_letters().len();
    assert!(more >= letters + 90, "{letters} dead letters, then {more}");
}

/// Good sources do not hide one that is broken as a whole.
#[test]
fn a_broken_source_stops_keyfold_among_good_ones() {
    let mut app = App::new();
    app.set(&["processing", "reject_window"], 100);
    app.create();
    let good = app.stream(keyfold_generate::Options {
        invalid: 0.0,
        null: 0.0,
        ..Default::default()
    });
    let actions = app.input(Source::LoyaltyActions);
    let good = good.filter(|record| record.topic != actions);
    let good: Vec<Record> = good.take(2_000).collect();
    app.client.produce(&good);
    let bad = app
        .record(Source::LoyaltyActions)
        .partition(0)
        .value("not JSON");
    app.client.produce(&vec![bad; 200]);
    let mut running = app.run();
    assert_eq!(running.wait_exit(Duration::from_secs(60)), 3);
    let said = running.log();
    assert!(said.contains("records of loyalty-actions"), "{said}");
    let letters = app.read_dead_letters().len();
    assert!(letters >= 100, "{letters} dead letters");
}

#[test]
fn healthcheck_asks_the_program_that_runs() {
    let app = App::new();
    app.create();
    let mut keyfold = app.run_ready();
    for args in [&[][..], &["--ready"]] {
        let (code, text) = keyfold.healthcheck(args);
        assert_eq!(code, Some(0), "{text}");
    }
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
    let (code, text) = keyfold.healthcheck(&[]);
    assert_eq!(code, Some(1), "{text}");
}
