//! The members of a consumer group as its coordinator describes them.

use std::time::Duration;

use rdkafka::client::{Client, ClientContext};
use rdkafka::error::KafkaResult;

/// A member of the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// For a static member, its `group.instance.id` and a UUID; otherwise `client_id` and a UUID.
    pub member_id: String,
    /// For a worker of keyfold, what [`super::client::ClientSettings::member`] sets.
    pub client_id: String,
    pub host: String,
    /// The partitions that are assigned to it; empty while the group rebalances.
    pub assigned: Vec<(String, i32)>,
}

impl Member {
    /// Its `group.instance.id`; `None` for a dynamic member. The coordinator does not return it, but the member id
    /// begins with it: `<group.instance.id>-<UUID>`.
    pub fn name(&self) -> Option<&str> {
        const UUID: usize = 36;
        let end = self.member_id.len().checked_sub(UUID + 1)?;
        let name = self.member_id.get(..end)?;
        let prefix = self.client_id.strip_suffix(name)?;
        (prefix.ends_with('-') && !name.is_empty()).then_some(name)
    }

    /// The instance that this worker belongs to: its `client.id` without the number of the worker.
    pub fn instance(&self) -> &str {
        let parts = self.client_id.rsplit_once('-');
        parts.map_or(&self.client_id, |(instance, _)| instance)
    }

    /// The transactional id of this worker, if it is a dynamic member. The instance of such a worker is 16 hexadecimal
    /// digits, whatever comes before them in the `client.id`.
    pub fn unnamed_worker(&self, application_id: &str) -> Option<String> {
        if self.name().is_some() {
            return None;
        }
        let mut parts = self.client_id.rsplitn(3, '-');
        let (worker, instance, _) = (parts.next()?, parts.next()?, parts.next()?);
        (is_number(worker) && is_random_instance(instance))
            .then(|| format!("{application_id}-{instance}-{worker}"))
    }

    /// Whether this member is a worker of keyfold: its `client.id` is that of this instance or the application's id,
    /// followed by the instance and the worker. Another instance without an `instance_id` may have a different
    /// `client.id`; it is recognised by the form of its end: 16 hexadecimal digits and the worker.
    pub fn is_keyfold(&self, client_id: &str, application_id: &str) -> bool {
        let id = self.client_id.as_str();
        // "<instance>-<worker>"
        let of_worker = |text: &str| {
            let parts = text.rsplit_once('-');
            parts.is_some_and(|(instance, worker)| !instance.is_empty() && is_number(worker))
        };
        let suffix = |prefix: &str| id.strip_prefix(prefix)?.strip_prefix('-');
        if [client_id, application_id]
            .into_iter()
            .any(|prefix| suffix(prefix).is_some_and(of_worker))
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

/// Whether a text has the form of an instance without an `instance_id`.
fn is_random_instance(text: &str) -> bool {
    let is_hexadecimal = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    text.len() == 16 && text.bytes().all(is_hexadecimal)
}

/// The members of a group. `None` if they are not known, because the coordinator does not describe the group. This is
/// so for a group of KIP-848, because the client sends the classic request.
///
/// This uses `rd_kafka_list_groups`. `rd_kafka_DescribeConsumerGroups` must not be used: if the coordinator goes away
/// during the request, librdkafka ends the process with a failed assertion (seen with librdkafka 2.12.1, in
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
    // the coordinator also reports a group of the other protocol in this way
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

/// The partitions in an assignment of the consumer protocol; `None` if it is truncated, or has another form.
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
    fn a_worker_is_recognised_by_the_end_of_its_client_id() {
        let id = "keyfold-1a-0";
        assert!(is_worker("keyfold-1a-0", id, "keyfold"));
        assert!(is_worker("shop-client-1a-0", id, "keyfold"));
        assert!(!is_worker("keyfold-1a-1", id, "keyfold"));
        assert!(!is_worker("keyfold-2a-0", id, "keyfold"));
        assert!(!is_worker("rdkafka", id, "keyfold"));
        assert!(!is_worker("keyfold", "keyfold", "keyfold"));
    }

    #[test]
    fn a_static_member_is_recognised_by_its_member_id() {
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
    fn the_transactional_id_of_a_dynamic_worker_is_derived() {
        let id = |client_id: &str| member(client_id).unnamed_worker("keyfold");
        let worker = "keyfold-0123456789abcdef-12".to_owned();
        assert_eq!(id("keyfold-0123456789abcdef-12"), Some(worker.clone()));
        assert_eq!(id("host-7-0123456789abcdef-12"), Some(worker));
        assert_eq!(id("keyfold-one-0"), None);
        assert_eq!(id("rdkafka"), None);
    }

    #[test]
    fn a_malformed_assignment_is_ignored() {
        let bytes = b"\0\x03\0\0\0\x02\0\x01a\0\0\0\x02\0\0\0\x00\0\0\0\x07\0\x01b\0\0\0\x01\0\0\0\x01\xff\xff\xff\xff";
        let a = |partition| ("a".to_owned(), partition);
        let expected = vec![a(0), a(7), ("b".to_owned(), 1)];
        assert_eq!(assigned(bytes), Some(expected));
        assert_eq!(assigned(&bytes[..20]), None);
        assert_eq!(assigned(b"\0\0\x7f\xff\xff\xff"), None);
        assert_eq!(assigned(b""), None);
    }

    #[test]
    fn other_clients_of_the_group_are_distinguished_from_workers() {
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
