#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use keyfold::cli;
use keyfold::config::{CONFIG_FILE, Config};
use keyfold::exit::Failure;
use keyfold::failpoint;
use keyfold::kafka::properties;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Folds customer events from Kafka into one compacted snapshot per customer.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    /// The configuration, a TOML file (or the variable KEYFOLD_CONFIG); every key is also an environment variable
    #[arg(long, short, global = true, value_name = "FILE")]
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
    let service = matches!(arguments.command, Command::Run(_));
    let fail = |format, failure: &Failure| {
        cli::log::last_line(format, service, failure);
        failure.code()
    };
    let file = arguments.config.or_else(config_file);
    let further = |config: &Config| match &arguments.command {
        Command::Run(_) | Command::Topics(_) => properties::findings(config),
        Command::Generate(args) if args.is_for_kafka() => properties::findings(config),
        _ => Vec::new(),
    };
    let config = match Config::load_checked(file.as_deref(), further) {
        Ok(config) => config,
        Err(error) => {
            let format = cli::log::wanted(file.as_deref());
            return fail(format, &Failure::Usage(error.to_string()));
        }
    };
    let format = config.log.format;
    // the demo tells its story itself
    let quiet = matches!(arguments.command, Command::Demo(_));
    if let Err(failure) = cli::log::start(&config.log, quiet) {
        return fail(format, &failure);
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
        Err(failure) => fail(format, &failure),
    }
}

/// The configuration file that the environment names.
fn config_file() -> Option<PathBuf> {
    let file = std::env::var_os(CONFIG_FILE)?;
    (!file.is_empty()).then(|| file.into())
}
