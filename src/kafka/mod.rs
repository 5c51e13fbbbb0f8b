//! Kafka's client: thin, and without decisions of its own. Those are [`crate::engine`]'s.

pub mod client;
pub mod client_log;
mod committer;
pub mod consumer;
mod deliveries;
pub mod description;
pub mod ends;
pub mod errors;
pub mod feed;
pub mod fence;
pub mod members;
pub mod native;
pub mod oldest;
pub mod permissions;
pub mod producer;
pub mod properties;
mod property_table;
mod reset;
pub mod restorer;
mod retry;
pub mod survey;
mod topic_specs;
pub mod topics;
pub mod transaction;
