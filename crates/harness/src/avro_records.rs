//! Records in Avro: what a client that shares no code with keyfold makes of JSON, and what must come out of them.

use std::collections::BTreeMap;
use std::fs;

use keyfold::model::record::Source;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::app::{App, EXAMPLE_TIME, text_of};
use crate::broker;
use crate::python_client::{AVRO_CLIENT, run_python};
use crate::registry;
use crate::registry_proxy::RegistryProxy;
use crate::root;

/// The header by which a record finds its JSON again.
pub const NAME: &str = "example";

/// A schema to write by.
#[derive(Clone, Debug, Serialize)]
pub struct WriterSchema {
    #[serde(rename = "type")]
    schema_type: &'static str,
    text: String,
    references: Vec<Reference>,
}

/// A schema that another one names types of.
#[derive(Clone, Debug, Serialize)]
pub struct Reference {
    /// The full name of the type.
    pub name: String,
    pub subject: String,
    #[serde(rename = "type")]
    pub schema_type: &'static str,
    pub text: String,
}

impl WriterSchema {
    pub fn avro(schema: &Value) -> WriterSchema {
        WriterSchema {
            schema_type: "AVRO",
            text: schema.to_string(),
            references: Vec::new(),
        }
    }

    pub fn json(schema: &Value) -> WriterSchema {
        WriterSchema {
            schema_type: "JSON",
            ..WriterSchema::avro(schema)
        }
    }

    pub fn with(mut self, reference: Reference) -> WriterSchema {
        self.references.push(reference);
        self
    }
}

/// A schema of `schemas/`, by its file's name.
#[track_caller]
pub fn schema(name: &str) -> Value {
    json(&file(name))
}

/// The text of a file of `schemas/`.
#[track_caller]
pub fn file(path: &str) -> Vec<u8> {
    let path = root().join("schemas").join(path);
    fs::read(&path).unwrap_or_else(|e| panic!("read {}: {e}", path.display()))
}

/// The reader schema of a source.
#[track_caller]
pub fn reader(source: Source) -> Value {
    schema(&format!("{}.avsc", source.name()))
}

/// A file below `schemas/examples`.
#[track_caller]
pub fn example(path: &str) -> Vec<u8> {
    file(&format!("examples/{path}"))
}

/// JSON nested to any depth.
#[track_caller]
pub fn json(text: &[u8]) -> Value {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    deserializer.disable_recursion_limit();
    Value::deserialize(&mut deserializer).expect("JSON")
}

/// A record for the outside client.
#[derive(Clone, Debug, Serialize)]
pub struct Outside {
    topic: String,
    /// The name of its schema in the [`Batch`].
    schema: Option<String>,
    value: Option<Box<RawValue>>,
    key: Option<String>,
    timestamp: i64,
    headers: BTreeMap<String, String>,
    logical: bool,
}

impl Outside {
    /// In Avro. The value is given in its JSON form.
    #[track_caller]
    pub fn avro(app: &App, source: Source, schema: &str, value: &[u8]) -> Outside {
        Outside {
            value: Some(datum(source, value)),
            ..Outside::json(app, source, schema, value)
        }
    }

    /// In JSON.
    #[track_caller]
    pub fn json(app: &App, source: Source, schema: &str, value: &[u8]) -> Outside {
        Outside {
            topic: app.input(source),
            schema: Some(schema.to_owned()),
            value: Some(raw(value)),
            key: None,
            timestamp: EXAMPLE_TIME,
            headers: BTreeMap::new(),
            logical: false,
        }
    }

    /// A null.
    pub fn null(app: &App, source: Source) -> Outside {
        Outside {
            topic: app.input(source),
            schema: None,
            value: None,
            key: None,
            timestamp: EXAMPLE_TIME,
            headers: BTreeMap::new(),
            logical: false,
        }
    }

    /// Sets the timestamp, in milliseconds since 1970.
    pub fn at(mut self, timestamp: i64) -> Outside {
        self.timestamp = timestamp;
        self
    }

    pub fn key(mut self, key: &str) -> Outside {
        self.key = Some(key.to_owned());
        self
    }

    /// Names the record, so that it finds its JSON again.
    pub fn named(mut self, name: &str) -> Outside {
        self.headers.insert(NAME.to_owned(), name.to_owned());
        self
    }

    /// The times are written by their logical type, not as text.
    pub fn logical(mut self) -> Outside {
        self.logical = true;
        self
    }
}

/// The value as Avro has it: attributes are JSON texts, and a whole number is one whatever its text.
#[track_caller]
fn datum(source: Source, value: &[u8]) -> Box<RawValue> {
    if source != Source::ConsoleCustomers {
        return raw(value);
    }
    let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(value).expect("JSON");
    if let Some(attributes) = fields.get_mut("attributes")
        && attributes.get() != "null"
    {
        let texts: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(attributes.get()).expect("attributes");
        let texts: BTreeMap<_, _> = texts
            .iter()
            .map(|(name, text)| (name, text.get()))
            .collect();
        *attributes = serde_json::value::to_raw_value(&texts).expect("JSON");
    }
    if let Some(version) = fields.get_mut("version")
        && let Some((whole, _)) = version.get().split_once('.')
        && !whole.starts_with('"')
    {
        *version = RawValue::from_string(whole.to_owned()).expect("a number");
    }
    serde_json::value::to_raw_value(&fields).expect("JSON")
}

#[track_caller]
fn raw(value: &[u8]) -> Box<RawValue> {
    let text = String::from_utf8(value.to_vec()).expect("text");
    RawValue::from_string(text.trim().to_owned()).expect("JSON")
}

/// What the outside client is to do.
#[derive(Default, Serialize)]
pub struct Batch {
    schemas: BTreeMap<String, WriterSchema>,
    records: Vec<Outside>,
}

impl Batch {
    pub fn schema(&mut self, name: &str, schema: WriterSchema) {
        self.schemas.insert(name.to_owned(), schema);
    }

    pub fn record(&mut self, record: Outside) {
        self.records.push(record);
    }

    /// With the reader schemas, by their sources' names.
    pub fn of_readers() -> Batch {
        let mut batch = Batch::default();
        for source in Source::BUILT_IN {
            batch.schema(source.name(), WriterSchema::avro(&reader(source)));
        }
        batch
    }
}

/// A snapshot as the outside client reads it.
#[derive(Clone, Debug, Deserialize)]
pub struct AvroSnapshot {
    pub key: String,
    /// The id of its schema.
    pub id: Option<u32>,
    /// None is Kafka's null.
    pub value: Option<Value>,
}

/// Snapshots by their customers, in the form of JSON.
pub type Snapshots = BTreeMap<String, Value>;

impl App {
    /// All four sources and the snapshots in Avro, by a registry behind this proxy.
    pub fn in_avro(proxy: &RegistryProxy) -> App {
        let mut app = App::new();
        app.set_formats("avro");
        app.set(&["snapshot", "format"], "avro");
        app.set(&["registry", "url"], proxy.url());
        app
    }

    /// Sets the format of all sources.
    pub fn set_formats(&mut self, format: &str) {
        for source in Source::BUILT_IN {
            self.set(&["sources", source.name(), "format"], format);
        }
    }

    /// Produces records by the outside client.
    #[track_caller]
    pub fn produce_outside(&self, batch: &Batch) {
        let file = self.batch_file(batch);
        python(&["produce", broker::bootstrap(), registry::url(), &file]);
    }

    /// The framed values of the records, encoded by the outside client.
    #[track_caller]
    pub fn encode_outside(&self, batch: &Batch) -> Vec<Vec<u8>> {
        let file = self.batch_file(batch);
        let text = python(&["encode", registry::url(), &file]);
        text.lines().map(bytes_of_hex).collect()
    }

    fn batch_file(&self, batch: &Batch) -> String {
        let file = self.file("batch.json");
        fs::write(&file, serde_json::to_vec(batch).expect("JSON")).expect("a file");
        file.to_str().expect("a path of text").to_owned()
    }

    /// Every snapshot ever published, as the outside client reads them, by partition and offset.
    #[track_caller]
    pub fn avro_snapshots(&self) -> Vec<AvroSnapshot> {
        let text = python(&[
            "read",
            broker::bootstrap(),
            registry::url(),
            &self.snapshots(),
        ]);
        let read = text.lines().map(|line| {
            let mut snapshot: AvroSnapshot = serde_json::from_str(line).expect("a snapshot");
            if let Some(attributes) = snapshot.value.as_mut().and_then(attributes) {
                for (_, value) in attributes.iter_mut() {
                    *value = json(value.as_str().expect("a text").as_bytes());
                }
            }
            // In JSON the declared sources stand beside the others.
            if let Some(sources) = snapshot
                .value
                .as_mut()
                .and_then(|value| value.get_mut("sources"))
                && let Some(sources) = sources.as_object_mut()
                && let Some(Value::Object(declared)) = sources.remove("declared")
            {
                sources.extend(declared);
            }
            snapshot
        });
        read.collect()
    }

    /// The newest snapshot of each customer that has one.
    #[track_caller]
    pub fn newest_avro_snapshots(&self) -> Snapshots {
        let newest: BTreeMap<_, _> = self
            .avro_snapshots()
            .into_iter()
            .map(|snapshot| (snapshot.key, snapshot.value))
            .collect();
        let shown = newest.into_iter();
        shown
            .filter_map(|(key, value)| Some((key, value?)))
            .collect()
    }
}

/// The id in a frame.
pub fn id_of(value: &[u8]) -> Option<u32> {
    let id = value.get(1..5)?.try_into().ok()?;
    Some(u32::from_be_bytes(id))
}

fn attributes(snapshot: &mut Value) -> Option<&mut serde_json::Map<String, Value>> {
    snapshot.get_mut("attributes")?.as_object_mut()
}

#[track_caller]
fn python(args: &[&str]) -> String {
    let output = run_python(AVRO_CLIENT, args);
    assert!(output.status.success(), "{}", text_of(&output));
    String::from_utf8(output.stdout).expect("text")
}

fn bytes_of_hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    let bytes = digits.map(|pair| {
        let pair = std::str::from_utf8(pair).expect("digits");
        u8::from_str_radix(pair, 16).expect("digits")
    });
    bytes.collect()
}
