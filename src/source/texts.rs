//! The canonical texts of one record, which share one allocation.

use bytes::{Bytes, BytesMut};

use crate::customer::fields::Fields;

#[derive(Default)]
pub struct Texts {
    scratch: Vec<u8>,
    shared: BytesMut,
}

impl Texts {
    /// The expected size of all texts together, in bytes.
    pub fn with_capacity(size: usize) -> Texts {
        Texts {
            scratch: Vec::with_capacity(size.min(4096)),
            shared: BytesMut::with_capacity(size),
        }
    }

    /// The text that `write` appends.
    pub fn text(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
        self.scratch.clear();
        write(&mut self.scratch);
        self.shared.extend_from_slice(&self.scratch);
        self.shared.split().freeze()
    }

    /// The fields that `write` puts.
    pub fn fields(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Fields {
        Fields::written(self.text(write))
    }

    pub fn copy(&mut self, text: &[u8]) -> Bytes {
        self.shared.extend_from_slice(text);
        self.shared.split().freeze()
    }
}
