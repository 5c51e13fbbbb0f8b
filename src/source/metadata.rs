//! The metadata of a record: its key and its headers.

use crate::model::record::{Code, Rejection};

/// The size of the key and the headers of a record.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    pub headers: usize,
    /// The bytes of the key, and of the names and values of the headers.
    pub bytes: usize,
}

impl Metadata {
    /// `headers` gives the size of each header, name and value together.
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

    /// Rejects a record whose key and headers are too large. They are copied wherever the record goes, so their size is
    /// limited like that of the value (docs/contract.md, section 2).
    pub fn rejection(self, max_metadata_bytes: usize) -> Option<Rejection> {
        (self.bytes > max_metadata_bytes).then(|| {
            Rejection::with_message(
                Code::TooLarge,
                "the key, header names and header values together are larger than validation.max_metadata_bytes",
            )
        })
    }
}
