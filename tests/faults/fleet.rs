//! Several instances of one application, which come and go.

use std::time::Duration;

use crate::dice::Dice;
use crate::tally::{TALLY, add, count};
use keyfold_harness::app::{App, LIMIT};
use keyfold_harness::metrics::sum;
use keyfold_harness::program::Keyfold;

/// What the logs of instances call an owner that is newer.
const FENCED: [&str; 6] = [
    "Fenced",
    "InvalidProducerEpoch",
    "IllegalGeneration",
    "UnknownMemberId",
    "StaleMemberEpoch",
    "fenced",
];

/// What an instance runs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// Each takes the name, and the directory, of one that is gone.
    Named,
    Random,
}

/// Where instances have their state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    Memory,
    Disk,
}

impl Store {
    /// What `KEYFOLD_FAULTS_STORE` says; without it, memory.
    pub fn of_environment() -> Store {
        match std::env::var("KEYFOLD_FAULTS_STORE").as_deref() {
            Ok("disk") => Store::Disk,
            _ => Store::Memory,
        }
    }
}

struct Instance {
    place: usize,
    keyfold: Keyfold,
    stalled: bool,
}

pub struct Fleet<'a> {
    app: &'a App,
    naming: Naming,
    store: Store,
    most: usize,
    running: Vec<Instance>,
}

impl<'a> Fleet<'a> {
    /// None runs yet; there will be at most so many.
    pub fn new(app: &'a App, naming: Naming, store: Store, most: usize) -> Fleet<'a> {
        Fleet {
            app,
            naming,
            store,
            most,
            running: Vec::new(),
        }
    }

    pub fn len(&self) -> usize {
        self.running.len()
    }

    pub fn is_full(&self) -> bool {
        self.running.len() == self.most
    }

    /// Starts one more, in a place that is free.
    pub fn start(&mut self) {
        let taken = |place: usize| self.running.iter().any(|one| one.place == place);
        let place = (0..self.most).find(|place| !taken(*place));
        let place = place.expect("a free place");
        let keyfold = start_in(self.app, place, self.naming, self.store, &[]);
        self.running.push(Instance {
            place,
            keyfold,
            stalled: false,
        });
    }

    /// One that is not stalled, by chance.
    fn any_awake(&self, dice: &mut Dice) -> Option<usize> {
        let awake = (0..self.running.len()).filter(|at| !self.running[*at].stalled);
        let awake: Vec<usize> = awake.collect();
        (!awake.is_empty()).then(|| awake[dice.below(awake.len())])
    }

    /// Kills one, stalled or not.
    #[track_caller]
    pub fn kill(&mut self, dice: &mut Dice) {
        let at = dice.below(self.running.len());
        kill(&mut self.running.swap_remove(at).keyfold);
    }

    /// Stops one in good order.
    #[track_caller]
    pub fn stop_one(&mut self, dice: &mut Dice) {
        if let Some(at) = self.any_awake(dice) {
            stop(&mut self.running.swap_remove(at).keyfold);
        }
    }

    /// Stalls one, if none is.
    pub fn stall(&mut self, dice: &mut Dice) {
        if self.running.iter().any(|one| one.stalled) {
            return;
        }
        if let Some(at) = self.any_awake(dice) {
            count(&TALLY.stalls);
            self.running[at].stalled = true;
            self.running[at].keyfold.signal("STOP");
        }
    }

    /// Wakes all that are stalled.
    pub fn wake(&mut self) {
        for one in self.running.iter_mut().filter(|one| one.stalled) {
            one.stalled = false;
            one.keyfold.signal("CONT");
        }
    }

    /// None may have ended by itself.
    #[track_caller]
    pub fn assert_running(&mut self) {
        for one in &mut self.running {
            if let Some(status) = one.keyfold.ended() {
                panic!(
                    "an instance ended by itself ({status}):\n{}",
                    one.keyfold.log()
                );
            }
        }
    }

    /// Stops all but one, which is ready then.
    #[track_caller]
    pub fn last(mut self) -> Keyfold {
        self.wake();
        self.assert_running();
        let mut last = self.running.swap_remove(0).keyfold;
        for mut one in self.running {
            stop(&mut one.keyfold);
        }
        last.wait_ready(LIMIT);
        last
    }
}

/// Starts an instance with what the environment says of its store.
pub fn start(app: &App) -> Keyfold {
    start_in(app, 0, Naming::Random, Store::of_environment(), &[])
}

/// Starts an instance with these environment variables.
#[cfg(feature = "failpoints")]
pub fn start_with(app: &App, env: &[(&str, &str)]) -> Keyfold {
    start_in(app, 0, Naming::Random, Store::of_environment(), env)
}

fn start_in(
    app: &App,
    place: usize,
    naming: Naming,
    store: Store,
    env: &[(&str, &str)],
) -> Keyfold {
    count(&TALLY.starts);
    let mut env = env.to_vec();
    let name = format!("instance-{place}");
    if naming == Naming::Named {
        env.push(("KEYFOLD__INSTANCE_ID", name.as_str()));
    }
    let directory = app.file(&format!("state-{place}"));
    if store == Store::Disk {
        env.push(("KEYFOLD__STATE__STORE", "disk"));
        let directory = directory.to_str().expect("a path of text");
        env.push(("KEYFOLD__STATE__DIRECTORY", directory));
    }
    Keyfold::start(&app.config(), &env)
}

/// Kills an instance, as a crash would.
#[track_caller]
pub fn kill(keyfold: &mut Keyfold) {
    note(keyfold);
    count(&TALLY.kills);
    keyfold.kill9();
}

/// Stops an instance in good order.
#[track_caller]
pub fn stop(keyfold: &mut Keyfold) {
    note(keyfold);
    count(&TALLY.stops);
    assert_eq!(keyfold.terminate(), 0, "{}", keyfold.log());
}

/// Adds up what an instance has to tell, before its end.
fn note(keyfold: &Keyfold) {
    let log = keyfold.log();
    let fenced = log
        .lines()
        .filter(|line| FENCED.iter().any(|word| line.contains(word)));
    add(&TALLY.fencings, fenced.count() as u64);
    let Some(metrics) = keyfold.metrics_soon(Duration::from_secs(1)) else {
        return;
    };
    let of = |name: &str, labels: &[(&str, &str)]| sum(&metrics, name, labels) as u64;
    add(&TALLY.rebalances, of("keyfold_rebalances_total", &[]));
    for (result, figure) in [
        ("committed", &TALLY.committed),
        ("aborted", &TALLY.aborted),
        ("unknown", &TALLY.unknown),
    ] {
        let transactions = "keyfold_transactions_total";
        add(figure, of(transactions, &[("result", result)]));
    }
}
