//! The command line: one file for each command (docs/contract.md, section 7).

mod about;
pub mod arguments;
pub mod audit;
pub mod completions;
pub mod config;
mod customer_logs;
pub mod demo;
pub mod dlq;
pub mod doctor;
pub mod erase;
pub mod explain;
pub mod fold;
pub mod generate;
pub mod healthcheck;
mod letters;
mod line;
mod lines;
pub mod log;
mod output;
mod permissions;
mod processed;
pub mod progress;
mod range_records;
mod reading;
pub mod record_judge;
pub mod run;
mod schemas;
pub mod sources;
mod steps;
pub mod topics;
pub mod validate;
mod verdict_line;
mod when;

use crate::exit::Failure;
use crate::kafka::cluster::ClusterError;
use crate::runtime::signals::Stop;

/// A flag that SIGTERM and SIGINT set.
fn stop_on_signals() -> Result<Stop, Failure> {
    let stop = Stop::default();
    stop.on_signals()
        .map_err(|error| Failure::Service(format!("cannot listen to signals: {error}")))?;
    Ok(stop)
}

impl From<ClusterError> for Failure {
    fn from(error: ClusterError) -> Failure {
        Failure::Service(error.to_string())
    }
}
