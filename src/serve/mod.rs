//! What keyfold shows over HTTP: metrics, health, one customer's snapshot, and a page for people
//! (docs/contract.md, section 8).
//!
//! Nothing here knows Kafka. Workers report into [`Metrics`] and [`Health`]; [`Server`] reads them on
//! a thread of its own, so that a slow reader never holds up a worker.

mod connection;
mod health;
mod http;
mod listener;
pub mod metrics;
mod page;

pub use health::{Health, Readiness};
pub use http::{CustomerLookup, LookupReply, Server};
pub use metrics::{BatchHistograms, Build, Metrics, StateShare, WorkerState};
pub use page::PageInfo;
