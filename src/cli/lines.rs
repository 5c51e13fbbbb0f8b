//! Reads the lines of records for a command, and writes the lines about rejections.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::letters;
use super::line::Line;
use crate::config::Config;
use crate::exit::Failure;
use crate::model::record::{Rejection, Source, Violation};

/// Reads the lines of all files, or of standard input if there are none, and passes each to `handle` with its source. A
/// `-` among the files is standard input.
pub fn read(
    files: &[PathBuf],
    config: &Config,
    mut handle: impl FnMut(&Line, Source) -> Result<(), Failure>,
) -> Result<(), Failure> {
    read_all(files, &mut |line, wrong| {
        if config.sources.source_of(&line.topic).is_none() {
            letters::unwrap(line);
        }
        let source = config.sources.source_of(&line.input_topic).ok_or_else(|| {
            wrong("its topic feeds no source; see `topics` under [sources] in the configuration")
        })?;
        handle(line, source)
    })
}

/// Reads the lines of all files, or of standard input if there are none, whatever their topics.
pub fn read_any(
    files: &[PathBuf],
    config: &Config,
    mut handle: impl FnMut(&Line) -> Result<(), Failure>,
) -> Result<(), Failure> {
    read_all(files, &mut |line, _| {
        if config.sources.source_of(&line.topic).is_none() {
            letters::unwrap(line);
        }
        handle(line)
    })
}

/// Reads the lines of all files, or of standard input if there are none, as they are: a dead letter is one. The second
/// argument of `handle` makes a failure of what is wrong with a line.
pub fn read_plain(
    files: &[PathBuf],
    mut handle: impl FnMut(&Line, &dyn Fn(&str) -> Failure) -> Result<(), Failure>,
) -> Result<(), Failure> {
    read_all(files, &mut |line, wrong| handle(line, wrong))
}

/// Does something with a line. The second argument makes a failure of what is wrong with it.
type Handle<'h> = &'h mut dyn FnMut(&mut Line, &dyn Fn(&str) -> Failure) -> Result<(), Failure>;

fn read_all(files: &[PathBuf], handle: Handle<'_>) -> Result<(), Failure> {
    if files.is_empty() {
        return read_one(io::stdin().lock(), "standard input", handle);
    }
    for file in files {
        if file == Path::new("-") {
            read_one(io::stdin().lock(), "standard input", handle)?;
            continue;
        }
        let name = file.display().to_string();
        let open = File::open(file)
            .map_err(|error| Failure::Usage(format!("cannot open {name}: {error}")))?;
        read_one(BufReader::with_capacity(1 << 20, open), &name, handle)?;
    }
    Ok(())
}

fn read_one(mut input: impl BufRead, name: &str, handle: Handle<'_>) -> Result<(), Failure> {
    let mut text = Vec::new();
    for number in 1_u64.. {
        text.clear();
        let length = input
            .read_until(b'\n', &mut text)
            .map_err(|error| Failure::Service(format!("cannot read {name}: {error}")))?;
        if length == 0 {
            break;
        }
        if text.trim_ascii().is_empty() {
            continue;
        }
        let wrong = |what: &str| Failure::Usage(format!("{name}, line {number}: {what}"));
        let mut line = parse(&text).map_err(|what| wrong(&what))?;
        line.bytes = length as u64;
        handle(&mut line, &wrong)?;
    }
    Ok(())
}

/// Reads the text of a line.
///
/// # Errors
/// What is wrong with it, without its text.
pub fn parse(text: &[u8]) -> Result<Line, String> {
    let mut line: Line = serde_json::from_slice(text.trim_ascii_end()).map_err(|error| {
        // The error's own text could quote the line.
        let column = error.column();
        format!("not a record as `kcat -C -J` prints them (column {column})")
    })?;
    line.input_topic.clone_from(&line.topic);
    Ok(line)
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
            key: line.key().map(String::from_utf8_lossy),
            source: source.name(),
            stage: rejection.code.stage().name(),
            code: rejection.code.name(),
            message: &rejection.message,
            violations: &rejection.violations,
        }
    }
}
