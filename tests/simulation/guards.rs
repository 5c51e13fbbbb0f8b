//! Each test removes one guard of the protocol, and the simulation must find the fault that the guard prevents.

use crate::faults::Sabotage;
use crate::interleavings::{at_least_once, plan, run};

/// The number of seeds within which a planted bug must be found.
const SEEDS: u64 = 20_000;

/// The first seed that breaks a promise, and the promise.
fn first_broken(sabotage: &Sabotage, seeds: u64) -> Option<(u64, String)> {
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
    let found = first_broken(sabotage, SEEDS);
    assert!(found.is_some(), "not found: {sabotage:?}");
    if let Some((seed, broken)) = found {
        println!("seed {seed}: {broken}");
    }
}

/// A transaction that writes a state partition must commit an offset of its forwarded partition. Otherwise the group
/// does not fence it, and the next owner does not wait for it.
#[test]
fn forwarded_partitions_of_joined_states_are_named() {
    finds(&Sabotage {
        joined_unnamed: true,
        ..Sabotage::default()
    });
}

/// The group metadata of the batch's start fence a batch that has outlived its assignment. The metadata at the time of
/// the commit may be valid again.
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
    assert_eq!(first_broken(&survives, 2000), None);
}

/// A restore up to the last stable offset is not enough, because committed records may be behind an open transaction.
#[test]
fn restore_goes_to_the_high_watermark() {
    finds(&Sabotage {
        restore_to_stable: true,
        ..Sabotage::default()
    });
}

/// The committed offsets are fetched first, then the ends of the logs. In the other order, a transaction of the
/// previous owner could be committed in between, and its states would not be restored.
#[test]
fn ends_are_asked_after_the_offsets() {
    finds(&Sabotage {
        ends_first: true,
        ..Sabotage::default()
    });
}

/// The first offset of a log moves with the commits, because committed records are deleted. If it were fetched after
/// the committed offset, it could be greater than that.
#[test]
fn the_first_offset_is_asked_before_the_committed_one() {
    finds(&Sabotage {
        low_after_committed: true,
        ..Sabotage::default()
    });
}

/// A partition must not be consumed from an offset that a pending transaction may still change.
#[test]
fn offsets_are_stable() {
    finds(&Sabotage {
        unstable_offsets: true,
        ..Sabotage::default()
    });
}

/// If the answer to a commit is lost, neither success nor failure may be assumed.
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

/// The last writer of a partition may be alive and own other partitions. Only the members of the group show that.
#[test]
fn a_takeover_spares_the_living() {
    finds(&Sabotage {
        fence_the_living: true,
        ..Sabotage::default()
    });
}

/// After an abort a partition is consumed again from an earlier position. Records that were polled before are behind
/// that position, with a gap in between, and must be dropped.
#[test]
fn what_was_polled_before_an_abort_is_dropped() {
    finds(&Sabotage {
        stale_poll: true,
        ..Sabotage::default()
    });
}

/// The same for a single record: none is taken from the poll before the engine can process it.
#[test]
fn a_record_is_taken_when_it_can_be_processed() {
    finds(&Sabotage {
        record_taken_early: true,
        ..Sabotage::default()
    });
}

/// A batch ends early only if no record is left that it could take. Fetched records that are not taken yet count.
#[test]
fn what_is_fetched_is_taken_before_a_batch_ends_early() {
    finds(&Sabotage {
        fetched_counts_as_taken: true,
        ..Sabotage::default()
    });
}

/// A batch that ends because no record is left must keep the minimum gap to the previous commit; a full one need not.
#[test]
fn a_drained_input_is_no_full_batch() {
    finds(&Sabotage {
        drained_counts_as_full: true,
        ..Sabotage::default()
    });
}

/// At-least-once: offsets are committed only after all that was produced is delivered.
#[test]
fn offsets_are_committed_behind_the_delivery() {
    finds(&Sabotage {
        offsets_before_delivery: true,
        ..Sabotage::default()
    });
}

/// keyfold depends on a client that joins the group again only after the application has handled the lost assignment,
/// as librdkafka does.
#[test]
fn a_hasty_client_would_break_it() {
    finds(&Sabotage {
        hasty_client: true,
        ..Sabotage::default()
    });
}
