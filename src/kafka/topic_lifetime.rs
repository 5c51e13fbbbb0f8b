//! What the settings of topics say about how long their records are kept, and which timestamps they take.

use super::cluster::{CheckError, Cluster};
use super::topic_specs::TopicSettings;
use crate::model::lifetime::Lifetime;

/// Which timestamps of producers a topic takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampRule {
    /// `message.timestamp.type` is `CreateTime`: the producer's timestamps stay.
    pub keeps: bool,
    /// How far a timestamp may lie ahead of the broker's clock, in milliseconds, and the setting that says so. None: as
    /// far as it likes.
    pub ahead: Option<(i64, &'static str)>,
    /// The same of how far it may lie behind the broker's clock.
    pub behind: Option<(i64, &'static str)>,
}

impl TimestampRule {
    pub(super) fn of(settings: &TopicSettings) -> Option<TimestampRule> {
        let stricter = |name: &'static str| {
            // Brokers before Kafka 3.6 know only the second; some later ones know both.
            let limits = [name, "message.timestamp.difference.max.ms"];
            let limits = limits.into_iter().filter_map(|name| {
                let limit: i64 = settings.get(name)?.parse().ok()?;
                (limit < i64::MAX).then_some((limit, name))
            });
            limits.min()
        };
        Some(TimestampRule {
            keeps: settings.get("message.timestamp.type")? == "CreateTime",
            ahead: stricter("message.timestamp.after.max.ms"),
            behind: stricter("message.timestamp.before.max.ms"),
        })
    }
}

impl Cluster {
    /// How long topics keep their records, in their order; none where the settings cannot be read.
    pub fn lifetimes_of(&self, topics: &[&str]) -> Result<Vec<Option<Lifetime>>, CheckError> {
        let settings = self.settings(topics)?.into_iter();
        Ok(settings
            .map(|settings| {
                let settings = settings?;
                Lifetime::of(|name| settings.get(name).map(String::as_str))
            })
            .collect())
    }

    /// Which timestamps a topic takes; none if its settings cannot be read.
    pub fn timestamp_rule(&self, topic: &str) -> Result<Option<TimestampRule>, CheckError> {
        let settings = self.settings(&[topic])?.pop().flatten();
        Ok(settings.and_then(|settings| TimestampRule::of(&settings)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_limit_holds() {
        let of = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            let settings = pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            TimestampRule::of(&settings.collect())
        };
        let (kind, after) = ("message.timestamp.type", "message.timestamp.after.max.ms");
        let difference = "message.timestamp.difference.max.ms";
        let most = i64::MAX.to_string();
        let rule = of(&[(kind, "CreateTime"), (after, "5"), (difference, &most)]).unwrap();
        assert_eq!((rule.keeps, rule.ahead), (true, Some((5, after))));
        let rule = of(&[(kind, "LogAppendTime"), (after, &most)]).unwrap();
        assert_eq!((rule.keeps, rule.ahead), (false, None));
        let rule = of(&[(kind, "CreateTime"), (difference, "7")]).unwrap();
        assert_eq!(rule.ahead, Some((7, difference)));
        assert_eq!(of(&[]), None);
    }
}
