//! The worker's protocol (batch, transaction, rebalance, restore) against a model of Kafka's transactional log, in
//! any interleaving that a seed leads to.
//!
//! The worker is keyfold's own; the driver, its clients and the cluster are models ([`driver`] mirrors
//! `runtime/driver`, [`client`] librdkafka, [`transactions`], [`group`] and [`log`] the brokers). A seed decides
//! everything, so a failure replays exactly:
//!
//! - `SIM_SEED=17 cargo test --release --test simulation interleavings` runs one seed and tells every step.
//! - `SIM_COUNT=100000` runs so many seeds, in the place of as many as fit into `SIM_SECONDS` (20).

mod at_least_once;
mod audit;
mod client;
mod driver;
mod faults;
mod group;
mod guards;
mod interleavings;
mod log;
mod plan;
mod random;
mod records;
mod scenarios;
mod transactions;
mod world;
