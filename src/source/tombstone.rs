//! A tombstone, that is, a record with a null value: it erases or retracts the customer whose id is its key
//! (docs/contract.md, sections 2 and 3).
//!
//! A key that is framed or quoted is not itself the id: used as it is, it would erase the wrong customer, or nobody.

use std::borrow::Cow;

use super::framing::numbered;
use crate::avro::input::Input;
use crate::config::{KeyFormat, Sources, Tombstone};
use crate::customer::contribution::{Contribution, Data, Erasure};
use crate::json::strict::{self, Plain, Text};
use crate::model::record::{Code, RawRecord, Rejection, Violation, usable_timestamp};
use crate::model::time::Instant;
use crate::model::varint;

/// Judges a tombstone.
pub(super) fn judge(record: &RawRecord<'_>, sources: &Sources) -> Result<Contribution, Rejection> {
    let Some(source) = sources.get(record.source) else {
        return Err(Rejection::new(Code::NullValue));
    };
    let only = match source.tombstone {
        Tombstone::Erase => None,
        Tombstone::Retract => Some(record.source),
        Tombstone::Reject => return Err(Rejection::new(Code::NullValue)),
    };
    let customer = customer_id(record.key, source.key_format)
        .map_err(|OtherFormat| Rejection::new(Code::InvalidKey))?;
    match (customer, record.timestamp.and_then(usable_timestamp)) {
        (Some(customer), Some(at)) => Ok(Contribution {
            customer: customer.into_owned(),
            data: Data::erasure(Erasure {
                only,
                at: Instant::from_millis(at),
            }),
        }),
        (customer, at) => {
            let broken = [
                customer.is_none().then_some(Code::BlankId),
                at.is_none().then_some(Code::NoTimestamp),
            ];
            let violation = |code| Violation::semantic(String::new(), code);
            let violations: Vec<_> = broken.into_iter().flatten().map(violation).collect();
            let code = broken[0].unwrap_or(Code::NoTimestamp);
            Err(Rejection::with_violations(code, violations))
        }
    }
}

/// The key is not in the source's `key_format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OtherFormat;

/// The customer id in a key. None: the key is missing, blank, or not UTF-8.
pub(crate) fn customer_id(
    key: Option<&[u8]>,
    format: KeyFormat,
) -> Result<Option<Cow<'_, str>>, OtherFormat> {
    // A key of white space only is blank in every format.
    let is_blank = |key: &&[u8]| std::str::from_utf8(key).is_ok_and(|key| key.trim().is_empty());
    let Some(key) = key.filter(|key| !is_blank(key)) else {
        return Ok(None);
    };
    let id = match format {
        KeyFormat::Text => {
            // Checked before UTF-8, so that framed keys are judged alike whatever their schema id.
            if key
                .first()
                .is_some_and(|first| *first < 0x20 || matches!(first, 0x7f | b'"'))
            {
                return Err(OtherFormat);
            }
            let Ok(text) = std::str::from_utf8(key) else {
                return Ok(None);
            };
            if text.starts_with(char::is_control) {
                return Err(OtherFormat);
            }
            Cow::Borrowed(text)
        }
        KeyFormat::Json => {
            let text = std::str::from_utf8(key).map_err(|_| OtherFormat)?;
            let Text(id) = strict::read(text, Plain).map_err(|_| OtherFormat)?;
            id
        }
        KeyFormat::Avro => {
            let (_, body) = numbered(key).ok_or(OtherFormat)?;
            let mut input = Input::new(body);
            let id = input.bytes().map_err(|_| OtherFormat)?;
            input.end().map_err(|_| OtherFormat)?;
            Cow::Borrowed(std::str::from_utf8(id).map_err(|_| OtherFormat)?)
        }
    };
    Ok(Some(id).filter(|id| !id.trim().is_empty()))
}

/// Why no key of a format can name a customer id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoKey {
    /// The id is empty, or only white space.
    Blank,
    /// What stands at the beginning of the id would be taken for another format.
    OtherFormat,
    /// The frame with the id of the key's schema is not known.
    NoFrame,
}

/// The bytes of a key's frame: zero, and the id of its schema.
pub(crate) type KeyFrame = [u8; 5];

/// The frame of a key in Avro that holds a customer id.
pub(crate) fn frame_of(key: &[u8]) -> Option<KeyFrame> {
    let id = customer_id(Some(key), KeyFormat::Avro);
    key.first_chunk()
        .copied()
        .filter(|_| matches!(id, Ok(Some(_))))
}

/// The key that [`customer_id`] reads as this id. A key in Avro gets the frame.
pub(crate) fn key_of(
    id: &str,
    format: KeyFormat,
    frame: Option<KeyFrame>,
) -> Result<Vec<u8>, NoKey> {
    if id.trim().is_empty() {
        return Err(NoKey::Blank);
    }
    let key = match format {
        KeyFormat::Text => id.as_bytes().to_vec(),
        KeyFormat::Json => serde_json::Value::from(id).to_string().into_bytes(),
        KeyFormat::Avro => {
            let mut key = frame.ok_or(NoKey::NoFrame)?.to_vec();
            // A length is written like any number of Avro: its sign is the lowest bit.
            varint::put(&mut key, (id.len() as u64) << 1);
            key.extend_from_slice(id.as_bytes());
            key
        }
    };
    match customer_id(Some(&key), format) {
        Ok(Some(read)) if read == id => Ok(key),
        _ => Err(NoKey::OtherFormat),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FRAME: Option<KeyFrame> = Some([0, 0, 0, 1, 7]);

    proptest! {
        /// Whatever the id is: the key is read as this id, or there is none.
        #[test]
        fn a_key_is_read_as_the_id_that_it_is_of(id in "\\PC{0,300}|[\\x00-\"a\u{a0}\u{2028}]{0,3}") {
            for format in [KeyFormat::Text, KeyFormat::Json, KeyFormat::Avro] {
                match key_of(&id, format, FRAME) {
                    Ok(key) => {
                        let read = customer_id(Some(&key), format).unwrap();
                        prop_assert_eq!(read.as_deref(), Some(id.as_str()));
                    }
                    Err(NoKey::Blank) => prop_assert!(id.trim().is_empty()),
                    Err(other) => {
                        prop_assert_eq!((format, other), (KeyFormat::Text, NoKey::OtherFormat));
                        prop_assert!(id.starts_with(|first: char| first.is_control() || first == '"'));
                    }
                }
            }
        }
    }

    #[test]
    fn a_key_has_the_form_of_its_format() {
        assert_eq!(key_of("c1", KeyFormat::Text, None), Ok(b"c1".to_vec()));
        assert_eq!(
            key_of("c\"1", KeyFormat::Json, None),
            Ok(b"\"c\\\"1\"".to_vec())
        );
        let framed = b"\0\0\0\x01\x07\x04c1".to_vec();
        assert_eq!(key_of("c1", KeyFormat::Avro, FRAME), Ok(framed.clone()));
        assert_eq!(frame_of(&framed), FRAME);
        assert_eq!(frame_of(b"c1"), None);
        assert_eq!(key_of("c1", KeyFormat::Avro, None), Err(NoKey::NoFrame));
        assert_eq!(
            key_of("\"c1\"", KeyFormat::Text, None),
            Err(NoKey::OtherFormat)
        );
        assert_eq!(key_of(" \t", KeyFormat::Json, None), Err(NoKey::Blank));
    }

    fn id(key: &'static [u8], format: KeyFormat) -> Result<Option<String>, OtherFormat> {
        customer_id(Some(key), format).map(|id| id.map(Cow::into_owned))
    }

    #[test]
    fn a_key_of_text_is_the_id() {
        let text = |key| id(key, KeyFormat::Text);
        assert_eq!(text(b" c:1 "), Ok(Some(" c:1 ".to_owned())));
        assert_eq!(text(b"c\"1"), Ok(Some("c\"1".to_owned())));
        for blank in [&b""[..], b"  ", b"\t", "\u{a0}".as_bytes(), b"\xc8"] {
            assert_eq!(text(blank), Ok(None), "{blank:?}");
        }
        for wrong in [
            &b"\"c1\""[..],
            b"\"",
            b"\0\0\0\0\x01\x04c1",
            b"\0\0\0\0\xc8\x04c1",
            b"\x01c",
            b"\tc",
            b"\x7fc",
            "\u{85}c".as_bytes(),
        ] {
            assert_eq!(text(wrong), Err(OtherFormat), "{wrong:?}");
        }
        assert_eq!(customer_id(None, KeyFormat::Text), Ok(None));
    }

    #[test]
    fn a_key_of_json_is_a_string() {
        let json = |key| id(key, KeyFormat::Json);
        assert_eq!(json(b"\"c1\""), Ok(Some("c1".to_owned())));
        assert_eq!(json(b" \"c\\u0031\"\n"), Ok(Some("c1".to_owned())));
        assert_eq!(json(b"\" \""), Ok(None));
        for wrong in [
            &b"c1"[..],
            b"1",
            b"null",
            b"{}",
            b"\"c1\" 2",
            b"\"c1",
            b"\"\\ud800\"",
            b"\"\xc8\"",
        ] {
            assert_eq!(json(wrong), Err(OtherFormat), "{wrong:?}");
        }
    }

    #[test]
    fn a_key_of_avro_is_a_framed_string() {
        let avro = |key| id(key, KeyFormat::Avro);
        for framed in [&b"\0\0\0\0\x01\x04c1"[..], b"\0\0\0\0\xc8\x04c1"] {
            assert_eq!(avro(framed), Ok(Some("c1".to_owned())));
        }
        assert_eq!(avro(b"\0\0\0\0\x01\0"), Ok(None));
        for wrong in [
            &b"c1"[..],
            b"\"c1\"",
            b"\0\0\0\0\x01",
            b"\0\0\0\0\x01\x06c1",
            b"\0\0\0\0\x01\x04c12",
            b"\x01\0\0\0\x01\x04c1",
        ] {
            assert_eq!(avro(wrong), Err(OtherFormat), "{wrong:?}");
        }
    }
}
