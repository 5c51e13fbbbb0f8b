//! The command line: every command with its arguments. The program reads it; completions and the manual page are made
//! from it.

use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use super::log::StandardError;
use super::{
    audit, completions, config, demo, dlq, doctor, erase, explain, fold, generate, healthcheck,
    run, sources, topics, validate,
};

/// Folds customer events from Kafka into one compacted snapshot per customer.
#[derive(Debug, Parser)]
#[command(name = "keyfold", version, about)]
pub struct Arguments {
    /// The configuration, a TOML file (or the variable KEYFOLD_CONFIG); every key is also an environment variable
    #[arg(long, short, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Run(run::RunArgs),
    Demo(demo::DemoArgs),
    Fold(fold::FoldArgs),
    Validate(validate::ValidateArgs),
    Explain(explain::ExplainArgs),
    Erase(erase::EraseArgs),
    Generate(generate::GenerateArgs),
    Topics(topics::TopicsArgs),
    Config(config::ConfigArgs),
    Dlq(dlq::DlqArgs),
    Sources(sources::SourcesArgs),
    Audit(audit::AuditArgs),
    Doctor(doctor::DoctorArgs),
    Healthcheck(healthcheck::HealthcheckArgs),
    Completions(completions::CompletionsArgs),
}

impl Arguments {
    /// Reads the arguments of this process. `version` is what `--version` prints behind the program's name.
    ///
    /// Wrong arguments end the process with exit code 2; `--help` and `--version` end it with 0.
    #[must_use]
    pub fn read(version: &'static str) -> Arguments {
        let mut definition = definition().version(version);
        let matches = definition.get_matches_mut();
        Arguments::from_arg_matches(&matches)
            .unwrap_or_else(|error| error.format(&mut definition).exit())
    }
}

impl Command {
    /// What the command uses standard error for.
    #[must_use]
    pub fn standard_error(&self) -> StandardError {
        match self {
            Command::Run(_) => StandardError::Log,
            Command::Demo(_) => StandardError::Errors,
            _ => StandardError::Messages,
        }
    }

    /// Whether it connects to Kafka, so that a property that the client refuses is found at once.
    #[must_use]
    pub fn is_for_kafka(&self) -> bool {
        match self {
            Command::Run(_)
            | Command::Topics(_)
            | Command::Audit(_)
            | Command::Dlq(_)
            | Command::Doctor(_)
            | Command::Erase(_) => true,
            Command::Generate(args) => args.is_for_kafka(),
            Command::Explain(args) => args.is_for_kafka(),
            _ => false,
        }
    }
}

/// All commands, with their arguments and their help.
#[must_use]
pub fn definition() -> clap::Command {
    Arguments::command()
}
