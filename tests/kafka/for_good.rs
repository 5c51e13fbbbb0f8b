//! Named instances that stop for good give their names up, so that others take their partitions over at once. Sessions
//! last longer here than any of these tests.

use keyfold_generate::Options;

use keyfold_harness::app::{App, LIMIT, faulty};
use keyfold_harness::broker::{Broker, BrokerOptions};
use keyfold_harness::expected::Repeats;
use keyfold_harness::metrics::sum;
use keyfold_harness::program::Keyfold;
use keyfold_harness::record::Record;
use keyfold_harness::slots::Slot;

use crate::instances::{some_customers, wait_alone, wait_shared};

/// Five minutes, in milliseconds: as long as a client may take between two polls.
const SESSION: &str = "300000";

fn options() -> Options {
    faulty(51, 300)
}

/// Two named instances that share the work, `one` and `two`, with the customers of whom there is a snapshot, and what
/// is left to be produced.
fn sharing(app: &mut App) -> (Keyfold, Keyfold, Vec<String>, Vec<Record>) {
    app.set_partitions([4; 4]);
    app.create();
    let mut records: Vec<Record> = app.stream(options()).take(2_500).collect();
    let rest = records.split_off(1_500);
    app.set(&["instance_id"], "one");
    let mut one = app.run_ready();
    app.client.produce(&records);
    app.wait_drained(&mut one);
    let ids = some_customers(app);
    app.set(&["instance_id"], "two");
    let mut two = app.run();
    wait_shared(&mut one, &mut two, &ids);
    (one, two, ids, rest)
}

fn gives_its_name_up(app: &mut App, by_signal: bool) {
    app.set(&["leave_on_stop"], !by_signal);
    let (mut one, mut two, ids, rest) = sharing(app);
    if by_signal {
        one.signal("USR1");
        one.wait_for(LIMIT, "to know that it does not come back", |one| {
            one.log()
                .contains("gives its name up when it stops")
                .then_some(())
        });
    }
    assert_eq!(one.terminate(), 0, "{}", one.log());
    let log = one.log();
    assert!(log.contains("gave up the name one-0"), "{log}");
    wait_alone(&mut two, &ids);
    app.client.produce(&rest);
    app.wait_drained(&mut two);
    app.assert_folded(Repeats::Forbidden);
    assert_eq!(two.terminate(), 0, "{}", two.log());
}

fn classic() -> App {
    let mut app = App::new();
    app.set(&["kafka", "properties", "session.timeout.ms"], SESSION);
    app
}

#[test]
fn a_named_instance_gives_its_name_up_where_the_setting_says_so() {
    gives_its_name_up(&mut classic(), false);
}

#[test]
fn a_named_instance_gives_its_name_up_after_a_signal() {
    gives_its_name_up(&mut classic(), true);
}

/// The brokers set how long a session of KIP-848 lasts.
#[test]
fn a_named_instance_gives_its_name_up_with_the_consumer_protocol() {
    let slot = Slot::take();
    let setting = |name: &str| (format!("group.consumer.{name}"), SESSION.to_owned());
    let broker = Broker::start(BrokerOptions {
        settings: vec![
            setting("max.session.timeout.ms"),
            setting("session.timeout.ms"),
        ],
        ..BrokerOptions::default()
    });
    let mut app = App::on(broker.bootstrap(), broker.client(), slot);
    app.set_protocol("consumer");
    gives_its_name_up(&mut app, false);
}

/// Otherwise the group keeps the partitions for the name: the others do not even notice that the instance restarts.
#[test]
fn a_named_instance_that_restarts_finds_its_partitions_again() {
    let mut app = classic();
    let (mut one, mut two, ids, rest) = sharing(&mut app);
    let before = sum(&two.metrics(), "keyfold_rebalances_total", &[]);
    assert_eq!(one.terminate(), 0, "{}", one.log());
    assert!(!one.log().contains("gave up the name"), "{}", one.log());
    app.set(&["instance_id"], "one");
    let mut one = app.run();
    wait_shared(&mut one, &mut two, &ids);
    app.client.produce(&rest);
    app.wait_drained(&mut two);
    assert_eq!(sum(&two.metrics(), "keyfold_rebalances_total", &[]), before);
    app.assert_folded(Repeats::Forbidden);
    assert_eq!(one.terminate(), 0, "{}", one.log());
    assert_eq!(two.terminate(), 0, "{}", two.log());
}
