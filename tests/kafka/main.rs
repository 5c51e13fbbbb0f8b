//! The tests on a real Kafka: `keyfold` as a process, a broker, and clients beside it.
//!
//! Its harness is in `crates/harness`.

mod avro;
mod avro_declared;
mod avro_evolution;
mod avro_faults;
mod avro_rejections;
mod batches;
mod bounded;
mod crashes;
mod dead_letters;
mod declared;
mod declared_kills;
mod disk;
mod examples;
mod foreign;
mod forwarding;
mod full_queue;
mod generate;
mod instances;
mod json_log;
mod lag;
mod markers;
mod metrics;
mod offsets;
mod outages;
mod outside_client;
mod permissions;
mod recreated_topics;
mod restarts;
mod restore;
mod snapshots;
mod start;
mod too_large;
mod topics;
mod transactions;
