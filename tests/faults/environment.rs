//! Bad environments: a topic that refuses writes, partitions that are added while keyfold runs, and records whose
//! clocks jump. (A dead-letter topic that takes no large records is in `tests/kafka/dead_letters.rs`.)

use std::fs;
use std::time::Duration;

use keyfold::model::record::Source;
use keyfold_generate::{Generator, Options};
use rdkafka::admin::{AdminOptions, NewPartitions};

use crate::fleet;
use crate::load::{Load, judge, settle};
use keyfold_harness::app::{App, LIMIT, faulty};
use keyfold_harness::broker::{Broker, BrokerOptions, sasl_properties};
use keyfold_harness::expected::Repeats;
use keyfold_harness::record::Record;
use keyfold_harness::slots::Slot;
use keyfold_harness::wait::block_on;

/// Rights are taken away while it runs, and given back.
#[test]
fn a_snapshot_topic_that_refuses_writes_stops_keyfold_and_nothing_is_lost() {
    let slot = Slot::take();
    let broker = Broker::start(BrokerOptions {
        users: vec![("keyfold".to_owned(), "keyfold-secret".to_owned())],
        settings: vec![(
            "allow.everyone.if.no.acl.found".to_owned(),
            "true".to_owned(),
        )],
        ..BrokerOptions::default()
    });
    let mut app = App::on(broker.bootstrap(), broker.client(), slot);
    for (name, value) in sasl_properties("keyfold", "keyfold-secret") {
        app.set(&["kafka", "properties", name], value);
    }
    app.create();
    let load = Load::start(&app, 381, 300);
    let mut keyfold = fleet::start(&app);
    keyfold.wait_ready(LIMIT);
    let snapshots = app.snapshots();
    let admin = app.file("admin.properties");
    let admin = admin.to_str().expect("a path of text");
    fs::write(
        admin,
        "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n\
         sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
         username=\"admin\" password=\"admin-secret\";\n",
    )
    .expect("a file");
    let deny = |change: &str| {
        let mut args = vec!["--bootstrap-server", broker.bootstrap()];
        args.extend(["--command-config", admin, change, "--force"]);
        args.extend(["--deny-principal", "User:keyfold"]);
        args.extend(["--operation", "Write", "--topic", &snapshots]);
        broker.tool("org.apache.kafka.tools.AclCommand", &args);
    };
    deny("--add");
    let code = keyfold.wait_exit(LIMIT);
    let said = keyfold.log();
    assert_eq!(code, 3, "{said}");
    for word in ["refuses", "permissions"] {
        assert!(said.contains(word), "{word} in: {said}");
    }
    deny("--remove");
    let mut keyfold = fleet::start(&app);
    settle(&app, load, &mut keyfold);
    fleet::stop(&mut keyfold);
}

fn grow(app: &App, topic: &str, partitions: usize) {
    let grown = NewPartitions::new(topic, partitions);
    let results = app.client.admin();
    let results = results.create_partitions([&grown], &AdminOptions::new());
    for result in block_on(results).expect("partitions can be added") {
        result.expect("partitions are added");
    }
}

#[test]
fn an_input_that_grows_is_read() {
    let mut app = App::new();
    app.set(
        &["kafka", "properties", "topic.metadata.refresh.interval.ms"],
        1_000,
    );
    app.create();
    // what comes to the new partitions before keyfold knows of them is read from the beginning
    let load = Load::start(&app, 382, 300);
    let mut keyfold = fleet::start(&app);
    keyfold.wait_ready(LIMIT);
    for (at, source) in Source::BUILT_IN.into_iter().enumerate() {
        grow(&app, &app.input(source), 5);
        app.input_partitions[at] = 5;
    }
    load.stop();
    // a new producer knows all of them
    let load = Load::start(&app, 383, 300);
    keyfold.wait_for(LIMIT, "to read the new partitions", |_| {
        let topic = app.input(Source::LoyaltyCustomers);
        let committed = app.client.committed_offsets(&app.id, &[&topic]);
        (committed.len() == 5).then_some(())
    });
    settle(&app, load, &mut keyfold);
    fleet::stop(&mut keyfold);
}

/// The keys of such a topic would go to other partitions.
fn a_topic_grows(topic: impl Fn(&App) -> String, way_out: &str, seed: u64) {
    let app = App::new();
    app.create();
    let load = Load::start(&app, seed, 200);
    let mut keyfold = fleet::start(&app);
    keyfold.wait_ready(LIMIT);
    let topic = topic(&app);
    grow(&app, &topic, 5);
    let code = keyfold.wait_exit(LIMIT);
    let said = keyfold.log();
    assert_eq!(code, 3, "{said}");
    for word in [topic.as_str(), "5 partitions", way_out] {
        assert!(said.contains(word), "{word} in: {said}");
    }
    load.stop();
}

#[test]
fn a_state_topic_that_grows_stops_keyfold() {
    a_topic_grows(App::state, "topics reset", 384);
}

#[test]
#[ignore = "of the long form"]
fn a_snapshot_topic_that_grows_stops_keyfold() {
    a_topic_grows(App::snapshots, "restart all instances", 385);
}

/// Producers' clocks differ by a century; each record is judged by its own.
#[test]
fn records_of_the_past_and_of_the_far_future_are_folded_alike() {
    let app = App::new();
    app.create();
    let mut keyfold = fleet::start(&app);
    // 2001, 2026, and 2126
    let starts = [978_307_200_000, 1_767_225_600_000, 4_922_899_200_000];
    let mut streams = starts.map(|start_ms| {
        Generator::new(Options {
            start_ms,
            ..faulty(386, 100)
        })
    });
    let mut records: Vec<Record> = Vec::new();
    for _ in 0..1_500 {
        for stream in &mut streams {
            records.extend(stream.next().map(|record| app.generated(record)));
        }
    }
    app.client.produce(&records);
    keyfold.wait_ready(Duration::from_secs(60));
    judge(&app, &mut keyfold, Repeats::Forbidden);
    fleet::stop(&mut keyfold);
}
