//! The encoding of what is known from declared sources.
//!
//! The data of a source share few stamps, and its elements few times of creation. So these come first, as tables: each
//! ascending, and each number as the difference to the one before. After that a stamp is its number in the table,
//! counted from 1; 0 is [`AnyStamp::NEVER`]. So is a time of creation; 0 is none.

use super::read::{Parts, StateReader};
use super::stamped::StoredStamp;
use super::{CodecError, Part, Refers, Stored, bits};
use crate::customer::declared::{
    Declared, DeclaredKind, DeclaredStamp, Order, Place, PlaceKey, Places, Scalar, Seen,
    SeenRecord, SourceState,
};
use crate::customer::list::{List, Listing};
use crate::customer::stamp::AnyStamp;
use crate::customer::texts::Span;
use crate::model::time::Instant;
use crate::model::varint;

impl Stored for Declared {
    fn put(&self, to: &Refers<'_>, out: &mut Vec<u8>) {
        self.sources.put(to, out);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, CodecError> {
        let sources: Vec<SourceState> = Stored::read(input)?;
        let name = |source: &SourceState| input.bytes_of(source.name);
        match sources.is_sorted_by(|one, other| name(one) < name(other)) {
            true => Ok(Declared { sources }),
            false => Err(CodecError::Damaged),
        }
    }
}

impl Stored for SourceState {
    fn put(&self, to: &Refers<'_>, out: &mut Vec<u8>) {
        self.name.put(to, out);
        let erased = Some(self.erased).filter(|at| *at > to.erased);
        let (has_customer, has_actions) = (self.has_customer(), self.has_actions());
        let by_rank = has_customer && self.order == Order::Rank;
        out.push(bits([erased.is_some(), has_customer, has_actions, by_rank]));
        erased.put(to, out);
        if has_customer {
            put_customer(self, to, out);
        }
        if has_actions {
            let actions = &self.actions;
            let stamps = actions.kept.iter().map(|action| action.stamp).collect();
            let times = actions
                .kept
                .iter()
                .map(|action| action.created_at)
                .collect();
            put_with_tables(stamps, times, to, out, |to, out| actions.put(to, out));
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, CodecError> {
        let name = Stored::read(input)?;
        let mut flags = input.parts()?;
        let erased: Option<Instant> = flags.next(input)?;
        let (has_customer, has_actions) = (flags.is_next_there(), flags.is_next_there());
        let by_rank = flags.is_next_there();
        flags.end()?;
        let erased = erased.unwrap_or(Instant::NEVER).max(input.erased);
        let mut source = SourceState::new(name, erased);
        if has_customer {
            if by_rank {
                source.order = Order::Rank;
            }
            read_tables(source.order, input)?;
            read_customer(&mut source, input)?;
        }
        if has_actions {
            read_tables(Order::UpdatedAt, input)?;
            source.actions = Stored::read(input)?;
        }
        Ok(source)
    }
}

fn put_customer(source: &SourceState, to: &Refers<'_>, out: &mut Vec<u8>) {
    let (mut stamps, mut times) = (Vec::new(), Vec::new());
    stamps.extend(source.whole);
    stamps.extend(source.seen.0.iter().map(|record| record.stamp));
    stamps.extend(source.scalars.0.iter().map(|place| place.stamp));
    stamps.extend(source.attributes.0.iter().map(|place| place.stamp));
    for list in source.lists() {
        let listings = list.newest.iter().chain(&list.shorter);
        stamps.extend(listings.map(|listing| listing.stamp));
        stamps.extend(list.floor.map(|floor| floor.stamp));
        for element in &list.elements {
            stamps.extend(element.listed);
            stamps.extend(element.content.map(|content| content.stamp));
            times.extend(element.content.map(|content| content.created_at));
        }
    }
    put_with_tables(stamps, times, to, out, |to, out| {
        // A list of which nothing is known but that it was told as empty together with all else needs no bytes.
        let lists = source.lists();
        let [addresses, phones, dependents] = lists.map(|list| !is_implied(list, source.whole));
        out.push(bits([
            source.whole.is_some(),
            source.seen.is_there(),
            source.scalars.is_there(),
            source.attributes.is_there(),
            addresses,
            phones,
            dependents,
        ]));
        source.whole.put(to, out);
        put_if(source.seen.is_there(), &source.seen, to, out);
        put_if(source.scalars.is_there(), &source.scalars, to, out);
        put_if(source.attributes.is_there(), &source.attributes, to, out);
        put_if(addresses, &source.addresses, to, out);
        put_if(phones, &source.phones, to, out);
        put_if(dependents, &source.dependents, to, out);
    });
}

fn put_if(is_there: bool, part: &impl Stored, to: &Refers<'_>, out: &mut Vec<u8>) {
    if is_there {
        part.put(to, out);
    }
}

fn read_customer(source: &mut SourceState, input: &mut StateReader<'_>) -> Result<(), CodecError> {
    let mut parts = input.parts()?;
    source.whole = parts.next(input)?;
    source.seen = parts.next(input)?;
    source.scalars = parts.next(input)?;
    source.attributes = parts.next(input)?;
    source.addresses = next_list(&mut parts, source.whole, input)?;
    source.phones = next_list(&mut parts, source.whole, input)?;
    source.dependents = next_list(&mut parts, source.whole, input)?;
    parts.end()
}

/// The list as a record leaves it that tells everything and has no such list.
fn implied(whole: Option<DeclaredStamp>) -> List<DeclaredStamp> {
    List {
        newest: whole.map(|stamp| Listing { stamp, length: 0 }),
        ..List::default()
    }
}

fn is_implied(list: &List<DeclaredStamp>, whole: Option<DeclaredStamp>) -> bool {
    let rest_is_empty = list.shorter.is_empty() && list.elements.is_empty() && list.floor.is_none();
    rest_is_empty && (list.newest.is_none() || list.newest == implied(whole).newest)
}

fn next_list(
    parts: &mut Parts,
    whole: Option<DeclaredStamp>,
    input: &mut StateReader<'_>,
) -> Result<List<DeclaredStamp>, CodecError> {
    match parts.is_next_there() {
        true => Stored::read(input),
        false => Ok(implied(whole)),
    }
}

/// Writes the tables, and then what refers to them.
fn put_with_tables(
    mut stamps: Vec<DeclaredStamp>,
    mut times: Vec<Instant>,
    to: &Refers<'_>,
    out: &mut Vec<u8>,
    put: impl FnOnce(&Refers<'_>, &mut Vec<u8>),
) {
    stamps.retain(|stamp| *stamp != AnyStamp::NEVER);
    stamps.sort_unstable();
    stamps.dedup();
    times.retain(|time| !time.is_never());
    times.sort_unstable();
    times.dedup();
    varint::put(out, stamps.len() as u64);
    let (mut at, mut rank) = (0, 0);
    for stamp in &stamps {
        put_difference(&mut at, stamp.at().micros(), out);
        put_difference(&mut rank, stamp.rank().cast_signed(), out);
    }
    varint::put(out, times.len() as u64);
    let mut at = 0;
    for time in &times {
        put_difference(&mut at, time.micros(), out);
    }
    let to = Refers {
        stamps: &stamps,
        times: &times,
        ..*to
    };
    put(&to, out);
}

fn read_tables(order: Order, input: &mut StateReader<'_>) -> Result<(), CodecError> {
    input.order = order;
    let count = input.count()?;
    input.stamps = Vec::with_capacity(count);
    let (mut at, mut rank) = (0, 0);
    for _ in 0..count {
        read_difference(&mut at, input)?;
        read_difference(&mut rank, input)?;
        let rank = u64::try_from(rank).map_err(|_| CodecError::Damaged)?;
        let stamp = DeclaredStamp::new(order, instant(at)?, rank);
        input.stamps.push(stamp);
    }
    let count = input.count()?;
    input.times = Vec::with_capacity(count);
    let mut at = 0;
    for _ in 0..count {
        read_difference(&mut at, input)?;
        let time = instant(at)?;
        input.times.push(time);
    }
    let are_sorted = input.stamps.is_sorted_by(|one, other| one < other)
        && input.times.is_sorted_by(|one, other| one < other);
    match are_sorted {
        true => Ok(()),
        false => Err(CodecError::Damaged),
    }
}

fn instant(micros: i64) -> Result<Instant, CodecError> {
    Instant::checked_from_micros(micros).ok_or(CodecError::Damaged)
}

/// Writes a number as the difference to the one before: small differences are short whatever their sign.
fn put_difference(before: &mut i64, number: i64, out: &mut Vec<u8>) {
    let difference = number.wrapping_sub(*before);
    *before = number;
    let zigzag = (difference << 1) ^ (difference >> 63);
    varint::put(out, zigzag.cast_unsigned());
}

fn read_difference(before: &mut i64, input: &mut StateReader<'_>) -> Result<(), CodecError> {
    let zigzag = input.number()?;
    let difference = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
    *before = before.wrapping_add(difference);
    Ok(())
}

/// The number of an item in a table, from 1; 0 if it is not in there.
fn number_of<T: Ord>(item: &T, table: &[T]) -> u64 {
    table.binary_search(item).map_or(0, |at| at as u64 + 1)
}

/// The item with that number; none for 0.
fn numbered<T: Copy>(number: u64, table: &[T]) -> Result<Option<T>, CodecError> {
    let Some(at) = number.checked_sub(1) else {
        return Ok(None);
    };
    let at = usize::try_from(at).map_err(|_| CodecError::Damaged)?;
    let item = table.get(at).ok_or(CodecError::Damaged)?;
    Ok(Some(*item))
}

impl Stored for DeclaredStamp {
    fn put(&self, to: &Refers<'_>, out: &mut Vec<u8>) {
        varint::put(out, number_of(self, to.stamps));
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, CodecError> {
        let number = input.number()?;
        Ok(numbered(number, &input.stamps)?.unwrap_or(AnyStamp::NEVER))
    }
}

impl StoredStamp for DeclaredStamp {
    fn put_time(at: Instant, to: &Refers<'_>, out: &mut Vec<u8>) {
        varint::put(out, number_of(&at, to.times));
    }

    fn read_time(input: &mut StateReader<'_>) -> Result<Instant, CodecError> {
        let number = input.number()?;
        Ok(numbered(number, &input.times)?.unwrap_or(Instant::NEVER))
    }
}

/// A stamp and a flag in one number.
fn put_flagged(stamp: DeclaredStamp, flag: bool, to: &Refers<'_>, out: &mut Vec<u8>) {
    varint::put(out, number_of(&stamp, to.stamps) << 1 | u64::from(flag));
}

fn read_flagged(input: &mut StateReader<'_>) -> Result<(DeclaredStamp, bool), CodecError> {
    let number = input.number()?;
    // Each of these is the stamp of a record.
    let stamp = numbered(number >> 1, &input.stamps)?.ok_or(CodecError::Damaged)?;
    Ok((stamp, number & 1 != 0))
}

impl Stored for SeenRecord {
    fn put(&self, to: &Refers<'_>, out: &mut Vec<u8>) {
        put_flagged(self.stamp, self.has_rank, to, out);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, CodecError> {
        let (stamp, has_rank) = read_flagged(input)?;
        Ok(SeenRecord { stamp, has_rank })
    }
}

impl Stored for Seen {
    fn put(&self, to: &Refers<'_>, out: &mut Vec<u8>) {
        self.0.put(to, out);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, CodecError> {
        Stored::read(input).map(Seen)
    }
}

impl Part for Seen {
    fn is_there(&self) -> bool {
        !self.0.is_empty()
    }
}

impl<K: Stored> Stored for Place<K> {
    fn put(&self, to: &Refers<'_>, out: &mut Vec<u8>) {
        self.key.put(to, out);
        put_flagged(self.stamp, self.text.is_some(), to, out);
        self.text.put(to, out);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, CodecError> {
        let key = Stored::read(input)?;
        let (stamp, has_text) = read_flagged(input)?;
        let text = match has_text {
            true => Some(Span::read(input)?),
            false => None,
        };
        Ok(Place { key, stamp, text })
    }
}

impl<K: Stored + PlaceKey> Stored for Places<K> {
    fn put(&self, to: &Refers<'_>, out: &mut Vec<u8>) {
        self.0.put(to, out);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, CodecError> {
        let places: Vec<Place<K>> = Stored::read(input)?;
        let key = |place: &Place<K>| place.key.view_with(|text| input.bytes_of(text));
        match places.is_sorted_by(|one, other| key(one) < key(other)) {
            true => Ok(Places(places)),
            false => Err(CodecError::Damaged),
        }
    }
}

impl<K: Stored + PlaceKey> Part for Places<K> {
    fn is_there(&self) -> bool {
        !self.0.is_empty()
    }
}

impl Stored for Scalar {
    fn put(&self, _: &Refers<'_>, out: &mut Vec<u8>) {
        out.push(*self as u8);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, CodecError> {
        input.one_of(&Scalar::ALL)
    }
}

impl Stored for DeclaredKind {
    fn put(&self, _: &Refers<'_>, out: &mut Vec<u8>) {
        out.push(u8::from(self.has_rank));
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, CodecError> {
        let has_rank = input.one_of(&[false, true])?;
        Ok(DeclaredKind { has_rank })
    }
}
