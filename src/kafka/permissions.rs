//! The permissions of this client on the cluster. All of them are checked at the start, so that a missing one is known
//! before it is needed.
//!
//! The description of a topic includes the operations that this client is allowed (KIP-430). For a group this request
//! cannot be used: `rd_kafka_DescribeConsumerGroups` may end the process when the coordinator goes away (see
//! [`super::members`]). Instead an offset of a topic that does not exist is committed: the coordinator checks the
//! permission first, and commits nothing. For transactional ids there is no such request: a producer is initialised
//! with an id that no worker has.

use std::ffi::CString;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use rdkafka::bindings as rd;
use rdkafka::error::RDKafkaErrorCode;

use super::client_log::creation_error;
use super::description::{Operation, Owned, RequestError};
use super::fence;
use super::query_client::QueryClient;
use super::requirements::Requirements;
use super::topic_specs::Need;
use crate::config::{Guarantee, Kafka};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    Topic,
    Group,
    /// All transactional ids with this prefix.
    TransactionalIds,
}

/// A permission that keyfold needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    pub resource: Resource,
    pub name: String,
    pub operation: Operation,
    pub need: Need,
}

impl Permission {
    /// A required permission on a topic.
    pub(super) fn on_topic(name: &str, operation: Operation) -> Permission {
        Permission {
            resource: Resource::Topic,
            name: name.to_owned(),
            operation,
            need: Need::Required,
        }
    }

    /// To read the settings of an input, which `run` does not need.
    pub fn describe_configs(topic: &str) -> Permission {
        Permission {
            need: Need::Recommended,
            ..Permission::on_topic(topic, Operation::DescribeConfigs)
        }
    }

    /// The command that grants it.
    pub fn grant(&self, kafka: &Kafka) -> String {
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
            kafka.bootstrap_servers,
            principal(kafka),
            self.operation,
            self.name
        )
    }
}

/// What is missing, with a line for each that grants it.
pub fn refusal(denied: &[Permission], kafka: &Kafka) -> String {
    let grants: Vec<String> = denied.iter().map(|one| one.grant(kafka)).collect();
    let lines = grants.join("\n    ");
    format!(
        "the cluster refuses this client what it needs; each line grants one permission:\n    {lines}"
    )
}

/// The principal of this client. Only the brokers know the principal of a certificate.
fn principal(kafka: &Kafka) -> String {
    match kafka.properties.get("sasl.username") {
        Some(user) if !user.is_empty() => format!("User:{user}"),
        _ => "User:<principal>".to_owned(),
    }
}

/// The permissions on topics that `run` needs.
pub(super) fn on_topics(requirements: &Requirements) -> Vec<Permission> {
    use Operation::{Delete, Describe, DescribeConfigs, Read, Write};
    let topics = &requirements.topics;
    let inputs = requirements.inputs.iter();
    let inputs = inputs.map(|(_, topic)| (topic, &[Read, Describe][..]));
    let internal = topics.internal().into_iter();
    let internal = internal.map(|spec| (&spec.name, &[Read, Write, Describe, DescribeConfigs][..]));
    let outputs = [&topics.snapshots, &topics.dead_letters].into_iter();
    let outputs = outputs.map(|spec| (&spec.name, &[Write, Describe, DescribeConfigs][..]));
    let delete = Permission {
        need: Need::Recommended,
        ..Permission::on_topic(&topics.forwarded.name, Delete)
    };
    inputs
        .chain(internal)
        .chain(outputs)
        .flat_map(|(topic, operations)| {
            let operations = operations.iter();
            operations.map(|operation| Permission::on_topic(topic, *operation))
        })
        .chain([delete])
        .collect()
}

/// The permissions on its consumer group that `run` lacks.
pub(super) fn missing_on_group(
    requirements: &Requirements,
    timeout: Duration,
) -> Result<Vec<Permission>, RequestError> {
    let group = &requirements.application_id;
    let query = QueryClient::impatient(requirements.clients()).map_err(|error| RequestError {
        code: error.rdkafka_error_code(),
        reason: format!("a client for the group: {}", creation_error(&error)),
    })?;
    let may_read = match commit_to_missing_topic(&query, group, timeout) {
        Some(RDKafkaErrorCode::GroupAuthorizationFailed) => false,
        // the coordinator got past the check of the group, so this client may use the group
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
            return Err(RequestError {
                code,
                reason: match code {
                    Some(code) => format!("the group's coordinator: {code}"),
                    None => "the group's coordinator does not answer".to_owned(),
                },
            });
        }
    };
    Ok(match may_read {
        true => Vec::new(),
        false => vec![on_group(group)],
    })
}

/// The permission on its consumer group that `run` needs.
pub(super) fn on_group(group: &str) -> Permission {
    Permission {
        resource: Resource::Group,
        ..Permission::on_topic(group, Operation::Read)
    }
}

/// The permissions on its transactional ids that `run` needs.
pub(super) fn on_transactional_ids(requirements: &Requirements) -> Vec<Permission> {
    if requirements.guarantee != Guarantee::ExactlyOnce {
        return Vec::new();
    }
    of_all_ids(requirements)
}

/// The permissions on all transactional ids of the application.
fn of_all_ids(requirements: &Requirements) -> Vec<Permission> {
    let prefix = format!("{}-", requirements.application_id);
    let on_ids = |operation| Permission {
        resource: Resource::TransactionalIds,
        ..Permission::on_topic(&prefix, operation)
    };
    [Operation::Write, Operation::Describe].map(on_ids).into()
}

/// The coordinator's answer to the commit of an offset of a topic that does not exist. `None` if there is no answer in
/// time.
fn commit_to_missing_topic(
    query: &QueryClient,
    group: &str,
    timeout: Duration,
) -> Option<RDKafkaErrorCode> {
    let deadline = Instant::now() + timeout;
    let topic = CString::new(format!("{group}.permission-check")).ok()?;
    let client = query.client().native_ptr();
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
            // a client that may not look up the coordinator would wait for it without end
            let refused = RDKafkaErrorCode::GroupAuthorizationFailed;
            if query.last_error().is_some_and(|(code, _)| code == refused) {
                return Some(refused);
            }
        }
        None
    }
}

/// The permissions on its transactional ids that `run` lacks. `own` is one of those that an instance which is about to
/// start will use.
pub(super) fn missing_on_transactional_ids(
    requirements: &Requirements,
    own: Option<&str>,
    timeout: Duration,
) -> Result<Vec<Permission>, RequestError> {
    if requirements.guarantee != Guarantee::ExactlyOnce {
        return Ok(Vec::new());
    }
    // the ids of an instance with an instance_id may be granted one by one
    let own = own.filter(|_| requirements.has_instance_id);
    denied_ids(requirements, own, timeout)
}

/// The permissions on its transactional ids that this client lacks. `own` is one that may be granted by itself, and that
/// this client is about to take over.
pub(super) fn denied_ids(
    requirements: &Requirements,
    own: Option<&str>,
    timeout: Duration,
) -> Result<Vec<Permission>, RequestError> {
    let initialised = |id: &str| fence::fence(&requirements.clients().fencing(id), timeout);
    let prefix = format!("{}-", requirements.application_id);
    let mut ended = initialised(&format!("{prefix}permission-check"));
    let is_refused = |ended: &rdkafka::error::KafkaResult<()>| {
        let code = ended
            .as_ref()
            .err()
            .and_then(|error| error.rdkafka_error_code());
        code == Some(RDKafkaErrorCode::TransactionalIdAuthorizationFailed)
    };
    if let Some(own) = own.filter(|_| is_refused(&ended)) {
        ended = initialised(own);
    }
    if is_refused(&ended) {
        return Ok(of_all_ids(requirements));
    }
    ended.map(|()| Vec::new()).map_err(|error| RequestError {
        code: error.rdkafka_error_code(),
        reason: format!("the coordinator of transactions: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_permission_is_granted_by_one_line() {
        let mut config = Config::default();
        let delete = on_topics(&Requirements::from(&config));
        let delete = delete.iter().find(|one| one.operation == Operation::Delete);
        let delete = delete.expect("of the forwarded topic");
        assert_eq!(delete.need, Need::Recommended);
        assert_eq!(
            delete.grant(&config.kafka),
            "kafka-acls.sh --bootstrap-server localhost:9092 --add --allow-principal User:<principal> --operation Delete --topic keyfold.forwarded"
        );
        let properties = &mut config.kafka.properties;
        properties.insert("sasl.username".to_owned(), "shop".to_owned());
        let write = Permission {
            resource: Resource::TransactionalIds,
            ..Permission::on_topic("keyfold-", Operation::Write)
        };
        assert_eq!(
            write.grant(&config.kafka),
            "kafka-acls.sh --bootstrap-server localhost:9092 --add --allow-principal User:shop --operation Write --transactional-id keyfold- --resource-pattern-type prefixed"
        );
    }

    #[test]
    fn each_topic_has_what_it_needs() {
        let all = on_topics(&Requirements::from(&Config::default()));
        // four inputs, two internal topics, two outputs, and Delete
        assert_eq!(all.len(), 4 * 2 + 2 * 4 + 2 * 3 + 1);
        assert_eq!(
            all.iter()
                .filter(|one| one.need == Need::Recommended)
                .count(),
            1
        );
    }
}
