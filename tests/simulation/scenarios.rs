//! Named scenarios. Each is a fixed sequence of events.

use std::time::Duration;

use keyfold::engine::fatal::Fatal;
use keyfold::engine::{Place, Settings};
use keyfold::model::partition;

use crate::faults::Faults;
use crate::group::Protocol;
use crate::plan::Plan;
use crate::records::{console, customer};
use crate::shell::{Commit, Shell};
use crate::transactions::LogId;
use crate::world::{Broken, Process, World};

const BOTH: [Protocol; 2] = [Protocol::Classic, Protocol::Kip848];
/// The topic of the console's records.
const CONSOLE: usize = 1;

fn place(topic: usize, partition: i32) -> Place {
    Place { topic, partition }
}

/// The first customer whose state is in a partition.
fn first_customer_in(settings: &Settings, home: i32) -> String {
    (0..)
        .map(customer)
        .find(|id| partition::of_key(id.as_bytes(), settings.partitions) == home)
        .unwrap_or_default()
}

fn shell(world: &World, at: usize) -> Option<&Shell> {
    world.processes[at].shell.as_ref()
}

fn current_commit(world: &World, at: usize) -> Option<&Commit> {
    shell(world, at)?.commit.as_ref()
}

fn stall_until(process: &mut Process, until: Duration) {
    process.stalled_until = until;
}

fn is_flushing(world: &World, at: usize) -> bool {
    matches!(current_commit(world, at), Some(Commit::Flush))
}

/// Whether a process has restored all its states and consumes all its partitions.
fn is_ready(world: &World, at: usize) -> bool {
    shell(world, at).is_some_and(|shell| shell.engine.unready().is_none())
}

fn owns(world: &World, at: usize, partition: i32) -> bool {
    shell(world, at).is_some_and(|shell| shell.engine.owns_state(partition))
}

/// Whether a log holds records of a transaction that is not decided.
fn is_open(world: &World, id: LogId) -> bool {
    let mut logs = world.cluster.logs();
    logs.any(|(of, log)| of == id && log.stable() < log.high())
}

/// A world in which only process 0 runs, so that it owns all partitions.
fn world_of_one_process(plan: Plan) -> Result<World, Broken> {
    let mut world = World::new(plan, 1);
    stall_until(&mut world.processes[1], Duration::MAX);
    world.run_until("process 0 gets ready", 5000, |world| is_ready(world, 0))?;
    Ok(world)
}

/// A worker owns partition 0 of the input and partition 1 of the forwarded topic, joins a record of input 0 into state
/// partition 1, sends its offsets, and stalls before the commit; its state records are not flushed yet. Meanwhile
/// another worker takes over all its partitions, and has a newer record.
fn stalls_before_its_commit(protocol: Protocol, unnamed: bool) -> Result<World, Broken> {
    let mut plan = Plan::quiet(protocol);
    // so long that the broker does not abort the transaction before the worker wakes
    plan.transaction_timeout = Duration::from_secs(20);
    plan.faults.late_delivery = true;
    plan.sabotage.joined_unnamed = unnamed;
    // with a stable name, so that the next owner does not fence the worker when the group has removed it
    plan.named = true;
    let mut world = world_of_one_process(plan)?;
    let id = first_customer_in(&world.settings, 1);
    world.append(place(CONSOLE, 0), console(&id, 1, 0));
    world.run_until("offsets are sent", 5000, |world| is_flushing(world, 0))?;
    let wakes_at = world.now + Duration::from_secs(10);
    stall_until(&mut world.processes[0], wakes_at);
    stall_until(&mut world.processes[1], Duration::ZERO);
    world.append(place(CONSOLE, 1), console(&id, 2, 1));
    world.run_until("process 1 takes over", 50_000, |world| owns(world, 1, 1))?;
    let before = world.audit.commits;
    while world.now < wakes_at {
        world.step()?;
    }
    // process 1 waits for the transaction of the previous owner
    assert!(unnamed || world.audit.commits == before);
    Ok(world)
}

#[test]
fn a_stalled_transaction_keeps_the_next_owner_waiting() {
    for protocol in BOTH {
        let world = stalls_before_its_commit(protocol, false);
        let settled = world.and_then(|mut world| world.settle());
        assert!(settled.is_ok(), "{protocol:?}: {settled:?}");
    }
}

#[test]
fn without_the_name_of_the_forwarded_partition_it_overwrites_newer_state() {
    for protocol in BOTH {
        let world = stalls_before_its_commit(protocol, true);
        let settled = world.and_then(|mut world| world.settle());
        let broken = settled.err().map(|broken| broken.what).unwrap_or_default();
        assert!(
            broken.contains("newest committed one"),
            "{protocol:?}: {broken}"
        );
    }
}

/// The worker stalls before it has sent its offsets. When it wakes, its generation is over.
#[test]
fn a_stalled_batch_is_fenced_by_the_group() {
    for protocol in BOTH {
        let scenario = || {
            let mut world = world_of_one_process(Plan::quiet(protocol))?;
            let id = first_customer_in(&world.settings, 1);
            world.append(place(CONSOLE, 0), console(&id, 1, 0));
            world.run_until("the batch is finished", 5000, |world| {
                matches!(current_commit(world, 0), Some(Commit::SendOffsets(..)))
            })?;
            let wakes_at = world.now + Duration::from_secs(10);
            stall_until(&mut world.processes[0], wakes_at);
            stall_until(&mut world.processes[1], Duration::ZERO);
            world.append(place(CONSOLE, 1), console(&id, 2, 1));
            world.run_until("process 1 commits", 50_000, World::is_settled)?;
            world.settle()
        };
        let settled: Result<(), Broken> = scenario();
        assert!(settled.is_ok(), "{protocol:?}: {settled:?}");
    }
}

/// A zombie wakes, joins again while the other worker still owns everything, and then has valid group metadata.
fn zombie_with_valid_metadata(at_commit: bool) -> Result<(), Broken> {
    let mut plan = Plan::quiet(Protocol::Kip848);
    plan.sabotage.batch_survives_revoke = true;
    plan.sabotage.metadata_at_commit = at_commit;
    // so that there is no open transaction that the broker could abort meanwhile
    plan.faults.late_delivery = true;
    let mut world = world_of_one_process(plan)?;
    let id = first_customer_in(&world.settings, 1);
    world.append(place(CONSOLE, 0), console(&id, 1, 0));
    world.run_until("the batch is finished", 5000, |world| {
        matches!(current_commit(world, 0), Some(Commit::SendOffsets(..)))
    })?;
    let membership = shell(&world, 0).and_then(|shell| shell.member.membership());
    stall_until(&mut world.processes[0], Duration::MAX);
    stall_until(&mut world.processes[1], Duration::ZERO);
    world.run_until("process 1 takes over", 50_000, |world| {
        is_ready(world, 1) && owns(world, 1, 0) && owns(world, 1, 1)
    })?;
    world.append(place(CONSOLE, 0), console(&id, 2, 1));
    world.run_until("process 1 commits", 50_000, World::is_settled)?;
    // process 1 releases no partition while the client of process 0 notices that it was removed, and joins again
    let now = world.now;
    stall_until(&mut world.processes[1], now + Duration::from_millis(700));
    let group = &mut world.cluster.group;
    if let Some(shell) = &mut world.processes[0].shell {
        shell.member.background(group, now);
        shell.member.serve(now);
        shell.member.background(group, now);
        shell.member.background(group, now);
        assert_ne!(shell.member.membership(), membership);
        assert!(
            shell
                .member
                .membership()
                .is_some_and(|new| group.accepts(new))
        );
    }
    stall_until(&mut world.processes[0], now);
    world.settle()
}

#[test]
fn a_zombie_whose_metadata_are_valid_again_commits_nothing() {
    let settled = zombie_with_valid_metadata(false);
    assert!(settled.is_ok(), "{settled:?}");
    let broken = zombie_with_valid_metadata(true).err();
    let broken = broken.map(|broken| broken.what).unwrap_or_default();
    assert!(
        broken.contains("newest committed") || broken.contains("counted twice"),
        "{broken}"
    );
}

/// Batches of more than one record time out, and one poll returns many records.
fn batches_time_out(limit_after_poll: bool) -> Result<(), Broken> {
    let mut plan = Plan::quiet(Protocol::Classic);
    plan.batch = 1000;
    plan.faults = Faults {
        longest_batch: 1,
        max_poll: 500,
        ..Faults::none()
    };
    plan.sabotage.limit_after_poll = limit_after_poll;
    let mut world = world_of_one_process(plan)?;
    for number in 0..40 {
        world.append(place(CONSOLE, 0), console(&customer(number % 3), number, 0));
    }
    world.settle()
}

#[test]
fn batches_that_time_out_become_smaller() {
    let settled = batches_time_out(false);
    assert!(settled.is_ok(), "{settled:?}");
    let broken = batches_time_out(true).err();
    let broken = broken.map(|broken| broken.what).unwrap_or_default();
    assert!(broken.contains("does not settle"), "{broken}");
}

/// The answer to EndTxn is lost. The transaction may or may not have been committed.
#[test]
fn a_lost_answer_is_resolved_both_ways() {
    for (protocol, arrived) in BOTH.into_iter().flat_map(|one| [(one, true), (one, false)]) {
        let scenario = || {
            let mut world = world_of_one_process(Plan::quiet(protocol))?;
            let id = first_customer_in(&world.settings, 0);
            world.append(place(CONSOLE, 0), console(&id, 1, 0));
            world.plan.faults.lost_commit = Some(arrived);
            world.run_until("the answer is lost", 5000, |world| {
                matches!(current_commit(world, 0), Some(Commit::Ended(..)))
            })?;
            world.plan.faults.lost_commit = None;
            world.run_until("the log is settled", 50_000, |world| {
                world.audit.commits == 1
            })?;
            world.append(place(CONSOLE, 0), console(&id, 2, 1));
            world.settle()?;
            assert_eq!(world.audit.commits, 2);
            Ok(())
        };
        let settled: Result<(), Broken> = scenario();
        assert!(
            settled.is_ok(),
            "{protocol:?}, arrived: {arrived}: {settled:?}"
        );
    }
}

/// A producer without a stable name dies with an open transaction on the state topic. If the group's members are known,
/// the next owner fences it, and is ready long before the broker would abort the transaction. This includes a producer
/// that dies in its very first transaction, which is named in the metadata of no committed offset.
#[test]
fn a_dead_producer_is_fenced_and_not_waited_for() {
    let scenario = |has_committed: bool| {
        let mut plan = Plan::quiet(Protocol::Classic);
        plan.transaction_timeout = Duration::from_secs(60);
        let session = plan.session;
        let mut world = world_of_one_process(plan)?;
        let id = first_customer_in(&world.settings, 1);
        if has_committed {
            world.append(place(CONSOLE, 1), console(&id, 1, 0));
            world.run_until("it is committed", 50_000, World::is_settled)?;
        }
        world.append(place(CONSOLE, 1), console(&id, 2, 0));
        world.run_until("a state record is written", 5000, |world| {
            is_flushing(world, 0) && is_open(world, LogId::State(1))
        })?;
        world.kill(0);
        stall_until(&mut world.processes[0], Duration::MAX);
        stall_until(&mut world.processes[1], Duration::ZERO);
        let soon = world.now + session * 3 + Duration::from_secs(3);
        world.run_until("the next owner is ready", 50_000, |world| {
            is_ready(world, 1) || world.now > soon
        })?;
        assert!(is_ready(&world, 1), "{:?}", world.now);
        world.settle()
    };
    for has_committed in [true, false] {
        let settled: Result<(), Broken> = scenario(has_committed);
        assert!(
            settled.is_ok(),
            "has committed: {has_committed}: {settled:?}"
        );
    }
}

/// A producer dies with an open transaction on the state topic. If nobody fences it, a restore waits until the broker
/// has aborted the transaction.
#[test]
fn restoring_waits_for_the_open_transaction_of_a_dead_producer() {
    for protocol in BOTH {
        let scenario = || {
            let mut plan = Plan::quiet(protocol);
            plan.transaction_timeout = Duration::from_secs(8);
            plan.named = true;
            let mut world = world_of_one_process(plan)?;
            let id = first_customer_in(&world.settings, 1);
            world.append(place(CONSOLE, 1), console(&id, 1, 0));
            world.run_until("it is committed", 50_000, World::is_settled)?;
            world.append(place(CONSOLE, 1), console(&id, 2, 0));
            world.run_until("a state record is written", 5000, |world| {
                is_flushing(world, 0) && is_open(world, LogId::State(1))
            })?;
            world.kill(0);
            stall_until(&mut world.processes[0], Duration::MAX);
            stall_until(&mut world.processes[1], Duration::ZERO);
            let aborted = world.now + Duration::from_secs(7);
            while world.now < aborted {
                world.step()?;
                assert!(!is_ready(&world, 1));
            }
            world.settle()
        };
        let settled: Result<(), Broken> = scenario();
        assert!(settled.is_ok(), "{protocol:?}: {settled:?}");
    }
}

/// The state topic is recreated, but the committed offsets still exist.
#[test]
fn a_lost_state_topic_is_noticed() {
    let scenario = || {
        let mut world = world_of_one_process(Plan::quiet(Protocol::Classic))?;
        let id = first_customer_in(&world.settings, 1);
        world.append(place(CONSOLE, 1), console(&id, 1, 0));
        world.run_until("it is committed", 50_000, World::is_settled)?;
        world.kill(0);
        world.cluster.recreate(LogId::State(1));
        world.fatal_is_expected = true;
        world.run_until("process 0 ends", 50_000, |world| {
            world.processes[0].fatal.is_some()
        })?;
        Ok(world.processes[0].fatal.take())
    };
    let fatal: Result<Option<Fatal>, Broken> = scenario();
    assert!(
        matches!(
            fatal,
            Ok(Some(Fatal::LostState {
                partition: 1,
                end: 0,
                ..
            }))
        ),
        "{fatal:?}"
    );
}
