//! What a record carries beside its value: its key and its headers.

use crate::model::record::{Code, Rejection};

/// How large the key and the headers of a record are.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    pub headers: usize,
    /// Of the key, and of the headers' names and values.
    pub bytes: usize,
}

impl Metadata {
    /// Of a key, and of headers whose name and value have so many bytes each.
    pub fn of(key: Option<&[u8]>, headers: impl IntoIterator<Item = usize>) -> Metadata {
        let mut all = Metadata {
            headers: 0,
            bytes: key.map_or(0, <[u8]>::len),
        };
        for bytes in headers {
            all.headers += 1;
            all.bytes += bytes;
        }
        all
    }

    /// The rejection of a record whose key and headers are too large: they go wherever the record goes, so they are
    /// bounded as its value is (docs/contract.md, section 2).
    pub fn rejection(self, max_metadata_bytes: usize) -> Option<Rejection> {
        (self.bytes > max_metadata_bytes).then(|| {
            Rejection::with_message(
                Code::TooLarge,
                "the key, header names and header values together are larger than validation.max_metadata_bytes",
            )
        })
    }
}
