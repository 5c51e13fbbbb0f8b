//! `keyfold run`: the processor.

use crate::config::Config;
use crate::exit::{Done, Failure};
use crate::runtime::processor;
use crate::runtime::signals::Stop;

/// Fold customer events from Kafka into snapshots, until stopped by SIGTERM or SIGINT.
#[derive(Debug, clap::Args)]
pub struct RunArgs {}

/// `commit`: the one that the program is built from.
pub fn run(config: Config, commit: &'static str) -> Result<Done, Failure> {
    let stop = Stop::default();
    stop.on_signals()
        .map_err(|error| Failure::Service(format!("can't listen to signals: {error}")))?;
    processor::run(config, commit, &stop)?;
    Ok(Done::Clean)
}
