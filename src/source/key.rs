//! How the key of a null value gives the customer id (docs/contract.md, section 2).
//!
//! A key that is framed or quoted is not the id: taken as it is, it would erase somebody else, or nobody.

use std::borrow::Cow;

use super::framing::{Known, Schemas, numbered};
use crate::avro::input::Input;
use crate::config::{Config, KeyFormat, Tombstone};
use crate::json::strict::{self, Plain, Text};
use crate::model::record::{Code, RawRecord, Rejection};

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

/// Looks up the writer schema of a null value's key under `avro`: bytes of another one may look like a string, and
/// would erase somebody else. None: it is not known yet. Where there is no place to look it up in, the frame is
/// believed.
pub fn check_schema(
    record: &RawRecord<'_>,
    config: &Config,
    schemas: &dyn Schemas,
) -> Option<Result<(), Rejection>> {
    let is_asked = record.value.is_none()
        && config.sources.get(record.source).is_some_and(|source| {
            source.key_format == KeyFormat::Avro && source.tombstone != Tombstone::Reject
        });
    let key = record.key.filter(|_| is_asked && schemas.is_there());
    // a key that is not of the form at all is rejected by that
    let Some((id, _)) = key.and_then(numbered) else {
        return Some(Ok(()));
    };
    let why = match schemas.known(record.source, id)? {
        Known::Text => return Some(Ok(())),
        Known::Missing => "is not in the schema registry",
        Known::Plan(_) | Known::Unusable(_) => "is not string",
    };
    let message = format!("the writer schema {id} of the key of a null value {why}");
    Some(Err(Rejection::with_message(Code::InvalidKey, message)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SourceConfig;
    use crate::model::record::Source;
    use crate::source::framing::{NoSchemas, SchemaId};

    /// Schema 1 is of strings, schema 2 is not, there is no schema 3, and the others are not known yet.
    struct Few;

    impl Schemas for Few {
        fn known(&self, _: Source, id: SchemaId) -> Option<Known> {
            match id {
                SchemaId::Number(1) => Some(Known::Text),
                SchemaId::Number(2) => Some(Known::Unusable("it is of numbers".into())),
                SchemaId::Number(3) => Some(Known::Missing),
                _ => None,
            }
        }
    }

    #[test]
    fn the_writer_schema_of_a_key_of_avro_must_be_string() {
        let source = Source::LoyaltyCustomers;
        let with = |key_format, tombstone| {
            let settings = SourceConfig {
                key_format,
                tombstone,
                ..SourceConfig::of(source)
            };
            Config {
                sources: [(source, settings)].into_iter().collect(),
                ..Config::default()
            }
        };
        let checked =
            |config: &Config, id: u8, value: Option<&'static [u8]>, schemas: &dyn Schemas| {
                let key = [0, 0, 0, 0, id, 4, b'c', b'1'];
                let record = RawRecord {
                    source,
                    timestamp: Some(0),
                    key: Some(&key),
                    value,
                };
                let checked = check_schema(&record, config, schemas)?;
                Some(checked.map_err(|rejection| (rejection.code, rejection.message)))
            };
        let wrong = |text: &str| {
            let message = format!("the writer schema {text}");
            Some(Err((Code::InvalidKey, message)))
        };
        // under `text` no schema is asked for
        let config = with(KeyFormat::Text, Tombstone::Erase);
        assert_eq!(checked(&config, 4, None, &Few), Some(Ok(())));
        let config = with(KeyFormat::Avro, Tombstone::Erase);
        assert_eq!(checked(&config, 1, None, &Few), Some(Ok(())));
        let not_string = "2 of the key of a null value is not string";
        assert_eq!(checked(&config, 2, None, &Few), wrong(not_string));
        let missing = "3 of the key of a null value is not in the schema registry";
        assert_eq!(checked(&config, 3, None, &Few), wrong(missing));
        assert_eq!(checked(&config, 4, None, &Few), None);
        // neither for a value, nor where there is no registry, nor for what is rejected anyhow
        assert_eq!(checked(&config, 4, Some(b"{}"), &Few), Some(Ok(())));
        assert_eq!(checked(&config, 2, None, &NoSchemas), Some(Ok(())));
        let config = with(KeyFormat::Avro, Tombstone::Reject);
        assert_eq!(checked(&config, 4, None, &Few), Some(Ok(())));
    }

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
