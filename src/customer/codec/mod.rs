//! The encoded state of a customer, as the state topic and the stores hold it.
//!
//! One byte with the number of the layout, then the parts of [`Customer`]. Times and stamps are eight bytes,
//! big-endian; counts, lengths and versions are LEB128; a text follows its length. Optional parts follow a byte with
//! one bit for each part that is present; the first part has the lowest bit. Equal states always have the same bytes.
//! docs/design.md has the layout as a table.
//!
//! The layouts of released versions are kept for ever: states of each are in `schemas/states`. A later layout begins
//! with its number and with the version that introduced it, so that an older version can name the version it needs.

mod declared;
mod read;
mod stamped;

use read::StateReader;
use stamped::StoredStamp;

use super::contribution::{ActionKind, ConsoleParts, Publisher, Status};
use super::declared::DeclaredStamp;
use super::list::{Floor, List, Listing, StoredElement};
use super::register::{Register, Scalars};
use super::stamp::Stamp;
use super::texts::{Span, Texts};
use super::{Customer, EncodedState, Erasures, StoredConsole};
use crate::model::time::{Date, Instant};
use crate::model::varint;

/// The layout that this version writes: that of 0.1.0, the first one that was released.
pub const LAYOUT: u8 = 5;

/// Why this version cannot read a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    #[error(
        "the state has layout {0}, and this version reads layout {LAYOUT}; rebuild it with `keyfold topics reset`"
    )]
    Layout(u8),
    #[error(
        "the state was written by keyfold {major}.{minor} or later; this is version {}: run that version",
        env!("CARGO_PKG_VERSION")
    )]
    Later { major: u8, minor: u8 },
    #[error("the state is damaged; rebuild it with `keyfold topics reset`")]
    Damaged,
}

/// An error if a state has a layout that this version does not read. It looks at the first bytes only.
pub fn check_layout(state: &[u8]) -> Result<(), CodecError> {
    match *state {
        [LAYOUT, ..] => Ok(()),
        [layout, major, minor, ..] if layout > LAYOUT => Err(CodecError::Later { major, minor }),
        [layout, ..] if layout < LAYOUT => Err(CodecError::Layout(layout)),
        _ => Err(CodecError::Damaged),
    }
}

/// What the encoding of a part refers to.
#[derive(Clone, Copy)]
struct Refers<'t> {
    /// The texts of the customer.
    texts: &'t Texts,
    /// The time of the last erasure of all sources.
    erased: Instant,
    /// Of the declared source that is being encoded: its stamps and times, ascending.
    stamps: &'t [DeclaredStamp],
    times: &'t [Instant],
}

/// A type with one encoding, used wherever it occurs.
trait Stored: Sized {
    /// Appends the encoding.
    fn put(&self, to: &Refers<'_>, out: &mut Vec<u8>);
    fn read(input: &mut StateReader<'_>) -> Result<Self, CodecError>;
}

/// A part that may be missing. Then only its bit in the byte before is written.
trait Part: Stored + Default {
    fn is_there(&self) -> bool;
}

/// Writes the byte with the bits of some parts, and then the parts that are present.
macro_rules! write_parts {
    ($of:ident, $to:ident, $out:ident, [$($part:ident),*] $(, $more:expr)?) => {
        $out.push(bits([$($of.$part.is_there(),)* $($more)?]));
        $(if $of.$part.is_there() {
            $of.$part.put($to, $out);
        })*
    };
}

/// Declares how structs are encoded: fields that are always present in braces, and optional parts in brackets. A text
/// that is read `as fields` must be well-formed [`Fields`].
macro_rules! layout {
    ($($of:ident $(<$($arg:ty),*>)? $(for $stamp:ident)? =
        { $($first:ident $(as $first_as:ident)?),* }
        $([ $($part:ident),* ] { $($last:ident),* })?;
    )*) => { $(
        impl $(<$stamp: StoredStamp>)? Stored for $of $(<$($arg),*>)? {
            #[inline]
            fn put(&self, to: &Refers<'_>, out: &mut Vec<u8>) {
                $(self.$first.put(to, out);)*
                $(
                    write_parts!(self, to, out, [$($part),*]);
                    $(self.$last.put(to, out);)*
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
        let to = &Refers {
            texts: &self.texts,
            erased: self.erasures.all,
            stamps: &[],
            times: &[],
        };
        out.push(LAYOUT);
        let has_more = self.declared.is_there();
        write_parts!(
            self,
            to,
            out,
            [
                erasures, scalars, addresses, dependents, actions, console, publisher
            ],
            has_more
        );
        if has_more {
            write_parts!(self, to, out, [declared]);
        }
    }

    pub(super) fn encoded(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode(&mut bytes);
        bytes
    }

    /// Decodes a state; its texts stay in it. Bytes of another kind are copied.
    pub fn decode(state: impl Into<EncodedState>) -> Result<Customer, CodecError> {
        Customer::of_state(state.into())
    }

    fn of_state(state: EncodedState) -> Result<Customer, CodecError> {
        check_layout(&state)?;
        let mut input = StateReader::of(&state);
        input.byte()?;
        let mut parts = input.parts()?;
        let erasures: Erasures = parts.next(&mut input)?;
        input.erased = erasures.all;
        let mut customer = Customer {
            texts: Texts::default(),
            erasures,
            scalars: parts.next(&mut input)?,
            addresses: parts.next(&mut input)?,
            dependents: parts.next(&mut input)?,
            actions: parts.next(&mut input)?,
            console: parts.next(&mut input)?,
            publisher: parts.next(&mut input)?,
            declared: None,
        };
        if parts.is_next_there() {
            let mut more = input.parts()?;
            customer.declared = more.next(&mut input)?;
            more.end()?;
            customer.drop_empty_sources();
        }
        if input.at != state.len() {
            return Err(CodecError::Damaged);
        }
        customer.texts = Texts::of(state);
        Ok(customer)
    }
}

layout! {
    Publisher<Span> = { at, enrollment, accounts };
    StoredConsole = { version, at } [parts] {};
    ConsoleParts<Span> = { names, phones, addresses, attributes };
    List<S> for S = {} [newest, shorter, floor] { elements };
    Listing<S> for S = { stamp, length };
    Floor<S> for S = { stamp, id };
    StoredElement<S> for S = { id } [listed, content] {};
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

impl<S: StoredStamp> Part for List<S> {
    fn is_there(&self) -> bool {
        !self.is_empty()
    }
}

impl Stored for Erasures {
    fn put(&self, _: &Refers<'_>, out: &mut Vec<u8>) {
        // That of a source is written only if it is later than that of all sources.
        let [one, two, three, four] = self.built_in.map(|at| Some(at).filter(|at| *at > self.all));
        let all = Some(self.all).filter(|at| !at.is_never());
        let times = [one, two, three, four, all];
        out.push(bits(times.map(|at| at.is_some())));
        for at in times.into_iter().flatten() {
            out.extend_from_slice(&at.micros().to_be_bytes());
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, CodecError> {
        let mut parts = input.parts()?;
        let mut erasures = Erasures::default();
        let [one, two, three, four] = &mut erasures.built_in;
        for at in [one, two, three, four, &mut erasures.all] {
            let read: Option<Instant> = parts.next(input)?;
            *at = read.unwrap_or(Instant::NEVER);
        }
        for at in &mut erasures.built_in {
            *at = erasures.all.max(*at);
        }
        Ok(erasures)
    }
}

impl Part for Erasures {
    fn is_there(&self) -> bool {
        !self.all.is_never() || self.built_in.iter().any(|at| !at.is_never())
    }
}

impl<T: Stored> Stored for Option<T> {
    #[inline]
    fn put(&self, to: &Refers<'_>, out: &mut Vec<u8>) {
        if let Some(part) = self {
            part.put(to, out);
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
    fn put(&self, to: &Refers<'_>, out: &mut Vec<u8>) {
        (**self).put(to, out);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, CodecError> {
        T::read(input).map(Box::new)
    }
}

impl<T: Stored> Stored for Vec<T> {
    #[inline]
    fn put(&self, to: &Refers<'_>, out: &mut Vec<u8>) {
        self.len().put(to, out);
        for item in self {
            item.put(to, out);
        }
    }

    #[inline]
    fn read(input: &mut StateReader<'_>) -> Result<Self, CodecError> {
        let count = input.count()?;
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
    fn put(&self, to: &Refers<'_>, out: &mut Vec<u8>) {
        self.stamp.put(to, out);
        self.value.put(to, out);
    }

    #[inline]
    fn read(input: &mut StateReader<'_>) -> Result<Self, CodecError> {
        let (stamp, value) = (Stored::read(input)?, Stored::read(input)?);
        Ok(Register { stamp, value })
    }
}

/// Declares for single values how each is written and read.
macro_rules! stored {
    ($($of:ty: |$value:ident, $to:pat_param, $out:ident| $write:expr, |$input:ident| $read:expr;)*) => { $(
        impl Stored for $of {
            #[inline]
            fn put(&self, $to: &Refers<'_>, $out: &mut Vec<u8>) {
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
    Span: |text, to, out| varint::put_bytes(out, to.texts.get(*text)),
        |input| Span::at(input.text()?).ok_or(CodecError::Damaged);
}
