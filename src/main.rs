use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use keyfold::cli::{self, exit::Failure};
use keyfold::config::Config;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Folds customer events from Kafka into one compacted snapshot per customer.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    /// The configuration, a TOML file; every key is also an environment variable
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Fold(cli::fold::FoldArgs),
    Validate(cli::validate::ValidateArgs),
    Config(cli::config::ConfigArgs),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let config = match Config::load(arguments.config.as_deref()) {
        Ok(config) => config,
        Err(error) => return fail(&Failure::Usage(error.to_string())),
    };
    let done = match &arguments.command {
        Command::Fold(args) => cli::fold::run(&config, args),
        Command::Validate(args) => cli::validate::run(&config, args),
        Command::Config(_) => return cli::config::run(&config),
    };
    match done {
        Ok(done) => done.code(),
        Err(failure) => fail(&failure),
    }
}

fn fail(failure: &Failure) -> ExitCode {
    eprintln!("keyfold: {failure}");
    failure.code()
}
