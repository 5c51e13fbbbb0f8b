//! The encoding of what has a stamp and a time of creation: the contents of elements, and actions.

use super::read::StateReader;
use super::{CodecError, Part, Refers, Stored, bits};
use crate::customer::actions::Actions;
use crate::customer::contribution::{Action, Content};
use crate::customer::stamp::{AnyStamp, Stamp};
use crate::customer::texts::Span;
use crate::model::time::Instant;

/// A stamp, and how the times of creation of the same source are encoded.
pub(super) trait StoredStamp: AnyStamp + Stored {
    fn put_time(at: Instant, to: &Refers<'_>, out: &mut Vec<u8>);
    fn read_time(input: &mut StateReader<'_>) -> Result<Instant, CodecError>;
}

impl StoredStamp for Stamp {
    #[inline]
    fn put_time(at: Instant, to: &Refers<'_>, out: &mut Vec<u8>) {
        at.put(to, out);
    }

    #[inline]
    fn read_time(input: &mut StateReader<'_>) -> Result<Instant, CodecError> {
        Stored::read(input)
    }
}

impl<S: StoredStamp> Stored for Content<Span, S> {
    #[inline]
    fn put(&self, to: &Refers<'_>, out: &mut Vec<u8>) {
        self.stamp.put(to, out);
        S::put_time(self.created_at, to, out);
        self.body.put(to, out);
    }

    #[inline]
    fn read(input: &mut StateReader<'_>) -> Result<Self, CodecError> {
        Ok(Content {
            stamp: Stored::read(input)?,
            created_at: S::read_time(input)?,
            body: input.fields()?,
        })
    }
}

impl<S: StoredStamp, K: Stored> Stored for Action<Span, S, K> {
    #[inline]
    fn put(&self, to: &Refers<'_>, out: &mut Vec<u8>) {
        self.id.put(to, out);
        self.stamp.put(to, out);
        S::put_time(self.created_at, to, out);
        self.kind.put(to, out);
        self.body.put(to, out);
    }

    #[inline]
    fn read(input: &mut StateReader<'_>) -> Result<Self, CodecError> {
        Ok(Action {
            id: Stored::read(input)?,
            stamp: Stored::read(input)?,
            created_at: S::read_time(input)?,
            kind: Stored::read(input)?,
            body: input.fields()?,
        })
    }
}

impl<S: StoredStamp, K: Stored> Stored for Actions<S, K> {
    fn put(&self, to: &Refers<'_>, out: &mut Vec<u8>) {
        out.push(bits([self.evicted.is_some()]));
        self.evicted.put(to, out);
        self.kept.put(to, out);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, CodecError> {
        let evicted = input.parts()?.next(input)?;
        let kept = Stored::read(input)?;
        Ok(Actions { kept, evicted })
    }
}

impl<S: StoredStamp, K: Stored> Part for Actions<S, K> {
    fn is_there(&self) -> bool {
        !self.kept.is_empty() || self.evicted.is_some()
    }
}
