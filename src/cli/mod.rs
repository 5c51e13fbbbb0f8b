//! The command line: one file for each command (docs/contract.md, section 7).

pub mod config;
pub mod demo;
pub mod fold;
pub mod generate;
pub mod healthcheck;
mod letters;
mod line;
mod lines;
pub mod log;
mod output;
pub mod run;
mod schemas;
pub mod sources;
pub mod topics;
pub mod validate;
mod verdict_line;

use crate::exit::Failure;
use crate::runtime::signals::Stop;

/// A flag that SIGTERM and SIGINT set.
fn stop_on_signals() -> Result<Stop, Failure> {
    let stop = Stop::default();
    stop.on_signals()
        .map_err(|error| Failure::Service(format!("cannot listen to signals: {error}")))?;
    Ok(stop)
}
