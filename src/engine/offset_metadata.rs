//! The metadata of the offsets that keyfold commits. They show that the commit is keyfold's own and to which topic id
//! the offset belongs; for a forwarded partition also the end of its state log and the worker that wrote it last.

use std::fmt;

/// The metadata of every commit of keyfold begin with this; an offset without it was committed by somebody else.
const MARK: &str = "keyfold/1";

/// The maximum bytes for the inputs' ids: by default brokers accept metadata of up to 4096 bytes
/// (`offset.metadata.max.bytes`).
const MAX_INPUTS_BYTES: usize = 3000;

/// The metadata of one committed offset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OffsetMetadata {
    /// The id of the topic, in base64; none if the brokers have no topic ids (before Kafka 3.1).
    pub topic_id: Option<String>,
    /// The committed offset itself, repeated here because a tool may copy the metadata to another offset.
    pub offset: Option<i64>,
    /// Only for a forwarded partition: the id of the state topic.
    pub state_topic_id: Option<String>,
    /// Only for a forwarded partition: the names and ids of the inputs. They are stored here because the brokers delete
    /// the committed offsets of an input together with the topic.
    pub inputs: Vec<(String, String)>,
    /// Only for a forwarded partition: the highest known end offset of the state partition with the same number.
    pub state_end: Option<i64>,
    /// The transactional id of the producer that committed the offset; none without transactions, and none if the
    /// worker has an `instance_id` ([`super::takeover`]).
    pub writer: Option<String>,
}

impl OffsetMetadata {
    /// Reads the metadata of a committed offset. None if somebody else committed it, or copied the metadata of another
    /// offset.
    pub fn of(offset: i64, text: &str) -> Option<OffsetMetadata> {
        OffsetMetadata::parse(text).filter(|metadata| metadata.offset == Some(offset))
    }

    /// Reads what [`OffsetMetadata::fmt`] wrote. None if somebody else committed the offset. No value contains a space:
    /// application and instance ids have none (`config`), and a topic id is base64. Unknown fields, of a later version
    /// of keyfold, are ignored. If a known field cannot be read, the whole offset counts as foreign, because unreadable
    /// text must not switch off a check.
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

/// Reads `name:id,name:id`. Topic names contain neither a colon nor a comma.
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
        let mut room = MAX_INPUTS_BYTES;
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
    fn metadata_of_somebody_else_are_foreign() {
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
    fn unknown_fields_of_a_later_version_are_ignored() {
        let read = OffsetMetadata::parse("keyfold/1 topic=a later=1 state-end=7");
        let read = read.map(|metadata| (metadata.topic_id, metadata.state_end));
        assert_eq!(read, Some((Some("a".to_owned()), Some(7))));
    }
}
