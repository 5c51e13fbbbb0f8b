//! A broker that itself forgets half of a commit.
//!
//! A lone broker of Kafka 4.3 that restarts while a transaction is being committed or aborted may skip the markers of
//! that transaction, for it does not know its own partitions' leaders yet, and its log says so. What was written then
//! stays undecided for ever (`docs/delivery.md`, "What is not promised"): readers wait for it, or the group's offsets
//! do. Nothing can be judged after that.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::broker::Broker;

const CONFESSION: &str = "these partitions are likely deleted already and hence can be skipped";

/// Runs a test that takes its broker away; whether it was judged. Where it fails, and the broker's log says that it
/// forgot markers, that is told, and the test proves nothing.
pub fn judged_unless_the_broker_forgot(
    broker: &mut Broker,
    test: impl FnOnce(&mut Broker),
) -> bool {
    let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(broker))) else {
        return true;
    };
    let log = broker.log();
    let Some(line) = log.lines().find(|line| line.contains(CONFESSION)) else {
        resume_unwind(panic);
    };
    println!("not judged, for the broker has forgotten markers: {line}");
    false
}
