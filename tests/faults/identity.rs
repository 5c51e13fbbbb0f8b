//! Two processes with one `instance_id`.

use std::time::Duration;

use crate::fleet;
use crate::load::{Load, settle};
use keyfold_harness::app::{App, LIMIT};
use keyfold_harness::wait::wait_until;

fn two_of_one_name(protocol: &str, later_ends: bool, seed: u64) {
    let mut app = App::new();
    app.set_protocol(protocol);
    app.set(&["instance_id"], "one");
    app.set(&["processing", "max_batch_records"], 50);
    app.create();
    let load = Load::start(&app, seed, 300);
    let mut first = fleet::start(&app);
    first.wait_ready(LIMIT);
    let mut second = fleet::start(&app);
    // under KIP-848 the name might be that of a killed one, whose session is waited for
    let second_ended = wait_until(2 * LIMIT, "one of the two to end", || {
        match (first.ended(), second.ended()) {
            (None, None) => None,
            (first, second) => {
                assert!(first.is_none() || second.is_none(), "one goes on");
                Some(second.is_some())
            }
        }
    });
    let (mut ended, mut other) = match second_ended {
        true => (second, first),
        false => (first, second),
    };
    let code = ended.wait_exit(Duration::from_secs(10));
    let said = ended.log();
    assert_eq!(
        second_ended,
        later_ends,
        "the wrong one ended: {said}\n\nthe other: {}",
        other.log()
    );
    assert_eq!(code, 3, "{said}");
    assert!(
        said.contains("instance_id") && said.contains("one"),
        "{said}"
    );
    other.wait_ready(LIMIT);
    settle(&app, load, &mut other);
    fleet::stop(&mut other);
}

#[test]
fn one_of_two_processes_with_one_name_ends_with_the_classic_protocol() {
    two_of_one_name("classic", false, 361);
}

#[test]
#[ignore = "of the long form"]
fn one_of_two_processes_with_one_name_ends_with_the_consumer_protocol() {
    two_of_one_name("consumer", true, 362);
}
