//! `keyfold demo`: the whole thing in one process, without any service.

use crate::config::Config;
use crate::demo;
use crate::exit::{Done, Failure};
use crate::runtime::signals::Stop;

/// Watch keyfold work, without any service: it takes about half a minute.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// Leave it running at the end, to look around
    #[arg(long)]
    keep: bool,
}

pub fn run(config: &Config, args: &DemoArgs, commit: &'static str) -> Result<Done, Failure> {
    let stop = Stop::default();
    stop.on_signals()
        .map_err(|error| Failure::Service(format!("can't listen to signals: {error}")))?;
    demo::run(config, args.keep, commit, &stop)
}
