//! What this client may do on the cluster. All of it is asked for, so that what is missing is known before it is needed.
//!
//! Topics are described together with what this client may do with them (KIP-430). Of a group that can't be asked so:
//! `rd_kafka_DescribeConsumerGroups` may end the process when the coordinator goes away (see [`super::members`]). An
//! offset of a topic that does not exist is committed in its place; the coordinator looks at the permission first, and
//! commits nothing. Nor can it be asked of a transactional id: a producer is initialised under one that no worker has.

use std::ffi::CString;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use rdkafka::bindings as rd;
use rdkafka::error::RDKafkaErrorCode;

use super::client;
use super::description::{Operation, Owned, Unanswered};
use super::ends::Ends;
use super::fence;
use crate::config::{Config, Guarantee};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    Topic,
    Group,
    /// All transactional ids that begin so.
    TransactionalIds,
}

/// A permission that keyfold needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    pub resource: Resource,
    pub name: String,
    pub operation: Operation,
    /// Without it keyfold does not work.
    pub vital: bool,
}

impl Permission {
    /// One that keyfold does not work without.
    pub fn topic(name: &str, operation: Operation) -> Permission {
        Permission {
            resource: Resource::Topic,
            name: name.to_owned(),
            operation,
            vital: true,
        }
    }

    /// The command that grants it.
    pub fn grant(&self, config: &Config) -> String {
        let resource = match self.resource {
            Resource::Topic => "--topic",
            Resource::Group => "--group",
            Resource::TransactionalIds => "--transactional-id",
        };
        let pattern = match self.resource {
            Resource::TransactionalIds => " --resource-pattern-type prefixed",
            Resource::Topic | Resource::Group => "",
        };
        format!(
            "kafka-acls.sh --bootstrap-server {} --add --allow-principal {} --operation {:?} {resource} {}{pattern}",
            config.kafka.bootstrap_servers,
            principal(config),
            self.operation,
            self.name
        )
    }
}

/// Who this client is to the brokers. Of a certificate only they know.
fn principal(config: &Config) -> String {
    match config.kafka.properties.get("sasl.username") {
        Some(user) if !user.is_empty() => format!("User:{user}"),
        _ => "User:<principal>".to_owned(),
    }
}

/// What `run` needs on topics.
pub fn on_topics(config: &Config) -> Vec<Permission> {
    use Operation::{Delete, Describe, DescribeConfigs, Read, Write};
    let inputs = config.sources.iter().flat_map(|(_, source)| &source.topics);
    let mut all: Vec<Permission> = inputs
        .flat_map(|topic| [Read, Describe].map(|operation| Permission::topic(topic, operation)))
        .collect();
    let mut need = |topic: &str, operations: &[Operation]| {
        let operations = operations.iter();
        all.extend(operations.map(|operation| Permission::topic(topic, *operation)));
    };
    for internal in [config.state_topic(), config.forwarded_topic()] {
        need(&internal, &[Read, Write, Describe, DescribeConfigs]);
    }
    for output in [&config.snapshot.topic, &config.dead_letters.topic] {
        need(output, &[Write, Describe, DescribeConfigs]);
    }
    all.push(Permission {
        vital: false,
        ..Permission::topic(&config.forwarded_topic(), Delete)
    });
    all
}

/// What `run` lacks on its consumer group.
pub fn on_group(
    ends: &Ends,
    config: &Config,
    patience: Duration,
) -> Result<Vec<Permission>, Unanswered> {
    let may_read = match commit_nothing(ends, config, patience) {
        Some(RDKafkaErrorCode::GroupAuthorizationFailed) => false,
        // the coordinator has looked at the topic, and so has allowed the group
        Some(
            RDKafkaErrorCode::NoError
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::UnknownMemberId
            | RDKafkaErrorCode::IllegalGeneration
            | RDKafkaErrorCode::FencedInstanceId
            | RDKafkaErrorCode::StaleMemberEpoch
            | RDKafkaErrorCode::RebalanceInProgress,
        ) => true,
        code => {
            return Err(Unanswered {
                code,
                reason: match code {
                    Some(code) => format!("the group's coordinator: {code}"),
                    None => "the group's coordinator does not answer".to_owned(),
                },
            });
        }
    };
    let read = Permission {
        resource: Resource::Group,
        ..Permission::topic(&config.application_id, Operation::Read)
    };
    Ok(if may_read { Vec::new() } else { vec![read] })
}

/// What the coordinator says to an offset of a topic that is none. None: nothing in time.
fn commit_nothing(ends: &Ends, config: &Config, patience: Duration) -> Option<RDKafkaErrorCode> {
    let deadline = Instant::now() + patience;
    let topic = CString::new(format!("{}.permission-check", config.application_id)).ok()?;
    let client = ends.client().native_ptr();
    // SAFETY: the client outlives all that is made of it here; what is made is destroyed by its owner.
    unsafe {
        let queue = Owned::new(rd::rd_kafka_queue_new(client), rd::rd_kafka_queue_destroy).ok()?;
        let list = Owned::new(
            rd::rd_kafka_topic_partition_list_new(1),
            rd::rd_kafka_topic_partition_list_destroy,
        )
        .ok()?;
        let element = rd::rd_kafka_topic_partition_list_add(list.get(), topic.as_ptr(), 0);
        (*element).offset = 0;
        let code =
            rd::rd_kafka_commit_queue(client, list.get(), queue.get(), None, std::ptr::null_mut());
        if code != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Some(code.into());
        }
        while Instant::now() < deadline {
            let event = rd::rd_kafka_queue_poll(queue.get(), 50);
            if let Some(event) = NonNull::new(event) {
                let event = Owned::from(event, rd::rd_kafka_event_destroy);
                return Some(rd::rd_kafka_event_error(event.get()).into());
            }
            // who may not even look for the coordinator waits for it without end
            let refused = RDKafkaErrorCode::GroupAuthorizationFailed;
            if ends.last_trouble().is_some_and(|(code, _)| code == refused) {
                return Some(refused);
            }
        }
        None
    }
}

/// What `run` lacks on its transactional ids. One of a named instance that is about to start may be its `own`.
pub fn on_transactional_ids(
    config: &Config,
    own: Option<&str>,
    patience: Duration,
) -> Result<Vec<Permission>, Unanswered> {
    if config.processing.guarantee != Guarantee::ExactlyOnce {
        return Ok(Vec::new());
    }
    let initialised = |id: &str| fence::fence(&client::fencing(config, id), patience);
    let prefix = format!("{}-", config.application_id);
    let mut ended = initialised(&format!("{prefix}permission-check"));
    let is_refused = |ended: &rdkafka::error::KafkaResult<()>| {
        let code = ended
            .as_ref()
            .err()
            .and_then(|error| error.rdkafka_error_code());
        code == Some(RDKafkaErrorCode::TransactionalIdAuthorizationFailed)
    };
    if let Some(own) = own.filter(|_| is_refused(&ended) && !config.instance_id.is_empty()) {
        // the ids of a named instance may be allowed one by one
        ended = initialised(own);
    }
    if is_refused(&ended) {
        return Ok([Operation::Write, Operation::Describe]
            .map(|operation| Permission {
                resource: Resource::TransactionalIds,
                ..Permission::topic(&prefix, operation)
            })
            .into());
    }
    ended.map(|()| Vec::new()).map_err(|error| Unanswered {
        code: error.rdkafka_error_code(),
        reason: format!("the coordinator of transactions: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_is_granted_by_one_line() {
        let mut config = Config::default();
        let delete = on_topics(&config);
        let delete = delete.iter().find(|one| one.operation == Operation::Delete);
        let delete = delete.expect("of the forwarded topic");
        assert!(!delete.vital);
        assert_eq!(
            delete.grant(&config),
            "kafka-acls.sh --bootstrap-server localhost:9092 --add --allow-principal User:<principal> --operation Delete --topic keyfold.forwarded"
        );
        let properties = &mut config.kafka.properties;
        properties.insert("sasl.username".to_owned(), "shop".to_owned());
        let write = Permission {
            resource: Resource::TransactionalIds,
            ..Permission::topic("keyfold-", Operation::Write)
        };
        assert_eq!(
            write.grant(&config),
            "kafka-acls.sh --bootstrap-server localhost:9092 --add --allow-principal User:shop --operation Write --transactional-id keyfold- --resource-pattern-type prefixed"
        );
    }

    #[test]
    fn each_topic_has_what_it_needs() {
        let all = on_topics(&Config::default());
        // four inputs, two internal topics, two outputs, and Delete
        assert_eq!(all.len(), 4 * 2 + 2 * 4 + 2 * 3 + 1);
        assert_eq!(all.iter().filter(|one| !one.vital).count(), 1);
    }
}
