//! `keyfold dlq`: the dead letters (docs/contract.md, section 10).
//!
//! | file | subject |
//! |---|---|
//! | `selection` | the filters on the command line |
//! | `scan` | reads the letters, and which of them are settled |
//! | `named` | letters that are named must be there |
//! | `today` | the verdict of today, which is not known while the registry is away |
//! | `list` `show` `export` | the commands that only read |
//! | `replay` `discard` | the commands that settle letters |
//! | `ahead` | what is known of topics and permissions before anything is sent |
//! | `outgoing` | what is sent of a letter |
//! | `tally` | what they made of each letter |
//! | `settling`, `pace` | the transactions in which they do so, and how fast |
//! | `edited` | the lines of `--from FILE` |
//! | `wait` | how each record that was sent ended |

mod ahead;
mod discard;
mod edited;
mod export;
mod list;
mod named;
mod outgoing;
mod pace;
mod replay;
mod scan;
mod selection;
mod settling;
mod show;
mod tally;
mod today;
mod wait;

use super::output::Output;
use crate::config::Config;
use crate::exit::{Done, Failure};

/// Look at dead letters, send them back, or put them aside.
///
/// A letter is named PARTITION@OFFSET, its place in the dead-letter topic. Nothing is written to Kafka without
/// --execute: without it the plan is shown.
#[derive(Debug, clap::Args)]
pub struct DlqArgs {
    /// A table for people, or JSON, a value a line
    #[arg(long, global = true, value_enum, default_value = "table")]
    output: Output,
    #[command(subcommand)]
    command: DlqCommand,
}

#[derive(Debug, clap::Subcommand)]
enum DlqCommand {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Export(export::ExportArgs),
    Replay(Box<replay::ReplayArgs>),
    Discard(discard::DiscardArgs),
}

pub fn run(config: &Config, args: &DlqArgs) -> Result<Done, Failure> {
    match &args.command {
        DlqCommand::List(list) => list::run(config, list, args.output),
        DlqCommand::Show(show) => show::run(config, show, args.output),
        DlqCommand::Export(export) => export::run(config, export),
        DlqCommand::Replay(replay) => replay::run(config, replay, args.output),
        DlqCommand::Discard(discard) => discard::run(config, discard, args.output),
    }
}
