//! What the settings of a topic remove from it.

use super::cluster::{CheckError, Cluster};
use super::topic_specs::TopicSettings;

/// What removes records from a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicRetention {
    pub is_compacted: bool,
    /// For how long records are kept, in milliseconds; none: for ever.
    pub millis: Option<i64>,
    /// Older records go when a partition has more bytes than allowed.
    pub by_bytes: bool,
}

impl TopicRetention {
    pub(super) fn of(settings: &TopicSettings) -> Option<TopicRetention> {
        let policy = settings.get("cleanup.policy")?;
        let has = |name| policy.split(',').any(|one| one.trim() == name);
        let limit = |name: &str| {
            let value: i64 = settings.get(name)?.parse().ok()?;
            (value >= 0 && has("delete")).then_some(value)
        };
        Some(TopicRetention {
            is_compacted: has("compact"),
            millis: limit("retention.ms"),
            by_bytes: limit("retention.bytes").is_some(),
        })
    }
}

impl Cluster {
    /// What removes records from topics, in their order; none where the settings cannot be read.
    pub fn retention_of(&self, topics: &[&str]) -> Result<Vec<Option<TopicRetention>>, CheckError> {
        let settings = self.settings(topics)?.into_iter();
        Ok(settings
            .map(|settings| TopicRetention::of(&settings?))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_only_where_the_policy_deletes() {
        let of = |policy: &str, millis: &str, bytes: &str| {
            let settings = [
                ("cleanup.policy", policy),
                ("retention.ms", millis),
                ("retention.bytes", bytes),
            ];
            let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
            TopicRetention::of(&settings.into_iter().collect()).unwrap()
        };
        let retention = |is_compacted, millis, by_bytes| TopicRetention {
            is_compacted,
            millis,
            by_bytes,
        };
        assert_eq!(of("delete", "5", "-1"), retention(false, Some(5), false));
        assert_eq!(of("delete", "-1", "7"), retention(false, None, true));
        assert_eq!(of("compact", "5", "7"), retention(true, None, false));
        assert_eq!(
            of("compact, delete", "5", "7"),
            retention(true, Some(5), true)
        );
        assert_eq!(TopicRetention::of(&TopicSettings::default()), None);
    }
}
