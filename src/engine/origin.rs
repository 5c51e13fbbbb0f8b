//! Where a record was read first, and the headers in which a forwarded record carries that: the envelope.
//!
//! A forwarded record has the original value (or one element of a batch, as a batch with one element), then the
//! original headers, then the envelope. Its key is the customer id.
//!
//! A producer's own header may have the same name as one of the envelope. The two are told apart by their order: the
//! envelope comes last.

use crate::config::Sources;
pub use crate::model::record::Header;
use crate::model::record::Source;

/// Where a record was read first, with its timestamp and key. A dead letter needs all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub source: Source,
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    /// Kafka's timestamp in milliseconds, unchanged.
    pub timestamp: Option<i64>,
    pub key: Option<Vec<u8>>,
    pub omitted: Omitted,
}

/// What was left out when an element of a batch was forwarded, because the batch has too many elements: see
/// [`super::split`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Omitted {
    pub headers: bool,
    pub key: bool,
    /// The original format: the value is JSON, whatever the format of its source.
    pub form: bool,
}

impl Omitted {
    const NAMES: [&str; 3] = ["headers", "key", "form"];

    fn text(self) -> String {
        let flags = [self.headers, self.key, self.form];
        let names = Self::NAMES.into_iter().zip(flags);
        let names: Vec<&str> = names
            .filter(|(_, is_omitted)| *is_omitted)
            .map(|(name, _)| name)
            .collect();
        names.join(",")
    }

    fn from_text(text: &str) -> Option<Omitted> {
        let mut omitted = Omitted::default();
        for name in text.split(',') {
            match name {
                "headers" => omitted.headers = true,
                "key" => omitted.key = true,
                "form" => omitted.form = true,
                _ => return None,
            }
        }
        Some(omitted)
    }
}

const SOURCE: &str = "__keyfold.forwarded.source";
const TOPIC: &str = "__keyfold.forwarded.topic";
const PARTITION: &str = "__keyfold.forwarded.partition";
const OFFSET: &str = "__keyfold.forwarded.offset";
const TIMESTAMP: &str = "__keyfold.forwarded.timestamp";
const KEY: &str = "__keyfold.forwarded.key";
const OMITTED: &str = "__keyfold.forwarded.omitted";

impl Origin {
    /// The headers of a forwarded record: those of the origin, then the envelope.
    pub fn wrap(&self, headers: &[Header<'_>]) -> Vec<(String, Option<Vec<u8>>)> {
        let mut wrapped: Vec<_> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.map(<[u8]>::to_vec)))
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
        if self.omitted != Omitted::default() {
            add(OMITTED, self.omitted.text().into());
        }
        wrapped
    }

    /// Reads the envelope of a record of this source; none if it is incomplete or cannot be read.
    fn read(envelope: &[Header<'_>], source: Source) -> Option<Origin> {
        let find = |name| {
            let (_, value) = envelope.iter().find(|(header, _)| *header == name)?;
            *value
        };
        let text = |name| find(name).and_then(|value| std::str::from_utf8(value).ok());
        Some(Origin {
            source,
            topic: text(TOPIC)?.to_owned(),
            partition: text(PARTITION)?.parse().ok()?,
            offset: text(OFFSET)?.parse().ok()?,
            timestamp: match find(TIMESTAMP) {
                None => None,
                Some(_) => Some(text(TIMESTAMP)?.parse().ok()?),
            },
            key: find(KEY).map(<[u8]>::to_vec),
            omitted: match find(OMITTED) {
                None => Omitted::default(),
                Some(_) => Omitted::from_text(text(OMITTED)?)?,
            },
        })
    }
}

/// The headers of a forwarded record, separated into the envelope and the original ones.
#[derive(Debug)]
pub struct Unwrapped<'h, 'a> {
    pub origin: Origin,
    /// The key of the original record.
    pub key: Option<&'a [u8]>,
    /// The headers of the original record.
    pub own: &'h [Header<'a>],
}

/// Why a record of the forwarded topic cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotForwarded {
    /// Its headers do not end with an envelope of keyfold.
    Foreign,
    /// keyfold forwarded it for a source that is not in the configuration any more.
    UnknownSource(String),
}

impl<'h, 'a> Unwrapped<'h, 'a> {
    /// # Errors
    /// If keyfold did not write the headers, or if the source is not one of `sources`.
    pub fn of(
        headers: &'h [Header<'a>],
        sources: &Sources,
    ) -> Result<Unwrapped<'h, 'a>, NotForwarded> {
        use NotForwarded::Foreign;
        // the envelope has one header of this name, and comes last
        let start = headers.iter().rposition(|(name, _)| *name == SOURCE);
        let start = start.ok_or(Foreign)?;
        let (own, envelope) = headers.split_at(start);
        let name = envelope.first().and_then(|(_, value)| *value);
        let name = name.and_then(|name| std::str::from_utf8(name).ok());
        let name = name.filter(|name| Sources::is_name(name)).ok_or(Foreign)?;
        let source = sources
            .named(name)
            .ok_or_else(|| NotForwarded::UnknownSource(name.to_owned()))?;
        let key = envelope.iter().find(|(name, _)| *name == KEY);
        Ok(Unwrapped {
            origin: Origin::read(envelope, source).ok_or(Foreign)?,
            key: key.and_then(|(_, value)| *value),
            own,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SourceConfig;
    use crate::model::record::DeclaredSource;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_envelope_gives_back_its_origin(
            topic in "[a-z.]{1,20}",
            (partition, offset) in (0..100_i32, 0..i64::MAX),
            timestamp in proptest::option::of(any::<i64>()),
            key in proptest::option::of(any::<Vec<u8>>()),
            (headers, no_key, form) in any::<(bool, bool, bool)>(),
        ) {
            let source = Source::ConsoleCustomers;
            let omitted = Omitted { headers, key: no_key, form };
            let origin = Origin { source, topic, partition, offset, timestamp, key, omitted };
            // the producer's own headers, some with names of the envelope
            let producer: [Header<'_>; 5] = [
                (SOURCE, Some(b"loyalty-actions")),
                ("trace", Some(b"1")),
                (TIMESTAMP, Some(b"7")),
                (KEY, Some(b"somebody else")),
                ("empty", None),
            ];
            let wrapped = origin.wrap(&producer);
            let headers: Vec<Header<'_>> =
                wrapped.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
            let found = Unwrapped::of(&headers, &Sources::default()).unwrap();
            prop_assert_eq!(found.own, producer);
            prop_assert_eq!(found.key, origin.key.as_deref());
            prop_assert_eq!(found.origin, origin);
        }
    }

    #[test]
    fn the_source_is_one_of_those_that_are_configured() {
        let envelope = |source: &'static str| -> [Header<'static>; 4] {
            [
                (SOURCE, Some(source.as_bytes())),
                (TOPIC, Some(b"input")),
                (PARTITION, Some(b"0")),
                (OFFSET, Some(b"7")),
            ]
        };
        let crm = Source::Declared(DeclaredSource::new("crm"));
        let sources = [(crm, SourceConfig::of(crm))].into_iter().collect();
        let of = |source| {
            let headers = envelope(source);
            let unwrapped = Unwrapped::of(&headers, &sources);
            unwrapped.map(|unwrapped| unwrapped.origin.source)
        };
        assert_eq!(of("crm"), Ok(crm));
        for gone in ["crm-contacts", "loyalty-customers"] {
            assert_eq!(of(gone), Err(NotForwarded::UnknownSource(gone.to_owned())));
        }
        // keyfold never writes these
        for foreign in ["", "loyalty", "CRM", "a b"] {
            assert_eq!(of(foreign), Err(NotForwarded::Foreign));
        }
        let headers = envelope("crm");
        let incomplete = Unwrapped::of(&headers[..3], &sources).map(|_| ());
        assert_eq!(incomplete, Err(NotForwarded::Foreign));
    }
}
