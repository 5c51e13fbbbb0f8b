//! Frames, and the writer schemas of keys.

use super::*;
use crate::config::{Config, SourceConfig};

fn opened(value: &'static [u8], header: Option<&'static [u8]>, format: Format) -> String {
    let record = RawRecord {
        source: Source::LoyaltyCustomers,
        timestamp: None,
        key: None,
        value: Some(value),
    };
    let settings = SourceConfig {
        format,
        ..SourceConfig::of(record.source)
    };
    let mut config = Config {
        sources: [(record.source, settings)].into_iter().collect(),
        ..Config::default()
    };
    config.validation.max_record_bytes = 30;
    let reader = PayloadReader::new(&config, record.source, &NoSchemas);
    match reader.read(&record, || header).unwrap() {
        Payload::Rejected(rejection) => format!("{:?}", rejection.code),
        opened => format!("{opened:?}"),
    }
}

#[test]
fn ids_as_people_write_them() {
    assert_eq!(SchemaId::Number(17).to_string(), "17");
    let guid = SchemaId::Guid(std::array::from_fn(|at| at as u8));
    assert_eq!(guid.to_string(), "00010203-0405-0607-0809-0a0b0c0d0e0f");
}

#[test]
fn frames() {
    const GUID_OF_ONES: &[u8] = &[1; 17];
    let code = |code: Code| format!("{code:?}");
    let json = |text: &'static [u8]| format!("{:?}", Payload::Json(text));
    let framed: &[u8] = b"\0\0\0\0\x07{}";
    assert_eq!(opened(b"{}", None, Format::Json), json(b"{}"));
    assert_eq!(opened(framed, None, Format::Json), json(framed));
    assert_eq!(opened(b"{}", None, Format::JsonRegistry), json(b"{}"));
    assert_eq!(opened(framed, None, Format::JsonRegistry), json(b"{}"));
    assert_eq!(
        opened(b"\0\0\0", None, Format::JsonRegistry),
        json(b"\0\0\0")
    );
    for bad in [b"".as_slice(), b"\0", b"\0\0\0\0", b"\x01\0\0\0\x01", b"{}"] {
        assert_eq!(opened(bad, None, Format::Avro), code(Code::InvalidAvro));
    }
    let unknown = code(Code::UnknownSchemaId);
    assert_eq!(opened(b"\0\0\0\0\x07", None, Format::Avro), unknown);
    assert_eq!(opened(b"x", Some(GUID_OF_ONES), Format::Avro), unknown);
    // A header of another kind is ignored.
    let header = Some(&GUID_OF_ONES[..16]);
    assert_eq!(opened(b"x", header, Format::Avro), code(Code::InvalidAvro));
    assert_eq!(opened(&[0; 31], None, Format::Avro), code(Code::TooLarge));
    assert_eq!(
        numbered(&frame(0x0102_0304)),
        Some((SchemaId::Number(0x0102_0304), &[][..]))
    );
}

/// Schema 1 is `string`, schema 2 is not, schema 3 does not exist, and the others are not known yet.
struct SomeSchemas;

impl SchemaLookup for SomeSchemas {
    fn writer_schema(&self, _: Purpose, id: SchemaId) -> Option<WriterSchema> {
        match id {
            SchemaId::Number(1) => Some(WriterSchema::PlainString),
            SchemaId::Number(2) => Some(WriterSchema::Unusable("it is of numbers".into())),
            SchemaId::Number(3) => Some(WriterSchema::Unknown),
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
        |config: &Config, id: u8, value: Option<&'static [u8]>, schemas: &dyn SchemaLookup| {
            let key = [0, 0, 0, 0, id, 4, b'c', b'1'];
            let record = RawRecord {
                source,
                timestamp: Some(0),
                key: Some(&key),
                value,
            };
            let reader = PayloadReader::new(config, source, schemas);
            Some(match reader.read(&record, || None)? {
                Payload::Rejected(rejection) => Err((rejection.code, rejection.message)),
                _ => Ok(()),
            })
        };
    let wrong = |text: &str| {
        let message = format!("the writer schema {text}");
        Some(Err((Code::InvalidKey, message)))
    };
    // With `text`, no schema is looked up.
    let config = with(KeyFormat::Text, Tombstone::Erase);
    assert_eq!(checked(&config, 4, None, &SomeSchemas), Some(Ok(())));
    let config = with(KeyFormat::Avro, Tombstone::Erase);
    assert_eq!(checked(&config, 1, None, &SomeSchemas), Some(Ok(())));
    let not_string = "2 of the key of a null value is not string";
    assert_eq!(checked(&config, 2, None, &SomeSchemas), wrong(not_string));
    let missing = "3 of the key of a null value is not in the schema registry";
    assert_eq!(checked(&config, 3, None, &SomeSchemas), wrong(missing));
    assert_eq!(checked(&config, 4, None, &SomeSchemas), None);
    // Nor for a value, nor without a registry, nor for a record that is rejected in any case.
    assert_eq!(checked(&config, 4, Some(b"{}"), &SomeSchemas), Some(Ok(())));
    assert_eq!(checked(&config, 2, None, &NoSchemas), Some(Ok(())));
    let config = with(KeyFormat::Avro, Tombstone::Reject);
    assert_eq!(checked(&config, 4, None, &SomeSchemas), Some(Ok(())));
}
