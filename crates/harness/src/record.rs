//! Records to produce, and records as they were read.

use std::collections::BTreeMap;

use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::BaseRecord;

/// A record to produce. Without a partition, the key decides as in Java's client; without a
/// timestamp, it is now.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub topic: String,
    pub partition: Option<i32>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Record {
    pub fn to(topic: &str) -> Record {
        Record {
            topic: topic.to_owned(),
            ..Record::default()
        }
    }

    pub fn partition(mut self, partition: i32) -> Record {
        self.partition = Some(partition);
        self
    }

    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Record {
        self.key = Some(key.into());
        self
    }

    pub fn value(mut self, value: impl Into<Vec<u8>>) -> Record {
        self.value = Some(value.into());
        self
    }

    /// Sets the timestamp, in milliseconds since 1970.
    pub fn at(mut self, timestamp: i64) -> Record {
        self.timestamp = Some(timestamp);
        self
    }

    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Record {
        self.headers.push((name.to_owned(), Some(value.into())));
        self
    }
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumed {
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Consumed {
    /// The key as text.
    pub fn key_text(&self) -> &str {
        let key = self.key.as_deref().expect("a record with a key");
        std::str::from_utf8(key).expect("a key of text")
    }

    /// The last header of this name, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().rfind(|(key, _)| key == name)?;
        let value = value.as_deref().expect("a header with a value");
        Some(std::str::from_utf8(value).expect("a header of text"))
    }
}

/// The value of each key's newest record; `None` where that is a tombstone.
pub fn newest_per_key(records: &[Consumed]) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
    let keyed = records.iter().filter_map(|record| {
        let key = record.key.clone()?;
        Some((key, record.value.clone()))
    });
    keyed.collect()
}

/// A record as the client library takes it.
pub fn base_record(record: &Record) -> BaseRecord<'_, [u8], [u8]> {
    let mut base = BaseRecord::to(&record.topic);
    base.partition = record.partition;
    base.key = record.key.as_deref();
    base.payload = record.value.as_deref();
    base.timestamp = record.timestamp;
    if !record.headers.is_empty() {
        let mut headers = OwnedHeaders::new();
        for (key, value) in &record.headers {
            headers = headers.insert(Header {
                key,
                value: value.as_ref(),
            });
        }
        base.headers = Some(headers);
    }
    base
}

pub(crate) fn consumed(message: &impl Message) -> Consumed {
    let headers = message.headers().map(|headers| {
        let owned = headers.iter().map(|header| {
            let value = header.value.map(<[u8]>::to_vec);
            (header.key.to_owned(), value)
        });
        owned.collect()
    });
    Consumed {
        partition: message.partition(),
        offset: message.offset(),
        timestamp: message.timestamp().to_millis(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers.unwrap_or_default(),
    }
}
