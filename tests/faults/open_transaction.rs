//! An open transaction of a producer that is gone, on the state topic: readers of committed records come no further
//! than its beginning, the last stable offset. A restore that ended there would miss what was committed behind it.

use std::time::Duration;

use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::fleet;
use crate::load::{Load, settle};
use keyfold_harness::app::{App, LIMIT};
use keyfold_harness::client::{Isolation, unique};
use keyfold_harness::metrics::sum;

const STATE_PARTITIONS: i32 = 3;

/// Leaves a transaction open on every partition of the state topic, for so long.
fn leave_open(app: &App, time_out: Duration) {
    let mut config = app.client.producer_config();
    config.set("transactional.id", unique("gone"));
    config.set("transaction.timeout.ms", time_out.as_millis().to_string());
    let producer: BaseProducer = config.create().expect("a producer");
    let limit = Duration::from_secs(30);
    producer
        .init_transactions(limit)
        .expect("a transactional id");
    producer.begin_transaction().expect("a transaction");
    let state = app.state();
    for partition in 0..STATE_PARTITIONS {
        let record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&state);
        let record = record
            .partition(partition)
            .key(b"nobody")
            .payload(b"nothing");
        producer
            .send(record)
            .map_err(|(error, _)| error)
            .expect("a record");
    }
    producer.flush(limit).expect("the records are there");
}

fn app() -> App {
    let mut app = App::new();
    app.set(&["processing", "max_batch_records"], 50);
    app.set(&["instance_id"], "one");
    app.create();
    app
}

#[test]
fn a_restore_waits_for_an_open_transaction_and_misses_nothing_behind_it() {
    let app = app();
    let load = Load::start(&app, 351, 400);
    let mut keyfold = fleet::start(&app);
    keyfold.wait_ready(LIMIT);
    leave_open(&app, Duration::from_secs(12));
    // the instance that runs goes on: it has nothing to read there
    let labels = [("result", "committed")];
    let commits = |keyfold: &keyfold_harness::program::Keyfold| {
        sum(&keyfold.metrics(), "keyfold_transactions_total", &labels)
    };
    let had = commits(&keyfold);
    keyfold.wait_for(LIMIT, "to commit behind it", |keyfold| {
        (commits(keyfold) > had + 20.0).then_some(())
    });
    fleet::kill(&mut keyfold);
    let seen = app.client.read_all(&app.state(), Isolation::ReadCommitted);

    let mut keyfold = fleet::start(&app);
    let mut said = None;
    keyfold.wait_for(LIMIT, "to be ready", |keyfold| {
        match keyfold.http_get("/readyz")? {
            (200, _) => Some(()),
            (_, reason) => {
                if reason.contains("restoring") && reason.contains("partition") {
                    said = Some(reason);
                }
                None
            }
        }
    });
    let said = said.expect("it waits, and says for which partition");
    assert!(said.contains("records left"), "{said}");
    let restored = sum(&keyfold.metrics(), "keyfold_restore_records_total", &[]);
    assert!(
        restored > seen.len() as f64,
        "{restored} of more than {}",
        seen.len()
    );
    settle(&app, load, &mut keyfold);
    fleet::stop(&mut keyfold);
}

/// One that outlasts keyfold's patience ends it, with a message that names the partition; nothing is lost.
#[test]
#[ignore = "takes two minutes"]
fn long_an_open_transaction_that_stays_is_named() {
    let app = app();
    let load = Load::start(&app, 352, 200);
    let mut keyfold = fleet::start(&app);
    keyfold.wait_ready(LIMIT);
    leave_open(&app, Duration::from_secs(150));
    fleet::kill(&mut keyfold);
    let mut keyfold = fleet::start(&app);
    let code = keyfold.wait_exit(Duration::from_secs(140));
    let said = keyfold.log();
    assert_eq!(code, 3, "{said}");
    for word in [
        app.state().as_str(),
        "has stood still",
        "kafka-transactions.sh",
    ] {
        assert!(said.contains(word), "{word} in: {said}");
    }
    let mut keyfold = fleet::start(&app);
    keyfold.wait_ready(LIMIT);
    settle(&app, load, &mut keyfold);
    fleet::stop(&mut keyfold);
}
