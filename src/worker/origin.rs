//! Where a record comes from, and the envelope of the forwarded topic that carries it along.
//!
//! A forwarded record is a record of its source: it has the original value (or one element of a batch, as a batch
//! of one), the original headers, and the origin in headers of its own. Its key is the customer id.

use crate::record::Source;

/// A header as Kafka has it. The value may be null.
pub type Header<'a> = (&'a str, Option<&'a [u8]>);

/// The place and the time of a record, and its key: what a dead letter tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub source: Source,
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    /// Kafka's timestamp in milliseconds, as it came.
    pub timestamp: Option<i64>,
    pub key: Option<Vec<u8>>,
}

const PREFIX: &str = "__keyfold.forwarded.";
const SOURCE: &str = "__keyfold.forwarded.source";
const TOPIC: &str = "__keyfold.forwarded.topic";
const PARTITION: &str = "__keyfold.forwarded.partition";
const OFFSET: &str = "__keyfold.forwarded.offset";
const TIMESTAMP: &str = "__keyfold.forwarded.timestamp";
const KEY: &str = "__keyfold.forwarded.key";

impl Origin {
    /// The headers of a forwarded record: those of the origin, then the envelope.
    pub fn wrap(&self, headers: &[Header<'_>]) -> Vec<(String, Option<Vec<u8>>)> {
        let mut wrapped: Vec<_> = without_envelope(headers)
            .map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec)))
            .collect();
        let mut add = |name: &str, value: Vec<u8>| wrapped.push((name.to_owned(), Some(value)));
        add(SOURCE, self.source.name().into());
        add(TOPIC, self.topic.clone().into());
        add(PARTITION, self.partition.to_string().into());
        add(OFFSET, self.offset.to_string().into());
        if let Some(timestamp) = self.timestamp {
            add(TIMESTAMP, timestamp.to_string().into());
        }
        if let Some(key) = &self.key {
            add(KEY, key.clone());
        }
        wrapped
    }

    /// The origin of a forwarded record. None where the envelope is not one of keyfold's.
    pub fn unwrap_from(headers: &[Header<'_>]) -> Option<Origin> {
        let find = |name| {
            let (_, value) = headers.iter().find(|(header, _)| *header == name)?;
            *value
        };
        let text = |name| find(name).and_then(|value| std::str::from_utf8(value).ok());
        Some(Origin {
            source: text(SOURCE).and_then(Source::from_name)?,
            topic: text(TOPIC)?.to_owned(),
            partition: text(PARTITION)?.parse().ok()?,
            offset: text(OFFSET)?.parse().ok()?,
            timestamp: match find(TIMESTAMP) {
                None => None,
                Some(_) => Some(text(TIMESTAMP)?.parse().ok()?),
            },
            key: find(KEY).map(<[u8]>::to_vec),
        })
    }
}

/// The key that the origin of a forwarded record had.
pub fn key<'a>(headers: &[Header<'a>]) -> Option<&'a [u8]> {
    let (_, value) = headers.iter().find(|(header, _)| *header == KEY)?;
    *value
}

/// The headers that the origin had.
pub fn without_envelope<'a>(headers: &'a [Header<'a>]) -> impl Iterator<Item = Header<'a>> {
    headers
        .iter()
        .copied()
        .filter(|(name, _)| !name.starts_with(PREFIX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_envelope_gives_back_its_origin(
            topic in "[a-z.]{1,20}",
            (partition, offset) in (0..100_i32, 0..i64::MAX),
            timestamp in proptest::option::of(any::<i64>()),
            key in proptest::option::of(any::<Vec<u8>>()),
        ) {
            let source = Source::ConsoleCustomers;
            let origin = Origin { source, topic, partition, offset, timestamp, key };
            let wrapped = origin.wrap(&[("trace", Some(b"1")), ("empty", None)]);
            let headers: Vec<Header<'_>> =
                wrapped.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
            prop_assert_eq!(Origin::unwrap_from(&headers), Some(origin));
            let own: Vec<_> = without_envelope(&headers).collect();
            prop_assert_eq!(own, vec![("trace", Some(b"1" as &[u8])), ("empty", None)]);
        }
    }
}
