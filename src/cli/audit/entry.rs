//! How what is known of customers is written to the disk: a key for each datum, sorted by customer.

use bytes::Bytes;

use crate::customer::bounded::Limits;
use crate::inspect::audit::evidence::{At, Evidence, InputAt};
use crate::inspect::audit::partials::EncodedPart;

/// What is stored of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datum {
    /// A part of the fold. There may be many, each with a number.
    Part(u64),
    State,
    Snapshot,
    /// A state, or a snapshot, in a partition that is not the customer's.
    StrayState(i32),
    StraySnapshot(i32),
}

impl Datum {
    /// Adds a stored value to what is known of the customer.
    pub fn add_to(self, evidence: &mut Evidence, value: &Bytes, limits: &Limits) {
        if let Datum::Part(_) = self {
            if let Some(part) = parse_part(value) {
                evidence.join(&part, limits);
            }
            return;
        }
        if let Some((place, value)) = parse_record(value) {
            self.set(evidence, place, value);
        }
    }

    /// Sets the newest record of the state or the snapshot topic.
    pub fn set(self, evidence: &mut Evidence, place: At, value: Option<Bytes>) {
        let stray = |known: &mut Vec<At>| {
            known.retain(|one| one.partition != place.partition);
            known.extend(value.is_some().then_some(place));
        };
        match self {
            Datum::Part(_) => {}
            Datum::State => evidence.state = value.map(|value| (place, value)),
            Datum::Snapshot => evidence.snapshot = value.map(|value| (place, value)),
            Datum::StrayState(_) => stray(&mut evidence.stray_states),
            Datum::StraySnapshot(_) => stray(&mut evidence.stray_snapshots),
        }
    }
}

/// The key: the id with its length before it, so that all data of a customer follow each other, then the datum.
pub fn key(id: &[u8], datum: Datum) -> Vec<u8> {
    let mut key = Vec::with_capacity(id.len() + 16);
    key.extend_from_slice(&(id.len() as u32).to_be_bytes());
    key.extend_from_slice(id);
    match datum {
        Datum::Part(number) => {
            key.push(0);
            key.extend_from_slice(&number.to_be_bytes());
        }
        Datum::State => key.push(1),
        Datum::Snapshot => key.push(2),
        Datum::StrayState(partition) => {
            key.push(3);
            key.extend_from_slice(&partition.to_be_bytes());
        }
        Datum::StraySnapshot(partition) => {
            key.push(4);
            key.extend_from_slice(&partition.to_be_bytes());
        }
    }
    key
}

/// The id and the datum of a key; none if it is no key.
pub fn parse(key: &[u8]) -> Option<(&[u8], Datum)> {
    let (length, rest) = key.split_first_chunk()?;
    let (id, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    let (kind, rest) = rest.split_first()?;
    let partition = || Some(i32::from_be_bytes(rest.try_into().ok()?));
    let datum = match kind {
        0 => Datum::Part(u64::from_be_bytes(rest.try_into().ok()?)),
        1 => Datum::State,
        2 => Datum::Snapshot,
        3 => Datum::StrayState(partition()?),
        4 => Datum::StraySnapshot(partition()?),
        _ => return None,
    };
    Some((id, datum))
}

fn put_at(at: At, out: &mut Vec<u8>) {
    out.extend_from_slice(&at.partition.to_be_bytes());
    out.extend_from_slice(&at.offset.to_be_bytes());
}

fn at(bytes: &[u8]) -> Option<(At, &[u8])> {
    let (partition, rest) = bytes.split_first_chunk()?;
    let (offset, rest) = rest.split_first_chunk()?;
    let at = At {
        partition: i32::from_be_bytes(*partition),
        offset: i64::from_be_bytes(*offset),
    };
    Some((at, rest))
}

/// A record of the state or the snapshot topic with its place.
pub fn record(place: At, value: Option<&[u8]>) -> Bytes {
    let mut out = Vec::with_capacity(13 + value.map_or(0, <[u8]>::len));
    put_at(place, &mut out);
    out.push(u8::from(value.is_some()));
    out.extend_from_slice(value.unwrap_or_default());
    out.into()
}

pub fn parse_record(bytes: &Bytes) -> Option<(At, Option<Bytes>)> {
    let (place, rest) = at(bytes)?;
    let (has_value, value) = rest.split_first()?;
    Some((place, (*has_value == 1).then(|| bytes.slice_ref(value))))
}

/// A part of the fold.
pub fn part(part: &EncodedPart) -> Bytes {
    let mut out = Vec::new();
    let flags = [
        part.depends_on_order,
        part.record.is_some(),
        part.fold.is_some(),
        part.otherwise.is_some(),
        part.accepted.is_some(),
    ];
    let bits = flags.iter().enumerate();
    out.push(bits.fold(0, |bits, (at, is_set)| bits | u8::from(*is_set) << at));
    if let Some(record) = part.record {
        out.extend_from_slice(&record.input.to_be_bytes());
        put_at(record.at, &mut out);
    }
    let states = [&part.fold, &part.otherwise, &part.accepted];
    for state in states.into_iter().flatten() {
        out.extend_from_slice(&(state.len() as u32).to_be_bytes());
        out.extend_from_slice(state);
    }
    out.into()
}

pub fn parse_part(bytes: &Bytes) -> Option<EncodedPart> {
    let (flags, mut rest) = bytes.split_first()?;
    let has = |bit: u8| flags & 1 << bit != 0;
    let mut part = EncodedPart {
        depends_on_order: has(0),
        ..EncodedPart::default()
    };
    if has(1) {
        let (input, behind) = rest.split_first_chunk()?;
        let (place, behind) = at(behind)?;
        rest = behind;
        part.record = Some(InputAt {
            input: u16::from_be_bytes(*input),
            at: place,
        });
    }
    for (bit, into) in [
        (2, &mut part.fold),
        (3, &mut part.otherwise),
        (4, &mut part.accepted),
    ] {
        if has(bit) {
            let (length, behind) = rest.split_first_chunk()?;
            let (state, behind) = behind.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            rest = behind;
            *into = Some(bytes.slice_ref(state));
        }
    }
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: At = At {
        partition: 3,
        offset: 1 << 40,
    };

    #[test]
    fn what_is_written_is_read_again() {
        for datum in [
            Datum::Part(7),
            Datum::State,
            Datum::Snapshot,
            Datum::StrayState(2),
            Datum::StraySnapshot(2),
        ] {
            let key = key(b"id", datum);
            assert_eq!(parse(&key), Some((b"id".as_slice(), datum)));
        }
        for value in [None, Some(b"".as_slice()), Some(b"x")] {
            let (place, read) = parse_record(&record(PLACE, value)).unwrap();
            assert_eq!((place, read.as_deref()), (PLACE, value));
        }
        let all = EncodedPart {
            fold: Some(Bytes::from_static(b"fold")),
            otherwise: Some(Bytes::from_static(b"other")),
            accepted: Some(Bytes::from_static(b"accepted")),
            depends_on_order: true,
            record: Some(InputAt {
                input: 9,
                at: PLACE,
            }),
        };
        for part_of in [EncodedPart::default(), all] {
            assert_eq!(parse_part(&part(&part_of)), Some(part_of));
        }
    }

    #[test]
    fn the_data_of_a_customer_follow_each_other() {
        // one id is the beginning of the other
        let mut keys = [
            key(b"a", Datum::Snapshot),
            key(b"a\0", Datum::Part(1)),
            key(b"a", Datum::Part(u64::MAX)),
            key(b"a\0", Datum::State),
            key(b"a", Datum::State),
        ];
        keys.sort();
        let ids = keys.iter().map(|key| parse(key).unwrap().0);
        assert_eq!(
            ids.collect::<Vec<_>>(),
            [b"a".as_slice(), b"a", b"a", b"a\0", b"a\0"]
        );
    }
}
