//! The log, on standard error.

use std::fs;
use std::io::IsTerminal;
use std::path::Path;
use std::time::SystemTime;

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};
use crate::exit::Failure;

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
    let started = if is_json(log.format) {
        builder.json().try_init()
    } else {
        builder.try_init()
    };
    started.map_err(|error| Failure::Service(format!("can't start the log: {error}")))
}

fn is_json(format: LogFormat) -> bool {
    match format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Human => false,
        LogFormat::Json => true,
    }
}

/// The format that the configuration wants, as far as that can be told of one that is wrong elsewhere.
pub fn wanted(file: Option<&Path>) -> LogFormat {
    let in_file = || {
        let text = fs::read_to_string(file?).ok()?;
        let table: toml::Table = text.parse().ok()?;
        let format = table.get("log")?.get("format")?;
        format.as_str().map(str::to_owned)
    };
    let said = std::env::var("KEYFOLD__LOG__FORMAT").ok().or_else(in_file);
    match said.as_deref() {
        Some("json") => LogFormat::Json,
        Some("human") => LogFormat::Human,
        _ => LogFormat::Auto,
    }
}

/// Says why a command ends, whatever the level of the log, and also where there is no log yet. `service`: the command is
/// one whose standard error is a log; of the others it is read by people, unless the format is set.
pub fn last_line(format: LogFormat, service: bool, failure: &Failure) {
    let json = is_json(format) && (service || format == LogFormat::Json);
    if !json {
        eprintln!("keyfold: {failure}");
        return;
    }
    let timestamp = humantime::format_rfc3339_micros(SystemTime::now());
    let line = serde_json::json!({
        "timestamp": timestamp.to_string(),
        "level": "ERROR",
        "fields": {
            "message": format!("keyfold: {failure}"),
            "exit_code": failure.number(),
        },
        "target": "keyfold",
    });
    eprintln!("{line}");
}
