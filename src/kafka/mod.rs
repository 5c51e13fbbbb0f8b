//! Kafka's client: thin, and without decisions of its own. Those are [`crate::worker`]'s.

pub mod client;
pub mod consumer;
pub mod ends;
pub mod feed;
pub mod native;
mod offset_sender;
pub mod producer;
pub mod restorer;
mod topic_id;
pub mod topics;
mod wanted;
