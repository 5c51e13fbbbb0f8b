//! `keyfold topics`: creates what is missing, and checks what is there.

use std::fmt;
use std::io::{self, BufRead, Write};

use super::exit::{Done, Failure, or_enough};
use crate::config::Config;
use crate::kafka::topics::{Cluster, TopicsError};

/// Create the topics that keyfold writes to where they are missing, and check their settings.
///
/// Exits with 1 when a setting differs from what keyfold needs.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct TopicsArgs {
    /// Only check, create nothing
    #[arg(long)]
    check: bool,
    #[command(subcommand)]
    command: Option<TopicsCommand>,
}

#[derive(Debug, clap::Subcommand)]
enum TopicsCommand {
    /// Drop the internal topics and the group's offsets: the next `run` rebuilds everything from the inputs
    Reset {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

pub fn run(config: &Config, args: &TopicsArgs) -> Result<Done, Failure> {
    match args.command {
        None => create_and_check(config, args.check),
        Some(TopicsCommand::Reset { yes }) => reset(config, yes),
    }
}

fn say(line: fmt::Arguments<'_>) -> Result<(), Failure> {
    or_enough(writeln!(io::stdout(), "{line}"), "standard output")
}

fn service(error: TopicsError) -> Failure {
    Failure::Service(error.to_string())
}

fn create_and_check(config: &Config, check: bool) -> Result<Done, Failure> {
    let cluster = Cluster::connect(config, || false).map_err(service)?;
    if !check {
        for (topic, partitions) in cluster.create_missing().map_err(service)? {
            say(format_args!("created {topic} with {partitions} partitions"))?;
        }
    }
    let (_, differences) = cluster.inspect().map_err(service)?;
    if differences.is_empty() {
        say(format_args!("all topics are as they should be"))?;
        return Ok(Done::Clean);
    }
    for difference in differences {
        let weight = if difference.vital {
            "must be mended"
        } else {
            "should be mended"
        };
        say(format_args!(
            "{}: {} ({weight})",
            difference.topic, difference.what
        ))?;
        say(format_args!("    {}", difference.remedy))?;
    }
    Ok(Done::Found)
}

fn reset(config: &Config, yes: bool) -> Result<Done, Failure> {
    let cluster = Cluster::connect(config, || false).map_err(service)?;
    if !yes && !agreed(config).map_err(Failure::writing("the question"))? {
        say(format_args!("nothing was done"))?;
        return Ok(Done::Clean);
    }
    cluster.reset().map_err(service)?;
    say(format_args!(
        "{} and {} are empty, and the group {} has no offsets: the next `keyfold run` rebuilds everything from the inputs",
        config.state_topic(),
        config.forwarded_topic(),
        config.application_id
    ))?;
    Ok(Done::Clean)
}

fn agreed(config: &Config) -> io::Result<bool> {
    print!(
        "This deletes {} and {} and the offsets of the group {}. Records that the inputs no longer hold are lost for good. Go on? [y/N] ",
        config.state_topic(),
        config.forwarded_topic(),
        config.application_id
    );
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
