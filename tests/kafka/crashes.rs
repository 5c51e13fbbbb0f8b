//! Crashes: `kill -9` in the midst of the stream, and a restart.

use rdkafka::admin::{AdminOptions, AlterConfig, ResourceSpecifier};

use keyfold_harness::app::{App, LIMIT, faulty};
use keyfold_harness::expected::Repeats;
use keyfold_harness::record::Record;
use keyfold_harness::wait::{block_on, wait_until};

struct Crash {
    guarantee: &'static str,
    protocol: &'static str,
    instance_id: &'static str,
}

fn kill_and_restart(crash: &Crash, repeats: Repeats) {
    let mut app = App::new();
    app.set_protocol(crash.protocol);
    app.set(&["processing", "guarantee"], crash.guarantee);
    app.set(&["instance_id"], crash.instance_id);
    app.set(&["processing", "workers"], 2);
    app.set(&["processing", "max_batch_records"], 100);
    app.create();
    let mut stream = app.stream(faulty(41, 300));
    for _ in 0..3 {
        let some: Vec<Record> = stream.by_ref().take(5_000).collect();
        app.client.produce(&some);
        let mut keyfold = app.run();
        keyfold.wait_for(LIMIT, "to commit", |keyfold| {
            let (_, metrics) = keyfold.http_get("/metrics")?;
            metrics.contains("outcome=\"merged\"").then_some(())
        });
        keyfold.kill9();
    }
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    app.assert_folded(repeats);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

#[test]
fn exactly_once_survives_kill_9() {
    let crash = Crash {
        guarantee: "exactly_once",
        protocol: "classic",
        instance_id: "",
    };
    kill_and_restart(&crash, Repeats::Forbidden);
}

#[test]
fn exactly_once_survives_kill_9_of_a_named_instance() {
    let crash = Crash {
        guarantee: "exactly_once",
        protocol: "classic",
        instance_id: "one",
    };
    kill_and_restart(&crash, Repeats::Forbidden);
}

/// The group refuses a killed static member's name until its session ends.
#[test]
fn exactly_once_survives_kill_9_of_a_named_instance_with_the_consumer_protocol() {
    let crash = Crash {
        guarantee: "exactly_once",
        protocol: "consumer",
        instance_id: "one",
    };
    kill_and_restart(&crash, Repeats::Forbidden);
}

#[test]
fn at_least_once_loses_nothing_by_kill_9() {
    let crash = Crash {
        guarantee: "at_least_once",
        protocol: "classic",
        instance_id: "",
    };
    kill_and_restart(&crash, Repeats::Allowed);
}

/// A state that is in Kafka without its snapshot would make the record, read again after a crash, one that changes
/// nothing and publishes nothing.
#[test]
fn at_least_once_a_state_waits_for_its_snapshot() {
    let mut app = App::new();
    app.set(&["processing", "guarantee"], "at_least_once");
    app.create();
    let mut keyfold = app.run_ready();
    // from here on the broker takes no snapshot
    let largest = set_largest_snapshot(&app, "100");
    let some: Vec<Record> = app.stream(faulty(43, 300)).take(1_000).collect();
    app.client.produce(&some);
    assert_eq!(keyfold.wait_exit(LIMIT), 3);
    let ends = |topic: &str| -> i64 {
        let watermarks = app.client.watermarks(topic);
        watermarks.into_iter().map(|(_, end)| end).sum()
    };
    assert_eq!(ends(&app.snapshots()), 0);
    assert_eq!(ends(&app.state()), 0);
    set_largest_snapshot(&app, &largest);
    let mut keyfold = app.run_ready();
    app.wait_drained(&mut keyfold);
    app.assert_folded(Repeats::Allowed);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

/// Sets how many bytes a snapshot may have for the broker; what that was before.
fn set_largest_snapshot(app: &App, bytes: &str) -> String {
    const LARGEST: &str = "max.message.bytes";
    let topic = app.snapshots();
    let settings = app.client.topic_settings(&topic);
    // what is not named goes back to its default
    let altered = AlterConfig::new(ResourceSpecifier::Topic(&topic))
        .set("cleanup.policy", &settings["cleanup.policy"])
        .set(LARGEST, bytes);
    let options = AdminOptions::new().request_timeout(Some(LIMIT));
    let results = block_on(app.client.admin().alter_configs([&altered], &options));
    for result in results.expect("settings can be altered") {
        result.unwrap_or_else(|(_, code)| panic!("settings of {topic}: {code}"));
    }
    wait_until(LIMIT, "the setting to be in force", || {
        (app.client.topic_settings(&topic)[LARGEST] == bytes).then_some(())
    });
    settings[LARGEST].clone()
}
