//! The members of a consumer group as its coordinator describes them.

use std::time::Duration;

use rdkafka::client::{Client, ClientContext};
use rdkafka::error::KafkaResult;

/// A member of the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Of a static member, its `group.instance.id` and a UUID; otherwise `client_id` and a UUID.
    pub member_id: String,
    /// Of a worker of keyfold, what [`super::client::ClientSettings::member`] makes it.
    pub client_id: String,
    pub host: String,
    /// The partitions that are assigned to it; none while the group rebalances.
    pub assigned: Vec<(String, i32)>,
}

impl Member {
    /// Its `group.instance.id`; none for a dynamic member. The coordinator does not tell it, but the member's id begins
    /// with it: `<group.instance.id>-<UUID>`.
    pub fn name(&self) -> Option<&str> {
        const UUID: usize = 36;
        let end = self.member_id.len().checked_sub(UUID + 1)?;
        let name = self.member_id.get(..end)?;
        let behind = self.client_id.strip_suffix(name)?;
        (behind.ends_with('-') && !name.is_empty()).then_some(name)
    }

    /// The instance that this worker belongs to: its `client.id` without the number of the worker.
    pub fn instance(&self) -> &str {
        let parts = self.client_id.rsplit_once('-');
        parts.map_or(&self.client_id, |(instance, _)| instance)
    }

    /// The transactional id of this worker, where it is a dynamic member: its instance is 16 hexadecimal digits then,
    /// whatever the `client.id` before them.
    pub fn unnamed_worker(&self, application_id: &str) -> Option<String> {
        if self.name().is_some() {
            return None;
        }
        let mut parts = self.client_id.rsplitn(3, '-');
        let (worker, instance, _) = (parts.next()?, parts.next()?, parts.next()?);
        (is_number(worker) && is_random_instance(instance))
            .then(|| format!("{application_id}-{instance}-{worker}"))
    }

    /// Whether this member is a worker of keyfold: its `client.id` is that of this instance or the application's id, with
    /// the instance and the worker behind it. Another instance without an `instance_id` may have a `client.id` of its own;
    /// it is known by the form of what follows: 16 hexadecimal digits and the worker.
    pub fn is_keyfold(&self, client_id: &str, application_id: &str) -> bool {
        let id = self.client_id.as_str();
        // "<instance>-<worker>"
        let of_worker = |text: &str| {
            let parts = text.rsplit_once('-');
            parts.is_some_and(|(instance, worker)| !instance.is_empty() && is_number(worker))
        };
        let behind = |prefix: &str| id.strip_prefix(prefix)?.strip_prefix('-');
        if [client_id, application_id]
            .into_iter()
            .any(|prefix| behind(prefix).is_some_and(of_worker))
        {
            return true;
        }
        // Java's default for a consumer's client.id
        if id.starts_with(&format!("consumer-{application_id}-")) {
            return false;
        }
        let mut parts = id.rsplitn(3, '-');
        let (worker, instance) = (parts.next(), parts.next());
        worker.is_some_and(is_number)
            && instance.is_some_and(is_random_instance)
            && parts.next().is_some()
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether this is the form of an instance without an `instance_id`.
fn is_random_instance(text: &str) -> bool {
    let is_hexadecimal = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 16 && text.bytes().all(is_hexadecimal)
}

/// The members of a group. None: the coordinator does not describe it, as a group of KIP-848 to a client that asks in the
/// classic way, and its members are not known.
///
/// This asks by `rd_kafka_list_groups`. `rd_kafka_DescribeConsumerGroups` must not be used: when its coordinator goes away
/// while it waits, the client ends the process by a failed assertion (seen with librdkafka 2.12.1, in
/// `rd_kafka_enq_once_del_source_return`).
pub fn describe_group<C: ClientContext>(
    client: &Client<C>,
    group: &str,
    timeout: Duration,
) -> KafkaResult<Option<Vec<Member>>> {
    let list = client.fetch_group_list(Some(group), timeout)?;
    let Some(found) = list.groups().iter().find(|found| found.name() == group) else {
        return Ok(None);
    };
    // the coordinator also reports a group of another protocol so
    if matches!(found.state(), "" | "Dead") {
        return Ok(None);
    }
    let members = found.members().iter().map(|member| Member {
        member_id: member.id().to_owned(),
        client_id: member.client_id().to_owned(),
        host: member.client_host().to_owned(),
        assigned: assigned(member.assignment().unwrap_or_default()).unwrap_or_default(),
    });
    Ok(Some(members.collect()))
}

/// The partitions in an assignment of the consumer protocol; none where it is truncated, or of another form.
fn assigned(bytes: &[u8]) -> Option<Vec<(String, i32)>> {
    let mut rest = bytes;
    let mut take = |count: usize| {
        let (taken, left) = rest.split_at_checked(count)?;
        rest = left;
        Some(taken)
    };
    let number = |bytes: &[u8]| bytes.try_into().ok().map(i32::from_be_bytes);
    let mut partitions = Vec::new();
    let _version = take(2)?;
    for _ in 0..number(take(4)?)? {
        let length = take(2)?.try_into().ok().map(i16::from_be_bytes)?;
        let name = take(usize::try_from(length).ok()?)?;
        let name = String::from_utf8(name.to_vec()).ok()?;
        for _ in 0..number(take(4)?)? {
            partitions.push((name.clone(), number(take(4)?)?));
        }
    }
    Some(partitions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::takeover::is_worker;

    fn member(client_id: &str) -> Member {
        Member {
            member_id: String::new(),
            client_id: client_id.to_owned(),
            host: String::new(),
            assigned: Vec::new(),
        }
    }

    #[test]
    fn a_worker_is_known_by_what_follows_the_application() {
        let id = "keyfold-1a-0";
        assert!(is_worker("keyfold-1a-0", id, "keyfold"));
        assert!(is_worker("shop-client-1a-0", id, "keyfold"));
        assert!(!is_worker("keyfold-1a-1", id, "keyfold"));
        assert!(!is_worker("keyfold-2a-0", id, "keyfold"));
        assert!(!is_worker("rdkafka", id, "keyfold"));
        assert!(!is_worker("keyfold", "keyfold", "keyfold"));
    }

    #[test]
    fn a_member_with_a_name_is_known_by_its_id() {
        let name = |client_id: &str, member_id: &str| {
            let mut member = member(client_id);
            member_id.clone_into(&mut member.member_id);
            member.name().map(str::to_owned)
        };
        let uuid = "0a1b2c3d-0000-4000-8000-000000000000";
        let named = name("keyfold-one-0", &format!("one-0-{uuid}"));
        assert_eq!(named.as_deref(), Some("one-0"));
        assert_eq!(name("keyfold-1a-0", &format!("keyfold-1a-0-{uuid}")), None);
        assert_eq!(name("rdkafka", &format!("rdkafka-{uuid}")), None);
        assert_eq!(name("keyfold-one-0", uuid), None);
        assert_eq!(name("keyfold-one-0", ""), None);
    }

    #[test]
    fn the_transactional_id_of_a_worker_without_a_name_is_known() {
        let id = |client_id: &str| member(client_id).unnamed_worker("keyfold");
        let worker = "keyfold-0123456789abcdef-12".to_owned();
        assert_eq!(id("keyfold-0123456789abcdef-12"), Some(worker.clone()));
        assert_eq!(id("host-7-0123456789abcdef-12"), Some(worker));
        assert_eq!(id("keyfold-one-0"), None);
        assert_eq!(id("rdkafka"), None);
    }

    #[test]
    fn an_assignment_is_read_or_passed_over() {
        let bytes = b"\0\x03\0\0\0\x02\0\x01a\0\0\0\x02\0\0\0\x00\0\0\0\x07\0\x01b\0\0\0\x01\0\0\0\x01\xff\xff\xff\xff";
        let a = |partition| ("a".to_owned(), partition);
        let expected = vec![a(0), a(7), ("b".to_owned(), 1)];
        assert_eq!(assigned(bytes), Some(expected));
        assert_eq!(assigned(&bytes[..20]), None);
        assert_eq!(assigned(b"\0\0\x7f\xff\xff\xff"), None);
        assert_eq!(assigned(b""), None);
    }

    #[test]
    fn other_clients_of_the_group_are_told_from_workers() {
        let is_keyfold = |client_id: &str| member(client_id).is_keyfold("shop", "keyfold");
        for client_id in [
            "shop-0123456789abcdef-0",
            "keyfold-0123456789abcdef-12",
            "host-7-0123456789abcdef-1",
            "shop-one-0",
        ] {
            assert!(is_keyfold(client_id), "{client_id}");
        }
        for client_id in [
            "",
            "rdkafka",
            "keyfold",
            "keyfold-0",
            "console-consumer",
            "consumer-keyfold-1",
            "host-7-one-0",
        ] {
            assert!(!is_keyfold(client_id), "{client_id}");
        }
    }
}
