//! Several instances of one application: they join, share the work, and leave.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use keyfold_generate::Options;

use keyfold_harness::app::{App, LIMIT, faulty};
use keyfold_harness::expected::Repeats;
use keyfold_harness::metrics::sum;
use keyfold_harness::program::Keyfold;
use keyfold_harness::record::Record;

/// Customers that have a snapshot, as text.
pub fn some_customers(app: &App) -> Vec<String> {
    let snapshots = app.newest_snapshots().into_keys();
    let ids = snapshots.map(|key| String::from_utf8(key).expect("an id of text"));
    // those that can stand in a path as they are
    ids.filter(|id| {
        id.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
    .take(40)
    .collect()
}

/// The customers of `ids` that are at an instance; none while it has no answer for some of them.
fn served(keyfold: &Keyfold, ids: &[String]) -> Option<BTreeSet<String>> {
    let mut shown = BTreeSet::new();
    for id in ids {
        match keyfold.http_get(&format!("/customers/{id}"))? {
            (200, body) => {
                assert!(body.contains(id), "the snapshot of another: {body}");
                shown.insert(id.clone());
            }
            // erased meanwhile
            (404, _) => drop(shown.insert(id.clone())),
            (421, _) => {}
            // still catching up
            (503, _) => return None,
            (status, body) => panic!("/customers: {status} {body}"),
        }
    }
    Some(shown)
}

/// Waits until each of the customers is at exactly one of two instances, and both have some.
#[track_caller]
pub fn wait_shared(one: &mut Keyfold, other: &mut Keyfold, ids: &[String]) {
    one.wait_ready(LIMIT);
    other.wait_for(LIMIT, "to join", |other| served(other, ids).map(drop));
    one.wait_for(LIMIT, "to share its customers", |one| {
        let (here, there) = (served(one, ids)?, served(other, ids)?);
        let all = here.len() + there.len() == ids.len() && here.is_disjoint(&there);
        (all && !here.is_empty() && !there.is_empty()).then_some(())
    });
    other.wait_ready(LIMIT);
}

#[track_caller]
pub fn wait_alone(one: &mut Keyfold, ids: &[String]) {
    one.wait_for(LIMIT, "to have all customers", |one| {
        (served(one, ids)?.len() == ids.len()).then_some(())
    });
}

/// An application with four partitions everywhere, and what is to be produced to it.
fn app(protocol: &str) -> App {
    let mut app = App::new();
    app.set_protocol(protocol);
    app.set_partitions([4; 4]);
    app.create();
    app
}

fn options(seed: u64) -> Options {
    faulty(seed, 300)
}

fn join_share_and_leave(protocol: &str) {
    let app = app(protocol);
    let mut stream = app.stream(options(21));
    let mut more = |count| -> Vec<Record> { stream.by_ref().take(count).collect() };

    let mut first = app.run_ready();
    app.client.produce(&more(1_500));
    app.wait_drained(&mut first);
    let ids = some_customers(&app);

    let mut second = app.run();
    wait_shared(&mut first, &mut second, &ids);
    app.client.produce(&more(1_500));
    app.wait_drained(&mut second);
    let left = second.settled_metrics();
    assert!(sum(&left, "keyfold_records_total", &[("outcome", "merged")]) > 0.0);
    assert!(sum(&left, "keyfold_rebalances_total", &[]) >= 1.0);

    // it leaves while there is work
    app.client.produce(&more(500));
    app.wait_drained(&mut first);
    let left = second.settled_metrics();
    assert_eq!(second.terminate(), 0, "{}", second.log());
    wait_alone(&mut first, &ids);
    app.client.produce(&more(1_500));
    app.wait_drained(&mut first);

    app.assert_folded(Repeats::Forbidden);
    app.assert_ledger(&[&first.settled_metrics(), &left]);
    assert_eq!(first.terminate(), 0, "{}", first.log());
}

#[test]
fn two_instances_join_share_and_leave_with_the_classic_protocol() {
    join_share_and_leave("classic");
}

#[test]
fn two_instances_join_share_and_leave_with_the_consumer_protocol() {
    join_share_and_leave("consumer");
}

/// One leaves in the midst of the stream, another joins in the midst of it.
#[test]
fn instances_come_and_go_under_load() {
    let mut app = app("classic");
    // many commits, so that rebalances meet open batches
    app.set(&["processing", "max_batch_records"], 50);
    let stream: Vec<Record> = app.stream(options(22)).take(12_000).collect();
    let (before, after) = stream.split_at(6_000);
    app.client.produce(before);
    let mut first = app.run_ready();
    let mut second = app.run();
    app.client.produce(after);
    first.wait_ready(LIMIT);
    assert_eq!(first.terminate(), 0, "{}", first.log());
    let mut third = app.run();
    second.wait_ready(LIMIT);
    assert_eq!(second.terminate(), 0, "{}", second.log());
    app.wait_drained(&mut third);
    app.assert_folded(Repeats::Forbidden);
    assert_eq!(third.terminate(), 0, "{}", third.log());
}

/// Records come a few at a time, so that the client keeps coming to the end of each log while others join and leave: of what
/// an instance keeps in a rebalance no record may be passed over.
#[test]
fn what_an_instance_keeps_in_a_rebalance_goes_on_without_a_gap() {
    const ROUNDS: usize = 4;
    let app = app("consumer");
    let mut first = app.run_ready();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let feeder = scope.spawn(|| {
            let mut stream = app.stream(options(26));
            while !stop.load(Ordering::Relaxed) {
                let few: Vec<Record> = stream.by_ref().take(8).collect();
                app.client.produce(&few);
            }
        });
        for _ in 0..ROUNDS {
            let mut second = app.run();
            second.wait_ready(LIMIT);
            assert_eq!(second.terminate(), 0, "{}", second.log());
        }
        stop.store(true, Ordering::Relaxed);
        feeder.join().expect("a feeder without trouble");
    });
    app.wait_drained(&mut first);
    app.assert_folded(Repeats::Forbidden);
    // nor is a position lost that lies behind the end of its log, and the group joined anew for it
    assert!(!first.log().contains("cannot continue"), "{}", first.log());
    assert_eq!(first.terminate(), 0, "{}", first.log());
}

/// One instance is killed while both work: the other takes over.
fn crash_of_one(protocol: &str) {
    let mut app = app(protocol);
    app.set(&["processing", "commit_interval"], "400ms");
    app.set(&["processing", "max_batch_records"], 200);
    let mut stream = app.stream(options(23));
    let mut more = |count| -> Vec<Record> { stream.by_ref().take(count).collect() };
    let mut first = app.run_ready();
    app.client.produce(&more(1_000));
    app.wait_drained(&mut first);
    let ids = some_customers(&app);
    let mut second = app.run();
    wait_shared(&mut first, &mut second, &ids);

    let merged = |keyfold: &Keyfold| sum(&keyfold.metrics(), "keyfold_records_total", &[]);
    let had = merged(&second);
    app.client.produce(&more(6_000));
    second.wait_for(LIMIT, "to work", |second| {
        (merged(second) > had).then_some(())
    });
    second.kill9();
    app.wait_drained(&mut first);
    wait_alone(&mut first, &ids);
    app.assert_folded(Repeats::Forbidden);
    assert_eq!(first.terminate(), 0, "{}", first.log());
}

#[test]
fn another_instance_takes_over_from_a_killed_one_with_the_classic_protocol() {
    crash_of_one("classic");
}

#[test]
fn another_instance_takes_over_from_a_killed_one_with_the_consumer_protocol() {
    crash_of_one("consumer");
}

/// One instance stalls beyond its session, and wakes when another has its partitions: nothing that it had open
/// may count, and it joins again.
fn stall_of_one(protocol: &str) {
    let mut app = app(protocol);
    app.set(&["processing", "commit_interval"], "400ms");
    app.set(&["processing", "max_batch_records"], 200);
    let mut stream = app.stream(options(24));
    let mut more = |count| -> Vec<Record> { stream.by_ref().take(count).collect() };
    let mut first = app.run_ready();
    app.client.produce(&more(1_000));
    app.wait_drained(&mut first);
    let ids = some_customers(&app);
    let mut second = app.run();
    wait_shared(&mut first, &mut second, &ids);

    let records = |keyfold: &Keyfold| sum(&keyfold.metrics(), "keyfold_records_total", &[]);
    let had = records(&second);
    app.client.produce(&more(6_000));
    second.wait_for(LIMIT, "to work", |second| {
        (records(second) > had).then_some(())
    });
    second.signal("STOP");
    app.wait_drained(&mut first);
    wait_alone(&mut first, &ids);
    app.client.produce(&more(500));
    app.wait_drained(&mut first);
    second.signal("CONT");
    wait_shared(&mut first, &mut second, &ids);
    app.client.produce(&more(500));
    app.wait_drained(&mut second);
    app.assert_folded(Repeats::Forbidden);
    assert_eq!(second.terminate(), 0, "{}", second.log());
    assert_eq!(first.terminate(), 0, "{}", first.log());
}

#[test]
fn a_stalled_instance_is_fenced_and_joins_again_with_the_classic_protocol() {
    stall_of_one("classic");
}

#[test]
fn a_stalled_instance_is_fenced_and_joins_again_with_the_consumer_protocol() {
    stall_of_one("consumer");
}

/// The group expects a named member back for a while after it has stopped. Who waits for that says so.
#[test]
fn waiting_for_the_session_of_a_named_instance_is_said() {
    let mut app = App::new();
    app.set(&["instance_id"], "one");
    let session = ["kafka", "properties", "session.timeout.ms"];
    app.set(&session, "20000");
    app.create();
    let mut named = app.run_ready();
    assert_eq!(named.terminate(), 0, "{}", named.log());
    app.unset(&["instance_id"]);
    let mut next = app.run();
    next.wait_for(LIMIT, "to say what it waits for", |next| {
        let log = next.log();
        (log.contains("the group waits for members") && log.contains("one-0")).then_some(())
    });
    // from here on the session is waited for
    app.give_up_slot();
    next.wait_ready(LIMIT);
    assert_eq!(next.log().matches("the group waits for").count(), 1);
    assert_eq!(next.terminate(), 0, "{}", next.log());
}
