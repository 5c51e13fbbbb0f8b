//! `keyfold config`: prints the configuration in force.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use crate::config::{Config, Origins};

/// Prints the configuration in force as TOML: the defaults, the file and the environment taken
/// together, with secrets redacted, and where each key is set.
#[derive(Debug, clap::Args)]
pub struct ConfigArgs {}

/// Prints the configuration to standard output.
///
/// The exit code is 0, or 3 where standard output cannot be written. A reader that closes the
/// pipe early (`keyfold config | head`) is no failure.
pub fn run(config: &Config, origins: &Origins) -> ExitCode {
    match write(config, origins) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write the configuration to standard output: {error}");
            ExitCode::from(3)
        }
    }
}

fn write(config: &Config, origins: &Origins) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(config.print_with(origins).as_bytes())?;
    out.flush()
}
