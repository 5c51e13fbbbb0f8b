//! Whether the brokers that have a partition are enough to read it and to write to it.

use super::description::{PartitionReplicas, TopicDescription};
use super::topic_specs::{Difference, Need};

/// The most partitions that a message names.
const MAX_NAMED: usize = 10;

/// What is wrong with the partitions of a topic. `least`: its `min.insync.replicas`, if it is known. keyfold writes with
/// `acks=all`, so that fewer replicas in sync than that refuse what it writes.
pub(super) fn differences(
    topic: &TopicDescription,
    least: Option<usize>,
    servers: &str,
) -> Vec<Difference> {
    let difference = |what: String, remedy: String| Difference {
        topic: topic.name.clone(),
        what,
        remedy,
        need: Need::Recommended,
    };
    let mut all = Vec::new();
    let without = named(&topic.replicas, |one| !one.has_leader);
    if let Some(partitions) = without {
        all.push(difference(
            format!("{partitions} without a leader: they can be neither read nor written to"),
            format!(
                "start the brokers that have them again: kafka-topics.sh --bootstrap-server {servers} --describe --topic {} names them",
                topic.name
            ),
        ));
    }
    let Some(least) = least else {
        return all;
    };
    let few = named(&topic.replicas, |one| one.replicas < least);
    if let Some(partitions) = few {
        all.push(difference(
            format!("{partitions} with fewer replicas than min.insync.replicas, which is {least}: nothing can be written to them"),
            format!(
                "kafka-configs.sh --bootstrap-server {servers} --alter --entity-type topics --entity-name {} --add-config min.insync.replicas=1, or more replicas by kafka-reassign-partitions.sh",
                topic.name
            ),
        ));
    }
    let late = named(&topic.replicas, |one| {
        one.has_leader && one.replicas >= least && one.in_sync < least
    });
    if let Some(partitions) = late {
        all.push(difference(
            format!("{partitions} with fewer replicas in sync than min.insync.replicas, which is {least}: nothing can be written to them"),
            format!(
                "start the brokers that are behind again: kafka-topics.sh --bootstrap-server {servers} --describe --under-min-isr-partitions names them"
            ),
        ));
    }
    all
}

/// The partitions for which this holds, in words; `None` if there are none.
fn named(
    replicas: &[PartitionReplicas],
    holds: impl Fn(&PartitionReplicas) -> bool,
) -> Option<String> {
    let found: Vec<String> = replicas
        .iter()
        .filter(|one| holds(one))
        .map(|one| one.partition.to_string())
        .collect();
    let more = found.len().saturating_sub(MAX_NAMED);
    let shown: Vec<&str> = found.iter().take(MAX_NAMED).map(String::as_str).collect();
    let mut text = match found.len() {
        0 => return None,
        1 => format!("partition {}", shown.join(", ")),
        count => format!("{count} partitions ({}", shown.join(", ")),
    };
    if more > 0 {
        text.push_str(" …");
    }
    if found.len() > 1 {
        text.push(')');
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(replicas: &[(bool, usize, usize)], least: Option<usize>) -> Vec<String> {
        let replicas = replicas.iter().zip(0..);
        let topic = TopicDescription::of_replicas(
            "t",
            replicas
                .map(
                    |(&(has_leader, replicas, in_sync), partition)| PartitionReplicas {
                        partition,
                        has_leader,
                        replicas,
                        in_sync,
                    },
                )
                .collect(),
        );
        let all = differences(&topic, least, "localhost:9092").into_iter();
        all.map(|one| one.what).collect()
    }

    #[test]
    fn partitions_that_cannot_be_written_to_are_named() {
        assert_eq!(found(&[(true, 3, 3), (true, 3, 2)], Some(2)), [""; 0]);
        assert_eq!(found(&[(true, 1, 1)], None), [""; 0]);
        let all = found(&[(true, 3, 3), (false, 3, 0), (true, 3, 1)], Some(2));
        assert_eq!(all.len(), 2, "{all:?}");
        assert!(
            all[0].starts_with("partition 1 without a leader"),
            "{all:?}"
        );
        assert!(
            all[1].starts_with("partition 2 with fewer replicas in sync"),
            "{all:?}"
        );
        let all = found(&[(true, 1, 1); 12], Some(2));
        assert_eq!(all.len(), 1, "{all:?}");
        let begins = "12 partitions (0, 1, 2, 3, 4, 5, 6, 7, 8, 9 …) with fewer replicas than";
        assert!(all[0].starts_with(begins), "{all:?}");
    }
}
