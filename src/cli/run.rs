//! `keyfold run`: the processor.

use super::stop_on_signals;
use crate::config::Config;
use crate::exit::{Done, Failure};
use crate::runtime::processor;

/// Fold customer events from Kafka into snapshots, until stopped by SIGTERM or SIGINT.
#[derive(Debug, clap::Args)]
pub struct RunArgs {}

/// `commit` is the commit from which the program was built.
pub fn run(config: Config, commit: &'static str) -> Result<Done, Failure> {
    let stop = stop_on_signals()?;
    processor::run(config, commit, &stop)?;
    Ok(Done::Clean)
}
