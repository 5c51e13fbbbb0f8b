//! Which records of producers a topic takes, by its settings.

use std::fmt;

use super::cluster::{CheckError, Cluster};
use super::topic_lifetime::TimestampRule;
use super::topic_retention::TopicRetention;
use super::topic_specs::{DEFAULT_MAX_MESSAGE_BYTES, TopicSettings};

/// What a topic takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acceptance {
    /// The largest batch of records, in bytes.
    pub max_bytes: usize,
    timestamps: TimestampRule,
    retention: TopicRetention,
}

/// What of a record decides whether a topic takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outline {
    /// With key and headers, before it is compressed.
    pub bytes: usize,
    /// Milliseconds since 1970; none if it has none.
    pub timestamp: Option<i64>,
    pub has_key: bool,
}

/// Why a topic does not take a record as it is. The text names the setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    LogAppendTime,
    TooLarge(usize),
    TooOld(i64, &'static str),
    TooNew(i64, &'static str),
    NoKey,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::LogAppendTime => f.write_str("message.timestamp.type is LogAppendTime: its brokers would replace the timestamp, by which an old record loses against a newer one; set it to CreateTime"),
            Refusal::TooLarge(limit) => write!(f, "larger than max.message.bytes ({limit})"),
            Refusal::TooOld(limit, setting) => write!(f, "its timestamp is older than {setting} allows ({limit})"),
            Refusal::TooNew(limit, setting) => write!(f, "its timestamp is further ahead of now than {setting} allows ({limit})"),
            Refusal::NoKey => f.write_str("it has no key, and cleanup.policy is compact"),
        }
    }
}

impl Acceptance {
    fn of(settings: &TopicSettings) -> Option<Acceptance> {
        let bytes = settings.get("max.message.bytes");
        let bytes = bytes.and_then(|bytes| bytes.parse().ok());
        Some(Acceptance {
            max_bytes: bytes.unwrap_or(DEFAULT_MAX_MESSAGE_BYTES),
            timestamps: TimestampRule::of(settings)?,
            retention: TopicRetention::of(settings)?,
        })
    }

    /// Why the topic would not take a record at this time, in milliseconds since 1970, as it is.
    pub fn refusal(&self, record: Outline, now: i64) -> Option<Refusal> {
        let TimestampRule {
            keeps,
            ahead,
            behind,
        } = self.timestamps;
        if !keeps {
            return Some(Refusal::LogAppendTime);
        }
        if record.bytes > self.max_bytes {
            return Some(Refusal::TooLarge(self.max_bytes));
        }
        if self.retention.is_compacted && !record.has_key {
            return Some(Refusal::NoKey);
        }
        let at = record.timestamp?;
        if let Some((limit, setting)) = behind
            && now.saturating_sub(at) > limit
        {
            return Some(Refusal::TooOld(limit, setting));
        }
        ahead
            .filter(|(limit, _)| at.saturating_sub(now) > *limit)
            .map(|(limit, setting)| Refusal::TooNew(limit, setting))
    }

    /// The retention in milliseconds, if it deletes a record with this timestamp before `soon`, in milliseconds since 1970.
    pub fn deletes_before(&self, timestamp: Option<i64>, soon: i64) -> Option<i64> {
        let retention = self.retention.millis?;
        (timestamp?.saturating_add(retention) < soon).then_some(retention)
    }
}

impl Cluster {
    /// What topics take, in their order; none where the settings cannot be read.
    pub fn acceptance_of(&self, topics: &[&str]) -> Result<Vec<Option<Acceptance>>, CheckError> {
        let settings = self.settings(topics)?.into_iter();
        Ok(settings
            .map(|settings| Acceptance::of(&settings?))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;
    const RECORD: Outline = Outline {
        bytes: 100,
        timestamp: Some(NOW - 5_000),
        has_key: true,
    };

    fn of(others: &[(&str, &str)]) -> Acceptance {
        let defaults = [
            ("message.timestamp.type", "CreateTime"),
            ("cleanup.policy", "delete"),
            ("retention.ms", "-1"),
        ];
        let all = defaults.iter().chain(others);
        let all = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Acceptance::of(&all.collect()).unwrap()
    }

    #[test]
    fn each_setting_that_refuses_a_record_is_named() {
        let refusal = |others: &[(&str, &str)], record| of(others).refusal(record, NOW);
        assert_eq!(refusal(&[], RECORD), None);
        let append = ("message.timestamp.type", "LogAppendTime");
        assert_eq!(refusal(&[append], RECORD), Some(Refusal::LogAppendTime));
        let bytes = |limit| refusal(&[("max.message.bytes", limit)], RECORD);
        assert_eq!(
            (bytes("100"), bytes("99")),
            (None, Some(Refusal::TooLarge(99)))
        );
        let before = "message.timestamp.before.max.ms";
        assert_eq!(refusal(&[(before, "5000")], RECORD), None);
        let too_old = Some(Refusal::TooOld(4_999, before));
        assert_eq!(refusal(&[(before, "4999")], RECORD), too_old);
        let difference = "message.timestamp.difference.max.ms";
        let too_old = Some(Refusal::TooOld(7, difference));
        assert_eq!(refusal(&[(difference, "7")], RECORD), too_old);
        let ahead = Outline {
            timestamp: Some(NOW + 8),
            ..RECORD
        };
        let after = "message.timestamp.after.max.ms";
        assert_eq!(refusal(&[(after, "8")], ahead), None);
        assert_eq!(
            refusal(&[(after, "7")], ahead),
            Some(Refusal::TooNew(7, after))
        );
        let keyless = Outline {
            has_key: false,
            timestamp: None,
            ..RECORD
        };
        assert_eq!(refusal(&[(before, "1")], keyless), None);
        let compacted = ("cleanup.policy", "compact,delete");
        assert_eq!(refusal(&[compacted], keyless), Some(Refusal::NoKey));
        assert_eq!(refusal(&[compacted], RECORD), None);
    }

    #[test]
    fn a_short_retention_deletes_an_old_record() {
        let deletes = |others: &[(&str, &str)], at| of(others).deletes_before(at, NOW);
        assert_eq!(
            deletes(&[("retention.ms", "4000")], RECORD.timestamp),
            Some(4_000)
        );
        assert_eq!(deletes(&[("retention.ms", "6000")], RECORD.timestamp), None);
        assert_eq!(deletes(&[], RECORD.timestamp), None);
        assert_eq!(deletes(&[("retention.ms", "4000")], None), None);
        let compacted = [("retention.ms", "4000"), ("cleanup.policy", "compact")];
        assert_eq!(deletes(&compacted, RECORD.timestamp), None);
    }
}
