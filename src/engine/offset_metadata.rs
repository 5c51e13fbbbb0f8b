//! The metadata of the offsets that keyfold commits: they say that the commit is keyfold's own, of which incarnation of
//! the topic the offset speaks, and for a forwarded partition how far its state goes and who wrote it last.

use std::fmt;

/// What every commit of keyfold begins with; an offset without it was committed by somebody else.
const MARK: &str = "keyfold/1";

/// The most bytes for the inputs' ids: brokers take metadata of 4096 bytes (`offset.metadata.max.bytes`).
const INPUTS: usize = 3000;

/// The metadata of one committed offset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OffsetMetadata {
    /// The id of the topic, in base64; none where the brokers have no topic ids (before Kafka 3.1).
    pub topic_id: Option<String>,
    /// The offset that it was written for: a tool may copy metadata to another one.
    pub offset: Option<i64>,
    /// Of a forwarded partition: the id of the state topic.
    pub state_topic_id: Option<String>,
    /// Of a forwarded partition: the ids of the inputs by their names, for the brokers forget a topic's committed offsets
    /// when it is deleted.
    pub inputs: Vec<(String, String)>,
    /// Of a forwarded partition: the highest known end of the state partition with its number.
    pub state_end: Option<i64>,
    /// The transactional id of the producer that committed it; none without transactions, and none of a worker with an
    /// `instance_id` ([`super::takeover`]).
    pub writer: Option<String>,
}

impl OffsetMetadata {
    /// Of a committed offset. None: somebody else committed it, or copied the metadata of another one.
    pub fn of(offset: i64, text: &str) -> Option<OffsetMetadata> {
        OffsetMetadata::parse(text).filter(|metadata| metadata.offset == Some(offset))
    }

    /// Reads what [`OffsetMetadata::fmt`] wrote. None: somebody else committed the offset. No value holds a space: ids of
    /// applications and instances have none (`config`), and a topic's id is base64. Fields that are not known here, of a
    /// later version of keyfold, are passed over; one that is known and broken makes the whole foreign, for a check must
    /// not be switched off by what cannot be read.
    pub fn parse(text: &str) -> Option<OffsetMetadata> {
        let fields = text.strip_prefix(MARK)?;
        let mut metadata = OffsetMetadata::default();
        if fields.is_empty() {
            return Some(metadata);
        }
        for field in fields.strip_prefix(' ')?.split(' ') {
            let (name, value) = field.split_once('=')?;
            match name {
                "topic" => metadata.topic_id = Some(value.to_owned()),
                "offset" => metadata.offset = Some(value.parse().ok().filter(|at| *at >= 0)?),
                "state-topic" => metadata.state_topic_id = Some(value.to_owned()),
                "inputs" => metadata.inputs = inputs(value)?,
                "state-end" => {
                    metadata.state_end = Some(value.parse().ok().filter(|end| *end >= 0)?)
                }
                "writer" => metadata.writer = Some(value.to_owned()),
                _ => {}
            }
        }
        Some(metadata)
    }
}

/// Names of topics hold neither a colon nor a comma.
fn inputs(text: &str) -> Option<Vec<(String, String)>> {
    let each = text.split(',').map(|input| {
        let (name, id) = input.split_once(':')?;
        Some((name.to_owned(), id.to_owned()))
    });
    each.collect()
}

impl fmt::Display for OffsetMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MARK)?;
        if let Some(id) = &self.topic_id {
            write!(f, " topic={id}")?;
        }
        if let Some(offset) = self.offset {
            write!(f, " offset={offset}")?;
        }
        if let Some(id) = &self.state_topic_id {
            write!(f, " state-topic={id}")?;
        }
        let mut room = INPUTS;
        for (at, (name, id)) in self.inputs.iter().enumerate() {
            room = room.saturating_sub(name.len() + id.len() + 2);
            if room == 0 {
                break;
            }
            let before = if at == 0 { " inputs=" } else { "," };
            write!(f, "{before}{name}:{id}")?;
        }
        if let Some(end) = self.state_end {
            write!(f, " state-end={end}")?;
        }
        if let Some(writer) = &self.writer {
            write!(f, " writer={writer}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let all = [
            OffsetMetadata::default(),
            OffsetMetadata {
                topic_id: Some("bW9ja2Vk+/==".to_owned()),
                offset: Some(7),
                state_topic_id: Some("c3RhdGU".to_owned()),
                inputs: vec![
                    ("a.b".to_owned(), "YQ".to_owned()),
                    ("c_d".to_owned(), "Yg".to_owned()),
                ],
                state_end: Some(42),
                writer: Some("keyfold-a.b_c-0".to_owned()),
            },
        ];
        for metadata in all {
            let text = metadata.to_string();
            assert_eq!(OffsetMetadata::parse(&text), Some(metadata));
        }
    }

    #[test]
    fn what_somebody_else_committed_is_foreign() {
        for text in [
            "",
            "kcat",
            "keyfold",
            "keyfold/10",
            "state-end=7",
            "keyfold/1 state-end=x",
            "keyfold/1 state-end",
        ] {
            assert_eq!(OffsetMetadata::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_later_version_may_say_more() {
        let read = OffsetMetadata::parse("keyfold/1 topic=a later=1 state-end=7");
        let read = read.map(|metadata| (metadata.topic_id, metadata.state_end));
        assert_eq!(read, Some((Some("a".to_owned()), Some(7))));
    }
}
