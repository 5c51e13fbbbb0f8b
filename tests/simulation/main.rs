//! The engine's protocol (batch, commit, rebalance, restore, takeover) against a model of Kafka, in any interleaving that a
//! seed leads to, with and without transactions.
//!
//! The engine is keyfold's own and decides everything; [`shell`] carries its effects out on models of the clients
//! ([`client`]) and of the brokers ([`transactions`], [`group`] and [`log`]), as `runtime::driver` does on Kafka. A seed
//! decides what happens, so a failure replays exactly:
//!
//! - `SIM_SEED=17 cargo test --release --test simulation interleavings` runs one seed and tells every step.
//! - `SIM_COUNT=100000` runs so many seeds, in the place of as many as fit into `SIM_SECONDS` (20).

mod audit;
mod client;
mod faults;
mod group;
mod guards;
mod interleavings;
mod log;
mod plan;
mod random;
mod records;
mod scenarios;
mod shell;
mod transactions;
mod world;
