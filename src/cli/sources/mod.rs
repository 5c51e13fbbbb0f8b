//! `keyfold sources`: the sources that are on, and what their definitions make of records.

mod list;
pub(super) mod resolve;
mod show;
mod test;
mod told;
mod try_records;

use std::path::{Path, PathBuf};

use super::output::Output;
use crate::config::Config;
use crate::exit::{Done, Failure};

/// See the sources that are on, test their definitions, and try them on records, without Kafka.
#[derive(Debug, clap::Args)]
pub struct SourcesArgs {
    /// The form of the output
    #[arg(long, global = true, value_enum, default_value_t = Output::Table, value_name = "FORM")]
    output: Output,
    #[command(subcommand)]
    command: SourcesCommand,
}

#[derive(Debug, clap::Subcommand)]
enum SourcesCommand {
    /// List the sources that are on, and the definitions that come with keyfold
    List,
    /// Print the definition of a source, or say what a built-in one is
    Show {
        /// A source, or preset:NAME
        name: String,
    },
    /// Run the tests in definitions
    ///
    /// Each record is judged under the default settings and folded alone. The snapshot must contain what the test says:
    /// objects may have further members, lists no further elements, and a null stands for a member that is not there.
    /// Exits with 1 when a test fails, and with 2 when a definition is wrong.
    Test {
        /// Definitions, or preset:NAME; without any those of all sources that are on
        files: Vec<String>,
    },
    /// Say what each record tells
    ///
    /// Reads records as `kcat -C -J` prints them, of any topic, and writes a line of JSON for each: the verdict, and what
    /// it tells of which customer. Exits with 1 when a record is rejected.
    Try {
        /// A source that is on, a definition, or preset:NAME
        name: String,
        /// Show ids and values, not only the names of fields
        #[arg(long)]
        values: bool,
        #[command(flatten)]
        schemas: super::schemas::SchemaArgs,
        /// Files to read, `-` for standard input; standard input without any
        files: Vec<PathBuf>,
    },
}

/// `file` is the configuration file, beside which the definitions of the sources are.
pub fn run(config: &Config, file: Option<&Path>, args: &SourcesArgs) -> Result<Done, Failure> {
    match &args.command {
        SourcesCommand::List => list::run(config, args.output),
        SourcesCommand::Show { name } => show::run(config, file, name),
        SourcesCommand::Test { files } => test::run(config, files, args.output),
        SourcesCommand::Try {
            name,
            values,
            schemas,
            files,
        } => try_records::run(config, name, *values, schemas, files),
    }
}
