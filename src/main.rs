#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use keyfold::cli;
use keyfold::cli::log::StandardError;
use keyfold::config::{CONFIG_FILE, Config};
use keyfold::exit::Failure;
use keyfold::failpoint;
use keyfold::kafka::properties;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The commit that the program is built from, for `keyfold_build_info`: what the build is told, or the newest of the
/// repository's log. Only this file knows it, so that a commit does not recompile the library.
const COMMIT: &str = match (option_env!("BUILD_COMMIT"), str::from_utf8(&NEWEST_COMMIT)) {
    (Some(told), _) if !told.is_empty() => told,
    (_, Ok(commit)) if NEWEST_COMMIT[0] != 0 => commit,
    _ => "unknown",
};

/// The beginning of the commit's id; zeros where no repository was found. Copied, or the program would hold the whole log.
const NEWEST_COMMIT: [u8; 12] = newest_commit(include_bytes!(env!("COMMIT_LOG")));

/// The second word of the last line of a log of git's, shortened. The first one is the id of the commit before.
const fn newest_commit(log: &[u8]) -> [u8; 12] {
    let mut commit = [0; 12];
    let mut start = log.len().saturating_sub(1);
    while start > 0 && log[start - 1] != b'\n' {
        start -= 1;
    }
    while start < log.len() && log[start] != b' ' {
        start += 1;
    }
    let mut at = 0;
    while at < commit.len() && start + 1 + at < log.len() {
        commit[at] = log[start + 1 + at];
        at += 1;
    }
    commit
}

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
    Sources(cli::sources::SourcesArgs),
    Healthcheck(cli::healthcheck::HealthcheckArgs),
}

fn main() -> ExitCode {
    failpoint::set_up();
    let arguments = Arguments::parse();
    let stderr = match arguments.command {
        Command::Run(_) => StandardError::Log,
        Command::Demo(_) => StandardError::Errors,
        _ => StandardError::Messages,
    };
    let fail = |format, failure: &Failure| {
        cli::log::report(failure, format, stderr);
        failure.code()
    };
    let file = arguments.config.or_else(config_file);
    let client_properties = |config: &Config| match &arguments.command {
        Command::Run(_) | Command::Topics(_) => properties::findings(config),
        Command::Generate(args) if args.is_for_kafka() => properties::findings(config),
        _ => Vec::new(),
    };
    let config = match Config::load_checked(file.as_deref(), client_properties) {
        Ok(config) => config,
        Err(error) => {
            let format = cli::log::format_of_invalid(file.as_deref());
            return fail(format, &Failure::Usage(error.to_string()));
        }
    };
    let format = config.log.format;
    if let Err(failure) = cli::log::start(&config.log, stderr) {
        return fail(format, &failure);
    }
    let done = match &arguments.command {
        Command::Run(_) => cli::run::run(config, COMMIT),
        Command::Demo(args) => cli::demo::run(&config, args, COMMIT),
        Command::Generate(args) => cli::generate::run(&config, args),
        Command::Topics(args) => cli::topics::run(&config, args),
        Command::Fold(args) => cli::fold::run(&config, args),
        Command::Validate(args) => cli::validate::run(&config, args),
        Command::Sources(args) => cli::sources::run(&config, file.as_deref(), args),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_commit_is_the_second_id_of_the_last_line() {
        let log = b"0000000000000000 1111111111111111 A <a@b> 1 +0000\tinit\n1111111111111111 23456789abcdef01 A <a@b> 2 +0000\tcommit: one two\n";
        assert_eq!(&newest_commit(log), b"23456789abcd");
        assert_eq!(newest_commit(b""), [0; 12]);
    }
}
