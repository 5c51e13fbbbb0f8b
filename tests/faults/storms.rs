//! Rebalance storms: instances join and leave every second or two, so that hardly one assignment lives to its first
//! commits.

use std::time::{Duration, Instant};

use crate::dice::{Dice, pass};
use crate::fleet::{self, Fleet, Naming, Store};
use crate::load::{Load, settle};
use keyfold_harness::app::App;

fn storm(protocol: &str, naming: Naming, seed: u64) {
    let mut app = App::new();
    app.set_protocol(protocol);
    app.set_partitions([4; 4]);
    app.set(&["processing", "max_batch_records"], 50);
    app.create();
    let mut dice = Dice::new(seed);
    let load = Load::start(&app, seed, 400);
    let mut fleet = Fleet::new(&app, naming, Store::of_environment(), 4);
    fleet.start();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        if fleet.len() > 1 && (fleet.is_full() || dice.one_in(2)) {
            fleet.stop_one(&mut dice);
        } else {
            fleet.start();
        }
        fleet.assert_running();
        pass(dice.millis(700, 2_000));
    }
    let mut keyfold = fleet.last();
    settle(&app, load, &mut keyfold);
    fleet::stop(&mut keyfold);
}

#[test]
fn a_storm_of_rebalances_with_the_classic_protocol() {
    storm("classic", Naming::Random, 321);
}

#[test]
#[ignore = "of the long form"]
fn a_storm_of_rebalances_with_the_consumer_protocol() {
    storm("consumer", Naming::Random, 322);
}
