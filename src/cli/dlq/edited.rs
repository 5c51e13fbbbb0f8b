//! The lines of `replay --from FILE`: letters that somebody has exported, and perhaps edited. Only where each line is in
//! the file is kept in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use crate::cli::line::Line;
use crate::cli::lines::parse;
use crate::engine::dead_letter::PREFIX;
use crate::exit::Failure;
use crate::inspect::letter::{Letter, LetterId};

/// Where a line is.
#[derive(Debug, Clone, Copy)]
struct At {
    number: u32,
    start: u64,
    length: usize,
}

pub struct Edited {
    name: String,
    file: RefCell<File>,
    lines: BTreeMap<LetterId, At>,
}

impl Edited {
    /// Reads all lines once.
    ///
    /// # Errors
    /// A line is no record of the dead-letter topic, or two are of one letter.
    pub fn open(path: &Path, dead_letter_topic: &str) -> Result<Edited, Failure> {
        let name = path.display().to_string();
        let open = |what: &str| {
            File::open(path)
                .map_err(|error| Failure::Usage(format!("cannot {what} {name}: {error}")))
        };
        let mut lines = BTreeMap::new();
        let mut input = BufReader::with_capacity(1 << 20, open("open")?);
        let mut text = Vec::new();
        let mut start = 0;
        for number in 1_u32.. {
            text.clear();
            let length = input
                .read_until(b'\n', &mut text)
                .map_err(|error| Failure::Service(format!("cannot read {name}: {error}")))?;
            if length == 0 {
                break;
            }
            let at = At {
                number,
                start,
                length,
            };
            start += length as u64;
            if text.trim_ascii().is_empty() {
                continue;
            }
            let wrong = |what: &str| Failure::Usage(format!("{name}, line {number}: {what}"));
            let line = parse(&text).map_err(|what| wrong(&what))?;
            if line.topic != dead_letter_topic {
                return Err(wrong(&format!(
                    "its topic is not {dead_letter_topic}; a line names its letter by topic, partition and offset, as `dlq export` wrote them"
                )));
            }
            let id = LetterId {
                partition: line.partition,
                offset: line.offset,
            };
            if lines.insert(id, at).is_some() {
                return Err(wrong(&format!("the letter {id} has another line before")));
            }
        }
        Ok(Edited {
            file: RefCell::new(open("open")?),
            name,
            lines,
        })
    }

    pub fn letters(&self) -> impl Iterator<Item = LetterId> {
        self.lines.keys().copied()
    }

    /// The line of a letter.
    pub fn line(&self, id: LetterId) -> Result<EditedLine, Failure> {
        let at = self.lines.get(&id).copied();
        let at = at.ok_or_else(|| Failure::Usage(format!("{} has no letter {id}", self.name)))?;
        let mut text = vec![0; at.length];
        let mut file = self.file.borrow_mut();
        let read = file
            .seek(SeekFrom::Start(at.start))
            .and_then(|_| file.read_exact(&mut text));
        read.map_err(|error| Failure::Service(format!("cannot read {}: {error}", self.name)))?;
        let place = format!("{}, line {}", self.name, at.number);
        let line = parse(&text).map_err(|what| Failure::Usage(format!("{place}: {what}")))?;
        Ok(EditedLine { line, place })
    }
}

pub struct EditedLine {
    pub line: Line,
    place: String,
}

impl EditedLine {
    /// Checks that the line is of this letter: under the same name there may be another one by now, in a topic that was
    /// deleted and recreated.
    pub fn check(&self, letter: &Letter<'_>) -> Result<(), Failure> {
        let text = |name: &str| {
            let value = self.line.header(&format!("{PREFIX}{name}"))?;
            std::str::from_utf8(value).ok()
        };
        let same = |name: &str, of_letter: &str| text(name).is_none_or(|text| text == of_letter);
        let is_same = same("topic", letter.topic)
            && same("partition", &letter.partition.to_string())
            && same("offset", &letter.offset.to_string());
        match is_same {
            true => Ok(()),
            false => Err(Failure::Usage(format!(
                "{}: the letter {} is of another record than this line: was the topic deleted and recreated?",
                self.place, letter.id
            ))),
        }
    }
}
