//! `keyfold dlq show`: all that is known of some letters.

use std::fmt::Write as _;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Serialize;
use serde_json::json;

use super::list::{NowLine, word};
use super::named::{self, NoLetter};
use super::scan::{Found, Scan};
use super::today::{NOT_KNOWN, Today};
use crate::cli::output::{Output, plain, say, say_json, table};
use crate::cli::when;
use crate::config::Config;
use crate::exit::{Done, Failure};
use crate::inspect::letter::filter::Filter;
use crate::inspect::letter::now::{Now, What};
use crate::inspect::letter::settled::Settlement;
use crate::inspect::letter::{Letter, LetterId, LetterViolation};

/// Show letters with their headers, their violations, and the verdict under today's configuration.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// PARTITION@OFFSET
    #[arg(value_name = "LETTER", required = true)]
    letters: Vec<LetterId>,
    /// Also the records' values
    #[arg(long)]
    value: bool,
    /// Also the records' keys, which may be customer ids
    #[arg(long)]
    ids: bool,
}

pub fn run(config: &Config, args: &ShowArgs, output: Output) -> Result<Done, Failure> {
    let filter = Filter::of_letters(&args.letters);
    let mut scan = Scan::open(config)?;
    let mut none = named::look(&scan, &args.letters)?;
    let settlements = scan.settlements(args.letters.iter().copied())?;
    let mut today = Today::connect(&scan)?;
    let mut missing = filter.ids.clone();
    scan.read(
        "reading dead letters",
        &filter,
        &settlements,
        |Found { letter, .. }| {
            missing.remove(&letter.id);
            let now = today.judge(&letter)?;
            let shown = Shown {
                letter: &letter,
                now: now.as_ref(),
                settled: settlements.details_of(letter.id),
                args,
            };
            match output {
                Output::Json => say_json(&shown.json()),
                Output::Table => say(&shown.text()),
            }
        },
    )?;
    scan.tell_beside(None);
    for id in missing {
        none.entry(id).or_insert(NoLetter::NoRecord);
    }
    if let Some(failure) = named::failure(&config.dead_letters.topic, &none) {
        return Err(failure);
    }
    today.finish()?;
    Ok(Done::Clean)
}

/// A header in JSON: its value as text, or in base64 if it is no UTF-8.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownHeader<'a> {
    name: &'a str,
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    holds_key: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for it
fn is_false(flag: &bool) -> bool {
    !flag
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownLetter<'a> {
    letter: LetterId,
    rejected_at: Option<String>,
    topic: &'a str,
    partition: i32,
    offset: i64,
    timestamp: Option<String>,
    source: &'a str,
    stage: &'a str,
    code: &'a str,
    message: &'a str,
    violations: &'a [LetterViolation],
    application: &'a str,
    version: &'a str,
    attempts: u64,
    omitted: Vec<&'static str>,
    headers: Vec<ShownHeader<'a>>,
    settled: Option<&'a Settlement>,
    valid_now: Option<bool>,
    now: NowLine<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    now_violations: Option<serde_json::Value>,
    key_bytes: Option<usize>,
    value_bytes: Option<usize>,
    #[serde(flatten)]
    asked: serde_json::Map<String, serde_json::Value>,
}

struct Shown<'s> {
    letter: &'s Letter<'s>,
    /// None: it is not known.
    now: Option<&'s Now<'s>>,
    settled: Option<&'s Settlement>,
    args: &'s ShowArgs,
}

impl Shown<'_> {
    /// Whether the value of a header holds the record's key, and is not to be shown without being asked for.
    fn holds_key(&self, value: Option<&[u8]>) -> bool {
        let key = self
            .letter
            .key
            .filter(|key| !key.is_empty() && !self.args.ids);
        let found = key.zip(value);
        found.is_some_and(|(key, value)| value.windows(key.len()).any(|part| part == key))
    }

    fn json(&self) -> ShownLetter<'_> {
        let Letter { id, .. } = *self.letter;
        let letter = self.letter;
        let headers = letter.headers.iter().map(|(name, value)| {
            let holds_key = self.holds_key(*value);
            let shown = value.filter(|_| !holds_key);
            let text = shown.and_then(|value| std::str::from_utf8(value).ok());
            let bytes = shown.filter(|_| text.is_none());
            ShownHeader {
                name,
                value: text,
                value_base64: bytes.map(|bytes| BASE64_STANDARD.encode(bytes)),
                holds_key,
            }
        });
        let mut asked = serde_json::Map::new();
        let mut ask = |is_asked: bool, name: &str, bytes: Option<&[u8]>| {
            if is_asked {
                let (name, value) = part(name, bytes);
                asked.insert(name, value);
            }
        };
        ask(self.args.ids, "key", letter.key);
        ask(self.args.value, "payload", letter.value);
        ShownLetter {
            letter: id,
            rejected_at: letter.rejected_at.map(when::text),
            topic: letter.topic,
            partition: letter.partition,
            offset: letter.offset,
            timestamp: letter.timestamp.map(when::text),
            source: letter.source,
            stage: letter.stage,
            code: letter.code,
            message: letter.message,
            violations: &letter.violations,
            application: letter.application,
            version: letter.version,
            attempts: letter.attempts,
            omitted: letter.omitted.names(),
            headers: headers.collect(),
            settled: self.settled,
            valid_now: self.now.map(Now::is_valid),
            now: NowLine::of(self.now),
            now_violations: match self.now {
                Some(Now::Rejected(rejection)) => Some(json!(rejection.violations)),
                _ => None,
            },
            key_bytes: letter.key.map(<[u8]>::len),
            value_bytes: letter.value.map(<[u8]>::len),
            asked,
        }
    }

    fn text(&self) -> String {
        let letter = self.letter;
        let none = || "none".to_owned();
        let time = |millis: Option<i64>| millis.map_or_else(none, when::text);
        let mut rows = vec![
            ["letter".to_owned(), letter.id.to_string()],
            ["rejected".to_owned(), time(letter.rejected_at)],
            [
                "by".to_owned(),
                format!(
                    "{}, version {}",
                    plain(letter.application),
                    plain(letter.version)
                ),
            ],
            [
                "from".to_owned(),
                format!(
                    "{} partition {} offset {}",
                    plain(letter.topic),
                    letter.partition,
                    letter.offset
                ),
            ],
            ["timestamp".to_owned(), time(letter.timestamp)],
            ["source".to_owned(), plain(letter.source).into_owned()],
            ["attempts".to_owned(), letter.attempts.to_string()],
            [
                "code".to_owned(),
                format!("{} ({})", plain(letter.code), plain(letter.stage)),
            ],
            ["message".to_owned(), plain(letter.message).into_owned()],
        ];
        for omitted in letter.omitted.names() {
            rows.push(["omitted".to_owned(), format!("the record's {omitted}")]);
        }
        rows.push([
            "key".to_owned(),
            size_or(letter.key, self.args.ids, "--ids"),
        ]);
        rows.push([
            "value".to_owned(),
            size_or(letter.value, self.args.value, "--value"),
        ]);
        for (name, value) in &letter.headers {
            let shown = match value {
                _ if self.holds_key(*value) => "holds the key; --ids shows it".to_owned(),
                None => "null".to_owned(),
                Some(bytes) => text_of(bytes),
            };
            rows.push(["header".to_owned(), format!("{}: {shown}", plain(name))]);
        }
        if let Some(settled) = self.settled {
            let note = settled.note.as_ref();
            let note = note.map_or_else(String::new, |note| format!(": {}", plain(note)));
            let how = format!("{} at {}{note}", settled.settled.name(), settled.at);
            rows.push(["settled".to_owned(), how]);
        }
        rows.push(["now".to_owned(), self.now_text()]);
        let mut text = table(&rows);
        let violations = letter.violations.iter();
        let violations = violations.map(|one| [&*one.pointer, &*one.keyword, &*one.message]);
        append(&mut text, "violations", violations.collect());
        if let Some(Now::Rejected(rejection)) = self.now {
            let violations = rejection.violations.iter();
            let violations = violations.map(|one| [&*one.pointer, one.keyword, &*one.message]);
            append(&mut text, "violations now", violations.collect());
        }
        text
    }

    fn now_text(&self) -> String {
        let Some(now) = self.now else {
            return NOT_KNOWN.to_owned();
        };
        match now {
            Now::Rejected(rejection) => format!(
                "rejected: {} ({}): {}",
                rejection.code.name(),
                rejection.code.stage().name(),
                plain(&rejection.message)
            ),
            Now::Valid(sendable) => match sendable.what {
                What::Record => word(now).to_owned(),
                What::Elements { bad, of } => format!("valid: the {bad} bad of {of} elements"),
                What::WholeBatch => {
                    "valid: the whole batch, of which no part can be sent alone".to_owned()
                }
            },
            Now::Incomplete => "cannot be judged: the letter lacks a part of its record".to_owned(),
            Now::NoSource => "cannot be judged: its topic feeds no source".to_owned(),
        }
    }
}

fn append(text: &mut String, title: &str, violations: Vec<[&str; 3]>) {
    if violations.is_empty() {
        return;
    }
    let rows: Vec<[String; 3]> = violations
        .into_iter()
        .map(|parts| parts.map(|part| plain(part).into_owned()))
        .collect();
    let _ = write!(text, "\n{title}");
    for line in table(&rows).lines() {
        let _ = write!(text, "\n    {line}");
    }
}

/// A part of a record in JSON: as text, or in base64 if it is no UTF-8.
fn part(name: &str, bytes: Option<&[u8]>) -> (String, serde_json::Value) {
    match bytes.map(std::str::from_utf8) {
        None => (name.to_owned(), serde_json::Value::Null),
        Some(Ok(text)) => (name.to_owned(), text.into()),
        Some(Err(_)) => {
            let text = BASE64_STANDARD.encode(bytes.unwrap_or_default());
            (format!("{name}_base64"), text.into())
        }
    }
}

fn text_of(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => plain(text).into_owned(),
        Err(_) => format!("base64 {}", BASE64_STANDARD.encode(bytes)),
    }
}

fn size_or(bytes: Option<&[u8]>, is_asked: bool, flag: &str) -> String {
    match bytes {
        None => "null".to_owned(),
        Some(bytes) if is_asked => text_of(bytes),
        Some(bytes) => format!("{} bytes; {flag} shows it", bytes.len()),
    }
}
