//! Why the inputs do not hold all records that there ever were.

/// A reason for which the records that are left cannot prove a snapshot by themselves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cut {
    /// Retention, or somebody, has taken the first records of a partition.
    Retention {
        topic: String,
        partition: i32,
        begin: i64,
    },
    /// Retention has taken records of a partition while they were read.
    Meanwhile {
        topic: String,
        partition: i32,
    },
    /// The topic is compacted, or its settings cannot be read.
    Compaction {
        topic: String,
    },
    UnknownSettings {
        topic: String,
    },
    /// The group has read the topic, and no source reads it now.
    NoSource {
        topic: String,
    },
    /// Which topics the group has read besides those of its sources is not known.
    UnknownTopics,
    /// The caller has said so.
    Told,
}

impl Cut {
    /// For people.
    pub fn text(&self) -> String {
        match self {
            Cut::Retention {
                topic,
                partition,
                begin,
            } => format!(
                "{topic}[{partition}] begins at offset {begin}: the records before it are gone"
            ),
            Cut::Meanwhile { topic, partition } => {
                format!("records of {topic}[{partition}] were taken by retention while it was read")
            }
            Cut::Compaction { topic } => {
                format!("{topic} is compacted: older records of a key may be gone")
            }
            Cut::UnknownSettings { topic } => format!(
                "the settings of {topic} cannot be read, so that it may be compacted: grant DescribeConfigs"
            ),
            Cut::NoSource { topic } => format!(
                "{topic} was read before, and no source reads it now: its data stay in the states"
            ),
            Cut::UnknownTopics => {
                "it is not known whether topics were read before that no source reads now"
                    .to_owned()
            }
            Cut::Told => "--cut says that records are missing".to_owned(),
        }
    }
}

/// What is known of an input partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputPartition {
    pub topic: String,
    pub partition: i32,
    /// The first offset of its log.
    pub begin: i64,
    /// The offset behind the last record that can be read.
    pub end: i64,
    /// None if the group has committed none.
    pub committed: Option<i64>,
}

impl InputPartition {
    /// How many offsets are not processed yet.
    pub fn lag(&self) -> i64 {
        let from = self.committed.unwrap_or(self.begin).max(self.begin);
        (self.end - from).max(0)
    }

    pub fn cut(&self) -> Option<Cut> {
        (self.begin > 0).then(|| Cut::Retention {
            topic: self.topic.clone(),
            partition: self.partition,
            begin: self.begin,
        })
    }

    /// What an operator must know of its committed offset.
    pub fn problem(&self) -> Option<&'static str> {
        match self.committed {
            None if self.end > self.begin => Some("nothing of it is processed yet"),
            Some(committed) if committed < self.begin => {
                Some("records between the committed offset and the begin are lost")
            }
            Some(committed) if committed > self.end => {
                Some("the committed offset is behind the end: was the topic recreated?")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(begin: i64, end: i64, committed: Option<i64>) -> InputPartition {
        InputPartition {
            topic: "t".to_owned(),
            partition: 1,
            begin,
            end,
            committed,
        }
    }

    #[test]
    fn the_lag_is_what_can_be_read_and_is_not_processed() {
        let lag = |begin, end, committed| partition(begin, end, committed).lag();
        assert_eq!(lag(0, 10, Some(10)), 0);
        assert_eq!(lag(0, 10, Some(4)), 6);
        assert_eq!(lag(3, 10, None), 7);
        assert_eq!(lag(3, 10, Some(1)), 7);
        assert_eq!(lag(0, 10, Some(12)), 0);
    }

    #[test]
    fn an_input_that_does_not_begin_at_its_first_record_is_cut() {
        assert_eq!(partition(0, 10, Some(10)).cut(), None);
        let cut = partition(3, 10, Some(10)).cut().unwrap();
        assert!(
            cut.text().starts_with("t[1] begins at offset 3"),
            "{}",
            cut.text()
        );
    }

    #[test]
    fn offsets_that_cannot_be_right_are_told() {
        let problem = |begin, end, committed| partition(begin, end, committed).problem().is_some();
        assert!(!problem(0, 10, Some(10)) && !problem(0, 0, None) && !problem(3, 3, None));
        assert!(problem(0, 10, None) && problem(3, 10, Some(2)) && problem(0, 10, Some(11)));
    }
}
