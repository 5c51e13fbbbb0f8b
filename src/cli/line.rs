//! A record as `kcat -C -J` prints it: one JSON object for each line.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Deserialize;
use serde_bytes::ByteBuf;

use crate::model::record::{Header, RawRecord, Rejection, Source};
use crate::source::metadata::Metadata;

/// A line of kcat. Key, payload and headers are bytes, because kcat prints bytes that are not UTF-8 unchanged. Since
/// such a line is not JSON, an Avro payload can be given in base64.
#[derive(Debug, Clone, Deserialize)]
pub struct Line {
    pub topic: String,
    #[serde(default)]
    pub partition: i32,
    #[serde(default)]
    pub offset: i64,
    #[serde(default)]
    tstype: Option<String>,
    #[serde(default)]
    ts: Option<i64>,
    #[serde(default)]
    key: Option<ByteBuf>,
    /// Given instead of `key`.
    #[serde(default, deserialize_with = "base64_text")]
    key_base64: Option<Vec<u8>>,
    #[serde(default)]
    payload: Option<ByteBuf>,
    /// Given instead of `payload`.
    #[serde(default, deserialize_with = "base64_text")]
    payload_base64: Option<Vec<u8>>,
    /// Names and values alternate.
    #[serde(default)]
    headers: Vec<Option<HeaderPart>>,
    /// The topic that determines the source: the record's own or, for a dead letter, the topic of the rejected record.
    #[serde(skip)]
    pub input_topic: String,
    /// The length of the line in its file, with the end of the line.
    #[serde(skip)]
    pub bytes: u64,
    /// The verdict on a dead letter from which a part of the rejected record is missing.
    #[serde(skip)]
    pub incomplete: Option<Rejection>,
}

fn base64_text<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    let decoded = text.map(|text| BASE64_STANDARD.decode(text)).transpose();
    decoded.map_err(|_| serde::de::Error::custom("not base64"))
}

/// The name or the value of a header: its bytes, or a list with one text, which is base64.
#[derive(Debug, Clone)]
struct HeaderPart(Vec<u8>);

impl<'de> Deserialize<'de> for HeaderPart {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<HeaderPart, D::Error> {
        struct Bytes;
        impl<'de> serde::de::Visitor<'de> for Bytes {
            type Value = HeaderPart;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text, or a list with a text in base64")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<HeaderPart, E> {
                Ok(HeaderPart(bytes.to_vec()))
            }

            fn visit_str<E>(self, text: &str) -> Result<HeaderPart, E> {
                Ok(HeaderPart(text.as_bytes().to_vec()))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut list: A,
            ) -> Result<HeaderPart, A::Error> {
                use serde::de::Error;
                let text: Option<String> = list.next_element()?;
                let end: Option<serde::de::IgnoredAny> = list.next_element()?;
                let text = text.filter(|_| end.is_none());
                let bytes = text.and_then(|text| BASE64_STANDARD.decode(text).ok());
                bytes
                    .map(HeaderPart)
                    .ok_or_else(|| A::Error::custom("not base64"))
            }
        }
        from.deserialize_bytes(Bytes)
    }
}

impl std::ops::Deref for HeaderPart {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl Line {
    pub fn timestamp(&self) -> Option<i64> {
        if self.tstype.as_deref() == Some("unknown") {
            return None;
        }
        self.ts.filter(|millis| *millis != -1)
    }

    pub fn record(&self, source: Source) -> RawRecord<'_> {
        RawRecord {
            source,
            timestamp: self.timestamp(),
            key: self.key(),
            value: self.payload(),
        }
    }

    pub fn key(&self) -> Option<&[u8]> {
        let plain = || self.key.as_deref().map(Vec::as_slice);
        self.key_base64.as_deref().or_else(plain)
    }

    pub fn payload(&self) -> Option<&[u8]> {
        let plain = || self.payload.as_deref().map(Vec::as_slice);
        self.payload_base64.as_deref().or_else(plain)
    }

    /// Replaces the timestamp, in milliseconds; both -1 and none mean that there is none.
    pub fn set_timestamp(&mut self, millis: Option<i64>) {
        self.tstype = None;
        self.ts = millis;
    }

    /// Removes headers by their names.
    pub fn drop_headers(&mut self, is_dropped: impl Fn(&str) -> bool) {
        let headers = std::mem::take(&mut self.headers);
        for pair in headers.chunks(2) {
            let name = pair.first().and_then(Option::as_deref);
            let name = name.and_then(|name| std::str::from_utf8(name).ok());
            if !name.is_some_and(&is_dropped) {
                self.headers.extend_from_slice(pair);
            }
        }
    }

    pub fn metadata(&self) -> Metadata {
        let length = |part: &Option<HeaderPart>| part.as_ref().map_or(0, |bytes| bytes.len());
        let headers = self.headers.chunks(2);
        let headers = headers.map(|header| header.iter().map(length).sum());
        Metadata::of(self.key(), headers)
    }

    /// The headers that a record of this source is judged by. A header without a name, or whose name is not UTF-8, does
    /// not exist in Kafka.
    pub fn headers_for(&self, source: Source) -> Vec<Header<'_>> {
        match source {
            Source::Declared(_) => self.headers(),
            _ => Vec::new(),
        }
    }

    /// Names and values of its headers in their order, like [`Line::headers_for`].
    pub fn headers(&self) -> Vec<Header<'_>> {
        let pairs = self.headers.chunks_exact(2);
        pairs
            .filter_map(|pair| match pair {
                [Some(name), value] => {
                    let name = std::str::from_utf8(name).ok()?;
                    Some((name, value.as_deref().map(Vec::as_slice)))
                }
                _ => None,
            })
            .collect()
    }

    /// The value of the last header with a name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let mut pairs = self.headers.rchunks_exact(2);
        pairs.find_map(|pair| match pair {
            [Some(header), value] if header.as_slice() == name.as_bytes() => {
                Some(value.as_deref().map(Vec::as_slice))
            }
            _ => None,
        })?
    }
}
