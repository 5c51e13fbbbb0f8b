//! Each guard is taken away, and the simulation must find what it guards against.

use crate::faults::Sabotage;
use crate::interleavings::{at_least_once, plan, run};

/// As many seeds as a bug may hide from.
const SEEDS: u64 = 20_000;

/// The first seed that breaks a promise, and which.
fn found(sabotage: &Sabotage, seeds: u64) -> Option<(u64, String)> {
    (1..=seeds).find_map(|seed| {
        let plan = match sabotage.offsets_before_delivery {
            true => at_least_once(seed),
            false => plan(seed),
        };
        let broken = run(seed, plan, sabotage, false).err()?;
        Some((seed, broken.to_string()))
    })
}

fn finds(sabotage: &Sabotage) {
    let found = found(sabotage, SEEDS);
    assert!(found.is_some(), "not found: {sabotage:?}");
    if let Some((seed, broken)) = found {
        println!("seed {seed}: {broken}");
    }
}

/// A transaction that writes a state partition names its forwarded partition, or nothing fences it, and the next
/// owner does not wait for it.
#[test]
fn forwarded_partitions_of_joined_states_are_named() {
    finds(&Sabotage {
        joined_unnamed: true,
        ..Sabotage::default()
    });
}

/// The metadata of the batch's beginning fence a batch that has outlived its assignment; those of the commit's time
/// may be valid again.
#[test]
fn metadata_are_those_of_the_beginning() {
    let survives = Sabotage {
        batch_survives_revoke: true,
        ..Sabotage::default()
    };
    finds(&Sabotage {
        metadata_at_commit: true,
        ..survives.clone()
    });
    assert_eq!(found(&survives, 2000), None);
}

/// To the last stable offset is not far enough: committed records may lie behind an open transaction.
#[test]
fn restore_goes_to_the_high_watermark() {
    finds(&Sabotage {
        restore_to_stable: true,
        ..Sabotage::default()
    });
}

/// First the committed offsets, then the ends: a predecessor's transaction may be decided in between.
#[test]
fn ends_are_asked_after_the_offsets() {
    finds(&Sabotage {
        ends_first: true,
        ..Sabotage::default()
    });
}

/// The first offset of a log moves on with what is committed: asked for later, it may lie behind an offset that was
/// committed then.
#[test]
fn the_first_offset_is_asked_before_the_committed_one() {
    finds(&Sabotage {
        low_after_committed: true,
        ..Sabotage::default()
    });
}

/// Offsets that a pending transaction may still move are no place to start from.
#[test]
fn offsets_are_stable() {
    finds(&Sabotage {
        unstable_offsets: true,
        ..Sabotage::default()
    });
}

/// A lost answer is neither a yes nor a no.
#[test]
fn lost_answers_are_not_guessed() {
    finds(&Sabotage {
        guess_committed: true,
        ..Sabotage::default()
    });
    finds(&Sabotage {
        guess_aborted: true,
        ..Sabotage::default()
    });
}

/// The last writer of a partition may live and own others: only the group's members tell.
#[test]
fn a_takeover_spares_the_living() {
    finds(&Sabotage {
        fence_the_living: true,
        ..Sabotage::default()
    });
}

/// What was polled before an abort lies behind the place that is taken up again, with a gap between.
#[test]
fn what_was_polled_before_an_abort_is_dropped() {
    finds(&Sabotage {
        stale_poll: true,
        ..Sabotage::default()
    });
}

/// A batch ends early only when nothing is left that it could take: what is fetched and not taken counts.
#[test]
fn what_is_fetched_is_taken_before_a_batch_ends_early() {
    finds(&Sabotage {
        fetched_counts_as_taken: true,
        ..Sabotage::default()
    });
}

/// A batch that ends for want of records keeps its distance from the commit before; one that is full need not.
#[test]
fn a_drained_input_is_no_full_batch() {
    finds(&Sabotage {
        drained_counts_as_full: true,
        ..Sabotage::default()
    });
}

/// At least once: the offsets come behind the delivery of everything that was produced.
#[test]
fn offsets_are_committed_behind_the_delivery() {
    finds(&Sabotage {
        offsets_before_delivery: true,
        ..Sabotage::default()
    });
}

/// keyfold rests on a client that joins anew only after the application has served the loss, as librdkafka does.
#[test]
fn a_hasty_client_would_break_it() {
    finds(&Sabotage {
        hasty_client: true,
        ..Sabotage::default()
    });
}
