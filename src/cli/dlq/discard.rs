//! `keyfold dlq discard`: settles letters without sending anything.

use super::named;
use super::scan::{Found, Scan};
use super::selection::FilterArgs;
use super::settling::{Sending, Settler, Settling, ready};
use super::tally::Tally;
use crate::cli::output::Output;
use crate::config::Config;
use crate::exit::{Done, Failure};
use crate::inspect::letter::LetterId;
use crate::kafka::operators::Needed;

/// Put letters aside that nobody will send: they are no longer listed.
///
/// They stay in the dead-letter topic for as long as its retention keeps them, and `dlq list --all` shows them.
#[derive(Debug, clap::Args)]
pub struct DiscardArgs {
    /// PARTITION@OFFSET; without any letter, all that the filters leave
    #[arg(value_name = "LETTER")]
    letters: Vec<LetterId>,
    /// Why, for those who come after you
    #[arg(long, value_name = "TEXT")]
    note: String,
    /// Do it; without this the plan is shown
    #[arg(long)]
    execute: bool,
    #[command(flatten)]
    filters: FilterArgs,
}

pub fn run(config: &Config, args: &DiscardArgs, output: Output) -> Result<Done, Failure> {
    let filter = args.filters.filter(&args.letters)?;
    let mut scan = Scan::open(config)?;
    named::check(&scan, &args.letters)?;
    let needed = Needed {
        takes_over: args.execute,
        ..Needed::to_settle_letters(config)
    };
    let ready = ready(&scan.cluster, config, &needed, args.execute);
    let mut settler = match args.execute {
        false => None,
        true => {
            ready.as_ref().map_err(Failure::clone)?;
            let note = Some(args.note.clone());
            let topic_id = scan.topic_id.clone();
            let sending = Sending {
                rate: None,
                batch_bytes: usize::MAX,
            };
            Some(Settler::take_over(config, topic_id, note, &sending)?)
        }
    };
    let settlements = scan.settlements([])?;
    let mut tally = Tally {
        executed: args.execute,
        ..Tally::default()
    };
    scan.read("reading dead letters", &filter, &settlements, |found| {
        let Found {
            letter, settled, ..
        } = found;
        if settled.is_some() {
            tally.settled_before += 1;
            return Ok(());
        }
        tally.discarded += 1;
        if let Some(settler) = &mut settler {
            settler.add(Settling {
                letter: letter.id,
                record: None,
            })?;
        }
        Ok(())
    })?;
    if let Some(settler) = &mut settler {
        settler.commit()?;
        settler.forget(&settlements.outdated(&scan.starts()))?;
    }
    tally.write(output)?;
    scan.tell_beside(None);
    if let Err(failure) = ready {
        eprintln!("with --execute nothing would be written either: {failure}");
    }
    Ok(Done::Clean)
}
