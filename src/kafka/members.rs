//! The members of a consumer group as its coordinator describes them, which the Rust binding does not ask for.

use std::ffi::CString;
use std::ptr::NonNull;
use std::time::Duration;

use rdkafka::bindings as rd;
use rdkafka::client::{Client, ClientContext};

use super::topic_id::{Owned, Unanswered, text};
use crate::worker::takeover::is_worker;

/// A member of the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub member_id: String,
    /// Of a worker of keyfold, what [`super::client::member`] makes it.
    pub client_id: String,
    pub host: String,
    /// None for a member without a name.
    pub group_instance_id: Option<String>,
    /// None where the members do not own anything yet, for the group is rebalancing.
    pub partitions: Option<Vec<(String, i32)>>,
}

impl Member {
    /// Whether this member is the worker that has this transactional id.
    pub fn is_worker(&self, transactional_id: &str, application_id: &str) -> bool {
        is_worker(&self.client_id, transactional_id, application_id)
    }

    /// Whether this member is a worker of keyfold at all: its `client.id` ends in its name, or where it has none in the
    /// random one that keyfold makes, and a worker's number.
    pub fn is_keyfold(&self) -> bool {
        if let Some(name) = &self.group_instance_id {
            let ends = |id: &str| {
                id.strip_suffix(name.as_str())
                    .is_some_and(|id| id.ends_with('-'))
            };
            return ends(&self.client_id);
        }
        let mut parts = self.client_id.rsplit('-');
        let (worker, instance) = (parts.next(), parts.next());
        let is_number =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_random =
            |text: &str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        worker.is_some_and(is_number) && instance.is_some_and(is_random) && parts.next().is_some()
    }
}

/// The members of a group. None: the coordinator does not describe it, as one of KIP-848 to a client that asks in the
/// classic way; who its members are is not known then.
pub fn of<C: ClientContext>(
    client: &Client<C>,
    group: &str,
    patience: Duration,
) -> Result<Option<Vec<Member>>, Unanswered> {
    let name = CString::new(group).map_err(|_| "its name holds a null character")?;
    let millis = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
    let client = client.native_ptr();
    // SAFETY: the client outlives all that is made of it here; what is made is destroyed by its owner, the answer's
    // parts with the answer, and strings are copied before that.
    unsafe {
        let queue = Owned::new(rd::rd_kafka_queue_new(client), rd::rd_kafka_queue_destroy)?;
        let options = Owned::new(
            rd::rd_kafka_AdminOptions_new(
                client,
                rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS,
            ),
            rd::rd_kafka_AdminOptions_destroy,
        )?;
        let mut said = [0; 512];
        rd::rd_kafka_AdminOptions_set_request_timeout(
            options.get(),
            millis,
            said.as_mut_ptr(),
            said.len(),
        );
        let mut names = [name.as_ptr()];
        rd::rd_kafka_DescribeConsumerGroups(
            client,
            names.as_mut_ptr(),
            names.len(),
            options.get(),
            queue.get(),
        );
        let event = rd::rd_kafka_queue_poll(queue.get(), millis.saturating_add(500));
        let event = NonNull::new(event).ok_or("no answer in time")?;
        let event = Owned::from(event, rd::rd_kafka_event_destroy);
        let code = rd::rd_kafka_event_error(event.get());
        if code != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(Unanswered {
                code: Some(code.into()),
                reason: text(rd::rd_kafka_event_error_string(event.get())),
            });
        }
        let result = rd::rd_kafka_event_DescribeConsumerGroups_result(event.get());
        if result.is_null() {
            return Err("the answer is to another question".into());
        }
        let mut count = 0;
        let groups = rd::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
        if groups.is_null() || count != 1 {
            return Err("the answer names no group".into());
        }
        described(*groups)
    }
}

/// # Safety
/// The group must be part of an answer that is alive.
unsafe fn described(
    group: *const rd::rd_kafka_ConsumerGroupDescription_t,
) -> Result<Option<Vec<Member>>, Unanswered> {
    use rd::rd_kafka_consumer_group_state_t as State;
    // SAFETY: as the caller promises.
    unsafe {
        let error = rd::rd_kafka_ConsumerGroupDescription_error(group);
        let code = rd::rd_kafka_error_code(error);
        if code == rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND {
            return Ok(None);
        }
        if code != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(Unanswered {
                code: Some(code.into()),
                reason: text(rd::rd_kafka_error_string(error)),
            });
        }
        let settled = match rd::rd_kafka_ConsumerGroupDescription_state(group) {
            State::RD_KAFKA_CONSUMER_GROUP_STATE_STABLE => true,
            State::RD_KAFKA_CONSUMER_GROUP_STATE_PREPARING_REBALANCE
            | State::RD_KAFKA_CONSUMER_GROUP_STATE_COMPLETING_REBALANCE => false,
            State::RD_KAFKA_CONSUMER_GROUP_STATE_EMPTY => return Ok(Some(Vec::new())),
            // so the coordinator also calls a group of another kind
            _ => return Ok(None),
        };
        let count = rd::rd_kafka_ConsumerGroupDescription_member_count(group);
        let mut members = Vec::with_capacity(count);
        for index in 0..count {
            let member = rd::rd_kafka_ConsumerGroupDescription_member(group, index);
            if member.is_null() {
                return Err("the answer lacks a member".into());
            }
            let instance = rd::rd_kafka_MemberDescription_group_instance_id(member);
            members.push(Member {
                member_id: text(rd::rd_kafka_MemberDescription_consumer_id(member)),
                client_id: text(rd::rd_kafka_MemberDescription_client_id(member)),
                host: text(rd::rd_kafka_MemberDescription_host(member)),
                group_instance_id: Some(text(instance)).filter(|name| !name.is_empty()),
                partitions: settled.then(|| assigned(member)),
            });
        }
        Ok(Some(members))
    }
}

/// # Safety
/// The member must be part of an answer that is alive.
unsafe fn assigned(member: *const rd::rd_kafka_MemberDescription_t) -> Vec<(String, i32)> {
    // SAFETY: as the caller promises; the list's elements are as many as it says.
    unsafe {
        let assignment = rd::rd_kafka_MemberDescription_assignment(member);
        if assignment.is_null() {
            return Vec::new();
        }
        let list = rd::rd_kafka_MemberAssignment_partitions(assignment);
        let Some(list) = list.as_ref().filter(|list| !list.elems.is_null()) else {
            return Vec::new();
        };
        let count = usize::try_from(list.cnt).unwrap_or(0);
        std::slice::from_raw_parts(list.elems, count)
            .iter()
            .map(|element| (text(element.topic), element.partition))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_is_not_keyfold_is_known() {
        let member = |client_id: &str, name: Option<&str>| Member {
            member_id: String::new(),
            client_id: client_id.to_owned(),
            host: String::new(),
            group_instance_id: name.map(str::to_owned),
            partitions: None,
        };
        assert!(member("keyfold-0123456789abcdef-0", None).is_keyfold());
        assert!(member("shop-client-0123456789abcdef-11", None).is_keyfold());
        assert!(member("keyfold-host-7-1", Some("host-7-1")).is_keyfold());
        for foreign in ["rdkafka", "consumer-keyfold-1", "keyfold", "", "keyfold-0"] {
            assert!(!member(foreign, None).is_keyfold(), "{foreign}");
            assert!(!member(foreign, Some("host-7-1")).is_keyfold(), "{foreign}");
        }
    }

    #[test]
    fn a_worker_is_known_by_what_follows_the_application() {
        let member = |client_id: &str| Member {
            member_id: String::new(),
            client_id: client_id.to_owned(),
            host: String::new(),
            group_instance_id: None,
            partitions: None,
        };
        let id = "keyfold-1a-0";
        assert!(member("keyfold-1a-0").is_worker(id, "keyfold"));
        assert!(member("shop-client-1a-0").is_worker(id, "keyfold"));
        assert!(!member("keyfold-1a-1").is_worker(id, "keyfold"));
        assert!(!member("keyfold-2a-0").is_worker(id, "keyfold"));
        assert!(!member("rdkafka").is_worker(id, "keyfold"));
        assert!(!member("keyfold").is_worker("keyfold", "keyfold"));
    }
}
