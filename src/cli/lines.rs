//! Records as `kcat -C -J` prints them, one JSON object a line.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::exit::Failure;
use super::letters;
use crate::config::Config;
use crate::record::{RawRecord, Rejection, Source, Violation};
use crate::source::metadata::Metadata;

/// A line of kcat. Key, payload and headers are bytes, for kcat prints those that are not UTF-8 as they are. Since
/// such a line is no JSON, a payload of Avro can be given in base64.
#[derive(Debug, Deserialize)]
pub struct Line {
    pub topic: String,
    #[serde(default)]
    pub partition: i32,
    #[serde(default)]
    pub offset: i64,
    #[serde(default)]
    tstype: Option<String>,
    #[serde(default)]
    ts: Option<i64>,
    #[serde(default)]
    pub key: Option<ByteBuf>,
    #[serde(default)]
    payload: Option<ByteBuf>,
    /// Stands in the place of `payload`.
    #[serde(default, deserialize_with = "base64_text")]
    payload_base64: Option<Vec<u8>>,
    /// Names and values in turn.
    #[serde(default)]
    headers: Vec<Option<ByteBuf>>,
    /// The topic that the record is judged as one of: its own, or of a dead letter the one that it came from.
    #[serde(skip)]
    pub feeds: String,
    /// The verdict on a dead letter that lacks a part of its record.
    #[serde(skip)]
    pub incomplete: Option<Rejection>,
}

fn base64_text<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    let decoded = text.map(|text| BASE64_STANDARD.decode(text)).transpose();
    decoded.map_err(|_| serde::de::Error::custom("not base64"))
}

impl Line {
    pub fn timestamp(&self) -> Option<i64> {
        if self.tstype.as_deref() == Some("unknown") {
            return None;
        }
        self.ts.filter(|millis| *millis != -1)
    }

    pub fn record(&self, source: Source) -> RawRecord<'_> {
        RawRecord {
            source,
            timestamp: self.timestamp(),
            key: self.key.as_deref().map(Vec::as_slice),
            value: self.payload(),
        }
    }

    fn payload(&self) -> Option<&[u8]> {
        let plain = || self.payload.as_deref().map(Vec::as_slice);
        self.payload_base64.as_deref().or_else(plain)
    }

    /// Has the record carry this timestamp, in milliseconds; -1 and none stand for none.
    pub fn set_timestamp(&mut self, millis: Option<i64>) {
        self.tstype = None;
        self.ts = millis;
    }

    /// Takes headers away by their names.
    pub fn drop_headers(&mut self, is_dropped: impl Fn(&str) -> bool) {
        let headers = std::mem::take(&mut self.headers);
        for pair in headers.chunks(2) {
            let name = pair.first().and_then(Option::as_deref);
            let name = name.and_then(|name| std::str::from_utf8(name).ok());
            if !name.is_some_and(&is_dropped) {
                self.headers.extend_from_slice(pair);
            }
        }
    }

    pub fn metadata(&self) -> Metadata {
        let length = |part: &Option<ByteBuf>| part.as_deref().map_or(0, |bytes| bytes.len());
        let headers = self.headers.chunks(2);
        let headers = headers.map(|header| header.iter().map(length).sum());
        Metadata::of(self.key.as_deref().map(Vec::as_slice), headers)
    }

    /// The value of the last header with a name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let mut pairs = self.headers.rchunks_exact(2);
        pairs.find_map(|pair| match pair {
            [Some(header), value] if header.as_slice() == name.as_bytes() => {
                Some(value.as_deref().map(Vec::as_slice))
            }
            _ => None,
        })?
    }
}

/// Reads the lines of all files, or of standard input without any, and gives each to `take`, with its source.
/// A `-` among the files is standard input.
pub fn read(
    files: &[PathBuf],
    config: &Config,
    mut take: impl FnMut(&Line, Source) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if files.is_empty() {
        return read_one(io::stdin().lock(), "standard input", config, &mut take);
    }
    for file in files {
        if file == Path::new("-") {
            read_one(io::stdin().lock(), "standard input", config, &mut take)?;
            continue;
        }
        let name = file.display().to_string();
        let open = File::open(file)
            .map_err(|error| Failure::Usage(format!("can't open {name}: {error}")))?;
        read_one(
            BufReader::with_capacity(1 << 20, open),
            &name,
            config,
            &mut take,
        )?;
    }
    Ok(())
}

fn read_one(
    mut input: impl BufRead,
    name: &str,
    config: &Config,
    take: &mut impl FnMut(&Line, Source) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut text = Vec::new();
    for number in 1_u64.. {
        text.clear();
        let length = input
            .read_until(b'\n', &mut text)
            .map_err(|error| Failure::Service(format!("can't read {name}: {error}")))?;
        if length == 0 {
            break;
        }
        if text.trim_ascii().is_empty() {
            continue;
        }
        let wrong = |what: String| Failure::Usage(format!("{name}, line {number}: {what}"));
        let mut line: Line = serde_json::from_slice(text.trim_ascii_end()).map_err(|error| {
            // the error's own text could quote the line
            wrong(format!(
                "not a record as `kcat -C -J` prints them (column {})",
                error.column()
            ))
        })?;
        line.feeds.clone_from(&line.topic);
        if config.sources.source_of(&line.topic).is_none() {
            letters::restore(&mut line);
        }
        let source = config.sources.source_of(&line.feeds).ok_or_else(|| {
            wrong(
                "its topic feeds no source; see `topics` under [sources] in the configuration"
                    .to_owned(),
            )
        })?;
        take(&line, source)?;
    }
    Ok(())
}

/// A rejection as `fold --rejected` writes it.
#[derive(Debug, Serialize)]
pub struct RejectionLine<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    key: Option<std::borrow::Cow<'a, str>>,
    source: &'static str,
    stage: &'static str,
    code: &'static str,
    message: &'a str,
    violations: &'a [Violation],
}

impl<'a> RejectionLine<'a> {
    pub fn new(line: &'a Line, source: Source, rejection: &'a Rejection) -> RejectionLine<'a> {
        RejectionLine {
            topic: &line.topic,
            partition: line.partition,
            offset: line.offset,
            key: line.key.as_deref().map(|key| String::from_utf8_lossy(key)),
            source: source.name(),
            stage: rejection.code.stage().name(),
            code: rejection.code.name(),
            message: &rejection.message,
            violations: &rejection.violations,
        }
    }
}
