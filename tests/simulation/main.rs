//! Tests the engine's protocol (batch, commit, rebalance, restore, takeover) against a model of Kafka, in random
//! interleavings, with and without transactions.
//!
//! The engine is the one that ships, and decides everything. [`shell`] carries out its effects on models of the clients
//! ([`client`]) and of the brokers ([`transactions`], [`group`] and [`log`]), as `runtime::driver` does on Kafka. All
//! random choices follow from a seed, so a failure can be replayed exactly:
//!
//! - `SIM_SEED=17 cargo test --release --test simulation interleavings` runs one seed and prints every step.
//! - `SIM_COUNT=100000` runs this number of seeds; the default is as many as fit into `SIM_SECONDS` (20).

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
