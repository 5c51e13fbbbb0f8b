//! The log, on standard error.

use std::fs;
use std::io::IsTerminal;
use std::path::Path;
use std::time::SystemTime;

use tracing_subscriber::EnvFilter;

use super::output;
use super::progress::AboveBar;
use crate::config::{Log, LogFormat};
use crate::exit::Failure;

/// What a command uses standard error for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandardError {
    /// The log of a service.
    Log,
    /// Messages to whoever runs the command.
    Messages,
    /// Only errors: the output of the command is on standard output.
    Errors,
}

/// Starts the log: as text, with colours on a terminal, or as JSON.
pub fn start(log: &Log, stderr: StandardError) -> Result<(), Failure> {
    // A level that the user has set is kept.
    let level = if stderr == StandardError::Errors && *log == Log::default() {
        "error"
    } else {
        &log.level
    };
    // The storage engine logs too much at info; the user can still set a level for it.
    let level = format!("fjall=warn,lsm_tree=warn,{level}");
    let filter = EnvFilter::try_new(&level)
        .map_err(|error| Failure::Usage(format!("log.level: {error}")))?;
    let terminal = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| AboveBar)
        .with_ansi(output::is_coloured(terminal));
    let started = if is_json(log.format) {
        builder.json().try_init()
    } else {
        builder.try_init()
    };
    started.map_err(|error| Failure::Service(format!("cannot start the log: {error}")))
}

/// Whether the log is for people who read it on a terminal.
pub fn is_on_terminal(format: LogFormat) -> bool {
    std::io::stderr().is_terminal() && !is_json(format)
}

fn is_json(format: LogFormat) -> bool {
    match format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Human => false,
        LogFormat::Json => true,
    }
}

/// The log format, read from a configuration that is otherwise invalid.
pub fn format_of_invalid(file: Option<&Path>) -> LogFormat {
    let in_file = || {
        let text = fs::read_to_string(file?).ok()?;
        let table: toml::Table = text.parse().ok()?;
        let format = table.get("log")?.get("format")?;
        format.as_str().map(str::to_owned)
    };
    let configured = std::env::var("KEYFOLD__LOG__FORMAT").ok().or_else(in_file);
    match configured.as_deref() {
        Some("json") => LogFormat::Json,
        Some("human") => LogFormat::Human,
        _ => LogFormat::Auto,
    }
}

/// Reports why a command ends, whatever the log level is, and even before the log is started. As JSON if standard error
/// is a log in JSON, or the format is set to JSON.
pub fn report(failure: &Failure, format: LogFormat, stderr: StandardError) {
    let json = is_json(format) && (stderr == StandardError::Log || format == LogFormat::Json);
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
