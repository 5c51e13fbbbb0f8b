//! Records of Avro as lines for the commands without Kafka, and what those make of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use keyfold::model::record::Source;
use keyfold_generate::{GeneratedRecord, kcat_line};

use crate::app::{App, text_of};
use crate::avro_records::{NAME, Snapshots, id_of, json};
use crate::client::Isolation;
use crate::program;
use crate::record::Consumed;
use crate::registry;

/// The value of a line.
pub enum Payload {
    Text(Option<Vec<u8>>),
    Base64(Option<Vec<u8>>),
}

/// The value as it is in the topic.
pub fn as_it_is(record: &Consumed) -> Payload {
    Payload::Base64(record.value.clone())
}

/// A line as kcat prints records; a value in base64 has a name of its own.
pub fn line(source: Source, topic: &str, record: &Consumed, payload: Payload) -> Vec<u8> {
    let (value, encoded) = match payload {
        Payload::Text(value) => (value, None),
        Payload::Base64(value) => (None, value),
    };
    let generated = GeneratedRecord {
        source: keyfold_generate::Source::ALL[source.index()],
        timestamp: record.timestamp.unwrap_or(-1),
        key: record.key.clone(),
        value,
        headers: Vec::new(),
    };
    let mut line = kcat_line(&generated, topic, record.partition, record.offset);
    if let Some(encoded) = encoded {
        let end = b"\"payload\":null}\n";
        let start = line.strip_suffix(end).expect("a null at the end").len();
        line.truncate(start);
        let encoded = base64(&encoded);
        line.extend(format!("\"payload_base64\":\"{encoded}\"}}\n").into_bytes());
    }
    line
}

/// The lines of `keyfold fold`: the snapshots that show something.
#[track_caller]
pub fn folded(lines: &[u8]) -> Snapshots {
    let lines = lines.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty()).map(json);
    let snapshots = lines.map(|mut line| {
        let key = line["key"].as_str().expect("a key").to_owned();
        (key, line["value"].take())
    });
    snapshots.filter(|(_, value)| !value.is_null()).collect()
}

impl App {
    /// The records of the inputs as kcat prints them, with the values that `payload` gives.
    pub fn kcat_lines(&self, payload: impl Fn(&Consumed) -> Payload) -> Vec<u8> {
        let mut lines = Vec::new();
        for source in Source::BUILT_IN {
            let topic = self.input(source);
            for record in self.client.read_all(&topic, Isolation::ReadCommitted) {
                lines.extend(line(source, &topic, &record, payload(&record)));
            }
        }
        lines
    }

    /// What `keyfold fold` writes for the records of the inputs, each with the JSON that its name stands for.
    #[track_caller]
    pub fn fold_of_json(&self, values: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
        let lines = self.kcat_lines(|record| {
            let value = record.value.as_ref().map(|_| {
                let name = record.header(NAME).expect("a record with a name");
                values[name].clone()
            });
            Payload::Text(value)
        });
        let mut settings: toml::Table = self.config().parse().expect("TOML");
        for (_, source) in settings["sources"].as_table_mut().expect("sources") {
            let source = source.as_table_mut().expect("a source");
            source.remove("format");
        }
        settings.remove("registry");
        let snapshot = settings["snapshot"].as_table_mut().expect("a table");
        snapshot.remove("format");
        let file = self.file("json.toml");
        fs::write(&file, settings.to_string()).expect("a configuration file");
        let file = file.to_str().expect("a path of text");
        let output = program::run(&["fold", "--config", file], &lines);
        assert_eq!(output.status.code(), Some(0), "{}", text_of(&output));
        output.stdout
    }

    /// The schemas that the values of the inputs name, as files for a command.
    #[track_caller]
    pub fn schema_files(&self) -> PathBuf {
        let folder = self.file("schemas");
        fs::create_dir_all(&folder).expect("a folder");
        for topic in self.inputs() {
            for record in self.client.read_all(&topic, Isolation::ReadCommitted) {
                let Some(id) = record.value.as_deref().and_then(id_of) else {
                    continue;
                };
                let file = folder.join(format!("{id}.avsc"));
                if !file.exists() {
                    fs::write(file, registry::schema(id)).expect("a file");
                }
            }
        }
        folder
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let index = bits >> (18 - 6 * digit) & 63;
            let padding = digit > chunk.len();
            text.push(if padding {
                '='
            } else {
                DIGITS[index as usize] as char
            });
        }
    }
    text
}
