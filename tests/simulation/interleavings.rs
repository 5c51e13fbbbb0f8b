//! Random interleavings, with faults of every kind.

use std::time::{Duration, Instant};

use keyfold::config::Guarantee;

use crate::faults::{Faults, Sabotage};
use crate::group::Protocol;
use crate::plan::Plan;
use crate::random::Random;
use crate::world::{Broken, World};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The plan of a seed.
pub fn plan(seed: u64) -> Plan {
    let mut random = Random::new(!seed);
    let partitions = random.between(1, 3) as i32;
    let milliseconds =
        |least, most, random: &mut Random| Duration::from_millis(random.between(least, most));
    let mut faults = if random.chance(9000) {
        Faults::some()
    } else {
        Faults::none()
    };
    faults.max_poll = random.between(1, 12);
    Plan {
        protocol: *random.pick(&[Protocol::Classic, Protocol::Kip848]),
        guarantee: Guarantee::ExactlyOnce,
        processes: random.between(1, 3) as usize,
        partitions,
        inputs: [
            partitions,
            random.between(1, partitions as u64) as i32,
            random.between(1, partitions as u64) as i32,
        ],
        batch: random.between(1, 12) as usize,
        session: milliseconds(600, 2000, &mut random),
        // may be shorter or longer than the session and the stalls
        transaction_timeout: milliseconds(300, 6000, &mut random),
        named: random.chance(5000),
        faults,
        sabotage: Sabotage::default(),
    }
}

/// The plan of a seed, changed to at-least-once.
pub fn at_least_once(seed: u64) -> Plan {
    let mut plan = plan(seed);
    plan.guarantee = Guarantee::AtLeastOnce;
    plan.faults = Faults {
        max_poll: plan.faults.max_poll,
        ..Faults::without_stalls()
    };
    plan
}

/// Runs one seed. Returns the number of steps and of commits.
pub fn run(
    seed: u64,
    mut plan: Plan,
    sabotage: &Sabotage,
    trace: bool,
) -> Result<(u64, u64), Broken> {
    plan.sabotage = sabotage.clone();
    let mut world = World::new(plan, seed);
    world.trace = trace;
    world.feed(60, 6, Duration::from_secs(6));
    let end = Duration::from_secs(9);
    world.run_until("the time does not pass", 200_000, |world| world.now >= end)?;
    world.settle()?;
    Ok((world.steps, world.audit.commits))
}

#[test]
fn interleavings() {
    run_many(plan);
}

#[test]
fn interleavings_without_transactions() {
    run_many(at_least_once);
}

fn run_many(plan: impl Fn(u64) -> Plan) {
    let one = number("SIM_SEED");
    let count = if one.is_some() {
        Some(1)
    } else {
        number("SIM_COUNT")
    };
    let seconds = Duration::from_secs(number("SIM_SECONDS").unwrap_or(20));
    let first = one.unwrap_or(1);
    let began = Instant::now();
    let (mut runs, mut steps, mut commits) = (0, 0, 0);
    while count.map_or(began.elapsed() < seconds, |count| runs < count) {
        let seed = first + runs;
        match run(seed, plan(seed), &Sabotage::default(), one.is_some()) {
            Ok((more, committed)) => (steps, commits) = (steps + more, commits + committed),
            Err(broken) => panic!("SIM_SEED={seed}: {broken}\n{:?}", plan(seed)),
        }
        runs += 1;
    }
    let rate = steps as f64 / began.elapsed().as_secs_f64();
    println!("{runs} runs, {steps} steps ({rate:.0} a second), {commits} commits");
}
