//! Reads the bytes of a state, which may be damaged.

use super::{CodecError, Part};
use crate::customer::declared::{DeclaredStamp, Order};
use crate::customer::fields::Fields;
use crate::customer::texts::Span;
use crate::model::time::{Date, Instant};
use crate::model::varint;

/// The optional parts that follow, one bit each.
pub(super) struct Parts(u8);

impl Parts {
    #[inline]
    pub fn next<T: Part>(&mut self, input: &mut StateReader<'_>) -> Result<T, CodecError> {
        let is_there = self.0 & 1 != 0;
        self.0 >>= 1;
        match is_there {
            true => T::read(input),
            false => Ok(T::default()),
        }
    }

    /// The bit of the next part by itself.
    pub fn is_next_there(&mut self) -> bool {
        let is_there = self.0 & 1 != 0;
        self.0 >>= 1;
        is_there
    }

    /// There must be no further parts.
    pub fn end(self) -> Result<(), CodecError> {
        match self.0 {
            0 => Ok(()),
            _ => Err(CodecError::Damaged),
        }
    }
}

/// The bytes of a state. Every length is compared with the remaining bytes before it is used.
pub(super) struct StateReader<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
    /// The time of the last erasure of all sources.
    pub erased: Instant,
    /// Of the declared source that is being read: the order of its stamps, its stamps, and its times.
    pub order: Order,
    pub stamps: Vec<DeclaredStamp>,
    pub times: Vec<Instant>,
}

impl<'a> StateReader<'a> {
    pub fn of(bytes: &'a [u8]) -> StateReader<'a> {
        StateReader {
            bytes,
            at: 0,
            erased: Instant::NEVER,
            order: Order::UpdatedAt,
            stamps: Vec::new(),
            times: Vec::new(),
        }
    }

    #[inline]
    pub fn take(&mut self, length: usize) -> Result<std::ops::Range<usize>, CodecError> {
        let end = self.at.checked_add(length).ok_or(CodecError::Damaged)?;
        if end > self.bytes.len() {
            return Err(CodecError::Damaged);
        }
        let range = self.at..end;
        self.at = end;
        Ok(range)
    }

    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let range = self.take(N)?;
        self.bytes[range]
            .try_into()
            .map_err(|_| CodecError::Damaged)
    }

    #[inline]
    pub fn byte(&mut self) -> Result<u8, CodecError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub fn parts(&mut self) -> Result<Parts, CodecError> {
        self.byte().map(Parts)
    }

    #[inline]
    pub fn number(&mut self) -> Result<u64, CodecError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let (number, rest) = varint::read(rest).ok_or(CodecError::Damaged)?;
        self.at = self.bytes.len() - rest.len();
        Ok(number)
    }

    #[inline]
    pub fn length(&mut self) -> Result<usize, CodecError> {
        usize::try_from(self.number()?).map_err(|_| CodecError::Damaged)
    }

    /// The range of a text in the bytes.
    #[inline]
    pub fn text(&mut self) -> Result<std::ops::Range<usize>, CodecError> {
        let length = self.length()?;
        self.take(length)
    }

    /// A text that was read.
    pub fn bytes_of(&self, text: Span) -> &'a [u8] {
        self.bytes.get(text.range()).unwrap_or_default()
    }

    /// How many items follow. Each needs at least one byte, so a damaged count cannot cause a huge allocation.
    #[inline]
    pub fn count(&mut self) -> Result<usize, CodecError> {
        let count = self.length()?;
        match count > self.bytes.len() - self.at {
            true => Err(CodecError::Damaged),
            false => Ok(count),
        }
    }

    pub fn fields(&mut self) -> Result<Span, CodecError> {
        let range = self.text()?;
        if !Fields::of(&self.bytes[range.clone()]).are_well_formed() {
            return Err(CodecError::Damaged);
        }
        Span::at(range).ok_or(CodecError::Damaged)
    }

    pub fn date(&mut self) -> Result<Date, CodecError> {
        let text = self.array::<10>()?;
        let date = std::str::from_utf8(&text).ok().and_then(Date::parse);
        date.ok_or(CodecError::Damaged)
    }

    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> Result<T, CodecError> {
        let at = usize::from(self.byte()?);
        all.get(at).copied().ok_or(CodecError::Damaged)
    }
}
