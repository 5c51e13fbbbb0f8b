//! `keyfold run`: the processor.

use super::progress::Bar;
use super::{log, stop_on_signals};
use crate::config::Config;
use crate::exit::{Done, Failure};
use crate::runtime::processor::{self, ShowRestore};
use crate::telemetry::restore_progress::Restored;

/// Fold customer events from Kafka into snapshots, until stopped by SIGTERM or SIGINT.
///
/// After SIGUSR1 the next stop gives the instance's name in the consumer group up, as with `leave_on_stop`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {}

/// `commit` is the commit from which the program was built.
pub fn run(config: Config, commit: &'static str) -> Result<Done, Failure> {
    let stop = stop_on_signals()?;
    stop.on_signal_for_good()
        .map_err(|error| Failure::Service(format!("cannot listen to signals: {error}")))?;
    let is_shown = log::is_on_terminal(config.log.format);
    let mut bar: Option<Bar> = None;
    let mut show = |restored: Option<Restored>| match restored {
        Some(Restored { done, all }) => bar
            .get_or_insert_with(|| Bar::on_terminal("restoring the state"))
            .show(done, all),
        None => bar = None,
    };
    let show_restore: Option<ShowRestore<'_>> = if is_shown { Some(&mut show) } else { None };
    processor::run(config, commit, &stop, show_restore)?;
    Ok(Done::Clean)
}
