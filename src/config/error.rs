//! What can be wrong with a configuration, in words for people.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a configuration cannot be loaded. The text is the whole message, and does not quote any setting that may be
/// secret. The exit code for all of these is 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    /// The file is not TOML. The line is not quoted, because it may hold a secret.
    #[error("{} is not valid TOML: line {line}, column {column}: {message}", path.display())]
    Toml {
        path: PathBuf,
        line: usize,
        column: usize,
        message: String,
    },
    /// Keys or values are wrong; the error lists all of them.
    #[error("{0}")]
    Settings(Problems),
}

/// Everything that is wrong with keys and values, in the order in which it was found. Never empty inside an error.
#[derive(Debug, Default)]
pub struct Problems(pub(super) Vec<String>);

impl Problems {
    /// Adds a problem, unless the same one is there already.
    pub(super) fn push(&mut self, problem: String) {
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// An error if there are any problems.
    pub(super) fn into_result(self) -> Result<(), ConfigError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(ConfigError::Settings(self))
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [only] => f.write_str(only),
            all => {
                write!(f, "{} settings are wrong:", all.len())?;
                all.iter()
                    .try_for_each(|problem| write!(f, "\n  - {problem}"))
            }
        }
    }
}
