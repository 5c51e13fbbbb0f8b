//! The envelope of the forwarded topic.

use keyfold::config::Sources;
use keyfold::engine::origin::{Header, Unwrapped};

/// Names that the bytes can have by one byte.
const NAMES: [&str; 8] = [
    "__keyfold.forwarded.source",
    "__keyfold.forwarded.topic",
    "__keyfold.forwarded.partition",
    "__keyfold.forwarded.offset",
    "__keyfold.forwarded.timestamp",
    "__keyfold.forwarded.key",
    "__keyfold.forwarded.unknown",
    "__value_schema_id",
];

/// Any headers are no envelope, or one that says the same when it is written and read again, around headers of
/// which none was lost.
pub fn unwrap(bytes: &[u8]) {
    let headers = headers(bytes);
    let sources = Sources::default();
    let Ok(Unwrapped { origin, key, own }) = Unwrapped::of(&headers, &sources) else {
        return;
    };
    assert_eq!(key, origin.key.as_deref());
    let wrapped = origin.wrap(own);
    let wrapped: Vec<Header<'_>> = wrapped
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_deref()))
        .collect();
    let again = Unwrapped::of(&wrapped, &sources).expect("an envelope that was just written");
    assert_eq!(again.origin, origin);
    assert_eq!(again.own, own);
}

/// Headers, each a byte for its name (one of [`NAMES`], or the length of another), then a byte for the length of its
/// value (255: null). What is left over at the end is cut.
fn headers(mut bytes: &[u8]) -> Vec<Header<'_>> {
    let mut headers = Vec::new();
    while let Some((name, rest)) = name(bytes) {
        let Some((&length, rest)) = rest.split_first() else {
            break;
        };
        let (value, rest) = match length {
            u8::MAX => (None, rest),
            _ => {
                let (value, rest) = rest.split_at(usize::from(length).min(rest.len()));
                (Some(value), rest)
            }
        };
        headers.push((name, value));
        bytes = rest;
    }
    headers
}

fn name(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if let Some(name) = NAMES.get(usize::from(first)) {
        return Some((name, rest));
    }
    let (name, rest) = rest.split_at_checked(usize::from(first) - NAMES.len())?;
    Some((std::str::from_utf8(name).ok()?, rest))
}
