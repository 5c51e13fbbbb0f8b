//! `keyfold topics`: creates missing topics, and checks the existing ones.

use std::fmt;
use std::io::{self, BufRead, Write};

use crate::config::Config;
use crate::exit::{Done, Failure, unless_closed};
use crate::kafka::cluster::{Cluster, ClusterError};
use crate::kafka::survey::{HIDDEN, Need, Survey};

/// Create the topics that keyfold writes to where they are missing, and check their settings.
///
/// Exits with 1 when a topic is missing or a setting differs from what keyfold needs.
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
    unless_closed(writeln!(io::stdout(), "{line}"), "standard output")
}

fn service(error: ClusterError) -> Failure {
    Failure::Service(error.to_string())
}

/// Says which topics the group has read that no source reads any more. It is no more than a hint: topics may be created
/// by a user that may not read the group's offsets.
fn tell_topics_without_source(
    cluster: &Cluster,
    survey: &Survey,
    config: &Config,
) -> Result<(), Failure> {
    if survey.denies_group() {
        return Ok(());
    }
    match cluster.topics_without_source() {
        Ok(topics) => {
            for topic in topics {
                say(format_args!(
                    "{topic}: {} has read it, and no source reads it now. The data of a source that is no longer configured stay, and are shown, until they are retracted",
                    config.application_id
                ))?;
            }
        }
        Err(error) => say(format_args!(
            "whether data of a source stay that is no longer configured is not known: {error}"
        ))?,
    }
    Ok(())
}

/// Reports what is wrong in the cluster; the exit code depends on it.
fn create_and_check(config: &Config, check: bool) -> Result<Done, Failure> {
    let cluster = Cluster::connect(config.into(), || false).map_err(service)?;
    let mut created = Vec::new();
    if !check {
        for (topic, partitions) in cluster.create_missing().map_err(service)? {
            say(format_args!("created {topic} with {partitions} partitions"))?;
            created.push(topic);
        }
    }
    let survey = cluster.survey_with_retries(&created).map_err(service)?;
    let mut done = Done::Clean;
    for missing in &survey.missing {
        done = Done::Found;
        say(format_args!("{}: {}", missing.topic, missing.what))?;
        say(format_args!("    {}", missing.remedy))?;
    }
    for hidden in &survey.hidden {
        done = Done::Found;
        say(format_args!("{hidden}: {HIDDEN}"))?;
    }
    for problem in &survey.broker_problems {
        done = Done::Found;
        say(format_args!("{problem}"))?;
    }
    for difference in &survey.differences {
        done = Done::Found;
        let weight = match difference.need {
            Need::Required => "must be fixed",
            Need::Recommended => "should be fixed",
        };
        say(format_args!(
            "{}: {} ({weight})",
            difference.topic, difference.what
        ))?;
        say(format_args!("    {}", difference.remedy))?;
    }
    tell_topics_without_source(&cluster, &survey, config)?;
    if done == Done::Clean {
        say(format_args!("all topics are as they should be"))?;
    }
    // Topics may be created by another user than the one that runs keyfold.
    if !survey.denied.is_empty() {
        say(format_args!(
            "this client lacks permissions that `keyfold run` needs; each line grants one:"
        ))?;
    }
    for denied in &survey.denied {
        say(format_args!("    {}", denied.grant(&config.kafka)))?;
    }
    Ok(done)
}

fn reset(config: &Config, yes: bool) -> Result<Done, Failure> {
    let cluster = Cluster::connect(config.into(), || false).map_err(service)?;
    if !yes {
        match answer(config).map_err(Failure::writing("the question"))? {
            Answer::Yes => {}
            Answer::No => {
                say(format_args!("nothing was done"))?;
                return Ok(Done::Found);
            }
            Answer::None => {
                return Err(Failure::Usage(
                    "nothing was done: there is no answer on standard input; give --yes to do it without asking"
                        .to_owned(),
                ));
            }
        }
    }
    cluster.reset(|text| eprintln!("{text}")).map_err(service)?;
    say(format_args!(
        "{} and {} are empty, and the group {} has no offsets: the next `keyfold run` rebuilds everything from the inputs",
        config.state_topic(),
        config.forwarded_topic(),
        config.application_id
    ))?;
    Ok(Done::Clean)
}

enum Answer {
    Yes,
    No,
    /// Standard input has ended without an answer.
    None,
}

fn answer(config: &Config) -> io::Result<Answer> {
    print!(
        "This deletes {} and {} and the offsets of the group {}. Records that the inputs no longer hold are lost for good. Go on? [y/N] ",
        config.state_topic(),
        config.forwarded_topic(),
        config.application_id
    );
    io::stdout().flush()?;
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    Ok(match (read, answer.trim()) {
        // A closed standard input gives no answer either.
        (Ok(0) | Err(_), _) => Answer::None,
        (Ok(_), "y" | "Y" | "yes") => Answer::Yes,
        (Ok(_), _) => Answer::No,
    })
}
