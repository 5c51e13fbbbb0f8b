//! keyfold folds customer events from Kafka into one compacted snapshot per customer.
//!
//! # The path of a record
//!
//! ```text
//! poll ─ judge ──┬─ rejected ────────────── dead letter ──────────────┐
//!                ├─ a batch ─────────────── one forward per element ──┤
//!                ├─ of another partition ── forward ──────────────────┤  one transaction, with the
//!                └─ of a partition here ─── join into the customer    │  offsets of what was read
//!                                                 │                   │
//!                      at the batch's end, once per changed customer: │
//!                                       snapshot and state ───────────┘
//!                                                 │
//!                      commit confirmed: the store, the metrics and HTTP follow
//! ```
//!
//! 1. `runtime::driver` polls. It is the loop of one worker thread, and carries out what the engine decides.
//!    [`kafka`] holds the clients, which decide nothing.
//! 2. `engine::record` follows one record, and [`engine::arrived`] is what is known of it on arrival.
//!    [`source::judge()`] makes a typed contribution of a [`model::record::RawRecord`], or a [`model::record::Rejection`]; no record that
//!    is not valid reaches the fold.
//! 3. [`model::partition::of_key`] says which state partition the customer belongs to. What belongs elsewhere is
//!    forwarded, with its [`engine::origin`] in headers; what is rejected becomes a [`engine::dead_letter`].
//! 4. [`customer::Customer::join`] folds the contribution: a join of registers, so that order and repetition do
//!    not matter. [`customer::bounded`] keeps the state within its size.
//! 5. [`engine::schedule`] says when the batch ends, [`engine::commit`] decides whether it is committed,
//!    `engine::offsets` says what it commits, and [`engine::writing`] what it writes and in which order:
//!    [`customer::snapshot`] and [`customer::codec`] write what is published and what is kept, and [`kafka::producer`]
//!    commits all of it together with the offsets.
//! 6. Once the commit is confirmed, the changes go into the [`store`], and `telemetry` counts the batch in
//!    `serve::Metrics`. After an abort nothing of it remains, and the batch is read again.
//!
//! Everything between the poll and the produce is pure: no clock, no I/O, no randomness. So [`fold`] gives the
//! same snapshots from files, and tests replay any interleaving of records, rebalances and failures through
//! [`engine::Engine`], which also holds ownership and restore.
//!
//! # Around it
//!
//! [`inspect`] is what the commands for operators find in logs, `checks` whether the set-up is right. [`cli`] has one file a command, [`config`] the settings,
//! `runtime::processor` starts and ends the threads, [`json`] reads and writes JSON, `serve` is the HTTP side,
//! [`keyfold_generate`] makes realistic streams, [`sample`] the records of a definition for them, and `demo` runs all of it in
//! one process. `tests/architecture.rs` says which of these may name which.
//! What users can rely on is in `docs/contract.md`; comments name its sections.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod avro;
mod backoff;
mod checks;
pub mod cli;
pub mod config;
pub mod customer;
pub mod definition;
mod demo;
pub mod engine;
pub mod exit;
pub mod failpoint;
pub mod fold;
mod generated;
pub mod inspect;
pub mod json;
pub mod kafka;
pub mod model;
mod prefetch;
mod registry;
mod runtime;
pub mod sample;
mod serve;
pub mod source;
pub mod store;
mod telemetry;
