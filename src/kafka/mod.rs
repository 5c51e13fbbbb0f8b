//! Kafka's clients. They are thin, and make no decisions of their own: those are [`crate::engine`]'s.

pub mod client;
pub(crate) mod client_log;
pub(crate) mod cluster;
mod committer;
pub mod consumer;
mod deliveries;
pub(crate) mod description;
pub(crate) mod errors;
pub(crate) mod feed;
pub(crate) mod fence;
pub(crate) mod lag_reader;
pub(crate) mod members;
pub mod native;
pub(crate) mod permissions;
pub mod producer;
pub mod properties;
mod property_table;
pub mod query_client;
pub(crate) mod requirements;
mod reset;
pub(crate) mod restorer;
mod retry;
pub(crate) mod survey;
mod topic_specs;
mod topics;
pub mod transaction;
