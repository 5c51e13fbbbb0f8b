//! Which letters are settled: replayed or discarded. The compacted topic `<application_id>.settled` says it.

use std::collections::BTreeMap;

use ahash::HashMap;
use serde::{Deserialize, Serialize};

use super::LetterId;

/// How a letter was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    Replayed,
    Discarded,
    /// By a version whose note this one cannot read.
    #[serde(skip_deserializing)]
    Unknown,
}

impl How {
    pub const fn name(self) -> &'static str {
        match self {
            How::Replayed => "replayed",
            How::Discarded => "discarded",
            How::Unknown => "unknown",
        }
    }
}

/// Where the record of a letter was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentTo {
    pub topic: String,
    /// None: the partition is that of the key.
    pub partition: Option<i32>,
}

/// The value of a record of the settled topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settlement {
    pub settled: How,
    /// When, as RFC 3339.
    pub at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<SentTo>,
    /// The id of the dead-letter topic: a topic that is deleted and recreated has other letters under the same names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_id: Option<String>,
}

/// What is read of a settlement that another version has written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfTopic {
    topic_id: Option<String>,
}

/// The key of the settlement of a letter: `<dead-letter topic>/PARTITION@OFFSET`.
pub fn key(dead_letter_topic: &str, letter: LetterId) -> String {
    format!("{dead_letter_topic}/{letter}")
}

/// All settlements of the letters of one topic.
#[derive(Debug)]
pub struct Settlements {
    prefix: String,
    topic_id: Option<String>,
    settled: HashMap<LetterId, How>,
    /// Those of letters that are shown one by one.
    details: BTreeMap<LetterId, Option<Settlement>>,
    /// Of another topic of this name.
    foreign: HashMap<LetterId, ()>,
}

impl Settlements {
    /// `details` are the letters of which more than the way is kept.
    pub fn new(
        dead_letter_topic: &str,
        topic_id: Option<&str>,
        details: impl IntoIterator<Item = LetterId>,
    ) -> Settlements {
        Settlements {
            prefix: format!("{dead_letter_topic}/"),
            topic_id: topic_id.map(str::to_owned),
            settled: HashMap::default(),
            details: details.into_iter().map(|id| (id, None)).collect(),
            foreign: HashMap::default(),
        }
    }

    /// Takes a record of the settled topic, in their order. Those of other dead-letter topics are ignored.
    pub fn take(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) {
        let key = key.and_then(|key| std::str::from_utf8(key).ok());
        let id = key.and_then(|key| key.strip_prefix(&self.prefix)?.parse().ok());
        let Some(id) = id else {
            return;
        };
        self.settled.remove(&id);
        self.foreign.remove(&id);
        let Some(value) = value else {
            return;
        };
        let topic = serde_json::from_slice::<OfTopic>(value).ok();
        let theirs = topic.and_then(|topic| topic.topic_id);
        let ids = theirs.as_ref().zip(self.topic_id.as_ref());
        if ids.is_some_and(|(theirs, ours)| theirs != ours) {
            self.foreign.insert(id, ());
            return;
        }
        let settlement: Option<Settlement> = serde_json::from_slice(value).ok();
        // What cannot be read was written by somebody who has settled the letter: to send it again could be once too often.
        let how = settlement.as_ref().map_or(How::Unknown, |one| one.settled);
        self.settled.insert(id, how);
        if let Some(detail) = self.details.get_mut(&id) {
            *detail = settlement;
        }
    }

    pub fn of(&self, id: LetterId) -> Option<How> {
        self.settled.get(&id).copied()
    }

    /// All that is known of a settlement, of a letter that was asked for.
    pub fn details_of(&self, id: LetterId) -> Option<&Settlement> {
        self.of(id)?;
        self.details.get(&id)?.as_ref()
    }

    /// Those of letters that are not in the topic any more; `starts` are the first offsets of its partitions.
    pub fn outdated(&self, starts: &BTreeMap<i32, i64>) -> Vec<LetterId> {
        let is_gone = |id: &LetterId| {
            starts
                .get(&id.partition)
                .is_none_or(|start| id.offset < *start)
        };
        let gone = self.settled.keys().filter(|id| is_gone(id)).copied();
        let mut all: Vec<LetterId> = gone.chain(self.foreign.keys().copied()).collect();
        all.sort_unstable();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(how: How, topic_id: &str) -> Vec<u8> {
        let settlement = Settlement {
            settled: how,
            at: "2027-01-15T03:20:00Z".to_owned(),
            note: Some("known".to_owned()),
            sent: None,
            topic_id: Some(topic_id.to_owned()),
        };
        serde_json::to_vec(&settlement).unwrap()
    }

    #[test]
    fn the_newest_settlement_of_this_topic_counts() {
        let id = |text: &str| text.parse::<LetterId>().unwrap();
        let mut all = Settlements::new("dead", Some("A"), [id("0@1")]);
        let replayed = value(How::Replayed, "A");
        all.take(Some(b"dead/0@1"), Some(&value(How::Discarded, "A")));
        all.take(Some(b"dead/0@2"), Some(&replayed));
        all.take(Some(b"dead/0@3"), Some(&replayed));
        all.take(Some(b"dead/0@3"), None);
        all.take(Some(b"dead/0@4"), Some(&value(How::Replayed, "B")));
        all.take(Some(b"dead/1@4"), Some(b"not JSON"));
        let later = br#"{"settled":"forgotten","at":7,"topicId":"A"}"#;
        all.take(Some(b"dead/0@6"), Some(later));
        let foreign = br#"{"settled":"forgotten","topicId":"B"}"#;
        all.take(Some(b"dead/0@7"), Some(foreign));
        all.take(Some(b"other/0@5"), Some(&replayed));
        all.take(Some(b"\xff"), Some(&replayed));
        all.take(None, None);
        let of = |text| all.of(id(text));
        assert_eq!(of("0@1"), Some(How::Discarded));
        assert_eq!(of("0@2"), Some(How::Replayed));
        assert_eq!((of("0@3"), of("0@4"), of("0@5")), (None, None, None));
        // what cannot be read is a settlement all the same, and is not forgotten while its letter is there
        assert_eq!(of("1@4"), Some(How::Unknown));
        assert_eq!(of("0@6"), Some(How::Unknown));
        let details = all.details_of(id("0@1")).unwrap();
        assert_eq!(details.note.as_deref(), Some("known"));
        assert_eq!(all.details_of(id("0@2")), None);
        let outdated = |start| all.outdated(&[(0, start), (1, 0)].into());
        assert_eq!(outdated(0), [id("0@4"), id("0@7")]);
        assert_eq!(outdated(2), [id("0@1"), id("0@4"), id("0@7")]);
    }

    #[test]
    fn a_settlement_is_json() {
        let text = String::from_utf8(value(How::Replayed, "A")).unwrap();
        assert_eq!(
            text,
            r#"{"settled":"replayed","at":"2027-01-15T03:20:00Z","note":"known","topicId":"A"}"#
        );
    }
}
