//! `keyfold dlq replay`: sends the letters that are valid now to the topics that they came from.

use std::path::PathBuf;

use super::ahead::{Ahead, Asked, check_names};
use super::edited::Edited;
use super::outgoing::{Choice, Limits};
use super::scan::{LetterJudge, Scan};
use super::selection::FilterArgs;
use super::settling::{Sending, Settled, Settler};
use super::tally::Tally;
use super::wait::Waiting;
use crate::cli::output::Output;
use crate::cli::when;
use crate::config::Config;
use crate::exit::{Done, Failure};
use crate::inspect::letter::LetterId;
use crate::inspect::letter::filter::Filter;

/// Send the letters that are valid now to the topics that they came from, with the timestamps that they had.
///
/// Each letter is judged under today's configuration. What is sent is settled in the same transaction, and is never sent
/// again: the command may be ended and repeated at any time. Exits with 1 where letters stay that are not valid, or that
/// their topics do not take.
#[derive(Debug, clap::Args)]
pub struct ReplayArgs {
    /// PARTITION@OFFSET; without any letter, all that the filters leave
    #[arg(value_name = "LETTER", conflicts_with = "from")]
    letters: Vec<LetterId>,
    /// Send the lines of this file, as `dlq export` wrote them and somebody edited them
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Do it; without this the plan is shown
    #[arg(long)]
    execute: bool,
    #[command(flatten)]
    limits: Limits,
    /// At most so many letters a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Wait until all that was sent is processed, and tell how each record ended
    #[arg(long, requires = "execute")]
    wait: bool,
    #[command(flatten)]
    filters: FilterArgs,
}

pub fn run(config: &Config, args: &ReplayArgs, output: Output) -> Result<Done, Failure> {
    let (edited, filter) = selected(config, args)?;
    let mut scan = Scan::open(config)?;
    let mut tally = Tally {
        executed: args.execute,
        ..Tally::default()
    };
    if edited.is_some() && filter.ids.is_empty() {
        tally.write(output)?;
        return Ok(Done::Clean);
    }
    check_names(&scan, &filter, edited.is_some(), &mut tally)?;
    let asked = Asked {
        filter: &filter,
        edited: edited.as_ref(),
        executes: args.execute,
        waits: args.wait,
    };
    let ahead = Ahead::look(&mut scan, &asked)?;
    if args.execute {
        ahead.ready.as_ref().map_err(Failure::clone)?;
    }
    let mut waiting = args.wait.then(|| Waiting::new(config)).transpose()?;
    let settler = args.execute.then(|| take_over(&scan, &ahead, args.rate));
    let mut settler = settler.transpose()?;
    // Only now: a command that this one has stopped can settle nothing any more.
    let settlements = scan.settlements([])?;
    let mut choice = Choice {
        limits: &args.limits,
        judge: LetterJudge::connect(&scan)?,
        targets: ahead.targets,
        now: when::now_millis(),
        chosen: 0,
    };
    scan.read("replaying dead letters", &filter, &settlements, |found| {
        let settling = choice.look(found, edited.as_ref(), &mut tally)?;
        if let (Some(settler), Some(settling)) = (&mut settler, settling) {
            note(settler.add(settling)?, &mut tally, waiting.as_mut());
        }
        Ok(())
    })?;
    if let Some(settler) = &mut settler {
        note(settler.commit()?, &mut tally, waiting.as_mut());
        settler.forget(&settlements.outdated(&scan.starts()))?;
    }
    tally.write(output)?;
    scan.tell_beside(None);
    if let Err(failure) = &ahead.ready {
        eprintln!("with --execute nothing would be sent either: {failure}");
    }
    let waited = waiting.map(|waiting| waiting.finish(&scan.cluster, output));
    let is_rejected = waited.transpose()?.unwrap_or(false);
    let is_trouble = tally.has_trouble() || ahead.ready.is_err() || is_rejected;
    Ok(match is_trouble {
        true => Done::Found,
        false => Done::Clean,
    })
}

/// The letters that are meant, and the lines of a file in the place of their records.
fn selected(config: &Config, args: &ReplayArgs) -> Result<(Option<Edited>, Filter), Failure> {
    let topic = &config.dead_letters.topic;
    let edited = args.from.as_ref().map(|file| Edited::open(file, topic));
    let edited = edited.transpose()?;
    let letters = match &edited {
        Some(edited) => edited.letters().collect(),
        None => args.letters.clone(),
    };
    let filter = args.filters.filter(&letters)?;
    Ok((edited, filter))
}

fn take_over<'c>(
    scan: &Scan<'c>,
    ahead: &Ahead,
    rate: Option<u32>,
) -> Result<Settler<'c>, Failure> {
    let sending = Sending {
        rate,
        batch_bytes: ahead.batch_bytes(scan)?,
    };
    Settler::take_over(scan.config, scan.topic_id.clone(), None, &sending)
}

/// Counts what became of letters.
fn note(settled: Settled, tally: &mut Tally, waiting: Option<&mut Waiting<'_>>) {
    for refused in &settled.refused {
        tally.refuse_sent(refused.letter, &refused.topic, &refused.reason);
    }
    if let Some(waiting) = waiting {
        waiting.add(settled.sent);
    }
}
