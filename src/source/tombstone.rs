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
struct OtherFormat;

/// The customer id in a key. None: the key is missing, blank, or not UTF-8.
fn customer_id(key: Option<&[u8]>, format: KeyFormat) -> Result<Option<Cow<'_, str>>, OtherFormat> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
