//! Exit codes and the errors that lead to them (docs/contract.md, section 7).

use std::process::ExitCode;

/// Why a command could not do what it was asked to.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// Wrong usage, configuration or input line.
    #[error("{0}")]
    Usage(String),
    /// A service failed, or the stream cannot go on.
    #[error("{0}")]
    Service(String),
    /// The schema registry does not answer; the text says what happened at each URL. Some commands go on without it.
    #[error("{0}")]
    RegistryAway(String),
}

impl Failure {
    pub fn code(&self) -> ExitCode {
        ExitCode::from(self.number())
    }

    pub fn number(&self) -> u8 {
        match self {
            Failure::Usage(_) => 2,
            Failure::Service(_) | Failure::RegistryAway(_) => 3,
        }
    }

    /// Standard output or a file that cannot be written is a service that failed.
    pub fn writing(what: &str) -> impl FnOnce(std::io::Error) -> Failure + '_ {
        move |error| Failure::Service(format!("cannot write {what}: {error}"))
    }
}

/// The result of writing, unless the reader has closed the pipe (`keyfold fold | head`), which is no failure.
pub fn unless_closed(written: std::io::Result<()>, what: &str) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(Failure::writing(what)),
    }
}

/// How a command that did its work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    Clean,
    /// It found what it was asked to look for.
    Found,
}

impl Done {
    pub fn code(self) -> ExitCode {
        match self {
            Done::Clean => ExitCode::SUCCESS,
            Done::Found => ExitCode::from(1),
        }
    }
}
