//! What keyfold shows over HTTP: metrics, health, one customer's snapshot, and a page for people
//! (docs/contract.md, section 8).
//!
//! This module does not depend on Kafka. Workers report into [`Metrics`] and [`Health`], and with the watch into [`Board`];
//! [`Server`] reads them on a thread of its own, so that a slow client never delays a worker.

pub mod board;
mod connection;
mod health;
mod http;
mod listener;
pub mod metrics;
mod page;
mod problems;
pub(crate) mod status;

pub use board::Board;
pub use health::{Health, Readiness};
pub use http::{CustomerLookup, LookupReply, Server, ServerSetup, Wanted};
pub use metrics::Metrics;

/// Information about the process for the metrics and the page.
#[derive(Debug, Clone)]
pub struct ProcessInfo {
    /// The version of keyfold.
    pub version: &'static str,
    /// The commit that the program was built from, or `unknown`.
    pub commit: &'static str,
    pub application_id: String,
}
