//! Brokers that go away and come back, in good order and by a crash.

use std::time::Duration;

use keyfold::config::Config;
use keyfold::kafka::query_client::QueryClient;
use keyfold::model::record::Source;

use crate::dice::{Dice, pass};
use crate::fleet;
use crate::load::{Load, settle};
use crate::tally::{TALLY, count};
use keyfold_harness::app::{App, LIMIT};
use keyfold_harness::broker::{Broker, BrokerOptions};
use keyfold_harness::cluster::Cluster;
use keyfold_harness::lost_markers::judged_unless_the_broker_forgot;
use keyfold_harness::metrics::sum;
use keyfold_harness::program::Keyfold;
use keyfold_harness::slots::Slot;
use keyfold_harness::wait::wait_until;

fn committed(keyfold: &Keyfold) -> Option<f64> {
    let (status, _) = keyfold.http_get("/metrics")?;
    let labels = [("result", "committed")];
    (status == 200).then(|| sum(&keyfold.metrics(), "keyfold_transactions_total", &labels))
}

/// Waits for some commits.
#[track_caller]
fn works(keyfold: &mut Keyfold, what: &str) {
    let mut had = None;
    keyfold.wait_for(LIMIT, what, |keyfold| {
        let now = committed(keyfold)?;
        (now >= *had.get_or_insert(now) + 3.0).then_some(())
    });
}

fn take_away(broker: &mut Broker, crash: bool) {
    if crash {
        count(&TALLY.broker_kills);
        broker.kill();
    } else {
        count(&TALLY.broker_stops);
        broker.stop();
    }
}

#[test]
#[ignore = "of the long form"]
fn the_only_broker_goes_away_under_load_and_comes_back() {
    let slot = Slot::take();
    let mut broker = Broker::start(BrokerOptions::default());
    let test = |broker: &mut Broker| go_away_and_come_back(broker, slot);
    if !judged_unless_the_broker_forgot(&mut broker, test) {
        count(&TALLY.forgotten);
    }
}

fn go_away_and_come_back(broker: &mut Broker, slot: Slot) {
    let mut app = App::on(broker.bootstrap(), broker.client(), slot);
    app.set(&["processing", "max_batch_records"], 50);
    app.create();
    let mut dice = Dice::new(331);
    let load = Load::start(&app, 331, 400);
    let mut keyfold = fleet::start(&app);
    for crash in [true, false] {
        works(&mut keyfold, "to commit");
        take_away(broker, crash);
        pass(dice.millis(0, 3_000));
        broker.restart();
    }
    works(&mut keyfold, "to commit again");
    settle(&app, load, &mut keyfold);
    fleet::stop(&mut keyfold);
}

/// One of three is down at any time, and leaders move to and fro: nobody needs to notice.
#[test]
fn one_broker_of_three_is_down_and_leaders_move() {
    let slot = Slot::take_for_cluster();
    let mut cluster = Cluster::start();
    let mut app = App::on(cluster.bootstrap(), cluster.client(), slot);
    app.set(&["processing", "max_batch_records"], 200);
    app.create();
    let load = Load::start(&app, 332, 300);
    let mut keyfold = fleet::start(&app);
    works(&mut keyfold, "to commit");
    for (broker, crash) in cluster.brokers.iter_mut().zip([true, false, true]) {
        take_away(broker, crash);
        works(&mut keyfold, "to commit with one broker down");
        broker.restart();
        works(&mut keyfold, "to commit with all brokers");
    }
    settle(&app, load, &mut keyfold);
    fleet::stop(&mut keyfold);
}

/// A client that has heard that a broker is gone, but not who leads its partitions now, must ask. librdkafka does not by
/// itself, until it forgets the topic 90 s later.
#[test]
fn the_end_of_a_log_is_told_by_its_new_leader() {
    let slot = Slot::take_for_cluster();
    let mut cluster = Cluster::start();
    let app = App::on(cluster.bootstrap(), cluster.client(), slot);
    app.create();
    let config = Config::load(Some(&app.config_file())).expect("a configuration");
    let ends = QueryClient::connect((&config).into()).expect("a client");
    let (topic, other) = (
        app.input(Source::BUILT_IN[0]),
        app.input(Source::BUILT_IN[1]),
    );
    let partitions = 0..app.input_partitions[0];
    let told = |partition| ends.watermarks(&topic, partition, Duration::from_secs(2));
    for partition in partitions.clone() {
        told(partition).expect("an end");
    }
    for broker in &mut cluster.brokers {
        take_away(broker, true);
        wait_until(LIMIT, "a cluster of two", || {
            (app.client.brokers() == 2).then_some(())
        });
        // tells which brokers there are, but of the leaders of the first topic nothing
        ends.partitions(&other, Duration::from_secs(5))
            .expect("a number of partitions");
        wait_until(LIMIT / 3, "every end", || {
            let all = partitions.clone().all(|partition| told(partition).is_ok());
            all.then_some(())
        });
        broker.restart();
    }
}
