//! The texts of a record or of a customer. Each is a [`Span`]: where it stands in the two buffers of its [`Texts`].
//!
//! A batch holds many thousand customers, and each is decoded, changed and encoded again within it. Its texts stay in
//! the buffer that it was decoded from, which the store shares; what records add is appended to another one. So a
//! text takes eight bytes in the state, and neither adding nor dropping one needs an allocation of its own.

use bytes::Bytes;

/// Where a text stands in the [`Texts`] of its record or customer. It says nothing about those of another.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    start: u32,
    length: u32,
}

/// The texts of a record or a customer, and those that a customer does not use any more.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    decoded: Bytes,
    added: Vec<u8>,
}

impl Span {
    /// None where the range lies beyond 4 GiB; the bounds of records and states are 100 MiB.
    pub fn at(range: std::ops::Range<usize>) -> Option<Span> {
        let start = u32::try_from(range.start).ok()?;
        let length = u32::try_from(range.len()).ok()?;
        start.checked_add(length)?;
        Some(Span { start, length })
    }
}

impl Texts {
    /// So many bytes may be unused before [`Texts::are_wasteful`].
    const SPARE: usize = 4096;

    /// No text yet, with room for `bytes` bytes.
    pub fn with_capacity(bytes: usize) -> Texts {
        Texts {
            decoded: Bytes::new(),
            added: Vec::with_capacity(bytes),
        }
    }

    /// The texts of a state that is decoded from these bytes, by their ranges.
    pub fn of(decoded: Bytes) -> Texts {
        Texts {
            decoded,
            added: Vec::new(),
        }
    }

    #[inline]
    pub fn get(&self, text: Span) -> &[u8] {
        let (start, length) = (text.start as usize, text.length as usize);
        match start.checked_sub(self.decoded.len()) {
            None => &self.decoded[start..start + length],
            Some(start) => &self.added[start..start + length],
        }
    }

    /// Makes room for texts of `bytes` bytes together.
    pub fn reserve(&mut self, bytes: usize) {
        // a batch holds many customers, so little more than is needed
        if self.added.capacity() - self.added.len() < bytes {
            self.added.reserve_exact(bytes.max(self.added.len() / 4));
        }
    }

    pub fn add(&mut self, text: &[u8]) -> Span {
        self.write(|out| out.extend_from_slice(text))
    }

    /// Adds the text that `write` appends.
    pub fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Span {
        let start = self.decoded.len() + self.added.len();
        write(&mut self.added);
        // a text beyond 4 GiB gets a span that no text has, and not that of another text
        Span::at(start..self.decoded.len() + self.added.len()).unwrap_or(Span {
            start: u32::MAX,
            length: u32::MAX,
        })
    }

    /// The bytes of all together.
    pub fn bytes(&self) -> usize {
        self.decoded.len() + self.added.len()
    }

    /// Whether more bytes were added than decoded. Most of all may have been replaced since. A customer that is encoded
    /// and decoded again whenever this holds has a cost in proportion to the bytes that are added.
    pub fn are_wasteful(&self) -> bool {
        self.added.len() > self.decoded.len() + Self::SPARE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_where_they_stand() {
        let mut texts = Texts::of(Bytes::from_static(b"abcd"));
        let old = [Span::at(0..2), Span::at(2..4), Span::at(4..4)].map(Option::unwrap);
        let new = [texts.add(b"e"), texts.add(b""), texts.add(b"fg")];
        assert_eq!(old.map(|text| texts.get(text)), [&b"ab"[..], b"cd", b""]);
        assert_eq!(new.map(|text| texts.get(text)), [&b"e"[..], b"", b"fg"]);
        assert!(Span::at(0..usize::MAX).is_none());
    }
}
