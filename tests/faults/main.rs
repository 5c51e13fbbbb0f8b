//! keyfold under faults, on real brokers, with load all the time.
//!
//! Each test does one kind of harm while a [`load`](load::Load) of all four sources runs: late, repeated, invalid
//! and wrongly keyed records, and nulls. At its end the harm is healed, and what came out is judged: the published
//! snapshots are the offline fold's, byte for byte, each rejection is a dead letter exactly once, and nothing is
//! unread behind the committed offsets.
//!
//! - `cargo test --release --test faults` is the short form, which CI runs: each kind of fault, and a minute of all
//!   together.
//! - `cargo test --release --test faults -- --ignored --nocapture` is the long form: the other variants of each fault,
//!   and an hour of all together, with the disk store in every other round. `KEYFOLD_FAULTS_SECONDS` and
//!   `KEYFOLD_FAULTS_SEED` change the hour and its first seed; it prints what was done, and the plan of each round.
//!   With `long` at its end, the command runs only what takes minutes.
//! - `KEYFOLD_FAULTS_STORE=disk` has the others run with the disk store too.
//! - `cargo test --release --features failpoints --test faults points` dies at places inside the program that no
//!   message to the broker marks.
//!
//! A seed decides what is done and when; what the processes make of it at that time, the machine decides too.

mod dice;
mod fleet;
mod load;
mod proxy;
mod tally;

mod brokers;
mod chaos;
mod environment;
mod identity;
mod kills;
mod lost_state;
mod meddling;
mod network;
mod open_transaction;
mod overload;
#[cfg(feature = "failpoints")]
mod points;
mod replays;
mod storms;
mod takeover;
mod unreadable;
mod zombies;
