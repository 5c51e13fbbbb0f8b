//! `--wait`: until keyfold has processed the null value, and its state and its snapshot show that.

use std::time::{Duration, Instant};

use crate::cli::processed::{Behind, behind_forwarded, tell_if_nobody_works, wait_for};
use crate::config::Config;
use crate::exit::Failure;
use crate::kafka::cluster::Cluster;
use crate::kafka::range_reader::LogQuery;
use crate::model::record::Location;

/// What becomes of it if nobody works now.
const LATER: &str = "the null value is processed when one does";

/// Waits until the null value is processed, and what was forwarded because of it.
///
/// # Errors
/// If that takes longer than `most`.
pub fn until_processed(
    config: &Config,
    cluster: &Cluster,
    query: &LogQuery,
    null: &Location,
    most: Duration,
) -> Result<(), Failure> {
    let deadline = Instant::now() + most;
    let Location {
        topic,
        partition,
        offset,
    } = null;
    let group = &config.application_id;
    let place = format!("{topic}[{partition}]@{offset}");
    tell_if_nobody_works(cluster, group, LATER);
    let tell = |_| {
        eprintln!("waiting until {group} has processed {place}; this may be ended at any time");
        tell_if_nobody_works(cluster, group, LATER);
    };
    let behind = Behind::from([((topic.clone(), *partition), offset + 1)]);
    let is_read = wait_for(query, &behind, Some(deadline), tell)?;
    let forwarded = behind_forwarded(query, &config.forwarded_topic())?;
    if is_read && wait_for(query, &forwarded, Some(deadline), tell)? {
        return Ok(());
    }
    Err(Failure::Service(format!(
        "{group} has not processed {place} within {}: the null value stays there, and is processed as soon as a keyfold works on its partition; run the command again with --wait",
        humantime::format_duration(most)
    )))
}
