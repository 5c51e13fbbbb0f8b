//! A Kafka client that shares no code with keyfold: Python's `confluent-kafka`.
//!
//! (It is librdkafka inside, but its own build and its own defaults.)

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::downloads;
use crate::program::finish;

/// With its own serializers of Avro and JSON, and its client of the schema registry.
const PACKAGES: &[&str] = &["confluent-kafka[avro,json]==2.15.1"];

/// A script that encodes, produces and reads what the registry has schemas of.
pub const AVRO_CLIENT: &str = include_str!("avro_client.py");

/// Runs a Python script (its text) with these arguments to its end.
#[track_caller]
pub fn run_python(script: &str, args: &[&str]) -> Output {
    let python = python().unwrap_or_else(|reason| panic!("no Python for the tests: {reason}"));
    let mut command = Command::new(python);
    command.arg("-c").arg(script).args(args);
    finish(command, b"")
}

/// The interpreter of a virtual environment with [`PACKAGES`].
fn python() -> Result<PathBuf, String> {
    let venv = downloads::filled("venv", &PACKAGES.join("\n"), |venv| {
        succeed(
            Command::new("python3").args(["-m", "venv"]).arg(venv),
            "Install Python 3 with venv (Debian: apt-get install python3-venv).",
        )?;
        succeed(
            Command::new(interpreter(venv))
                .args(["-m", "pip", "install", "--quiet"])
                .args(PACKAGES),
            "The package comes from PyPI.",
        )
    })?;
    Ok(interpreter(&venv))
}

fn interpreter(venv: &Path) -> PathBuf {
    venv.join("bin").join("python")
}

fn succeed(command: &mut Command, hint: &str) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|e| format!("{command:?}: {e}\n{hint}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{command:?}: {}\n{}{}{hint}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}
