#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::LazyLock;

use keyfold::cli;
use keyfold::cli::arguments::{self, Arguments, Command};
use keyfold::config::{CONFIG_FILE, Config, LogFormat};
use keyfold::exit::{Done, Failure};
use keyfold::failpoint;
use keyfold::kafka::properties;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The commit that the program is built from, for `--version` and `keyfold_build_info`: what the build is told, or the
/// newest of the repository's log. Only this file knows it, so that a commit does not recompile the library.
const COMMIT: &str = match (option_env!("BUILD_COMMIT"), str::from_utf8(&NEWEST_COMMIT)) {
    (Some(told), _) if !told.is_empty() => told,
    (_, Ok(commit)) if NEWEST_COMMIT[0] != 0 => commit,
    _ => UNKNOWN,
};
const UNKNOWN: &str = "unknown";

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

/// What `--version` prints: the version, and the commit where it is known.
static VERSION: LazyLock<String> = LazyLock::new(|| match COMMIT {
    UNKNOWN => env!("CARGO_PKG_VERSION").to_owned(),
    commit => format!("{} ({commit})", env!("CARGO_PKG_VERSION")),
});

fn main() -> ExitCode {
    failpoint::set_up();
    let arguments = Arguments::read(&VERSION);
    let stderr = arguments.command.standard_error();
    let fail = |format, failure: &Failure| {
        cli::log::report(failure, format, stderr);
        failure.code()
    };
    let end = |format, done: Result<Done, Failure>| match done {
        Ok(done) => done.code(),
        Err(failure) => fail(format, &failure),
    };
    if let Command::Completions(args) = &arguments.command {
        return end(
            LogFormat::Auto,
            cli::completions::run(arguments::definition(), args),
        );
    }
    let file = arguments.config.or_else(config_file);
    let client_properties = |config: &Config| match arguments.command.is_for_kafka() {
        true => properties::findings(config),
        false => Vec::new(),
    };
    let (config, origins) = match Config::load_checked(file.as_deref(), client_properties) {
        Ok(loaded) => loaded,
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
        Command::Generate(args) => cli::generate::run(&config, file.as_deref(), args),
        Command::Topics(args) => cli::topics::run(&config, args),
        Command::Dlq(args) => cli::dlq::run(&config, args),
        Command::Fold(args) => cli::fold::run(&config, args),
        Command::Validate(args) => cli::validate::run(&config, args),
        Command::Explain(args) => cli::explain::run(&config, args),
        Command::Erase(args) => cli::erase::run(&config, args),
        Command::Audit(args) => cli::audit::run(&config, args),
        Command::Sources(args) => cli::sources::run(&config, file.as_deref(), args),
        Command::Doctor(args) => cli::doctor::run(&config, args),
        Command::Healthcheck(args) => cli::healthcheck::run(&config, args),
        Command::Config(_) => return cli::config::run(&config, &origins),
        Command::Completions(args) => cli::completions::run(arguments::definition(), args),
    };
    end(format, done)
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
