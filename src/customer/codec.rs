//! The encoded state of a customer, as the state topic and the stores hold it.
//!
//! One byte with the number of the layout, then the parts of [`Customer`]. Times and stamps are eight bytes,
//! big-endian; counts, lengths and versions are LEB128; a text follows its length. Optional parts follow a byte with
//! one bit for each part that is present; the first part has the lowest bit. Equal states always have the same bytes.
//! docs/design.md has the layout as a table.

use bytes::Bytes;

use super::actions::Actions;
use super::contribution::{Action, ActionKind, ConsoleParts, Content, Publisher, Status};
use super::fields::Fields;
use super::list::{Floor, List, Listing, StoredElement};
use super::register::{Register, Scalars};
use super::stamp::Stamp;
use super::texts::{Span, Texts};
use super::{Customer, Erasures, StoredConsole};
use crate::model::time::{Date, Instant};
use crate::model::varint;

/// The layout that this version writes. States with another layout must be rebuilt from the inputs.
pub const LAYOUT: u8 = 4;

/// Why this version cannot read a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    #[error(
        "the state has layout {0}, and this version reads layout {LAYOUT}; rebuild it with `keyfold topics reset`"
    )]
    Layout(u8),
    #[error("the state is damaged; rebuild it with `keyfold topics reset`")]
    Damaged,
}

/// A type with one encoding, used wherever it occurs.
trait Stored: Sized {
    /// Appends the encoding; `texts` are those of the customer.
    fn put(&self, texts: &Texts, out: &mut Vec<u8>);
    fn read(input: &mut StateReader<'_>) -> Result<Self, CodecError>;
}

/// A part that may be missing. Then only its bit in the byte before is written.
trait Part: Stored + Default {
    fn is_there(&self) -> bool;
}

/// Writes the byte with the bits of some parts, and then the parts that are present.
macro_rules! write_parts {
    ($of:ident, $texts:ident, $out:ident, [$($part:ident),*]) => {
        $out.push(bits([$($of.$part.is_there()),*]));
        $(if $of.$part.is_there() {
            $of.$part.put($texts, $out);
        })*
    };
}

/// Declares how structs are encoded: fields that are always present in braces, and optional parts in brackets. A text
/// that is read `as fields` must be well-formed [`Fields`].
macro_rules! layout {
    ($($of:ident $(<$text:ty>)? =
        { $($first:ident $(as $first_as:ident)?),* }
        $([ $($part:ident),* ] { $($last:ident),* })?;
    )*) => { $(
        impl Stored for $of $(<$text>)? {
            #[inline]
            fn put(&self, texts: &Texts, out: &mut Vec<u8>) {
                $(self.$first.put(texts, out);)*
                $(
                    write_parts!(self, texts, out, [$($part),*]);
                    $(self.$last.put(texts, out);)*
                )?
            }

            #[inline]
            fn read(input: &mut StateReader<'_>) -> Result<Self, CodecError> {
                $(let $first = layout!(@read input $($first_as)?);)*
                $(
                    let mut parts = input.parts()?;
                    $(let $part = parts.next(input)?;)*
                    $(let $last = Stored::read(input)?;)*
                )?
                Ok($of { $($first,)* $($($part,)* $($last,)*)? })
            }
        }
    )* };
    (@read $input:ident) => { Stored::read($input)? };
    (@read $input:ident $kind:ident) => { $input.$kind()? };
}

impl Customer {
    /// Appends the encoded state.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let texts = &self.texts;
        out.push(LAYOUT);
        write_parts!(
            self,
            texts,
            out,
            [
                erasures, scalars, addresses, dependents, actions, console, publisher
            ]
        );
    }

    pub(super) fn encoded(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode(&mut bytes);
        bytes
    }

    /// Decodes a state; its texts share the given bytes.
    pub fn decode(bytes: &Bytes) -> Result<Customer, CodecError> {
        let mut input = StateReader { bytes, at: 0 };
        let layout = input.byte()?;
        if layout != LAYOUT {
            return Err(CodecError::Layout(layout));
        }
        let mut parts = input.parts()?;
        let customer = Customer {
            texts: Texts::of(bytes.clone()),
            erasures: parts.next(&mut input)?,
            scalars: parts.next(&mut input)?,
            addresses: parts.next(&mut input)?,
            dependents: parts.next(&mut input)?,
            actions: parts.next(&mut input)?,
            console: parts.next(&mut input)?,
            publisher: parts.next(&mut input)?,
        };
        match input.at == bytes.len() {
            true => Ok(customer),
            false => Err(CodecError::Damaged),
        }
    }
}

layout! {
    Publisher<Span> = { at, enrollment, accounts };
    StoredConsole = { version, at } [parts] {};
    ConsoleParts<Span> = { names, phones, addresses, attributes };
    Actions = {} [evicted] { kept };
    Action<Span> = { id, stamp, created_at, kind, body as fields };
    List = {} [newest, shorter, floor] { elements };
    Listing = { stamp, length };
    Floor = { stamp, id };
    StoredElement = { id } [listed, content] {};
    Content<Span> = { stamp, created_at, body as fields };
    Scalars = {} [date_of_birth, status, marketing_opt_in, sms_opt_in, created_at] {};
}

/// A byte with one bit for each item that is present; the first item has the lowest bit.
#[inline]
fn bits<const N: usize>(there: [bool; N]) -> u8 {
    let bits = there.into_iter().enumerate();
    bits.fold(0, |bits, (at, there)| bits | (u8::from(there) << at))
}

impl Part for Scalars {
    fn is_there(&self) -> bool {
        *self != Scalars::default()
    }
}

impl Part for List {
    fn is_there(&self) -> bool {
        self.newest.is_some() || !self.elements.is_empty() || self.floor.is_some()
    }
}

impl Part for Actions {
    fn is_there(&self) -> bool {
        !self.kept.is_empty() || self.evicted.is_some()
    }
}

impl Stored for Erasures {
    fn put(&self, _: &Texts, out: &mut Vec<u8>) {
        out.push(bits(self.0.map(|at| !at.is_never())));
        for at in self.0.into_iter().filter(|at| !at.is_never()) {
            out.extend_from_slice(&at.micros().to_be_bytes());
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, CodecError> {
        let mut parts = input.parts()?;
        let mut erasures = Erasures::default();
        for at in &mut erasures.0 {
            *at = parts
                .next::<Option<Instant>>(input)?
                .unwrap_or(Instant::NEVER);
        }
        Ok(erasures)
    }
}

impl Part for Erasures {
    fn is_there(&self) -> bool {
        self.0.iter().any(|at| !at.is_never())
    }
}

impl<T: Stored> Stored for Option<T> {
    #[inline]
    fn put(&self, texts: &Texts, out: &mut Vec<u8>) {
        if let Some(part) = self {
            part.put(texts, out);
        }
    }

    #[inline]
    fn read(input: &mut StateReader<'_>) -> Result<Self, CodecError> {
        T::read(input).map(Some)
    }
}

impl<T: Stored> Part for Option<T> {
    #[inline]
    fn is_there(&self) -> bool {
        self.is_some()
    }
}

impl<T: Stored> Stored for Box<T> {
    fn put(&self, texts: &Texts, out: &mut Vec<u8>) {
        (**self).put(texts, out);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, CodecError> {
        T::read(input).map(Box::new)
    }
}

impl<T: Stored> Stored for Vec<T> {
    #[inline]
    fn put(&self, texts: &Texts, out: &mut Vec<u8>) {
        self.len().put(texts, out);
        for item in self {
            item.put(texts, out);
        }
    }

    #[inline]
    fn read(input: &mut StateReader<'_>) -> Result<Self, CodecError> {
        let count = usize::read(input)?;
        // Each item needs at least one byte, so a damaged count cannot cause a huge allocation.
        if count > input.bytes.len() - input.at {
            return Err(CodecError::Damaged);
        }
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(T::read(input)?);
        }
        Ok(items)
    }
}

impl<T: Stored> Part for Vec<T> {
    #[inline]
    fn is_there(&self) -> bool {
        !self.is_empty()
    }
}

impl<T: Stored> Stored for Register<T> {
    #[inline]
    fn put(&self, texts: &Texts, out: &mut Vec<u8>) {
        self.stamp.put(texts, out);
        self.value.put(texts, out);
    }

    #[inline]
    fn read(input: &mut StateReader<'_>) -> Result<Self, CodecError> {
        let (stamp, value) = (Stored::read(input)?, Stored::read(input)?);
        Ok(Register { stamp, value })
    }
}

/// Declares for single values how each is written and read.
macro_rules! stored {
    ($($of:ty: |$value:ident, $texts:pat_param, $out:ident| $write:expr, |$input:ident| $read:expr;)*) => { $(
        impl Stored for $of {
            #[inline]
            fn put(&self, $texts: &Texts, $out: &mut Vec<u8>) {
                let $value = self;
                $write;
            }

            #[inline]
            fn read($input: &mut StateReader<'_>) -> Result<Self, CodecError> {
                $read
            }
        }
    )* };
}

stored! {
    u64: |number, _, out| varint::put(out, *number), |input| input.number();
    usize: |number, _, out| varint::put(out, *number as u64), |input| input.length();
    bool: |flag, _, out| out.push(u8::from(*flag)), |input| Ok(input.byte()? != 0);
    Instant: |at, _, out| out.extend_from_slice(&at.micros().to_be_bytes()),
        |input| Ok(Instant::from_micros(i64::from_be_bytes(input.array()?)));
    Stamp: |stamp, _, out| out.extend_from_slice(&stamp.bits().to_be_bytes()),
        |input| Ok(Stamp::from_bits(i64::from_be_bytes(input.array()?)));
    Date: |date, _, out| out.extend_from_slice(date.bytes()), |input| input.date();
    Status: |status, _, out| out.push(*status as u8), |input| input.one_of(Status::ALL);
    ActionKind: |kind, _, out| out.push(*kind as u8), |input| input.one_of(ActionKind::ALL);
    Span: |text, texts, out| varint::put_bytes(out, texts.get(*text)),
        |input| Span::at(input.text()?).ok_or(CodecError::Damaged);
}

/// The optional parts that follow, one bit each.
struct Parts(u8);

impl Parts {
    #[inline]
    fn next<T: Part>(&mut self, input: &mut StateReader<'_>) -> Result<T, CodecError> {
        let is_there = self.0 & 1 != 0;
        self.0 >>= 1;
        match is_there {
            true => T::read(input),
            false => Ok(T::default()),
        }
    }
}

/// The bytes of a state. Every length is compared with the remaining bytes before it is used.
struct StateReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl StateReader<'_> {
    #[inline]
    fn take(&mut self, length: usize) -> Result<std::ops::Range<usize>, CodecError> {
        let end = self.at.checked_add(length).ok_or(CodecError::Damaged)?;
        if end > self.bytes.len() {
            return Err(CodecError::Damaged);
        }
        let range = self.at..end;
        self.at = end;
        Ok(range)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let range = self.take(N)?;
        self.bytes[range]
            .try_into()
            .map_err(|_| CodecError::Damaged)
    }

    #[inline]
    fn byte(&mut self) -> Result<u8, CodecError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn parts(&mut self) -> Result<Parts, CodecError> {
        self.byte().map(Parts)
    }

    #[inline]
    fn number(&mut self) -> Result<u64, CodecError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let (number, rest) = varint::read(rest).ok_or(CodecError::Damaged)?;
        self.at = self.bytes.len() - rest.len();
        Ok(number)
    }

    #[inline]
    fn length(&mut self) -> Result<usize, CodecError> {
        usize::try_from(self.number()?).map_err(|_| CodecError::Damaged)
    }

    /// The range of a text in the bytes.
    #[inline]
    fn text(&mut self) -> Result<std::ops::Range<usize>, CodecError> {
        let length = self.length()?;
        self.take(length)
    }

    fn fields(&mut self) -> Result<Span, CodecError> {
        let range = self.text()?;
        if !Fields::of(&self.bytes[range.clone()]).are_well_formed() {
            return Err(CodecError::Damaged);
        }
        Span::at(range).ok_or(CodecError::Damaged)
    }

    fn date(&mut self) -> Result<Date, CodecError> {
        let text = self.array::<10>()?;
        let date = std::str::from_utf8(&text).ok().and_then(Date::parse);
        date.ok_or(CodecError::Damaged)
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> Result<T, CodecError> {
        let at = usize::from(self.byte()?);
        all.get(at).copied().ok_or(CodecError::Damaged)
    }
}
