//! The time of this machine. Records, dead letters and erasures get it, so that a clock that is wrong makes data that are
//! in the wrong order. Kafka does not tell its time; a schema registry does, and producers stamp their records.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Check;
use crate::config::Config;
use crate::kafka::cluster::{Cluster, ClusterError};
use crate::kafka::newest::Newest;
use crate::registry::Dated;

const CHECK: &str = "clock";
/// How far two clocks may be apart.
const TOLERATED: Duration = Duration::from_secs(30);
/// How far a record may be stamped ahead of this clock.
const TOLERATED_OF_RECORDS: Duration = Duration::from_secs(300);
const REMEDY: &str = "compare the clocks of this machine and of the other with a time server (chronyc tracking, timedatectl)";

/// `inputs`: the topics whose records' times are looked at, with their number of partitions. `dates`: what registries told.
pub fn check(config: &Config, inputs: &[(String, i32)], dates: &[(String, Dated)]) -> Check {
    for (url, dated) in dates {
        if let Some(apart) = apart(dated).filter(|apart| *apart > TOLERATED) {
            let detail = format!(
                "this machine and {url} are {} apart",
                humantime::format_duration(Duration::from_secs(apart.as_secs()))
            );
            return Check::bad(CHECK, "", detail, REMEDY);
        }
    }
    // without an answer there is nothing to compare with
    let newest = newest(config, inputs).unwrap_or_default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    if let Some(ahead) = of_the_future(&newest, now.unwrap_or_default()) {
        return ahead;
    }
    match dates.first() {
        Some((url, _)) => {
            let seconds = TOLERATED.as_secs();
            let detail = format!("this machine and {url} are less than {seconds} s apart");
            Check::good(CHECK, "", detail)
        }
        None if newest.is_empty() => Check::not_checkable(
            CHECK,
            "",
            "Kafka does not tell its time, no registry does, and the inputs hold no record to compare with",
        ),
        None => Check::not_checkable(
            CHECK,
            "",
            "Kafka does not tell its time, and no registry does; no record of the inputs is from the future",
        ),
    }
}

/// How far two clocks are apart at the least: a server tells its time in whole seconds.
fn apart(dated: &Dated) -> Option<Duration> {
    let until = dated.theirs + Duration::from_secs(1);
    let behind = dated.sent.duration_since(until).ok();
    behind.or_else(|| dated.theirs.duration_since(dated.received).ok())
}

fn newest(config: &Config, inputs: &[(String, i32)]) -> Result<Vec<Newest>, ClusterError> {
    if inputs.is_empty() {
        return Ok(Vec::new());
    }
    let inputs = inputs.iter();
    let inputs: Vec<(&str, i32)> = inputs
        .map(|(topic, partitions)| (topic.as_str(), *partitions))
        .collect();
    Cluster::open(config.into())?.newest_timestamps(&inputs)
}

/// The record that is the furthest ahead of this clock, by too much.
fn of_the_future(newest: &[Newest], now: Duration) -> Option<Check> {
    let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    let furthest = newest.iter().max_by_key(|one| one.timestamp)?;
    let ahead = u64::try_from(furthest.timestamp.saturating_sub(now)).ok()?;
    let ahead = Duration::from_millis(ahead);
    (ahead > TOLERATED_OF_RECORDS).then(|| {
        let detail = format!(
            "a record of {}[{}] is stamped {} ahead of this machine's clock: this clock is behind, or that of its producer ahead",
            furthest.topic,
            furthest.partition,
            humantime::format_duration(Duration::from_secs(ahead.as_secs()))
        );
        Check::bad(CHECK, "", detail, REMEDY)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_apart_by_what_no_rounding_explains() {
        let time = |seconds: u64| UNIX_EPOCH + Duration::from_secs(seconds);
        let dated = |theirs, sent, received| Dated {
            theirs: time(theirs),
            sent: time(sent),
            received: time(received),
        };
        let seconds = |dated: Dated| apart(&dated).map(|apart| apart.as_secs());
        assert_eq!(seconds(dated(100, 100, 101)), None);
        assert_eq!(seconds(dated(100, 161, 162)), Some(60));
        assert_eq!(seconds(dated(160, 90, 100)), Some(60));
    }

    #[test]
    fn records_of_the_future_are_told() {
        let newest = |timestamp| Newest {
            topic: "t".to_owned(),
            partition: 3,
            timestamp,
        };
        let now = Duration::from_secs(1_000_000);
        let ahead = |seconds: i64| of_the_future(&[newest(1), newest(seconds * 1000)], now);
        assert_eq!(ahead(999_000), None);
        assert_eq!(ahead(1_000_300), None);
        let found = ahead(1_003_600).unwrap();
        let begins = "a record of t[3] is stamped 1h ahead";
        assert!(found.detail.starts_with(begins), "{}", found.detail);
        assert_eq!(of_the_future(&[], now), None);
    }
}
