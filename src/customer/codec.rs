//! The state of a customer as bytes: what the state topic and the stores hold.
//!
//! A version byte, a byte with a bit for each part that is there, then the parts. Times and stamps are eight
//! bytes, big-endian; counts, lengths and versions are LEB128; texts have their length before them. The same
//! state always gives the same bytes.

use bytes::Bytes;

use super::actions::Actions;
use super::contribution::{Action, ActionKind, ConsoleParts, Content, Publisher, Status};
use super::encoding::{number_from, put_bytes, put_number};
use super::fields::Fields;
use super::list::{Floor, Held, List, Listing};
use super::register::Register;
use super::stamp::Stamp;
use super::texts::{Span, Texts};
use super::{Customer, HeldConsole, Scalars};
use crate::model::time::{Date, Instant};

/// The layout that this version writes. A state of another layout must be rebuilt from the inputs.
pub const LAYOUT: u8 = 4;

/// A state that this version can't read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    #[error(
        "the state has layout {0}, and this version reads layout {LAYOUT}; rebuild it with `keyfold topics reset`"
    )]
    Layout(u8),
    #[error("the state is damaged; rebuild it with `keyfold topics reset`")]
    Damaged,
}

mod part {
    pub const ERASED: u8 = 1;
    pub const SCALARS: u8 = 1 << 1;
    pub const ADDRESSES: u8 = 1 << 2;
    pub const DEPENDENTS: u8 = 1 << 3;
    pub const ACTIONS: u8 = 1 << 4;
    pub const CONSOLE: u8 = 1 << 5;
    pub const PUBLISHER: u8 = 1 << 6;
}

impl Customer {
    /// Appends the state.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let parts = [
            (part::ERASED, self.erased.iter().any(|at| !at.is_never())),
            (part::SCALARS, self.scalars != Scalars::default()),
            (part::ADDRESSES, !self.addresses.is_empty()),
            (part::DEPENDENTS, !self.dependents.is_empty()),
            (part::ACTIONS, !self.actions.is_empty()),
            (part::CONSOLE, self.console.is_some()),
            (part::PUBLISHER, self.publisher.is_some()),
        ];
        let present = bits(parts);
        out.extend_from_slice(&[LAYOUT, present]);
        if present & part::ERASED != 0 {
            put_options(
                out,
                self.erased.map(|at| (!at.is_never()).then_some(at)),
                put_instant,
            );
        }
        if present & part::SCALARS != 0 {
            put_scalars(out, &self.scalars);
        }
        if present & part::ADDRESSES != 0 {
            put_list(out, &self.texts, &self.addresses);
        }
        if present & part::DEPENDENTS != 0 {
            put_list(out, &self.texts, &self.dependents);
        }
        if present & part::ACTIONS != 0 {
            put_actions(out, &self.texts, &self.actions);
        }
        if let Some(console) = &self.console {
            put_console(out, &self.texts, console);
        }
        if let Some(publisher) = &self.publisher {
            put_instant(out, publisher.at);
            put_bytes(out, self.texts.get(publisher.enrollment));
            put_bytes(out, self.texts.get(publisher.accounts));
        }
    }

    /// Reads a state; its texts share the given bytes.
    pub fn decode(bytes: &Bytes) -> Result<Customer, CodecError> {
        let mut input = Reader { bytes, at: 0 };
        let layout = input.byte()?;
        if layout != LAYOUT {
            return Err(CodecError::Layout(layout));
        }
        let present = input.byte()?;
        let mut customer = Customer {
            texts: Texts::of(bytes.clone()),
            ..Customer::default()
        };
        if present & part::ERASED != 0 {
            let present = input.byte()?;
            for (at, erased) in customer.erased.iter_mut().enumerate() {
                if present & (1 << at) != 0 {
                    *erased = input.instant()?;
                }
            }
        }
        if present & part::SCALARS != 0 {
            customer.scalars = input.scalars()?;
        }
        if present & part::ADDRESSES != 0 {
            customer.addresses = input.list()?;
        }
        if present & part::DEPENDENTS != 0 {
            customer.dependents = input.list()?;
        }
        if present & part::ACTIONS != 0 {
            customer.actions = input.actions()?;
        }
        if present & part::CONSOLE != 0 {
            customer.console = Some(Box::new(input.console()?));
        }
        if present & part::PUBLISHER != 0 {
            customer.publisher = Some(Box::new(Publisher {
                at: input.instant()?,
                enrollment: input.text()?,
                accounts: input.text()?,
            }));
        }
        if input.at != bytes.len() {
            return Err(CodecError::Damaged);
        }
        Ok(customer)
    }
}

/// A byte with the bits of those parts that are there.
fn bits<const N: usize>(parts: [(u8, bool); N]) -> u8 {
    parts
        .into_iter()
        .filter(|(_, there)| *there)
        .fold(0, |bits, (bit, _)| bits | bit)
}

fn put_instant(out: &mut Vec<u8>, at: Instant) {
    out.extend_from_slice(&at.micros().to_be_bytes());
}

fn put_stamp(out: &mut Vec<u8>, stamp: Stamp) {
    out.extend_from_slice(&stamp.bits().to_be_bytes());
}

/// A byte with a bit for each that is there, and those.
fn put_options<T: Copy, const N: usize>(
    out: &mut Vec<u8>,
    options: [Option<T>; N],
    put: impl Fn(&mut Vec<u8>, T),
) {
    let present = (0..N).fold(0, |bits, at| bits | (u8::from(options[at].is_some()) << at));
    out.push(present);
    for option in options.into_iter().flatten() {
        put(out, option);
    }
}

fn put_scalars(out: &mut Vec<u8>, scalars: &Scalars) {
    out.push(bits([
        (1, scalars.date_of_birth.is_some()),
        (2, scalars.status.is_some()),
        (4, scalars.marketing_opt_in.is_some()),
        (8, scalars.sms_opt_in.is_some()),
        (16, scalars.created_at.is_some()),
    ]));
    if let Some(held) = &scalars.date_of_birth {
        put_stamp(out, held.stamp);
        out.extend_from_slice(held.value.bytes());
    }
    if let Some(held) = &scalars.status {
        put_stamp(out, held.stamp);
        out.push(held.value as u8);
    }
    for held in [&scalars.marketing_opt_in, &scalars.sms_opt_in]
        .into_iter()
        .flatten()
    {
        put_stamp(out, held.stamp);
        out.push(u8::from(held.value));
    }
    if let Some(held) = &scalars.created_at {
        put_stamp(out, held.stamp);
        put_instant(out, held.value);
    }
}

fn put_list(out: &mut Vec<u8>, texts: &Texts, list: &List) {
    out.push(bits([
        (1, list.newest.is_some()),
        (2, !list.shorter.is_empty()),
        (4, list.floor.is_some()),
    ]));
    let put_listing = |out: &mut Vec<u8>, listing: &Listing| {
        put_stamp(out, listing.stamp);
        put_number(out, listing.length as u64);
    };
    if let Some(newest) = &list.newest {
        put_listing(out, newest);
    }
    if !list.shorter.is_empty() {
        put_number(out, list.shorter.len() as u64);
        for listing in &list.shorter {
            put_listing(out, listing);
        }
    }
    if let Some(floor) = &list.floor {
        put_stamp(out, floor.stamp);
        put_bytes(out, texts.get(floor.id));
    }
    put_number(out, list.elements.len() as u64);
    for held in &list.elements {
        put_bytes(out, texts.get(held.id));
        let content = held.content.as_ref();
        put_options(
            out,
            [held.seen, content.map(|content| content.stamp)],
            put_stamp,
        );
        if let Some(content) = content {
            put_instant(out, content.created_at);
            put_bytes(out, texts.get(content.body));
        }
    }
}

fn put_actions(out: &mut Vec<u8>, texts: &Texts, actions: &Actions) {
    put_options(out, [actions.evicted], put_instant);
    put_number(out, actions.kept.len() as u64);
    for action in actions.shown(texts) {
        put_bytes(out, action.id);
        put_stamp(out, action.stamp);
        put_instant(out, action.created_at);
        out.push(action.kind as u8);
        put_bytes(out, action.body);
    }
}

fn put_console(out: &mut Vec<u8>, texts: &Texts, console: &HeldConsole) {
    put_number(out, console.version);
    put_instant(out, console.at);
    out.push(u8::from(console.parts.is_some()));
    if let Some(parts) = &console.parts {
        let parts = parts.map(|text| texts.get(*text));
        put_bytes(out, parts.names);
        put_bytes(out, parts.phones);
        put_bytes(out, parts.addresses);
        put_bytes(out, parts.attributes);
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take(&mut self, length: usize) -> Result<std::ops::Range<usize>, CodecError> {
        let end = self.at.checked_add(length).ok_or(CodecError::Damaged)?;
        if end > self.bytes.len() {
            return Err(CodecError::Damaged);
        }
        let range = self.at..end;
        self.at = end;
        Ok(range)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let range = self.take(N)?;
        self.bytes[range]
            .try_into()
            .map_err(|_| CodecError::Damaged)
    }

    fn byte(&mut self) -> Result<u8, CodecError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn instant(&mut self) -> Result<Instant, CodecError> {
        self.array()
            .map(i64::from_be_bytes)
            .map(Instant::from_micros)
    }

    fn stamp(&mut self) -> Result<Stamp, CodecError> {
        self.array().map(i64::from_be_bytes).map(Stamp::from_bits)
    }

    fn number(&mut self) -> Result<u64, CodecError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let (number, rest) = number_from(rest).ok_or(CodecError::Damaged)?;
        self.at = self.bytes.len() - rest.len();
        Ok(number)
    }

    fn length(&mut self) -> Result<usize, CodecError> {
        usize::try_from(self.number()?).map_err(|_| CodecError::Damaged)
    }

    /// A count of things of which each takes a byte at least, so that a damaged one can't ask for all memory.
    fn count(&mut self) -> Result<usize, CodecError> {
        let count = self.length()?;
        if count > self.bytes.len() - self.at {
            return Err(CodecError::Damaged);
        }
        Ok(count)
    }

    fn text(&mut self) -> Result<Span, CodecError> {
        let length = self.length()?;
        Span::at(self.take(length)?).ok_or(CodecError::Damaged)
    }

    /// The text of [`Fields`].
    fn fields(&mut self) -> Result<Span, CodecError> {
        let length = self.length()?;
        let range = self.take(length)?;
        if !Fields::of(&self.bytes[range.clone()]).are_well_formed() {
            return Err(CodecError::Damaged);
        }
        Span::at(range).ok_or(CodecError::Damaged)
    }

    fn scalars(&mut self) -> Result<Scalars, CodecError> {
        let present = self.byte()?;
        let mut scalars = Scalars::default();
        if present & 1 != 0 {
            let stamp = self.stamp()?;
            let range = self.take(10)?;
            let text = std::str::from_utf8(&self.bytes[range]).map_err(|_| CodecError::Damaged)?;
            let value = Date::parse(text).ok_or(CodecError::Damaged)?;
            scalars.date_of_birth = Some(Register { stamp, value });
        }
        if present & 2 != 0 {
            let stamp = self.stamp()?;
            let value = self.one_of(Status::ALL)?;
            scalars.status = Some(Register { stamp, value });
        }
        if present & 4 != 0 {
            scalars.marketing_opt_in = Some(self.flag()?);
        }
        if present & 8 != 0 {
            scalars.sms_opt_in = Some(self.flag()?);
        }
        if present & 16 != 0 {
            let stamp = self.stamp()?;
            let value = self.instant()?;
            scalars.created_at = Some(Register { stamp, value });
        }
        Ok(scalars)
    }

    fn flag(&mut self) -> Result<Register<bool>, CodecError> {
        let stamp = self.stamp()?;
        let value = self.byte()? != 0;
        Ok(Register { stamp, value })
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> Result<T, CodecError> {
        let at = usize::from(self.byte()?);
        all.get(at).copied().ok_or(CodecError::Damaged)
    }

    fn list(&mut self) -> Result<List, CodecError> {
        let present = self.byte()?;
        let newest = match present & 1 {
            0 => None,
            _ => Some(self.listing()?),
        };
        let mut shorter = Vec::new();
        if present & 2 != 0 {
            for _ in 0..self.count()? {
                shorter.push(self.listing()?);
            }
        }
        let floor = match present & 4 {
            0 => None,
            _ => Some(Floor {
                stamp: self.stamp()?,
                id: self.text()?,
            }),
        };
        let count = self.count()?;
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            let id = self.text()?;
            let present = self.byte()?;
            let seen = match present & 1 {
                0 => None,
                _ => Some(self.stamp()?),
            };
            let content = match present & 2 {
                0 => None,
                _ => Some(Content {
                    stamp: self.stamp()?,
                    created_at: self.instant()?,
                    body: self.fields()?,
                }),
            };
            elements.push(Held { id, seen, content });
        }
        Ok(List {
            newest,
            shorter,
            floor,
            elements,
        })
    }

    fn listing(&mut self) -> Result<Listing, CodecError> {
        Ok(Listing {
            stamp: self.stamp()?,
            length: self.length()?,
        })
    }

    fn actions(&mut self) -> Result<Actions, CodecError> {
        let evicted = match self.byte()? & 1 {
            0 => None,
            _ => Some(self.instant()?),
        };
        let count = self.count()?;
        let mut kept = Vec::with_capacity(count);
        for _ in 0..count {
            let (id, stamp, created_at) = (self.text()?, self.stamp()?, self.instant()?);
            let kind = self.one_of(ActionKind::ALL)?;
            let body = self.fields()?;
            kept.push(Action {
                id,
                stamp,
                created_at,
                kind,
                body,
            });
        }
        Ok(Actions { kept, evicted })
    }

    fn console(&mut self) -> Result<HeldConsole, CodecError> {
        let (version, at) = (self.number()?, self.instant()?);
        let parts = match self.byte()? {
            0 => None,
            _ => Some(ConsoleParts {
                names: self.text()?,
                phones: self.text()?,
                addresses: self.text()?,
                attributes: self.text()?,
            }),
        };
        Ok(HeldConsole { version, at, parts })
    }
}
