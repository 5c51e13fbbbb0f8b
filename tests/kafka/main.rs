//! The tests on a real Kafka: `keyfold` as a process, a broker, and clients beside it.
//!
//! [`app`] gives a test topics, a configuration and an application id of its own, and says what must come out of
//! it. Every wait is for a condition, with a deadline.

mod acls;
mod app;
mod avro_lines;
mod avro_records;
mod broker;
mod cache;
mod client;
mod drained;
mod fold;
mod forgotten;
mod generate;
mod guard;
mod outside;
mod process;
mod registry;
mod registry_proxy;
mod slots;

mod avro;
mod avro_evolution;
mod avro_faults;
mod avro_rejections;
mod batches;
mod bounded;
mod crashes;
mod dead_letters;
mod disk;
mod examples;
mod foreign;
mod forwarding;
mod full_queue;
mod instances;
mod json_log;
mod lag;
mod markers;
mod metrics;
mod offsets;
mod outages;
mod outside_client;
mod outsiders;
mod permissions;
mod restarts;
mod restore;
mod snapshots;
mod start;
mod too_large;
mod topics;
mod topics_anew;
mod transactions;
