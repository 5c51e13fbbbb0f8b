//! Crashes: `kill -9` in the midst of the stream, and a restart.

use crate::app::{App, LIMIT, faulty};
use crate::client::Record;
use crate::fold::Repeats;

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
