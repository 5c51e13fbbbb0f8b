//! `keyfold dlq list`: what is wrong, since when, how much of it, and whether it would pass now.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::scan::{Found, Scan};
use super::selection::FilterArgs;
use super::today::{NOT_KNOWN, Today};
use crate::cli::output::{Output, plain, table};
use crate::cli::when::{self, now_millis};
use crate::config::Config;
use crate::exit::{Done, Failure, unless_closed};
use crate::inspect::letter::groups::{Group, Groups, Wrong};
use crate::inspect::letter::now::Now;
use crate::inspect::letter::settled::How;
use crate::inspect::letter::{Letter, LetterId};

/// Show what is wrong, since when, how much of it, and how much would pass now.
///
/// A line for each source, stage, code, and pointer and keyword of the first violation. Times are those of the
/// rejection, in UTC.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    #[command(flatten)]
    filters: FilterArgs,
    /// A line for each letter
    #[arg(long)]
    each: bool,
    /// With --each, also the records' keys, which may be customer ids
    #[arg(long, requires = "each")]
    ids: bool,
}

pub fn run(config: &Config, args: &ListArgs, output: Output) -> Result<Done, Failure> {
    let filter = args.filters.filter(&[])?;
    let mut scan = Scan::open(config)?;
    let settlements = scan.settlements([])?;
    let mut today = Today::connect(&scan)?;
    let mut groups = Groups::default();
    let mut each = args.each.then(|| Each::new(output, args.ids));
    let mut letters = 0_u64;
    scan.read("reading dead letters", &filter, &settlements, |found| {
        let Found {
            letter, settled, ..
        } = found;
        if settled.is_some() && !args.filters.all() {
            return Ok(());
        }
        letters += 1;
        let now = today.judge(&letter)?;
        match &mut each {
            Some(each) => each.line(&letter, settled, now.as_ref()),
            None => {
                groups.add(&letter, now.map(|now| now.is_valid()));
                Ok(())
            }
        }
    })?;
    match each {
        Some(mut each) => each.finish()?,
        None => write_groups(&groups, output)?,
    }
    if letters == 0 {
        eprintln!("no dead letters");
    }
    let hint = "letters are not shown; --all shows them";
    scan.tell_beside((!args.filters.all()).then_some(hint));
    today.finish()?;
    Ok(Done::Clean)
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupLine<'a> {
    letters: u64,
    source: &'a str,
    stage: &'a str,
    code: &'a str,
    pointer: &'a str,
    keyword: &'a str,
    first: Option<String>,
    last: Option<String>,
    /// Null where it is not known of each letter.
    valid_now: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_known: Option<u64>,
    example: String,
}

fn write_groups(groups: &Groups, output: Output) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let sorted = groups.sorted();
    let written = match output {
        Output::Json => sorted.iter().try_for_each(|(wrong, group)| {
            let line = GroupLine {
                letters: group.letters,
                source: &wrong.source,
                stage: &wrong.stage,
                code: &wrong.code,
                pointer: &wrong.pointer,
                keyword: &wrong.keyword,
                first: group.first.map(when::text),
                last: group.last.map(when::text),
                valid_now: (group.not_known == 0).then_some(group.valid_now),
                not_known: (group.not_known > 0).then_some(group.not_known),
                example: group.example.to_string(),
            };
            write_json(&mut out, &line)
        }),
        Output::Table if sorted.is_empty() => Ok(()),
        Output::Table => writeln!(out, "{}", groups_table(&sorted, now_millis())),
    };
    unless_closed(written.and_then(|()| out.flush()), "standard output")
}

fn groups_table(groups: &[(&Wrong, &Group)], now: i64) -> String {
    let heading = [
        "SOURCE",
        "CODE",
        "POINTER",
        "KEYWORD",
        "FIRST",
        "LAST",
        "VALID NOW",
        "EXAMPLE",
    ];
    let mut rows = vec![heading.map(str::to_owned)];
    let width = heading[6].len();
    rows.extend(groups.iter().map(|(wrong, group)| {
        [
            plain(&wrong.source).into_owned(),
            plain(&wrong.code).into_owned(),
            plain(&wrong.pointer).into_owned(),
            plain(&wrong.keyword).into_owned(),
            when::cell(group.first, now),
            when::cell(group.last, now),
            format!("{:>width$}", valid_now(group)),
            group.example.to_string(),
        ]
    }));
    let table = table(&rows);
    let counts = groups.iter().map(|(_, group)| group.letters.to_string());
    let counts = std::iter::once("LETTERS".to_owned()).chain(counts);
    let lines = counts
        .zip(table.lines())
        .map(|(count, line)| format!("{count:>8} {line}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// How many letters of a group are valid now; `?` stands for those of which it is not known.
fn valid_now(group: &Group) -> String {
    match (group.valid_now, group.not_known) {
        (known, 0) => known.to_string(),
        (0, _) => "?".to_owned(),
        (known, _) => format!("{known}+?"),
    }
}

pub(super) fn write_json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

/// The verdict of today in a line of JSON.
#[derive(Debug, Serialize)]
pub(super) struct NowLine<'a> {
    pub verdict: &'static str,
    pub stage: Option<&'static str>,
    pub code: Option<&'static str>,
    pub message: Option<&'a str>,
}

impl<'a> NowLine<'a> {
    /// None: it is not known.
    pub fn of(now: Option<&'a Now<'_>>) -> NowLine<'a> {
        let rejection = match now {
            Some(Now::Rejected(rejection)) => Some(rejection),
            _ => None,
        };
        let message = rejection.map(|rejection| rejection.message.as_str());
        NowLine {
            verdict: now.map_or("not known", word),
            stage: rejection.map(|rejection| rejection.code.stage().name()),
            code: rejection.map(|rejection| rejection.code.name()),
            message: message.or(now.is_none().then_some(NOT_KNOWN)),
        }
    }
}

/// The verdict of today in a word.
pub(super) fn word(now: &Now<'_>) -> &'static str {
    match now {
        Now::Valid(_) => "valid",
        Now::Rejected(_) => "rejected",
        Now::Incomplete => "incomplete",
        Now::NoSource => "no source",
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct EachLine<'a> {
    letter: LetterId,
    rejected_at: Option<String>,
    source: &'a str,
    stage: &'a str,
    code: &'a str,
    pointer: Option<&'a str>,
    keyword: Option<&'a str>,
    topic: &'a str,
    partition: i32,
    offset: i64,
    timestamp: Option<String>,
    attempts: u64,
    settled: Option<How>,
    valid_now: Option<bool>,
    now: NowLine<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<std::borrow::Cow<'a, str>>,
}

/// Writes a line for each letter.
struct Each {
    out: BufWriter<io::Stdout>,
    output: Output,
    ids: bool,
    now: i64,
    is_begun: bool,
}

impl Each {
    fn new(output: Output, ids: bool) -> Each {
        Each {
            out: BufWriter::new(io::stdout()),
            output,
            ids,
            now: now_millis(),
            is_begun: false,
        }
    }

    fn line(
        &mut self,
        letter: &Letter<'_>,
        settled: Option<How>,
        now: Option<&Now<'_>>,
    ) -> Result<(), Failure> {
        let written = match self.output {
            Output::Json => self.json(letter, settled, now),
            Output::Table => self.row(letter, settled, now),
        };
        unless_closed(written, "standard output")
    }

    fn json(
        &mut self,
        letter: &Letter<'_>,
        settled: Option<How>,
        now: Option<&Now<'_>>,
    ) -> io::Result<()> {
        let first = letter.first_violation();
        let key = letter.key.filter(|_| self.ids);
        let line = EachLine {
            letter: letter.id,
            rejected_at: letter.rejected_at.map(when::text),
            source: letter.source,
            stage: letter.stage,
            code: letter.code,
            pointer: first.map(|first| first.pointer.as_str()),
            keyword: first.map(|first| first.keyword.as_str()),
            topic: letter.topic,
            partition: letter.partition,
            offset: letter.offset,
            timestamp: letter.timestamp.map(when::text),
            attempts: letter.attempts,
            settled,
            valid_now: now.map(Now::is_valid),
            now: NowLine::of(now),
            key: key.map(String::from_utf8_lossy),
        };
        write_json(&mut self.out, &line)
    }

    /// The columns have fixed widths, because there may be more letters than are kept in memory.
    fn row(
        &mut self,
        letter: &Letter<'_>,
        settled: Option<How>,
        now: Option<&Now<'_>>,
    ) -> io::Result<()> {
        if !self.is_begun {
            self.is_begun = true;
            let key = if self.ids { "  KEY" } else { "" };
            writeln!(
                self.out,
                "{:<12}  {:<19}  {:<19}  {:<16}  {:>8}  {:<19}  {:<32}  POINTER{key}",
                "LETTER", "SOURCE", "CODE", "REJECTED", "ATTEMPTS", "NOW", "FROM"
            )?;
        }
        let from = format!(
            "{}[{}]@{}",
            plain(letter.topic),
            letter.partition,
            letter.offset
        );
        let today = match (settled, now) {
            (Some(how), _) => how.name(),
            (None, Some(Now::Rejected(rejection))) => rejection.code.name(),
            (None, now) => now.map_or("?", word),
        };
        let first = letter.first_violation();
        let pointer = plain(first.map_or("-", |first| first.pointer.as_str()));
        write!(
            self.out,
            "{:<12}  {:<19}  {:<19}  {:<16}  {:>8}  {today:<19}  {from:<32}  {pointer}",
            letter.id.to_string(),
            plain(letter.source),
            plain(letter.code),
            when::cell(letter.rejected_at, self.now),
            letter.attempts
        )?;
        if self.ids {
            let key = letter.key.map(String::from_utf8_lossy);
            write!(self.out, "  {}", plain(key.as_deref().unwrap_or("-")))?;
        }
        writeln!(self.out)
    }

    fn finish(&mut self) -> Result<(), Failure> {
        unless_closed(self.out.flush(), "standard output")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_shown_on_one_screen() {
        let wrong = Wrong {
            source: "loyalty-customers".to_owned(),
            stage: "semantic".to_owned(),
            code: "country_code".to_owned(),
            pointer: "/body/addresses/*/countryCode".to_owned(),
            keyword: "country_code".to_owned(),
        };
        let midnight = 1_800_000_000_000 / 86_400_000 * 86_400_000;
        let group = Group {
            letters: 36,
            first: Some(midnight + 185 * 60_000),
            last: Some(midnight + 192 * 60_000),
            valid_now: 0,
            not_known: 0,
            example: "3@118".parse().unwrap(),
        };
        // The heading begins with a space, which a broken line would lose.
        let expected = "\u{20}LETTERS SOURCE             CODE          POINTER                        KEYWORD       FIRST  LAST   VALID NOW  EXAMPLE
      36 loyalty-customers  country_code  /body/addresses/*/countryCode  country_code  03:05  03:12          0  3@118";
        assert_eq!(groups_table(&[(&wrong, &group)], midnight + 1), expected);
        let known = |valid_now, not_known| {
            let group = Group {
                valid_now,
                not_known,
                ..group.clone()
            };
            super::valid_now(&group)
        };
        assert_eq!([known(4, 0), known(0, 36), known(4, 32)], ["4", "?", "4+?"]);
    }
}
