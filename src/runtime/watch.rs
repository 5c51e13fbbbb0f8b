//! What may happen to the group from outside while keyfold runs: another application's client joins it, and takes
//! partitions whose records keyfold then never sees.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::kafka::members::{self, Member};
use crate::kafka::topics::Cluster;
use crate::serve::{Health, Metrics};
use crate::worker::Settings;

/// Between two looks.
pub const PAUSE: Duration = Duration::from_secs(3);
/// The longest wait for an answer.
const ASK: Duration = Duration::from_secs(5);
/// So many are named in `/readyz`.
const NAMED: usize = 3;

pub struct Watch {
    settings: Arc<Settings>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    /// `client.id` and host of the members that are not keyfold.
    foreign: BTreeSet<(String, String)>,
}

impl Watch {
    pub fn new(settings: &Arc<Settings>, metrics: &Arc<Metrics>, health: &Arc<Health>) -> Watch {
        Watch {
            settings: Arc::clone(settings),
            metrics: Arc::clone(metrics),
            health: Arc::clone(health),
            foreign: BTreeSet::new(),
        }
    }

    /// Counts and names the members of the group that are not keyfold.
    pub fn look_at_members(&mut self, cluster: &Cluster<'_>) {
        let config = &self.settings.config;
        let group = &config.application_id;
        let members = match members::of(cluster.client(), group, ASK) {
            // of a group whose members are not told, nothing is said
            Ok(members) => members.unwrap_or_default(),
            Err(error) => {
                tracing::debug!(%error, "the group is not described");
                return;
            }
        };
        let properties = &config.kafka.properties;
        let client_id = properties.get("client.id").unwrap_or(group);
        let foreign: Vec<Member> = members
            .into_iter()
            .filter(|member| !member.is_keyfold(client_id, group))
            .collect();
        self.metrics.foreign_members(foreign.len());
        let named: BTreeSet<(String, String)> = foreign
            .into_iter()
            .map(|member| (member.client_id, member.host))
            .collect();
        for (client_id, host) in named.difference(&self.foreign) {
            tracing::error!(
                group,
                client_id,
                host,
                "a member of the group is not keyfold: records of the partitions that it owns are not processed. Stop it, or give it a group of its own"
            );
        }
        for (client_id, host) in self.foreign.difference(&named) {
            tracing::info!(
                group,
                client_id,
                host,
                "the member of the group that was not keyfold is gone"
            );
        }
        self.health.foreign(said(group, &named));
        self.foreign = named;
    }
}

/// What `/readyz` says of members that are not keyfold.
fn said(group: &str, foreign: &BTreeSet<(String, String)>) -> Option<String> {
    let named = |(client_id, host): &(String, String)| format!("{client_id} at {host}");
    let mut names: Vec<String> = foreign.iter().take(NAMED).map(named).collect();
    if foreign.len() > NAMED {
        names.push(format!("{} more", foreign.len() - NAMED));
    }
    (!foreign.is_empty()).then(|| {
        format!(
            "the group {group} has members that are not keyfold, and take records from it: {}",
            names.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_named_and_the_others_counted() {
        let all = |count: usize| {
            let member = |n| (format!("kcat-{n}"), "/10.0.0.1".to_owned());
            said("keyfold", &(0..count).map(member).collect())
        };
        assert_eq!(all(0), None);
        assert!(all(1).is_some_and(|said| said.ends_with(": kcat-0 at /10.0.0.1")));
        assert!(all(5).is_some_and(|said| said.ends_with("kcat-2 at /10.0.0.1, 2 more")));
    }
}
