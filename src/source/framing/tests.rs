//! Frames, and the writer schemas of keys.

use super::*;
use crate::config::{Config, SourceConfig};
use crate::definition::{self, Definition};
use crate::model::record::DeclaredSource;
use crate::source::Verdict;

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

/// Schema 1 is `string`, schema 2 a struct with a number, schema 3 does not exist, and the others are not known yet.
struct SchemasOfKeys;

const STRUCT: &str = r#"{"type":"record","name":"Key","fields":[{"name":"id","type":"long"}]}"#;

impl SchemaLookup for SchemasOfKeys {
    fn writer_schema(&self, purpose: Purpose, id: SchemaId) -> Option<WriterSchema> {
        assert_eq!(purpose, Purpose::Keys);
        let compile =
            |schema| WriterSchema::compile(purpose, &ReaderSchemas::default(), schema, &[]);
        match id {
            SchemaId::Number(1) => Some(compile(r#""string""#)),
            SchemaId::Number(2) => Some(compile(STRUCT)),
            SchemaId::Number(3) => Some(WriterSchema::Unknown),
            SchemaId::Number(4) => Some(compile(r#"["null","string"]"#)),
            _ => None,
        }
    }
}

/// A declared source with the format of its keys.
fn declared(definition: &str, key_format: KeyFormat) -> (Source, Config) {
    let none = |_: &str| Err("is not there".to_owned());
    let definition = Definition::parse(definition, "test.toml", none).unwrap();
    let source = DeclaredSource::new("rows");
    let settings = SourceConfig {
        key_format,
        tombstone: Tombstone::Retract,
        ..SourceConfig::default()
    };
    let mut config = Config::default();
    let plan = Arc::new(definition::Plan::new(definition).unwrap());
    config.sources.declare(source, settings, plan);
    (Source::Declared(source), config)
}

#[test]
fn a_definition_that_reads_keys_gets_them_decoded() {
    let read = |definition: &str, key: Option<&'static [u8]>, value: Option<&'static [u8]>| {
        let (source, config) = declared(definition, KeyFormat::Avro);
        let record = RawRecord {
            source,
            timestamp: Some(0),
            key,
            value,
        };
        let reader = PayloadReader::new(&config, source, &SchemasOfKeys);
        let needed = reader.needed(&record, || None);
        let read = reader.read(&record, || None);
        // What is needed is what is looked up.
        assert_eq!(needed[0], None);
        assert!(read.is_some() || needed[1].is_some());
        read.map(|payload| format!("{payload:?}"))
    };
    let debezium = "envelope = \"debezium\"\ncustomer_id = \"/id\"";
    let mapped = "customer_id = \"key\"";
    let with = |key: Option<Key>| {
        let value = Box::new(Payload::Json(b"{}"));
        Some(format!("{:?}", Payload::WithKey(key, value)))
    };
    let text = |text: &str| with(Some(Key::Text(text.to_owned())));
    let json = |json: &str| with(Some(Key::Json(json.to_owned())));
    for definition in [debezium, mapped] {
        let read = |key| read(definition, key, Some(b"{}"));
        assert_eq!(read(Some(b"\0\0\0\0\x01\x04c\"")), text("c\""));
        assert_eq!(read(Some(b"\0\0\0\0\x01\x08true")), text("true"));
        assert_eq!(read(Some(b"\0\0\0\0\x04\x02\x08true")), text("true"));
        assert_eq!(read(Some(b"\0\0\0\0\x02\x0e")), json(r#"{"id":7}"#));
        // What cannot be decoded, or is of no known schema, is no key.
        assert_eq!(read(Some(b"\0\0\0\0\x02\x0e\0")), with(None));
        assert_eq!(read(Some(b"\0\0\0\0\x03\x0e")), with(None));
        assert_eq!(read(Some(b"c1")), with(None));
        assert_eq!(read(None), with(None));
        assert_eq!(read(Some(b"\0\0\0\0\x09\x0e")), None);
    }
    // Others do not ask for its schema.
    let plain = Some(format!("{:?}", Payload::Json(b"{}")));
    assert_eq!(
        read(
            "customer_id = \"/id\"",
            Some(b"\0\0\0\0\x09\x0e"),
            Some(b"{}")
        ),
        plain
    );
    // The key of a null value must be a string, except where a null value says nothing.
    let null = Some(format!("{:?}", Payload::Null));
    assert_eq!(read(mapped, Some(b"\0\0\0\0\x01\x04c1"), None), null);
    let rejected = read(mapped, Some(b"\0\0\0\0\x02\x0e"), None).unwrap();
    assert!(rejected.contains("InvalidKey"), "{rejected}");
    assert_eq!(read(debezium, Some(b"\0\0\0\0\x09\x0e"), None), null);
}

#[test]
fn values_of_a_declared_source_are_read_by_its_reader_schema() {
    let none = |_: &str| Err("is not there".to_owned());
    let mut definition = Definition::parse("customer_id = \"/id\"", "test.toml", none).unwrap();
    let source = DeclaredSource::new("rows");
    let of = |definition: Definition| {
        let mut config = Config::default();
        let plan = Arc::new(definition::Plan::new(definition).unwrap());
        config
            .sources
            .declare(source, SourceConfig::default(), plan);
        ReaderSchemas::of(&config.sources)
    };
    let compiled =
        |readers: &ReaderSchemas, purpose: Purpose, body: &[u8]| match WriterSchema::compile(
            purpose,
            readers,
            STRUCT,
            &[],
        ) {
            WriterSchema::Plan(plan) => avro::to_json(&plan, body, 100).unwrap(),
            other => format!("{other:?}"),
        };
    let values = Purpose::Values(Source::Declared(source));
    let own = of(definition.clone());
    assert_eq!(compiled(&own, values, &[14]), r#"{"id":7}"#);
    let reader = r#"{"type":"record","name":"R","fields":[
        {"name":"number","aliases":["id"],"type":"long"},{"name":"kind","type":"string","default":"person"}]}"#;
    definition.reader = Some(reader.into());
    let resolved = of(definition);
    assert_eq!(
        compiled(&resolved, values, &[14]),
        r#"{"number":7,"kind":"person"}"#
    );
    // Keys have nothing to do with it, nor do other sources.
    assert_eq!(compiled(&resolved, Purpose::Keys, &[14]), r#"{"id":7}"#);
    let other = Purpose::Values(Source::Declared(DeclaredSource::new("others")));
    assert_eq!(compiled(&resolved, other, &[14]), r#"{"id":7}"#);
}

#[test]
fn a_value_of_json_may_have_a_frame_for_a_declared_source_too() {
    let (source, mut config) = declared("customer_id = \"/id\"", KeyFormat::Text);
    let settings = SourceConfig {
        format: Format::JsonRegistry,
        ..SourceConfig::default()
    };
    config.sources = [(source, settings)].into_iter().collect();
    for value in [&b"{}"[..], b"\0\0\0\0\x07{}"] {
        let record = RawRecord {
            source,
            timestamp: None,
            key: None,
            value: Some(value),
        };
        let reader = PayloadReader::new(&config, source, &NoSchemas);
        let read = reader.read(&record, || None);
        assert!(matches!(read, Some(Payload::Json(b"{}"))), "{read:?}");
    }
}

#[test]
fn a_key_of_json_is_the_text_of_a_string_or_json() {
    let read = |key: &'static [u8]| {
        let (source, config) = declared("customer_id = \"key\"", KeyFormat::Json);
        let record = RawRecord {
            source,
            timestamp: None,
            key: Some(key),
            value: Some(b"{}"),
        };
        let reader = PayloadReader::new(&config, source, &NoSchemas);
        assert_eq!(reader.needed(&record, || None), [None, None]);
        match reader.read(&record, || None) {
            Some(Payload::WithKey(key, _)) => key,
            other => panic!("{other:?}"),
        }
    };
    let text = |text: &str| Some(Key::Text(text.to_owned()));
    let json = |json: &str| Some(Key::Json(json.to_owned()));
    assert_eq!(read(b"\"c\\u0031\""), text("c1"));
    assert_eq!(read(b"\"1.50\""), text("1.50"));
    assert_eq!(read(b"{\"id\":1}"), json("{\"id\":1}"));
    assert_eq!(read(b"12"), json("12"));
    for wrong in [&b"c1"[..], b"\"c", b"\"\xff\"", b""] {
        assert_eq!(read(wrong), None, "{wrong:?}");
    }
}

/// Texts that could be read as JSON are the ids of deleted rows, whichever format the key has.
#[test]
fn a_string_in_a_key_is_the_id_as_it_is() {
    let id = |key_format: KeyFormat, key: &[u8]| {
        let definition = "envelope = \"debezium\"\ncustomer_id = \"/id\"";
        let (source, config) = declared(definition, key_format);
        let record = RawRecord {
            source,
            timestamp: Some(0),
            key: Some(key),
            value: Some(br#"{"op":"d","before":null,"after":null,"source":{"lsn":1}}"#),
        };
        let reader = PayloadReader::new(&config, source, &SchemasOfKeys);
        let payload = reader.read(&record, || None).unwrap();
        match crate::source::judge_payload(&record, &payload, &[], &config).verdict {
            Verdict::Valid(contribution) => Some(contribution.customer),
            _ => None,
        }
    };
    for text in [
        "1.50",
        "true",
        "null",
        "[1]",
        r#"{"id":"x"}"#,
        r#""q""#,
        "7",
        "c1",
    ] {
        let mut avro = b"\0\0\0\0\x01".to_vec();
        avro.push(2 * text.len() as u8);
        avro.extend(text.as_bytes());
        assert_eq!(id(KeyFormat::Avro, &avro).as_deref(), Some(text));
        let json = serde_json::to_string(text).unwrap();
        assert_eq!(id(KeyFormat::Json, json.as_bytes()).as_deref(), Some(text));
    }
    // Without a format of its own a key may be JSON.
    let of_text = |key: &str| id(KeyFormat::Text, key.as_bytes());
    assert_eq!(of_text(r#"{"id":"x"}"#).as_deref(), Some("x"));
    assert_eq!(of_text("c1").as_deref(), Some("c1"));
    assert_eq!(of_text("true"), None);
}
