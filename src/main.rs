use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use keyfold::cli::{self, exit::Failure};
use keyfold::config::Config;
use keyfold::failpoint;

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
    Run(cli::run::RunArgs),
    Demo(cli::demo::DemoArgs),
    Fold(cli::fold::FoldArgs),
    Validate(cli::validate::ValidateArgs),
    Generate(cli::generate::GenerateArgs),
    Topics(cli::topics::TopicsArgs),
    Config(cli::config::ConfigArgs),
    Healthcheck(cli::healthcheck::HealthcheckArgs),
}

fn main() -> ExitCode {
    failpoint::set_up();
    let arguments = Arguments::parse();
    let config = match Config::load(arguments.config.as_deref()) {
        Ok(config) => config,
        Err(error) => return fail(&Failure::Usage(error.to_string())),
    };
    // the demo tells its story itself
    let quiet = matches!(arguments.command, Command::Demo(_));
    if let Err(failure) = cli::log::start(&config.log, quiet) {
        return fail(&failure);
    }
    let done = match &arguments.command {
        Command::Run(_) => cli::run::run(config),
        Command::Demo(args) => cli::demo::run(&config, args),
        Command::Generate(args) => cli::generate::run(&config, args),
        Command::Topics(args) => cli::topics::run(&config, args),
        Command::Fold(args) => cli::fold::run(&config, args),
        Command::Validate(args) => cli::validate::run(&config, args),
        Command::Healthcheck(args) => cli::healthcheck::run(&config, args),
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
