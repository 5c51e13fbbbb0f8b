//! The texts of a record or of a customer. Each is a [`Span`]: its position in the two buffers of its [`Texts`].
//!
//! A batch holds many thousand customers, and each is decoded, changed and encoded again within the batch. The texts of
//! a customer stay in the buffer that it was decoded from, which is shared with the store; texts that records add are
//! appended to another buffer. So a text takes eight bytes in the state, and adding or dropping one needs no
//! allocation.

use super::EncodedState;
use crate::prefetch;

/// The position of a text in the [`Texts`] of its record or customer. It is meaningless for any other `Texts`.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    start: u32,
    length: u32,
}

/// The texts of a record or a customer, including those that a customer does not use any more.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    /// None without a state, because all empty slices would share one counter of references.
    decoded: Option<EncodedState>,
    added: Vec<u8>,
}

impl Span {
    /// A text without bytes, of any [`Texts`].
    pub const EMPTY: Span = Span {
        start: 0,
        length: 0,
    };

    /// Its position, if its `Texts` are those of one buffer.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.start as usize + self.length as usize
    }

    /// None if the range is beyond 4 GiB, which does not happen: records and states are limited to 100 MiB.
    pub fn at(range: std::ops::Range<usize>) -> Option<Span> {
        let start = u32::try_from(range.start).ok()?;
        let length = u32::try_from(range.len()).ok()?;
        start.checked_add(length)?;
        Some(Span { start, length })
    }
}

impl Texts {
    /// This many bytes may be unused before [`Texts::are_wasteful`] returns true.
    const SPARE: usize = 4096;

    /// Without texts yet, with capacity for `bytes` bytes.
    pub fn with_capacity(bytes: usize) -> Texts {
        Texts {
            decoded: None,
            added: Vec::with_capacity(bytes),
        }
    }

    /// The texts of a state that is decoded from these bytes.
    pub fn of(decoded: EncodedState) -> Texts {
        Texts {
            decoded: Some(decoded),
            added: Vec::new(),
        }
    }

    /// Asks for the memory of the texts, because they are read soon.
    pub fn prefetch(&self) {
        prefetch::soon(self.decoded());
        prefetch::soon(&*self.added);
    }

    #[inline]
    fn decoded(&self) -> &[u8] {
        self.decoded.as_deref().unwrap_or_default()
    }

    #[inline]
    pub fn get(&self, text: Span) -> &[u8] {
        let (start, length) = (text.start as usize, text.length as usize);
        let decoded = self.decoded();
        match start.checked_sub(decoded.len()) {
            None => &decoded[start..start + length],
            Some(start) => &self.added[start..start + length],
        }
    }

    /// Reserves space for texts of `bytes` bytes in total.
    pub fn reserve(&mut self, bytes: usize) {
        // Reserve little more than needed, because a batch holds many customers in memory.
        if self.added.capacity() - self.added.len() < bytes {
            self.added.reserve_exact(bytes.max(self.added.len() / 4));
        }
    }

    pub fn add(&mut self, text: &[u8]) -> Span {
        self.write(|out| out.extend_from_slice(text))
    }

    /// Adds the text that `write` appends.
    pub fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Span {
        let start = self.bytes();
        write(&mut self.added);
        // A text beyond 4 GiB gets a span out of range, so that it is not mistaken for another text.
        Span::at(start..self.bytes()).unwrap_or(Span {
            start: u32::MAX,
            length: u32::MAX,
        })
    }

    /// The size of all texts in bytes.
    pub fn bytes(&self) -> usize {
        self.decoded().len() + self.added.len()
    }

    /// Whether more bytes were added than decoded, most of which may have been replaced since. If a customer is encoded
    /// and decoded again whenever this is true, the total cost is proportional to the bytes that are added.
    pub fn are_wasteful(&self) -> bool {
        self.added.len() > self.decoded().len() + Self::SPARE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_by_their_spans() {
        let mut texts = Texts::of(b"abcd"[..].into());
        let old = [Span::at(0..2), Span::at(2..4), Span::at(4..4)].map(Option::unwrap);
        let new = [texts.add(b"e"), texts.add(b""), texts.add(b"fg")];
        assert_eq!(old.map(|text| texts.get(text)), [&b"ab"[..], b"cd", b""]);
        assert_eq!(new.map(|text| texts.get(text)), [&b"e"[..], b"", b"fg"]);
        assert!(Span::at(0..usize::MAX).is_none());
    }
}
