//! `keyfold topics reset`: deletes what a rebuild computes again.

use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;

use super::cluster::{Cluster, ClusterError, options};
use super::members::{self, Member};
use super::retry::ATTEMPT_TIMEOUT;

/// The pause between two attempts while the group still knows a member.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the brokers may take to notice that a session has ended.
const EXPIRY_DELAY: Duration = Duration::from_secs(5);
/// How many members a message names.
const MAX_NAMED: usize = 3;

impl Cluster {
    /// Deletes the internal topics and the group's offsets, and recreates the topics. Refuses while the group has
    /// members, but waits for static ones, which the group keeps for a while after they have stopped; `say` receives a
    /// message about the wait.
    pub fn reset(&self, say: impl Fn(&str)) -> Result<(), ClusterError> {
        self.delete_group(say)?;
        let internal = self.requirements().topics.internal();
        let names = internal.map(|spec| spec.name.as_str());
        let options = options();
        let deleted = self.admin().delete_topics(&names, &options);
        let what = "cannot delete the internal topics";
        for result in self.wait_for(what, deleted)? {
            if let Err((name, code)) = result
                && code != RDKafkaErrorCode::UnknownTopicOrPartition
            {
                return Err(ClusterError(format!("{what}: {name}: {code}")));
            }
        }
        for name in names {
            self.wait_until(what, || Ok(self.partitions(name)?.is_none()))?;
        }
        self.create_missing().map(|_| ())
    }

    fn delete_group(&self, say: impl Fn(&str)) -> Result<(), ClusterError> {
        let group = self.requirements().application_id.as_str();
        let session = self.requirements().clients().session_timeout();
        let deadline = Instant::now() + session + EXPIRY_DELAY;
        let mut is_wait_reported = false;
        loop {
            let options = options();
            let deleted = self.admin().delete_groups(&[group], &options);
            let what = "cannot delete the consumer group";
            let mut is_gone = true;
            for result in self.wait_for(what, deleted)? {
                match result {
                    Ok(_) | Err((_, RDKafkaErrorCode::GroupIdNotFound)) => {}
                    Err((_, RDKafkaErrorCode::NonEmptyGroup)) => is_gone = false,
                    Err((_, code)) => return Err(ClusterError(format!("{what} {group}: {code}"))),
                }
            }
            if is_gone {
                return Ok(());
            }
            let members = members::describe_group(self.client(), group, ATTEMPT_TIMEOUT)
                .ok()
                .flatten();
            let named = members.and_then(|members| named(&members));
            let Some(named) = named.filter(|_| Instant::now() < deadline) else {
                return Err(ClusterError(format!(
                    "an instance of {group} is running: stop all instances first (one that was killed leaves the group when its session ends)"
                )));
            };
            if !is_wait_reported {
                let seconds = session.as_secs();
                say(&format!(
                    "the group {group} still knows {named} by its instance_id until its session ends (up to {seconds} s after its stop): waiting for that"
                ));
                is_wait_reported = true;
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// The names of the members, if all of them are static: the group keeps these for a while after they have stopped.
/// `None` if one is dynamic, because then an instance is running.
fn named(members: &[Member]) -> Option<String> {
    let names: Option<Vec<&str>> = members.iter().map(Member::name).collect();
    let names = names.filter(|names| !names.is_empty())?;
    let more = match names.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (which, names) = (
        if names.len() == 1 {
            "the member"
        } else {
            "the members"
        },
        names.iter().take(MAX_NAMED),
    );
    let names: Vec<&str> = names.copied().collect();
    Some(format!("{which} {}{more}", names.join(", ")))
}
