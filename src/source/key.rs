//! How the key of a null value gives the customer id (docs/contract.md, section 2).
//!
//! A key that is framed or quoted is not the id: taken as it is, it would erase somebody else, or nobody.

use std::borrow::Cow;

use super::framing::numbered;
use crate::avro::input::Input;
use crate::config::KeyFormat;
use crate::json::strict::{self, Plain, Text};

/// The key is not of the form that the source's `key_format` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotOfTheForm;

/// The customer id that a key gives. None: it is missing, blank, or not UTF-8.
pub fn customer_id(
    key: Option<&[u8]>,
    format: KeyFormat,
) -> Result<Option<Cow<'_, str>>, NotOfTheForm> {
    // what is only white space is blank, and not of another form
    let is_blank = |key: &&[u8]| std::str::from_utf8(key).is_ok_and(|key| key.trim().is_empty());
    let Some(key) = key.filter(|key| !is_blank(key)) else {
        return Ok(None);
    };
    let id = match format {
        KeyFormat::Text => {
            // also where the rest is not UTF-8: the frames of all schema ids are judged alike
            if key
                .first()
                .is_some_and(|first| *first < 0x20 || matches!(first, 0x7f | b'"'))
            {
                return Err(NotOfTheForm);
            }
            let Ok(text) = std::str::from_utf8(key) else {
                return Ok(None);
            };
            if text.starts_with(char::is_control) {
                return Err(NotOfTheForm);
            }
            Cow::Borrowed(text)
        }
        KeyFormat::Json => {
            let text = std::str::from_utf8(key).map_err(|_| NotOfTheForm)?;
            let Text(id) = strict::read(text, Plain).map_err(|_| NotOfTheForm)?;
            id
        }
        KeyFormat::Avro => {
            let (_, body) = numbered(key).ok_or(NotOfTheForm)?;
            let mut input = Input::new(body);
            let id = input.bytes().map_err(|_| NotOfTheForm)?;
            input.end().map_err(|_| NotOfTheForm)?;
            Cow::Borrowed(std::str::from_utf8(id).map_err(|_| NotOfTheForm)?)
        }
    };
    Ok(Some(id).filter(|id| !id.trim().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(key: &'static [u8], format: KeyFormat) -> Result<Option<String>, NotOfTheForm> {
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
            assert_eq!(text(wrong), Err(NotOfTheForm), "{wrong:?}");
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
            assert_eq!(json(wrong), Err(NotOfTheForm), "{wrong:?}");
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
            assert_eq!(avro(wrong), Err(NotOfTheForm), "{wrong:?}");
        }
    }
}
