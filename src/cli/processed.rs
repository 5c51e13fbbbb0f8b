//! Waits until keyfold has processed what a command has sent: until the committed offsets of its group are behind it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::exit::Failure;
use crate::kafka::cluster::Cluster;
use crate::kafka::members::describe_group;
use crate::kafka::range_reader::LogQuery;

const PAUSE: Duration = Duration::from_millis(200);
/// How often the command is told that it still waits.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// How long the coordinator may take to say who is in the group.
const MEMBERS: Duration = Duration::from_secs(5);

/// For each partition of a topic the offset behind what was sent.
pub type Behind = BTreeMap<(String, i32), i64>;

/// Waits until the committed offset of each partition is at least the given one; returns false if it was not before the
/// deadline. `tell` is called now and then, with the number of partitions that are left.
pub fn wait_for(
    query: &LogQuery,
    behind: &Behind,
    deadline: Option<Instant>,
    mut tell: impl FnMut(usize),
) -> Result<bool, Failure> {
    let places: Vec<(String, i32)> = behind.keys().cloned().collect();
    let mut told = Instant::now();
    loop {
        let committed = query.committed(&places)?;
        let is_behind = |place| committed.get(place).is_some_and(|at| *at >= behind[place]);
        let left = places.iter().filter(|place| !is_behind(*place)).count();
        if left == 0 {
            return Ok(true);
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Ok(false);
        }
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            tell(left);
        }
        std::thread::sleep(PAUSE);
    }
}

/// What has to be processed of the forwarded topic: all that is in it now. What a record led to was committed together
/// with it, so it is among that.
pub fn behind_forwarded(query: &LogQuery, topic: &str) -> Result<Behind, Failure> {
    let ranges = query.ranges(&[topic])?.into_iter();
    let ranges = ranges.filter(|range| range.end > range.from);
    Ok(ranges
        .map(|range| ((range.topic, range.partition), range.end))
        .collect())
}

/// Says so if the group has no member, and what becomes of what waits. Of a group of the protocol `consumer` that is not
/// known.
pub fn tell_if_nobody_works(cluster: &Cluster, group: &str, later: &str) {
    let members = describe_group(cluster.query().client(), group, MEMBERS);
    if let Ok(Some(members)) = members
        && members.is_empty()
    {
        eprintln!("no keyfold is running in the group {group}: {later}");
    }
}
