//! A broker that goes away and comes back.

use std::time::Duration;

use keyfold_harness::app::{App, LIMIT, faulty};
use keyfold_harness::broker::{Broker, BrokerOptions};
use keyfold_harness::expected::Repeats;
use keyfold_harness::lost_markers::judged_unless_the_broker_forgot;
use keyfold_harness::record::Record;
use keyfold_harness::slots::Slot;

#[test]
fn a_broker_that_goes_away_and_comes_back_costs_nothing_but_time() {
    let slot = Slot::take();
    let mut broker = Broker::start(BrokerOptions::default());
    judged_unless_the_broker_forgot(&mut broker, |broker| go_away_and_come_back(broker, slot));
}

fn go_away_and_come_back(broker: &mut Broker, slot: Slot) {
    let mut app = App::on(broker.bootstrap(), broker.client(), slot);
    app.set(&["processing", "max_batch_records"], 100);
    app.create();
    let mut stream = app.stream(faulty(91, 200));
    let mut more = |count| -> Vec<Record> { stream.by_ref().take(count).collect() };
    let mut keyfold = app.run_ready();
    for crash in [false, true] {
        // so much that it is at it when the broker goes
        app.client.produce(&more(25_000));
        keyfold.wait_for(LIMIT, "to commit", |keyfold| {
            let (_, metrics) = keyfold.http_get("/metrics")?;
            metrics.contains("outcome=\"merged\"").then_some(())
        });
        if crash {
            broker.kill();
        } else {
            broker.stop();
        }
        keyfold.wait_for(LIMIT, "to say that a service is away", |keyfold| {
            let (status, _) = keyfold.http_get("/readyz")?;
            (status == 503).then_some(())
        });
        let (status, body) = keyfold.http_get("/healthz").expect("an answer");
        assert_eq!(
            status,
            200,
            "it works, and waits: {body}\n{}",
            keyfold.log()
        );
        broker.restart();
        app.wait_drained(&mut keyfold);
        keyfold.wait_ready(Duration::from_secs(60));
        app.assert_folded(Repeats::Forbidden);
    }
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}
