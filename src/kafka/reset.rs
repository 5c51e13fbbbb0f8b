//! `keyfold topics reset`: drops what a rebuild computes anew.

use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;

use super::client;
use super::members::{self, Member};
use super::retry::ATTEMPT;
use super::topics::{Cluster, TopicsError, options};

/// Between two attempts while the group still knows a member.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the brokers may take to notice that a session has ended.
const NOTICE: Duration = Duration::from_secs(5);
/// So many members are named.
const NAMED: usize = 3;

impl Cluster {
    /// Drops the internal topics and the group's offsets, and makes the topics anew. Refuses while the group has
    /// members, but waits for those that may only be known by their names; `say` tells of it.
    pub fn reset(&self, say: impl Fn(&str)) -> Result<(), TopicsError> {
        self.delete_group(say)?;
        let options = options();
        let internal = [self.config().state_topic(), self.config().forwarded_topic()];
        let names = [internal[0].as_str(), internal[1].as_str()];
        let deleted = self.admin().delete_topics(&names, &options);
        let what = "can't delete the internal topics";
        for result in self.asked(what, self.block_on(deleted))? {
            if let Err((name, code)) = result
                && code != RDKafkaErrorCode::UnknownTopicOrPartition
            {
                return Err(TopicsError(format!("{what}: {name}: {code}")));
            }
        }
        for name in names {
            self.wait_until(what, || Ok(self.partitions(name)?.is_none()))?;
        }
        self.create_missing().map(|_| ())
    }

    fn delete_group(&self, say: impl Fn(&str)) -> Result<(), TopicsError> {
        let group = self.config().application_id.as_str();
        let session = client::session(self.config());
        let deadline = Instant::now() + session + NOTICE;
        let mut said = false;
        loop {
            let options = options();
            let deleted = self.admin().delete_groups(&[group], &options);
            let what = "can't delete the consumer group";
            let mut is_left = true;
            for result in self.asked(what, self.block_on(deleted))? {
                match result {
                    Ok(_) | Err((_, RDKafkaErrorCode::GroupIdNotFound)) => {}
                    Err((_, RDKafkaErrorCode::NonEmptyGroup)) => is_left = false,
                    Err((_, code)) => return Err(TopicsError(format!("{what} {group}: {code}"))),
                }
            }
            if is_left {
                return Ok(());
            }
            let members = members::of(self.client(), group, ATTEMPT).ok().flatten();
            let named = members.and_then(|members| named(&members));
            let Some(named) = named.filter(|_| Instant::now() < deadline) else {
                return Err(TopicsError(format!(
                    "an instance of {group} is running: stop all instances first (one that was killed leaves the group when its session ends)"
                )));
            };
            if !said {
                let seconds = session.as_secs();
                say(&format!(
                    "the group {group} still knows {named} by its instance_id until its session ends (up to {seconds} s after its stop): waiting for that"
                ));
                said = true;
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// The members, if all of them have names, which the group knows for a while after they are gone. None: one has none, and
/// so is there.
fn named(members: &[Member]) -> Option<String> {
    let names: Option<Vec<&str>> = members.iter().map(Member::name).collect();
    let names = names.filter(|names| !names.is_empty())?;
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (which, names) = (
        if names.len() == 1 {
            "the member"
        } else {
            "the members"
        },
        names.iter().take(NAMED),
    );
    let names: Vec<&str> = names.copied().collect();
    Some(format!("{which} {}{more}", names.join(", ")))
}
