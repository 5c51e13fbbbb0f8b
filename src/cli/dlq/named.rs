//! Letters that were named on the command line: each must be there, and be a letter of this application.

use std::collections::BTreeMap;
use std::fmt;

use super::scan::Scan;
use crate::cli::progress::Bar;
use crate::cli::range_records::letter;
use crate::exit::Failure;
use crate::inspect::letter::LetterId;
use crate::kafka::client::{ClientSettings, Isolation};
use crate::kafka::range_reader::RangeReader;

/// Why a name stands for no letter of this application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoLetter {
    /// With how many partitions there are.
    NoPartition(usize),
    /// With the first offset that is there.
    Taken(i64),
    /// With the offset behind the last record, as it was when the command began.
    BehindEnd(i64),
    /// A mark of a transaction, a record that was not committed, or one that was removed.
    NoRecord,
    /// A record without the headers of a letter.
    OtherRecord,
    OfApplication(String),
}

impl fmt::Display for NoLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoLetter::NoPartition(count) => write!(f, "the topic has {count} partitions only"),
            NoLetter::Taken(begin) => {
                write!(f, "retention has taken it: the partition begins at {begin}")
            }
            NoLetter::BehindEnd(end) => {
                write!(f, "it is behind the end: the partition ends before {end}")
            }
            NoLetter::NoRecord => f.write_str(
                "there is no record: it was removed, or belongs to a transaction's own bookkeeping",
            ),
            NoLetter::OtherRecord => f.write_str("the record there is no dead letter"),
            NoLetter::OfApplication(application) => {
                write!(f, "it is a letter of the application {application}")
            }
        }
    }
}

/// The names that stand for no letter of this application.
pub type NoLetters = BTreeMap<LetterId, NoLetter>;

/// Looks at each name.
pub fn look(scan: &Scan<'_>, letters: &[LetterId]) -> Result<NoLetters, Failure> {
    let mut none = NoLetters::new();
    // What is left here was not found.
    let mut ranges = Vec::new();
    for range in &scan.ranges {
        let named = letters.iter().filter(|id| id.partition == range.partition);
        let mut wanted = range.clone();
        (wanted.from, wanted.end) = (range.end, range.from);
        for id in named {
            if id.offset < range.from {
                none.insert(*id, NoLetter::Taken(range.from));
            } else if id.offset >= range.end {
                none.insert(*id, NoLetter::BehindEnd(range.end));
            } else {
                none.insert(*id, NoLetter::NoRecord);
                wanted.from = wanted.from.min(id.offset);
                wanted.end = wanted.end.max(id.offset + 1);
            }
        }
        if wanted.from < wanted.end {
            ranges.push(wanted);
        }
    }
    for id in letters {
        none.entry(*id)
            .or_insert(NoLetter::NoPartition(scan.ranges.len()));
    }
    if !ranges.is_empty() {
        read(scan, ranges, &mut none)?;
    }
    Ok(none)
}

fn read(
    scan: &Scan<'_>,
    ranges: Vec<crate::kafka::range_reader::Range>,
    none: &mut NoLetters,
) -> Result<(), Failure> {
    let settings = ClientSettings::from(scan.config);
    let mut reader = RangeReader::open(settings, Isolation::Committed, ranges)?;
    let mut bar = Bar::new("looking for the letters");
    reader.read::<Failure>(
        |record| {
            let id = LetterId {
                partition: record.partition,
                offset: record.offset,
            };
            let Some(known) = none.get_mut(&id) else {
                return Ok(());
            };
            match letter(record, &record.headers()) {
                None => *known = NoLetter::OtherRecord,
                Some(letter) if letter.application != scan.config.application_id => {
                    *known = NoLetter::OfApplication(letter.application.to_owned());
                }
                Some(_) => {
                    none.remove(&id);
                }
            }
            Ok(())
        },
        |progress| {
            bar.reading(progress);
            Ok(())
        },
    )
}

/// Names each of them; none: all is right.
pub fn failure(topic: &str, none: &NoLetters) -> Option<Failure> {
    let lines = none.iter().map(|(id, why)| format!("\n    {id}: {why}"));
    let lines: String = lines.collect();
    (!none.is_empty()).then(|| {
        Failure::Usage(format!(
            "{topic} holds no letter of this application under these names (`keyfold dlq list --each` lists those that it holds):{lines}"
        ))
    })
}

/// Checks that each name stands for a letter of this application.
pub fn check(scan: &Scan<'_>, letters: &[LetterId]) -> Result<(), Failure> {
    let none = look(scan, letters)?;
    match failure(&scan.config.dead_letters.topic, &none) {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_its_reason() {
        let id = |text: &str| text.parse::<LetterId>().unwrap();
        assert!(failure("dead", &NoLetters::new()).is_none());
        let none = [
            (id("0@1"), NoLetter::Taken(7)),
            (id("0@99"), NoLetter::BehindEnd(9)),
            (id("1@2"), NoLetter::OfApplication("other".to_owned())),
        ];
        let text = failure("dead", &none.into()).unwrap().to_string();
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "    0@1: retention has taken it: the partition begins at 7",
                "    0@99: it is behind the end: the partition ends before 9",
                "    1@2: it is a letter of the application other",
            ]
        );
    }
}
