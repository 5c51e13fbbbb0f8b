//! The log, on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::exit::Failure;
use crate::config::{Log, LogFormat};

/// Starts the log: for people, with colours on a terminal, or as JSON. `quiet` leaves all but errors out, unless
/// the level was set.
pub fn start(log: &Log, quiet: bool) -> Result<(), Failure> {
    let level = if quiet && *log == Log::default() {
        "error"
    } else {
        &log.level
    };
    // the engine of the store on disk is talkative; a level of its own can still be set for it
    let level = format!("fjall=warn,lsm_tree=warn,{level}");
    let filter = EnvFilter::try_new(&level)
        .map_err(|error| Failure::Usage(format!("log.level: {error}")))?;
    let terminal = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(terminal);
    let json = match log.format {
        LogFormat::Auto => !terminal,
        LogFormat::Human => false,
        LogFormat::Json => true,
    };
    let started = if json {
        builder.json().try_init()
    } else {
        builder.try_init()
    };
    started.map_err(|error| Failure::Service(format!("can't start the log: {error}")))
}
