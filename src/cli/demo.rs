//! `keyfold demo`: everything in one process, without any service.

use super::stop_on_signals;
use crate::config::Config;
use crate::demo;
use crate::exit::{Done, Failure};

/// Watch keyfold work, without any service: it takes about half a minute.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// Leave it running at the end, to look around
    #[arg(long)]
    keep: bool,
}

pub fn run(config: &Config, args: &DemoArgs, commit: &'static str) -> Result<Done, Failure> {
    let stop = stop_on_signals()?;
    demo::run(config, args.keep, commit, &stop)
}
